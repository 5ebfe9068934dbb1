//! A small initiator that does what a test tells it, right or wrong: PDUs of `proto`, one stream.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::memory::{Crc32c, Lease};
use byway_engine::net::{Address, NetError, Stream};
use byway_proto::iscsi::framing::{Framer, Next};
use byway_proto::iscsi::login::LoginError;
use byway_proto::iscsi::login::initiator::{Login, LoginConfig, LoginState, Proof};
use byway_proto::iscsi::negotiate::{Offer, Operational, SessionParams};
use byway_proto::iscsi::pdu::{
    Bhs, DataOut, Isid, Itt, R2t, Residual, ScsiCommand, TargetPdu, TaskAttribute, TaskFunction,
    TaskManagementRequest, TextRequest, Ttt, padding,
};
use byway_proto::iscsi::text::IscsiName;
use byway_proto::scsi::cdb::{Command, Transfer};
use byway_proto::scsi::{Cdb, Lun, Sense, SenseCode, Status};
use byway_proto::serial::Serial;

use super::TARGET;

const MEMORY_LEN: u32 = 8 << 10;

/// Who logs in, and how.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) name: &'static str,
    pub(super) qualifier: u16,
    pub(super) operational: Operational,
    pub(super) proof: Proof,
    pub(super) is_discovery: bool,
    pub(super) lun: Lun,
}

impl Who {
    pub(super) fn named(name: &'static str) -> Who {
        Who {
            name,
            qualifier: 1,
            operational: Operational::default(),
            proof: Proof::None,
            is_discovery: false,
            lun: Lun::ZERO,
        }
    }

    fn config(&self) -> LoginConfig {
        let name = IscsiName::new(self.name).unwrap();
        let mut offer = match self.is_discovery {
            true => Offer::discovery(name),
            false => Offer::normal(name, IscsiName::new(TARGET).unwrap()),
        };
        offer.operational = self.operational;
        LoginConfig {
            offer,
            portal_group: None,
            isid: Isid::from_random([1, 2, 3], self.qualifier),
            tsih: 0,
            cid: 0,
            proof: self.proof.clone(),
            itt: Itt(0),
            cmd_sn: Serial(1),
        }
    }
}

/// A PDU of the target with its data.
#[derive(Clone, Debug)]
pub(super) struct Pdu {
    pub(super) bhs: Bhs,
    pub(super) data: Vec<u8>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) sense: Option<SenseCode>,
    pub(super) data: Vec<u8>,
    pub(super) residual: Residual,
}

#[derive(Default)]
struct Task {
    out: Vec<u8>,
    data: Vec<u8>,
}

/// The initiator.
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) params: SessionParams,
    pub(super) tsih: u16,
    pub(super) cmd_sn: Serial,
    pub(super) max_cmd_sn: Serial,
    exp_stat_sn: Serial,
    lun: Lun,
    itt: u32,
    framer: Framer,
    bytes: VecDeque<u8>,
    /// Taken at the start: the target may use up the arena that both share here.
    memory: Option<Lease>,
    sending: Option<Lease>,
    tasks: BTreeMap<u32, Task>,
    answers: BTreeMap<u32, Answer>,
    /// Everything that is not about a command, in the order it came.
    pub(super) others: VecDeque<Pdu>,
    pub(super) r2ts: u32,
}

/// Logs in and goes past the unit attention conditions of the start.
pub(super) async fn connect(core: &Rc<Core>, to: &Address, who: &Who) -> Client {
    let mut client = log_in(core, to, who).await.unwrap();
    if !who.is_discovery {
        while client.run(Command::TestUnitReady, 0).await.sense.is_some() {}
    }
    client
}

pub(super) async fn log_in(core: &Rc<Core>, to: &Address, who: &Who) -> Result<Client, LoginError> {
    let stream = Stream::connect(core, to).await.unwrap();
    let mut login = Login::new(who.config()).unwrap();
    let mut client = Client {
        stream,
        params: SessionParams::default(),
        tsih: 0,
        cmd_sn: Serial(1),
        max_cmd_sn: Serial(1),
        exp_stat_sn: Serial(0),
        lun: who.lun,
        itt: 1,
        framer: Framer::new(false, false),
        bytes: VecDeque::new(),
        memory: core.lease(MEMORY_LEN),
        sending: core.lease(MEMORY_LEN),
        tasks: BTreeMap::new(),
        answers: BTreeMap::new(),
        others: VecDeque::new(),
        r2ts: 0,
    };
    loop {
        while let Some((bhs, data)) = login.poll_transmit() {
            client.send(&bhs, data).await.unwrap();
        }
        if let LoginState::Done(outcome) = login.state() {
            (client.tsih, client.cmd_sn) = (outcome.tsih, outcome.cmd_sn);
            (client.exp_stat_sn, client.max_cmd_sn) = (outcome.exp_stat_sn, outcome.max_cmd_sn);
            client.params = outcome.params.clone();
            client.framer = Framer::new(client.params.header_digest, client.params.data_digest);
            return Ok(client);
        }
        let pdu = client.receive().await.unwrap();
        login.handle(&pdu.bhs, &pdu.data)?;
        if let LoginState::Redirected(_) = login.state() {
            let moved = byway_proto::iscsi::pdu::LoginStatus::MovedTemporarily;
            return Err(LoginError::Refused(moved));
        }
    }
}

impl Client {
    pub(super) async fn send(&mut self, bhs: &Bhs, data: &[u8]) -> Result<(), NetError> {
        let mut wire = bhs.to_vec();
        if self.params.header_digest {
            wire.extend(Crc32c::of(bhs).to_le_bytes());
        }
        let start = wire.len();
        wire.extend(data);
        wire.extend(&[0; 3][..padding(data.len() as u32) as usize]);
        if self.params.data_digest && !data.is_empty() {
            let digest = Crc32c::of(&wire[start..]);
            wire.extend(digest.to_le_bytes());
        }
        self.send_raw(&wire).await
    }

    pub(super) async fn send_raw(&mut self, wire: &[u8]) -> Result<(), NetError> {
        for piece in wire.chunks(MEMORY_LEN as usize) {
            let mut lease = self.sending.take().unwrap();
            lease.set_len(piece.len() as u32);
            lease.copy_from_slice(piece);
            let (result, payload) = self.stream.send(lease.into()).await;
            self.sending = payload.into_lease();
            result?;
        }
        Ok(())
    }

    async fn need(&mut self, len: usize) -> Option<()> {
        while self.bytes.len() < len {
            let payload: Payload = self.memory.take().unwrap().into();
            let (result, payload) = self.stream.receive(payload).await;
            let lease = payload.into_lease().unwrap();
            let n = *result.as_ref().unwrap_or(&0);
            self.bytes.extend(&lease[..n]);
            self.memory = Some(lease);
            result.ok()?;
            if n == 0 {
                return None;
            }
        }
        Some(())
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        self.bytes.drain(..len).collect()
    }

    /// The next PDU; nothing where the target ended the connection.
    pub(super) async fn receive(&mut self) -> Option<Pdu> {
        self.need(48).await?;
        let front: Vec<u8> = self.bytes.iter().take(8).copied().collect();
        let len = self.framer.head_len(&front);
        self.need(len).await?;
        let head = self.take(len);
        let bhs = self.framer.head(&head, Crc32c::of).expect("a right header digest");
        let mut data = Vec::new();
        let mut crc = Crc32c::new();
        loop {
            match self.framer.next() {
                Next::Head => return Some(Pdu { bhs, data }),
                Next::Data(len) => {
                    self.need(len as usize).await?;
                    data = self.take(len as usize);
                    crc.update(&data);
                    self.framer.data(len);
                }
                Next::Tail(len) => {
                    self.need(len as usize).await?;
                    let tail = self.take(len as usize);
                    let is_right = self.framer.tail(&tail, |padding| {
                        crc.update(padding);
                        crc.value()
                    });
                    assert!(is_right, "a right data digest");
                }
            }
        }
    }

    fn next_itt(&mut self) -> Itt {
        self.itt += 1;
        Itt(self.itt)
    }

    /// Sends a command that reads up to `len` bytes.
    pub(super) async fn start_read(&mut self, cdb: Cdb, len: u32) -> Itt {
        self.start(cdb, len, Vec::new()).await
    }

    /// Sends a command with its data, as much of it as may go unasked.
    pub(super) async fn start(&mut self, cdb: Cdb, edtl: u32, out: Vec<u8>) -> Itt {
        let is_write = !out.is_empty();
        let itt = self.next_itt();
        let (first, segment) = (self.params.first_burst_len, self.params.max_send_data_segment_len);
        let edtl = if is_write { out.len() as u32 } else { edtl };
        let immediate = if self.params.immediate_data { edtl.min(first).min(segment) } else { 0 };
        let immediate = if is_write { immediate } else { 0 };
        let unsolicited = if self.params.initial_r2t { immediate } else { edtl.min(first) };
        let command = ScsiCommand {
            immediate: false,
            is_final: !is_write || unsolicited == immediate,
            read: !is_write && edtl > 0,
            write: is_write,
            attribute: TaskAttribute::Simple,
            ahs_len: 0,
            data_len: immediate,
            lun: self.lun,
            itt,
            edtl,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            cdb,
        };
        self.cmd_sn = self.cmd_sn.next();
        self.send(&command.encode(), &out[..immediate as usize]).await.unwrap();
        self.tasks.insert(itt.0, Task { out, data: Vec::new() });
        if is_write && unsolicited > immediate {
            self.send_data(itt, Ttt::NONE, immediate, unsolicited - immediate).await;
        }
        itt
    }

    async fn send_data(&mut self, itt: Itt, ttt: Ttt, mut at: u32, len: u32) {
        let end = at + len;
        let mut data_sn = 0;
        while at < end {
            let n = (end - at).min(self.params.max_send_data_segment_len);
            let pdu = DataOut {
                is_final: at + n == end,
                data_len: n,
                lun: if ttt == Ttt::NONE { Lun::ZERO } else { self.lun },
                itt,
                ttt,
                exp_stat_sn: self.exp_stat_sn,
                data_sn,
                offset: at,
            };
            let data = self.tasks[&itt.0].out[at as usize..][..n as usize].to_vec();
            self.send(&pdu.encode(), &data).await.unwrap();
            (at, data_sn) = (at + n, data_sn + 1);
        }
    }

    /// Deals with one PDU; false at the end of the connection.
    pub(super) async fn step(&mut self) -> bool {
        let Some(pdu) = self.receive().await else { return false };
        match TargetPdu::decode(&pdu.bhs).unwrap() {
            TargetPdu::R2t(r2t) => self.solicited(&r2t).await,
            TargetPdu::DataIn(data_in) => {
                let task = self.tasks.get_mut(&data_in.itt.0).expect("data of a task");
                assert_eq!(task.data.len(), data_in.offset as usize, "data come in order");
                task.data.extend(&pdu.data);
                if let Some(status) = data_in.status {
                    self.saw(data_in.stat_sn, data_in.max_cmd_sn);
                    self.finish(data_in.itt, status, &[], data_in.residual);
                }
            }
            TargetPdu::ScsiResponse(response) => {
                self.saw(response.stat_sn, response.max_cmd_sn);
                self.finish(response.itt, response.status, &pdu.data, response.residual);
            }
            TargetPdu::NopIn(nop) if nop.itt == Itt::NONE => self.max_cmd_sn = nop.max_cmd_sn,
            _ => {
                let stat_sn = u32::from_be_bytes(pdu.bhs[24..28].try_into().unwrap());
                let max = u32::from_be_bytes(pdu.bhs[32..36].try_into().unwrap());
                self.saw(Serial(stat_sn), Serial(max));
                self.others.push_back(pdu);
            }
        }
        true
    }

    fn saw(&mut self, stat_sn: Serial, max_cmd_sn: Serial) {
        assert_eq!(stat_sn, self.exp_stat_sn, "statuses come in order");
        self.exp_stat_sn = stat_sn.next();
        self.max_cmd_sn = max_cmd_sn;
    }

    async fn solicited(&mut self, r2t: &R2t) {
        self.r2ts += 1;
        self.send_data(r2t.itt, r2t.ttt, r2t.offset, r2t.desired_len).await;
    }

    fn finish(&mut self, itt: Itt, status: Status, data: &[u8], residual: Residual) {
        let task = self.tasks.remove(&itt.0).expect("a task ends once");
        let sense = data.get(2..).and_then(Sense::parse).map(|sense| sense.code);
        self.answers.insert(itt.0, Answer { status, sense, data: task.data, residual });
    }

    /// The answer to a command; nothing where the connection ended.
    pub(super) async fn try_answer(&mut self, itt: Itt) -> Option<Answer> {
        while !self.answers.contains_key(&itt.0) {
            if !self.step().await {
                return None;
            }
        }
        self.answers.remove(&itt.0)
    }

    pub(super) async fn answer(&mut self, itt: Itt) -> Answer {
        self.try_answer(itt).await.expect("the connection lives")
    }

    pub(super) fn is_answered(&self, itt: Itt) -> bool {
        self.answers.contains_key(&itt.0)
    }

    /// A command that reads up to `len` bytes.
    pub(super) async fn run(&mut self, command: Command, len: u32) -> Answer {
        let itt = self.start_read(command.build(), len).await;
        self.answer(itt).await
    }

    /// A command with data.
    pub(super) async fn run_out(&mut self, command: Command, out: Vec<u8>) -> Answer {
        let itt = self.start(command.build(), 0, out).await;
        self.answer(itt).await
    }

    pub(super) async fn read(&mut self, lba: u64, blocks: u32) -> Vec<u8> {
        let answer = self.run(Command::Read(Transfer::new(lba, blocks)), blocks * 512).await;
        assert_eq!(answer.status, Status::Good, "{:?}", answer.sense);
        answer.data
    }

    pub(super) async fn write(&mut self, lba: u64, data: Vec<u8>) -> Answer {
        let blocks = data.len() as u32 / 512;
        self.run_out(Command::Write(Transfer::new(lba, blocks)), data).await
    }

    /// A task management function; its response byte.
    pub(super) async fn manage(&mut self, function: TaskFunction, referenced: Itt) -> Option<u8> {
        let itt = self.next_itt();
        let pdu = TaskManagementRequest {
            immediate: true,
            function,
            lun: self.lun,
            itt,
            referenced,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            ref_cmd_sn: self.cmd_sn,
            exp_data_sn: 0,
        };
        self.send(&pdu.encode(), &[]).await.unwrap();
        let pdu = self.other().await?;
        assert_eq!(pdu.bhs[0], 0x22, "a task management response");
        Some(pdu.bhs[2])
    }

    /// The next PDU that is not about a command.
    pub(super) async fn other(&mut self) -> Option<Pdu> {
        loop {
            if let Some(pdu) = self.others.pop_front() {
                return Some(pdu);
            }
            if !self.step().await {
                return None;
            }
        }
    }

    pub(super) async fn text(&mut self, text: &[u8]) -> Pdu {
        let pdu = TextRequest {
            immediate: false,
            is_final: true,
            is_continued: false,
            data_len: text.len() as u32,
            lun: Lun::ZERO,
            itt: self.next_itt(),
            ttt: Ttt::NONE,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
        };
        self.cmd_sn = self.cmd_sn.next();
        self.send(&pdu.encode(), text).await.unwrap();
        self.other().await.unwrap()
    }
}
