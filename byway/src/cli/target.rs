//! `byway target serve`: block devices as LUNs of an iSCSI target, until a signal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway::{OpenOptions, Uri, open_with};
use byway_engine::block::BlockDevice;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::iscsi::{
    Entropy, LunConfig, PortalConfig, StateFolder, Target, TargetConfig, TargetHandle,
};
use byway_proto::iscsi::chap::{Credentials, DEFAULT_ALGORITHMS, Peer};
use byway_proto::iscsi::login::{Access, Authentication, ChapTerms};
use byway_proto::iscsi::negotiate::DigestPolicy;
use byway_proto::iscsi::text::IscsiName;

use super::args::ServeArgs;
use super::failure::Failure;
use super::output;

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
    let mut config = TargetConfig::new(&args.name, entropy(core))?;
    config.portals = args.portal.iter().map(|word| portal(word)).collect::<Result<_, _>>()?;
    let access = access(args)?;
    let is_open = matches!(access, Access::Anyone(Authentication::None));
    let exposed = config.portals.iter().find(|portal| !is_local(&portal.address));
    if let Some(portal) = exposed.filter(|_| is_open) {
        return Err(Failure::usage(format!(
            "--portal '{}': others than this host can reach it; add --user and --secret",
            portal.address
        )));
    }
    (config.access, config.discovery) = (access.clone(), access);
    config.units = units(args)?;
    let policy = if args.digest { DigestPolicy::Prefer } else { DigestPolicy::Allow };
    (config.operational.header_digest, config.operational.data_digest) = (policy, policy);
    if let Some(folder) = &args.state {
        config.state = Some(Rc::new(StateFolder::new(folder)?));
    }
    Ok(config)
}

/// A challenge without randomness could be foreseen: without any, the login fails.
fn entropy(core: &Rc<Core>) -> Entropy {
    let core = Rc::downgrade(core);
    Rc::new(move |bytes: &mut [u8]| {
        let drawn = core.upgrade().map(|core| core.random(bytes));
        let is_drawn = matches!(drawn, Some(Ok(())));
        assert!(is_drawn, "the kernel gives no random bytes: no login can be proved");
    })
}

fn portal(word: &str) -> Result<PortalConfig, Failure> {
    match word.parse::<Address>() {
        Ok(address @ Address::Tcp(_)) => Ok(PortalConfig::new(address)),
        _ => Err(Failure::usage(format!(
            "--portal '{word}': no address; write one such as 127.0.0.1:3260 or [::1]:3260"
        ))),
    }
}

fn is_local(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => match address.ip() {
            IpAddr::V6(ip) => ip.to_canonical().is_loopback(),
            ip => ip.is_loopback(),
        },
        Address::Unix(_) => true,
    }
}

/// Who may log in: everyone, the named initiators, or who knows the secret.
fn access(args: &ServeArgs) -> Result<Access, Failure> {
    let terms = match (&args.user, &args.secret) {
        (None, None) => Authentication::None,
        (Some(user), Some(file)) => Authentication::Chap(chap(user, file, &args.mutual)?),
        _ => return Err(Failure::usage("--user and --secret go together; give both or neither")),
    };
    if args.initiator.is_empty() {
        return Ok(Access::Anyone(terms));
    }
    let mut listed = BTreeMap::new();
    for word in &args.initiator {
        let name = IscsiName::new(word).map_err(|error| {
            Failure::usage(format!("--initiator '{word}': {error}; write iqn.YYYY-MM.domain:name"))
        })?;
        listed.insert(name, terms.clone());
    }
    Ok(Access::Listed(listed))
}

fn chap(user: &str, file: &Path, mutual: &Option<PathBuf>) -> Result<ChapTerms, Failure> {
    let peer = Peer { name: Some(user.to_owned()), secret: byway::secret::read(file)? };
    let own = match mutual {
        None => None,
        Some(file) => {
            Some(Credentials { name: "byway".into(), secret: byway::secret::read(file)? })
        }
    };
    Ok(ChapTerms { peer, own, algorithms: DEFAULT_ALGORITHMS.to_vec() })
}

fn units(args: &ServeArgs) -> Result<Vec<LunConfig>, Failure> {
    let wanted = OpenOptions { read_only: args.read_only };
    let open = |(number, word): (usize, &String)| -> Result<LunConfig, Failure> {
        let is_uri = word.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
        let word = if is_uri { word.clone() } else { format!("file:{word}") };
        let uri: Uri = word.parse()?;
        let device: Arc<dyn BlockDevice> = open_with(&uri, wanted)?;
        let serial = serial(&args.name, number);
        let mut unit = LunConfig::new(number as u16, device, &serial);
        unit.read_only = args.read_only;
        Ok(unit)
    };
    args.lun.iter().enumerate().map(open).collect()
}

/// A serial number that stays: it is made of the target's name and the LUN's number.
fn serial(name: &str, number: usize) -> String {
    let digest = byway_engine::memory::Crc32c::of(name.as_bytes());
    format!("byway-{digest:08x}-{number}")
}
