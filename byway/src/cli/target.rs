//! `byway target serve`: block devices as LUNs of an iSCSI target, until a signal.

use std::os::unix::process::parent_id;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::iscsi::{Target, TargetConfig, TargetHandle};
use byway_proto::iscsi::text::IscsiName;

use super::args::ServeArgs;
use super::failure::Failure;
use super::node::{self, NodeWords};
use super::{output, text};

/// How often the server looks whether it is to end, in nanoseconds.
const LOOK_NS: u64 = 50_000_000;
/// Memory for the data of all sessions, in bytes.
const ARENA_LEN: usize = 256 << 20;

pub(crate) fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    let arena = ArenaConfig { len: ARENA_LEN, ..ArenaConfig::default() };
    let poll_mode = poll_mode(&args.poll_mode)?;
    let core = CoreConfig { cpu: args.core, arena, poll_mode, ..CoreConfig::default() };
    let reactor = Reactor::new(&core)?;
    let config = config(args, reactor.core())?;
    let parent = args.with_parent.then(parent_id);
    let goes_on =
        move || !stop.load(Ordering::Relaxed) && parent.is_none_or(|id| id == parent_id());
    reactor.run(|core| run(core, config, goes_on))
}

fn poll_mode(word: &str) -> Result<PollMode, Failure> {
    PollMode::from_name(word).ok_or_else(|| {
        Failure::usage(format!("--poll-mode '{word}': write never, adaptive or always"))
    })
}

async fn run(
    core: Rc<Core>,
    config: TargetConfig,
    goes_on: impl Fn() -> bool,
) -> Result<(), Failure> {
    let name = config.name.as_str().to_owned();
    let units: Vec<_> = config.units.iter().map(|unit| unit.number).collect();
    let target = Target::start(&core, config)?;
    for address in target.addresses() {
        for unit in &units {
            output::print(&format!("iscsi://{address}/{name}/{unit}\n"))?;
        }
    }
    while goes_on() {
        core.sleep(LOOK_NS).await;
    }
    report(&target);
    target.stop().await;
    Ok(())
}

/// Tells the log what the sessions have done.
fn report(target: &TargetHandle) {
    for session in target.sessions() {
        tracing::info!(
            initiator = session.initiator,
            peer = session.peer,
            commands = session.counts.commands,
            failed = session.counts.failed,
            "a session at the end"
        );
    }
}

fn config(args: &ServeArgs, core: &Rc<Core>) -> Result<TargetConfig, Failure> {
    let chap = match (&args.user, &args.secret) {
        (None, None) => None,
        (Some(user), Some(file)) => Some((user.as_str(), file.as_path())),
        _ => return Err(Failure::usage("--user and --secret go together; give both or neither")),
    };
    let portals: Vec<_> = args.portal.iter().map(|word| portal(word)).collect::<Result<_, _>>()?;
    let exposed = portals.iter().find(|portal| !is_local(portal));
    if let Some(portal) = exposed.filter(|_| chap.is_none()) {
        return Err(Failure::usage(format!(
            "--portal '{portal}': others than this host can reach it; add --user and --secret"
        )));
    }
    let words = NodeWords {
        name: &args.name,
        portals,
        luns: args.lun.iter().map(|word| text::device_uri(word)).collect::<Result<_, _>>()?,
        read_only: args.read_only,
        digest: args.digest,
        initiators: args.initiator.iter().map(|word| name(word)).collect::<Result<_, _>>()?,
        chap,
        mutual: args.mutual.as_deref(),
        state: args.state.as_deref(),
    };
    Ok(node::config(&words, node::open(&words)?, core)?)
}

fn portal(word: &str) -> Result<Address, Failure> {
    match word.parse::<Address>() {
        Ok(address @ Address::Tcp(_)) => Ok(address),
        _ => Err(Failure::usage(format!(
            "--portal '{word}': no address; write one such as 127.0.0.1:3260 or [::1]:3260"
        ))),
    }
}

fn is_local(address: &Address) -> bool {
    address.as_tcp().is_none_or(|address| address.ip().to_canonical().is_loopback())
}

fn name(word: &str) -> Result<IscsiName, Failure> {
    IscsiName::new(word).map_err(|error| {
        Failure::usage(format!("--initiator '{word}': {error}; write iqn.YYYY-MM.domain:name"))
    })
}
