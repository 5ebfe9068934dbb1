//! What a command costs the target in the steady state, counted and not timed: no allocation, and
//! few system calls.
//!
//! One test in its own program: the counting allocator is installed here. Both ends run on one
//! core; the initiator sends commands that were built before and allocates nothing either.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::Payload;
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::count_alloc::{CountingAllocator, allocations};
use byway_engine::memory::{ArenaConfig, Lease};
use byway_engine::net::{Address, Stream};
use byway_engine::reactor::Reactor;
use byway_export::iscsi::{LunConfig, PortalConfig, Target, TargetConfig};
use byway_proto::iscsi::login::initiator::{Login, LoginConfig, LoginState, Proof};
use byway_proto::iscsi::negotiate::Offer;
use byway_proto::iscsi::pdu::{Isid, Itt, ScsiCommand, TaskAttribute, padding};
use byway_proto::iscsi::text::IscsiName;
use byway_proto::scsi::Lun;
use byway_proto::scsi::cdb::{Command, Transfer};
use byway_proto::serial::Serial;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TARGET: &str = "iqn.2026-01.org.byway:counts";
const DEPTH: u32 = 16;
const BLOCK: u32 = 4096;
const WARM_UP: u32 = 200;
const COUNTED: u32 = 2_000;
/// Both ends: two sends and two receives for sixteen commands, and some turns in between.
const SYSCALLS_MAX: f64 = 0.5;

struct Client {
    stream: Stream,
    cmd_sn: Serial,
    exp_stat_sn: Serial,
    batch: Option<Lease>,
    answers: Option<Lease>,
}

async fn connect(core: &Rc<Core>, to: &Address) -> Client {
    let name = |text| IscsiName::new(text).unwrap();
    let mut login = Login::new(LoginConfig {
        offer: Offer::normal(name("iqn.2026-01.org.byway:client"), name(TARGET)),
        portal_group: None,
        isid: Isid::from_random([1, 2, 3], 4),
        tsih: 0,
        cid: 0,
        proof: Proof::None,
        itt: Itt(0),
        cmd_sn: Serial(1),
    })
    .unwrap();
    let stream = Stream::connect(core, to).await.unwrap();
    loop {
        while let Some((bhs, data)) = login.poll_transmit() {
            let mut wire = [&bhs[..], data].concat();
            wire.resize(wire.len() + padding(data.len() as u32) as usize, 0);
            let mut lease = core.lease(wire.len() as u32).unwrap();
            lease.copy_from_slice(&wire);
            stream.send(lease.into()).await.0.unwrap();
        }
        if let LoginState::Done(outcome) = login.state() {
            let (cmd_sn, exp_stat_sn) = (outcome.cmd_sn, outcome.exp_stat_sn);
            let batch = core.lease(DEPTH * (48 + BLOCK));
            let answers = core.lease(DEPTH * (48 + BLOCK));
            return Client { stream, cmd_sn, exp_stat_sn, batch, answers };
        }
        let mut bhs = [0; 48];
        bhs.copy_from_slice(&exactly(core, &stream, 48).await);
        let len = byway_proto::iscsi::pdu::data_segment_len(&bhs);
        let mut data = Vec::new();
        if len > 0 {
            data.extend_from_slice(&exactly(core, &stream, len + padding(len)).await);
        }
        login.handle(&bhs, &data[..len as usize]).unwrap();
    }
}

async fn exactly(core: &Rc<Core>, stream: &Stream, len: u32) -> Lease {
    let (result, payload) = stream.receive_exact(core.lease(len).unwrap().into()).await;
    result.unwrap();
    payload.into_lease().unwrap()
}

impl Client {
    /// Sends `DEPTH` commands at once and takes their answers.
    async fn round(&mut self, is_write: bool) {
        let mut batch = self.batch.take().unwrap();
        let sent = if is_write { BLOCK } else { 0 };
        batch.set_len(DEPTH * (48 + sent));
        for (n, wire) in batch.chunks_exact_mut(48 + sent as usize).enumerate() {
            wire[..48].copy_from_slice(&self.command(n as u32, is_write));
        }
        let (result, payload) = self.stream.send(batch.into()).await;
        result.unwrap();
        self.batch = payload.into_lease();
        let mut answers = self.answers.take().unwrap();
        answers.set_len(DEPTH * (48 + BLOCK - sent));
        let (result, payload) = self.stream.receive_exact(Payload::from(answers)).await;
        result.unwrap();
        let answers = payload.into_lease().unwrap();
        assert!(answers.chunks_exact(48 + (BLOCK - sent) as usize).all(|pdu| pdu[3] == 0));
        self.answers = Some(answers);
    }

    fn command(&mut self, n: u32, is_write: bool) -> [u8; 48] {
        let transfer = Transfer::new(u64::from(n) * 8, BLOCK / 512);
        let cmd_sn = self.cmd_sn;
        self.cmd_sn = cmd_sn.next();
        let command = ScsiCommand {
            immediate: false,
            is_final: true,
            read: !is_write,
            write: is_write,
            attribute: TaskAttribute::Simple,
            ahs_len: 0,
            data_len: if is_write { BLOCK } else { 0 },
            lun: Lun::ZERO,
            itt: Itt(n),
            edtl: BLOCK,
            cmd_sn,
            exp_stat_sn: self.exp_stat_sn,
            cdb: if is_write { Command::Write(transfer) } else { Command::Read(transfer) }.build(),
        };
        command.encode()
    }

    /// The first command is told of the start of the target.
    async fn settle(&mut self, core: &Rc<Core>) {
        let mut ready = self.command(0, false);
        ready[1] = 0x80;
        ready[20..24].fill(0);
        ready[32..48].fill(0);
        let mut lease = core.lease(48).unwrap();
        lease.copy_from_slice(&ready);
        self.stream.send(lease.into()).await.0.unwrap();
        let head = exactly(core, &self.stream, 48).await;
        let len = u32::from_be_bytes([0, head[5], head[6], head[7]]);
        exactly(core, &self.stream, len + padding(len)).await;
        self.exp_stat_sn = self.exp_stat_sn.next();
    }
}

async fn costs(core: Rc<Core>, is_write: bool) -> (u64, f64) {
    let mut config = TargetConfig::new(TARGET, Rc::new(|bytes: &mut [u8]| bytes.fill(7))).unwrap();
    config.portals.push(PortalConfig::new("127.0.0.1:0".parse().unwrap()));
    config.units.push(LunConfig::new(0, Arc::new(MemDevice::new(1 << 20).unwrap()), "S"));
    let target = Target::start(&core, config).unwrap();
    let mut client = connect(&core, &target.addresses()[0]).await;
    client.settle(&core).await;
    let mut before = (0, 0);
    for round in 0..WARM_UP + COUNTED {
        if round == WARM_UP {
            before = (allocations(), core.counters().syscalls);
        }
        client.round(is_write).await;
        // The statuses of this round are acknowledged by the next.
        client.exp_stat_sn = client.exp_stat_sn.plus(DEPTH);
    }
    let allocated = allocations() - before.0;
    let syscalls = core.counters().syscalls - before.1;
    (allocated, syscalls as f64 / f64::from(COUNTED * DEPTH))
}

#[test]
fn commands_allocate_nothing_and_share_system_calls() {
    for is_write in [false, true] {
        let arena = ArenaConfig { len: 32 << 20, huge: false };
        let config = CoreConfig { arena, poll_mode: PollMode::Always, ..CoreConfig::default() };
        let reactor = Reactor::new(&config).unwrap();
        let (allocated, syscalls) = reactor.run(|core| costs(core, is_write));
        // A timer of the housekeeping may have come in between, and a batch be cut once.
        assert!(allocated < 64, "{allocated} allocations, write: {is_write}");
        assert!(syscalls < SYSCALLS_MAX, "{syscalls} system calls per command");
    }
}
