//! Answers: the shell's reply becomes Data-In and a status, and in the end the slot is free.

use super::Session;
use super::burst::{Limits, Piece, cut};
use super::slab::TaskId;
use super::task::{Abort, Phase, Task};
use super::transmit::Stamp;
use super::types::{Reply, Transmit, TransmitData};
use crate::iscsi::pdu::{DataIn, Residual, ScsiResponse, ServiceResponse, Ttt};
use crate::scsi::Status;

use alloc::vec::Vec;

impl Session {
    /// The shell has executed a command. An aborted one sends nothing more and is dropped, or says
    /// TASK ABORTED, whatever the reply.
    ///
    /// # Panics
    /// Where the shell does not have the task.
    #[inline]
    pub fn complete(&mut self, task: TaskId, reply: Reply<'_>) {
        let state = self.tasks.at_mut(task);
        assert!(state.phase == Phase::Executing, "a task is completed once, by who executes it");
        match state.abort {
            None => self.answer(task, reply),
            Some(Abort::Told) => self.answer(task, Reply::failed(Status::TaskAborted, &[])),
            Some(Abort::Silent) => self.drop_task(task),
        }
    }

    #[inline]
    pub(super) fn answer(&mut self, task: TaskId, reply: Reply<'_>) {
        self.tasks.at_mut(task).answer(reply);
        self.answering.push_back(task);
    }

    /// The PDU that [`Transmit::ends`] this task has left; its slot is free for another.
    ///
    /// # Panics
    /// Where that PDU has not been handed over.
    #[inline]
    pub fn sent(&mut self, task: TaskId) {
        let state = self.tasks.remove(task);
        assert!(state.phase == Phase::Leaving, "the last PDU of a task is sent once");
        if state.is_immediate {
            self.immediate -= 1;
        } else {
            self.occupied -= 1;
        }
    }

    /// Holds back every status, data flow on; for tests of initiators. Released ones leave in the
    /// order in which they were due.
    pub fn hold_status(&mut self, is_held: bool) {
        self.is_status_held = is_held;
        if !is_held {
            self.answering.extend(self.parked.drain(..));
        }
    }

    /// The next PDU of a task that answers.
    #[inline]
    pub(super) fn poll_answer(&mut self) -> Option<Transmit> {
        loop {
            let task = *self.answering.front()?;
            let piece = self.next_piece(task);
            let has_status = piece.is_none_or(|piece| piece.is_last && self.is_piggybacked(task));
            if has_status && self.is_status_held {
                self.answering.pop_front();
                self.parked.push_back(task);
                continue;
            }
            return Some(match piece {
                Some(piece) => self.data_in(task, piece, has_status),
                None => self.response(task),
            });
        }
    }

    #[inline]
    fn is_piggybacked(&self, task: TaskId) -> bool {
        self.tasks.at(task).answer.is_piggybacked()
    }

    #[inline]
    fn next_piece(&self, task: TaskId) -> Option<Piece> {
        let answer = &self.tasks.at(task).answer;
        let limits = Limits { segment: self.terms.send_segment_max, burst: self.terms.burst_max };
        (answer.data_sent < answer.data_len).then(|| cut(limits, answer.data_sent, answer.data_len))
    }

    /// After each sequence the next task has its turn.
    #[inline]
    fn data_in(&mut self, id: TaskId, piece: Piece, has_status: bool) -> Transmit {
        let stamp = if has_status { self.end(id) } else { self.stamp() };
        let task = self.tasks.at_mut(id);
        let pdu = data_in_pdu(task, piece, has_status, stamp);
        task.answer.data_sent += piece.len;
        task.answer.data_sn += 1;
        if piece.ends_sequence && !piece.is_last {
            self.answering.rotate_left(1);
        }
        let data = TransmitData::Task { task: id, offset: piece.offset, len: piece.len };
        Transmit { bhs: pdu.encode(), data, ends: has_status.then_some(id) }
    }

    fn response(&mut self, id: TaskId) -> Transmit {
        let stamp = self.end(id);
        let task = self.tasks.at_mut(id);
        let data = sense_segment(&task.answer.sense);
        let pdu = ScsiResponse {
            response: ServiceResponse::Completed,
            status: task.answer.status,
            residual: task.answer.residual,
            bidi_residual: Residual::None,
            data_len: data.len() as u32,
            itt: task.itt,
            snack_tag: 0,
            stat_sn: stamp.stat_sn,
            exp_cmd_sn: stamp.exp_cmd_sn,
            max_cmd_sn: stamp.max_cmd_sn,
            exp_data_sn: task.answer.data_sn,
        };
        let data = if data.is_empty() { TransmitData::None } else { TransmitData::Bytes(data) };
        Transmit { bhs: pdu.encode(), data, ends: Some(id) }
    }

    /// The task at the front hands over its status: its tag and its place in the window are free,
    /// which the same PDU tells already.
    #[inline]
    fn end(&mut self, id: TaskId) -> Stamp {
        self.answering.pop_front();
        let task = self.tasks.at_mut(id);
        task.phase = Phase::Leaving;
        self.by_itt.remove(task.itt);
        let is_watched = task.is_watched;
        if !task.is_immediate {
            self.active -= 1;
        }
        let stamp = self.stamp_status();
        self.task_ended(id, is_watched);
        stamp
    }
}

#[inline]
fn data_in_pdu(task: &Task, piece: Piece, has_status: bool, stamp: Stamp) -> DataIn {
    DataIn {
        is_final: piece.ends_sequence,
        acknowledge: false,
        status: has_status.then_some(task.answer.status),
        residual: if has_status { task.answer.residual } else { Residual::None },
        data_len: piece.len,
        lun: task.command.lun,
        itt: task.itt,
        ttt: Ttt::NONE,
        stat_sn: stamp.stat_sn,
        exp_cmd_sn: stamp.exp_cmd_sn,
        max_cmd_sn: stamp.max_cmd_sn,
        data_sn: task.answer.data_sn,
        offset: piece.offset,
    }
}

/// Sense data with their length before them (RFC 7143 section 11.4.7).
pub(super) fn sense_segment(sense: &[u8]) -> Vec<u8> {
    if sense.is_empty() {
        return Vec::new();
    }
    let len = u16::try_from(sense.len()).expect("sense is short");
    let mut segment = Vec::with_capacity(2 + sense.len());
    segment.extend_from_slice(&len.to_be_bytes());
    segment.extend_from_slice(sense);
    segment
}
