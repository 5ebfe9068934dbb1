//! The shell of a check: sessions of four nodes, and steps performed on them.
//!
//! The nodes have ISIDs of their own, which no device uses: a login with the ISID of a mounted LUN
//! would end that mount's session.

use std::rc::Rc;

use byway_engine::SetupError;
use byway_engine::core::Core;
use byway_engine::exec::{Class, JoinHandle};
use byway_iscsi_initiator::{IscsiConfig, RawData, RawEnd, RawSession};
use byway_proto::iscsi::pdu::Isid;
use byway_proto::scsi::{Command, Status};

use super::scratch::Scratch;
use super::script::{Act, End, Node, Step};
use super::wire::{self, Data, Wire};
use crate::lun::ask::ask;
use crate::lun::facts;

/// For a command without any progress: the answers to commands that were cut off never come.
const COMMAND_NS: u64 = 2_000_000_000;
/// How long the pieces of a burst have until the next step, so that they are on their way.
const HEAD_START_NS: u64 = 300_000;
/// The kind "random" (RFC 7143 section 11.12.5), then letters of "check".
const ISID_BASE: [u8; 5] = [0x80, 0x63, 0x68, 0x6b, 0];

/// The nodes at a LUN.
pub(super) struct Lab {
    core: Rc<Core>,
    config: IscsiConfig,
    second_name: String,
    scratch: Scratch,
    sessions: [Option<Rc<RawSession>>; Node::ALL.len()],
    burst: Vec<JoinHandle<RawEnd>>,
}

/// Looks for a scratch range.
pub(super) async fn plan(
    core: &Rc<Core>,
    config: &IscsiConfig,
    wanted: Option<u64>,
) -> Result<Scratch, SetupError> {
    let session = RawSession::open(core, &as_node(config, "", Node::Victim)).await?;
    let size = facts::size(&session, config.lun).await;
    session.leave().await;
    let wrong = |problem: &str, remedy: &str| SetupError::new(&config.name, problem, remedy);
    let size = size.map_err(|why| wrong(&why, "see byway iscsi info"))?;
    let remedy = "name a block with --scratch-lba that has room behind it";
    Scratch::of(size.blocks, size.block_len, size.transfer_max, wanted)
        .ok_or_else(|| wrong("no room for the scratch range", remedy))
}

impl Lab {
    /// Logs in with the nodes that register.
    pub(super) async fn open(
        core: &Rc<Core>,
        mut config: IscsiConfig,
        second_name: &str,
        scratch: Scratch,
    ) -> Result<Lab, SetupError> {
        config.timeouts.command_ns = COMMAND_NS;
        config.timeouts.management_ns = COMMAND_NS;
        let first = RawSession::open(core, &as_node(&config, second_name, Node::Victim)).await?;
        let (sessions, burst) = (Default::default(), Vec::new());
        let (core, second_name) = (Rc::clone(core), second_name.to_owned());
        let mut lab = Lab { core, config, second_name, scratch, sessions, burst };
        lab.sessions[Node::Victim as usize] = Some(Rc::new(first));
        for node in [Node::Fencer, Node::Rival] {
            lab.log_in(node).await.map_err(|problem| lab.second_refused(problem))?;
        }
        Ok(lab)
    }

    fn second_refused(&self, problem: String) -> SetupError {
        let name = &self.second_name;
        let remedy = "let it in at the target, or name one that is let in with --second";
        SetupError::new(format!("{} as {name}", self.config.name), problem, remedy)
    }

    /// Something is wrong with the LUN.
    pub(super) fn wrong(&self, problem: &str, remedy: &str) -> SetupError {
        SetupError::new(&self.config.name, problem, remedy)
    }

    /// The range that may be written to.
    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Drops the session of a node and logs in again.
    pub(super) async fn log_in(&mut self, node: Node) -> Result<(), String> {
        self.sessions[node as usize] = None;
        let config = as_node(&self.config, &self.second_name, node);
        let opened = RawSession::open(&self.core, &config).await;
        let session = opened.map_err(|error| error.problem)?;
        self.sessions[node as usize] = Some(Rc::new(session));
        Ok(())
    }

    /// Sees to it that every node that registers has a session: a target may have ended one.
    pub(super) async fn wake(&mut self) {
        let wire = Wire { cdb: Command::TestUnitReady.build(), data: Data::None };
        for node in [Node::Victim, Node::Fencer, Node::Rival] {
            if matches!(self.send(node, &wire).await, RawEnd::Unknown | RawEnd::NotSent) {
                // Who stays without one says so in the answers to its steps.
                let _refused = self.log_in(node).await;
            }
        }
    }

    /// Logs everybody out.
    pub(super) async fn leave(self) {
        for session in self.sessions.into_iter().flatten() {
            if let Ok(session) = Rc::try_unwrap(session) {
                session.leave().await;
            }
        }
    }

    /// One command of a node.
    pub(super) async fn send(&self, node: Node, wire: &Wire) -> RawEnd {
        match &self.sessions[node as usize] {
            Some(session) => ask(session, self.config.lun, wire.cdb, raw(&wire.data)).await,
            None => RawEnd::NotSent,
        }
    }

    /// Performs a step.
    pub(super) async fn perform(&mut self, step: Step) -> End {
        let Step { node, act, .. } = step;
        if let Some(wire) = wire::command(node, act, &self.scratch) {
            return end_of(act, self.send(node, &wire).await);
        }
        match act {
            Act::Login => self.log_in(node).await.map_or_else(End::Lost, |()| End::Good),
            Act::Leave => {
                self.sessions[node as usize] = None;
                End::Good
            }
            Act::Reset => self.reset(node).await,
            Act::Burst => self.burst(node).await,
            Act::Settle => self.settle().await,
            Act::Fill => {
                let pieces = wire::pieces(&self.scratch, super::script::FENCER_FILL);
                self.send_all(node, act, pieces).await
            }
            Act::ReadAll => self.read_all(node).await,
            Act::PreemptTogether { key } => self.race(node, key).await,
            _ => unreachable!("all other acts are single commands"),
        }
    }

    async fn reset(&self, node: Node) -> End {
        let Some(session) = &self.sessions[node as usize] else { return lost() };
        match session.reset(self.config.lun).await {
            true => End::Good,
            false => End::Lost("the target did not answer with success".into()),
        }
    }

    /// Sends commands one after the other until one fails.
    async fn send_all(&self, node: Node, act: Act, wires: Vec<Wire>) -> End {
        for wire in wires {
            match end_of(act, self.send(node, &wire).await) {
                End::Good => {}
                other => return other,
            }
        }
        End::Good
    }

    async fn read_all(&self, node: Node) -> End {
        let mut all = Vec::new();
        for (lba, blocks) in self.scratch.pieces() {
            let wire = wire::read(lba, blocks, &self.scratch);
            match end_of(Act::ReadAll, self.send(node, &wire).await) {
                End::Content(bytes) => all.extend(bytes),
                other => return other,
            }
        }
        End::Content(all)
    }

    /// Starts a command in a task of its own.
    fn start(&self, node: Node, wire: Wire) -> Option<JoinHandle<RawEnd>> {
        let (session, lun) = (self.sessions[node as usize].clone()?, self.config.lun);
        let run = async move { ask(&session, lun, wire.cdb, raw(&wire.data)).await };
        Some(self.core.spawn(Class::Foreground, "lun check", run))
    }

    async fn burst(&mut self, node: Node) -> End {
        for wire in wire::burst(&self.scratch) {
            let Some(handle) = self.start(node, wire) else { return lost() };
            self.burst.push(handle);
        }
        self.core.sleep(HEAD_START_NS).await;
        End::Good
    }

    async fn settle(&mut self) -> End {
        let (mut good, mut refused, mut ended) = (0, 0, 0);
        for handle in self.burst.drain(..) {
            match handle.await {
                Ok(RawEnd::Good(_)) => good += 1,
                Ok(RawEnd::Status(Status::ReservationConflict, _)) => refused += 1,
                _ => ended += 1,
            }
        }
        End::Settled { good, refused, ended }
    }

    async fn race(&mut self, node: Node, key: u64) -> End {
        let act = Act::Preempt { key, abort: false };
        let mut ends = Vec::new();
        let racers = [node, Node::ALL[(node as usize + 1) % Node::ALL.len()]];
        let wires = racers.map(|racer| wire::command(racer, act, &self.scratch));
        let started: Vec<_> =
            racers.into_iter().zip(wires).map(|(racer, wire)| self.start(racer, wire?)).collect();
        for handle in started {
            let Some(handle) = handle else { return lost() };
            ends.push(end_of(act, handle.await.unwrap_or(RawEnd::Unknown)));
        }
        let [one, two] = &mut ends[..] else { return lost() };
        End::Both(Box::new((std::mem::replace(one, End::Good), std::mem::replace(two, End::Good))))
    }
}

fn raw(data: &Data) -> RawData<'_> {
    match data {
        Data::None => RawData::None,
        Data::In(len) => RawData::In(*len),
        Data::Out(bytes) => RawData::Out(bytes),
    }
}

fn lost() -> End {
    End::Lost("the node has no session".into())
}

/// What the end of a command means as the answer to an act.
pub(super) fn end_of(act: Act, end: RawEnd) -> End {
    match end {
        RawEnd::Good(bytes) => wire::answer(act, bytes),
        RawEnd::Status(status, sense) => End::Refused(status, sense),
        RawEnd::Unknown => End::Lost("the command was not answered".into()),
        RawEnd::NotSent => End::Lost("the session is over".into()),
    }
}

/// The configuration of a node: two names, and an ISID for each node.
fn as_node(config: &IscsiConfig, second_name: &str, node: Node) -> IscsiConfig {
    let mut config = config.clone();
    if matches!(node, Node::Fencer | Node::Rival) {
        config.initiator_name = second_name.to_owned();
    }
    let [a, b, c, d, e] = ISID_BASE;
    config.isid = Isid([a, b, c, d, e, node as u8 + 1]);
    config
}
