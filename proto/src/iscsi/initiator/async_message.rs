//! Asynchronous messages and the duties that come with them (RFC 7143 section 11.9.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::error::ProtocolError;
use super::event::{AbortCause, AsyncNotice, Event, Failure, SenseBytes};
use super::response::sense;
use super::session::Session;
use super::stage::Step;
use crate::iscsi::pdu::{AsyncEvent, AsyncMessage, Ttt};
use crate::scsi::Lun;

/// The part of the target's time that running commands may use; the rest is for the logout itself.
const LEAVE_SHARE: u64 = 2;
const SECOND_NS: u64 = 1_000_000_000;

impl Session {
    pub(super) fn async_arrived(
        &mut self,
        pdu: &AsyncMessage,
        data: &[u8],
        now_ns: u64,
    ) -> Result<(), ProtocolError> {
        match pdu.event {
            AsyncEvent::Scsi => {
                let sense = sense(data)?.unwrap_or_else(|| Box::new(SenseBytes::new(&[])));
                self.notice(AsyncNotice::Sense { lun: pdu.lun, sense });
            }
            AsyncEvent::LogoutRequested { within } => {
                self.notice(AsyncNotice::LogoutRequested { within_s: within });
                self.leave_within(within, now_ns);
            }
            AsyncEvent::NegotiationRequested { within } => {
                self.notice(AsyncNotice::RenegotiationRequested { within_s: within });
                self.leave_within(within, now_ns);
            }
            AsyncEvent::ConnectionDropped { cid, .. } if cid != self.cid => {
                self.notice(AsyncNotice::ConnectionDropped { cid });
            }
            AsyncEvent::ConnectionDropped { time2wait, time2retain, .. }
            | AsyncEvent::SessionDropped { time2wait, time2retain } => {
                self.fail(Failure::Dropped { time2wait, time2retain });
            }
            AsyncEvent::TasksTerminated => self.tasks_terminated(pdu.lun)?,
            AsyncEvent::Vendor { code, .. } => self.notice(AsyncNotice::Vendor { code }),
        }
        Ok(())
    }

    fn notice(&mut self, notice: AsyncNotice) {
        self.tell(Event::Async(notice));
    }

    fn leave_within(&mut self, seconds: u16, now_ns: u64) {
        let within_ns = u64::from(seconds) * SECOND_NS;
        self.leave(now_ns.saturating_add(within_ns / LEAVE_SHARE));
    }

    /// Event 5: no more data for the tasks of that logical unit, then a NOP-Out that says so (RFC 7143
    /// section 4.2.3.4). The target ends the tasks without a status, so each is asked after with ABORT
    /// TASK: only the answer proves that it cannot execute any more.
    fn tasks_terminated(&mut self, lun: Lun) -> Result<(), ProtocolError> {
        self.notice(AsyncNotice::TasksTerminated { lun });
        self.answer(lun, Ttt::NONE, Vec::new())?;
        for slot in 0..self.tasks.capacity() {
            let task = &self.tasks[slot];
            if task.stage.is_at_target() && task.command.lun == lun {
                self.mute(slot);
                self.give_up(slot, Step::Cancelled, AbortCause::Target);
            }
        }
        Ok(())
    }
}
