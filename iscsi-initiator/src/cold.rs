//! Requests that take several commands, or small data of their own: discards, zeroes, holes; and
//! what the device asks for itself. Each is a task of its own, off the data path.

use std::rc::Rc;

use byway_engine::ErrorKind;
use byway_engine::block::{Extent, ExtentKind, Op, Outcome};
use byway_engine::exec::Class;
use byway_proto::scsi::cdb::{GetLbaStatus, Transfer, Unmap, WriteSame};
use byway_proto::scsi::data::{LbaStatus, Provisioning, UnmapRange, build_unmap};
use byway_proto::scsi::{Cdb, Command, Lun, Status};

use crate::attention::{self, Duty};
use crate::control::{Control, End};
use crate::dispatch::Dispatcher;
use crate::link::Link;
use crate::request::{ATTEMPTS_MAX, Request, after_writing};
use crate::survey;

/// Bytes of zeroes in one write where the target knows no better way.
const ZEROES_LEN: u64 = 64 << 10;
/// The pause before a busy target is asked again, in nanoseconds.
const PAUSE_NS: u64 = 10_000_000;
/// Bytes of an answer to GET LBA STATUS: 64 descriptors.
const STATUS_LEN: u32 = 8 + 64 * 16;

/// Why such a request failed.
pub(crate) type Trouble = (ErrorKind, String);

/// Serves a request in a task of its own.
pub(crate) fn start(dispatcher: &Rc<Dispatcher>, request: Request) {
    let (own, core) = (Rc::clone(dispatcher), Rc::clone(&dispatcher.core));
    core.spawn(Class::Foreground, "iscsi rare request", async move {
        let result = match request.io.op {
            Op::Discard => discard(&own, &request).await.map(|()| Outcome::Done),
            Op::WriteZeroes => zeroes(&own, &request).await.map(|()| Outcome::Done),
            Op::BlockStatus => block_status(&own, &request).await,
            Op::ReservationOut => crate::reserve::change(&own, &request).await,
            _ => crate::reserve::report(&own, &request).await,
        };
        match result {
            Ok(outcome) => {
                if request.io.op.changes_medium() {
                    own.shared.mark_dirty();
                }
                own.finish(request.io.done_with(outcome));
            }
            Err((kind, words)) => own.fail(request, kind, words),
        }
    });
}

/// What a command that may be sent again is made of.
pub(crate) struct Ask<'a> {
    pub(crate) cdb: Cdb,
    /// Sent with it; empty where data come.
    pub(crate) out: &'a [u8],
    /// Bytes that may come.
    pub(crate) room: usize,
    pub(crate) changes: bool,
    pub(crate) give_up_ns: u64,
}

/// Runs a command that does no harm when it is executed twice, until it has an answer. One that
/// changes the medium and may have left is sent again only on its own path, when that has a new
/// session.
pub(crate) async fn ask(own: &Rc<Dispatcher>, ask: &Ask<'_>) -> Result<Vec<u8>, Trouble> {
    let mut held_by = None;
    let result = ask_held(own, ask, &mut held_by).await;
    result.map_err(|trouble| after(held_by.is_some(), trouble))
}

/// A failure, where something may have been written before it.
fn after(has_written: bool, (kind, words): Trouble) -> Trouble {
    (if has_written { after_writing(kind) } else { kind }, words)
}

/// `held_by` is the path on which a copy may have been executed.
async fn ask_held(
    own: &Rc<Dispatcher>,
    ask: &Ask<'_>,
    held_by: &mut Option<usize>,
) -> Result<Vec<u8>, Trouble> {
    for _ in 0..ATTEMPTS_MAX {
        let Some((path, link)) = own.link(*held_by) else {
            if own.core.now() >= ask.give_up_ns {
                return Err((ErrorKind::PathLost, "no path to the target came up in time".into()));
            }
            own.changed().await;
            continue;
        };
        if ask.changes && own.shared.config.gate.as_ref().is_some_and(|gate| !gate.is_open()) {
            return Err((ErrorKind::Transient, "the gate is closed".into()));
        }
        let lun = own.shared.config.lun;
        let control = control(lun, ask);
        match link.execute(&control).await {
            End::Good(len) => return Ok(control.take_data(len)),
            End::NotSent => {}
            End::Unknown if !ask.changes => {}
            End::Unknown if own.shared.config.gate.is_some() => {
                reinstated(own, path, &link, ask.give_up_ns).await;
                let kind = ErrorKind::Aborted { maybe_written: true };
                return Err((kind, "the session ended with it".into()));
            }
            End::Unknown => *held_by = Some(path),
            End::Status(status, sense) => {
                let duty = match (status, &sense) {
                    (Status::Busy | Status::TaskSetFull, _) => Duty::RetryLater,
                    (Status::ReservationConflict, _) => Duty::Fail(ErrorKind::Fenced),
                    (_, Some(sense)) => {
                        let (duty, news) = attention::judge(sense, ask.changes);
                        own.hear(news);
                        duty
                    }
                    _ => Duty::Fail(ErrorKind::Aborted { maybe_written: ask.changes }),
                };
                obey(own, duty, status, sense.map(|sense| sense.to_string())).await?;
            }
        }
        // A path that was lost is noticed before the next look at it.
        own.core.sleep(1).await;
    }
    Err((ErrorKind::Transient, "the target keeps refusing it".into()))
}

/// Waits until the target cannot execute any more what was sent by a link: it has a successor, or
/// lives on.
async fn reinstated(own: &Rc<Dispatcher>, path: usize, old: &Rc<Link>, give_up_ns: u64) {
    let is_safe =
        || own.link(Some(path)).is_some_and(|(_, link)| !Rc::ptr_eq(&link, old) || !link.is_over());
    while !is_safe() && own.core.now() < give_up_ns {
        own.changed().await;
    }
}

fn control(lun: Lun, ask: &Ask<'_>) -> Rc<Control> {
    match ask.out {
        [] => Control::read(lun, ask.cdb, ask.room),
        out => Control::write(lun, ask.cdb, out.to_vec()),
    }
}

async fn obey(
    own: &Rc<Dispatcher>,
    duty: Duty,
    status: Status,
    sense: Option<String>,
) -> Result<(), Trouble> {
    match duty {
        Duty::Retry => {}
        Duty::RetryLater => own.core.sleep(PAUSE_NS).await,
        Duty::LookAtPaths => {
            look_at_paths(own);
            own.core.sleep(PAUSE_NS).await;
        }
        Duty::Fail(kind) => {
            let words = sense.unwrap_or_else(|| format!("{status:?}"));
            return Err((kind, format!("the target says {words}")));
        }
    }
    Ok(())
}

fn changing<'a>(request: &Request, cdb: Cdb, out: &'a [u8]) -> Ask<'a> {
    Ask { cdb, out, room: 0, changes: true, give_up_ns: request.give_up_ns }
}

/// UNMAP in pieces that the target takes.
async fn discard(own: &Rc<Dispatcher>, request: &Request) -> Result<(), Trouble> {
    let facts = &own.shared.facts;
    let (first, mut left) = blocks(own, request);
    let mut lba = first;
    let most = match facts.limits.unmap_blocks_max {
        0 => u64::from(u32::MAX),
        max => u64::from(max),
    };
    while left > 0 {
        let blocks = left.min(most);
        let list = build_unmap(&[UnmapRange { lba, blocks: blocks as u32 }]);
        let cdb = Command::Unmap(Unmap { anchor: false, list_len: list.len() as u16 }).build();
        let sent = ask(own, &changing(request, cdb, &list)).await;
        sent.map_err(|trouble| after(lba != first, trouble))?;
        (lba, left) = (lba + blocks, left - blocks);
    }
    Ok(())
}

fn blocks(own: &Dispatcher, request: &Request) -> (u64, u64) {
    let shift = own.terms().block_shift;
    (request.io.offset >> shift, request.io.len >> shift)
}

/// WRITE SAME of one block of zeroes; plain writes where the target does not know it.
async fn zeroes(own: &Rc<Dispatcher>, request: &Request) -> Result<(), Trouble> {
    let facts = &own.shared.facts;
    let (first, mut left) = blocks(own, request);
    let mut lba = first;
    let most = match facts.limits.write_same_blocks_max {
        0 => 1 << 16,
        max => max.min(u64::from(u32::MAX)),
    };
    let block = vec![0; facts.block_len as usize];
    let unmap = request.io.unmap && facts.unmaps && facts.reads_zeroes;
    while left > 0 {
        let blocks = left.min(most);
        let same = WriteSame { no_data_out: false, ..WriteSame::zeroes(lba, blocks as u32, unmap) };
        let cdb = Command::WriteSame(same).build();
        match ask(own, &changing(request, cdb, &block)).await {
            Err((ErrorKind::Unsupported, _)) => {
                let rest = plain_zeroes(own, request, lba, left).await;
                return rest.map_err(|trouble| after(lba != first, trouble));
            }
            other => other.map_err(|trouble| after(lba != first, trouble))?,
        };
        (lba, left) = (lba + blocks, left - blocks);
    }
    finish_durably(own, request).await
}

async fn plain_zeroes(
    own: &Rc<Dispatcher>,
    request: &Request,
    first: u64,
    mut left: u64,
) -> Result<(), Trouble> {
    let shift = own.terms().block_shift;
    let (mut lba, zeroes) = (first, vec![0; ZEROES_LEN as usize]);
    while left > 0 {
        let blocks = left.min(ZEROES_LEN >> shift);
        let cdb = Transfer::new(lba, blocks as u32).build_write();
        let sent = ask(own, &changing(request, cdb, &zeroes[..(blocks << shift) as usize])).await;
        sent.map_err(|trouble| after(lba != first, trouble))?;
        (lba, left) = (lba + blocks, left - blocks);
    }
    finish_durably(own, request).await
}

async fn finish_durably(own: &Rc<Dispatcher>, request: &Request) -> Result<(), Trouble> {
    if !request.io.fua || !own.shared.facts.has_cache {
        return Ok(());
    }
    let cdb = crate::translate::flush();
    let flush = Ask { cdb, out: &[], room: 0, changes: false, give_up_ns: request.give_up_ns };
    ask(own, &flush).await.map_err(|trouble| after(true, trouble))?;
    own.lost_cache(request).map_or(Ok(()), Err)
}

/// GET LBA STATUS, as far as one answer goes.
async fn block_status(own: &Rc<Dispatcher>, request: &Request) -> Result<Outcome, Trouble> {
    let io = &request.io;
    let data = || Extent { offset: io.offset, len: io.len, kind: ExtentKind::Data };
    if !own.shared.facts.tells_status {
        return Ok(Outcome::Extents(Box::new(vec![data()])));
    }
    let (lba, _) = blocks(own, request);
    let cdb = Command::GetLbaStatus(GetLbaStatus { lba, allocation: STATUS_LEN }).build();
    let (room, give_up_ns) = (STATUS_LEN as usize, request.give_up_ns);
    let bytes = ask(own, &Ask { cdb, out: &[], room, changes: false, give_up_ns }).await?;
    let runs = LbaStatus::parse_list(&bytes).unwrap_or_default();
    let extents = extents(own, &runs, io.offset, io.offset + io.len);
    Ok(Outcome::Extents(Box::new(if extents.is_empty() { vec![data()] } else { extents })))
}

/// Runs of blocks as extents from `start` on, up to `end`; a gap ends them.
fn extents(own: &Dispatcher, runs: &[LbaStatus], start: u64, end: u64) -> Vec<Extent> {
    let shift = own.terms().block_shift;
    let (mut extents, mut at) = (Vec::new(), start);
    for run in runs {
        let (first, last) = (run.lba << shift, (run.lba + u64::from(run.blocks)) << shift);
        if first > at || last <= at || at >= end {
            break;
        }
        let kind = match run.provisioning {
            Provisioning::Deallocated if own.shared.facts.reads_zeroes => ExtentKind::Hole,
            _ => ExtentKind::Data,
        };
        extents.push(Extent { offset: at, len: last.min(end) - at, kind });
        at = last;
    }
    extents
}

/// Reads the capacity again.
pub(crate) fn look_at_size(own: &Rc<Dispatcher>) {
    let (own, core) = (Rc::clone(own), Rc::clone(&own.core));
    core.spawn(Class::Metadata, "iscsi capacity", async move {
        let Some((_, link)) = own.link(None) else { return };
        match survey::capacity(&link, own.shared.config.lun).await {
            Ok(found) if found.block_len == own.shared.facts.block_len => {
                own.resized((found.last_lba + 1) * u64::from(found.block_len));
            }
            Ok(found) => tracing::warn!(found.block_len, "the LUN has other blocks now"),
            Err(problem) => tracing::warn!(problem, "the capacity cannot be read"),
        }
    });
}

/// Reads the ALUA states of all paths again.
pub(crate) fn look_at_paths(own: &Rc<Dispatcher>) {
    let (own, core) = (Rc::clone(own), Rc::clone(&own.core));
    core.spawn(Class::Metadata, "iscsi paths", async move {
        for (path, link) in own.links() {
            let lun = own.shared.config.lun;
            // A session that ends meanwhile takes its path with it.
            if let Ok(access) = survey::look_at_access(&link, lun).await {
                own.set_access(path, access);
            }
        }
        own.core.sleep(PAUSE_NS).await;
        own.pump();
    });
}

/// Sends what waits at a moment at which a path has room again.
pub(crate) fn pump_at(own: &Rc<Dispatcher>, at_ns: u64) {
    let (own, core) = (Rc::clone(own), Rc::clone(&own.core));
    core.spawn(Class::Foreground, "iscsi pause", async move {
        own.core.sleep_until(at_ns).await;
        own.pump();
    });
}
