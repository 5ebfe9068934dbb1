//! `byway export`: block devices over NBD, until a signal.

use std::os::unix::process::parent_id;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway::daemon::activation;
use byway::daemon::notify::{Notifier, State};
use byway::{OpenOptions, Uri, open_with};
use byway_engine::core::{Core, PollMode};
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::nbd::{FileRight, Guests, ListenOn, ServerLimits, SharedRight};

use super::args::ExportArgs;
use super::crew::{Cores, Crew, ExportPlan, ServerPlan, Station, Threads};
use super::failure::Failure;
use super::place::uri;
use super::{output, text};

/// How often the server looks whether it is to end, in nanoseconds.
const LOOK_NS: u64 = 50_000_000;
/// Memory for the data of all connections, in bytes.
const ARENA_LEN: u64 = 256 << 20;
/// Of it, what each core has at least, in bytes.
const CORE_ARENA_LEN_MIN: u64 = 16 << 20;

pub(crate) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    let (configs, listeners) = (cores(args)?.configs(), listeners(args)?);
    let limits = ServerLimits::default();
    let guests = Guests::new(limits.connections_max, configs.len());
    let plan = ServerPlan { exports: exports(args)?, limits, tls: None, guests };
    // The others outlive the first, which asks them to stop.
    let threads = Threads::start(&configs)?;
    let reactor = Reactor::new(&configs[0])?;
    let crew = Crew::start(reactor.core(), &threads)?;
    let notifier = Notifier::from_environment().map_err(|error| {
        Failure::failed(format!("NOTIFY_SOCKET: {error}; unset it, or name a socket"))
    })?;
    let parent = args.with_parent.then(parent_id);
    let goes_on =
        move || !stop.load(Ordering::Relaxed) && parent.is_none_or(|id| id == parent_id());
    reactor.run(|core| serve(core, crew, (listeners, plan), notifier, goes_on))
}

/// The cores that serve.
fn cores(args: &ExportArgs) -> Result<Cores, Failure> {
    let poll_mode = PollMode::from_name(&args.poll_mode).ok_or_else(|| {
        let line = format!("--poll-mode '{}': use never, adaptive or always", args.poll_mode);
        Failure::usage(line)
    })?;
    let cpus = match args.cores.as_deref().map(byway_bench::words::cores) {
        None => Vec::new(),
        Some(list) => list.map_err(|error| Failure::usage(format!("--cores {error}")))?,
    };
    let memory = ARENA_LEN.max(CORE_ARENA_LEN_MIN * cpus.len() as u64);
    Ok(Cores { cpus, memory, poll_mode })
}

async fn serve(
    core: Rc<Core>,
    crew: Crew,
    (listeners, plan): (Vec<ListenOn>, ServerPlan),
    notifier: Notifier,
    goes_on: impl Fn() -> bool,
) -> Result<(), Failure> {
    for address in crew.start_server(0, listeners, &plan).await? {
        for export in &plan.exports {
            output::print(&format!("{}\n", uri("nbd", &address, &export.name)))?;
        }
    }
    let exports = plan.exports.len();
    notifier.tell(&[State::Ready, State::Status(format!("{exports} exports"))]);
    while goes_on() {
        if let Some(number) = crew.lost() {
            let line = format!("core number {number} has ended; see the log, and report this");
            return Err(Failure::failed(line));
        }
        core.sleep(LOOK_NS).await;
    }
    notifier.tell(&[State::Stopping, State::Status("waiting for clients".into())]);
    let stop = |station: Rc<Station>| async move {
        report(&station);
        station.stop().await;
    };
    crew.ask_all(stop).await;
    Ok(())
}

/// Tells the log what was done on a core.
fn report(station: &Station) {
    for export in station.facts().servers.into_iter().flat_map(|(_, stats)| stats.exports) {
        tracing::info!(
            core = station.number,
            export = export.name,
            device = export.device,
            requests = export.counts.requests,
            errors = export.counts.errors,
            p99_ns = export.counts.quantile(0.99),
            "an export at the end"
        );
    }
}

fn listeners(args: &ExportArgs) -> Result<Vec<ListenOn>, Failure> {
    let mut listeners = Vec::new();
    for path in &args.socket {
        let path = std::path::absolute(path).map_err(|error| {
            let shown = path.display();
            Failure::usage(format!("--socket '{shown}': {error}; write a path"))
        })?;
        let address: Address = format!("unix:{}", path.display()).parse()?;
        listeners.push(ListenOn::Address(address));
    }
    for word in &args.listen {
        listeners.push(ListenOn::Address(local(word)?));
    }
    for socket in activation::take()? {
        if let Some(address) = socket.tcp {
            local(&address.to_string())?;
        }
        listeners.push(ListenOn::Inherited(socket.fd));
    }
    if listeners.is_empty() {
        let line = "export: nowhere to listen; add --socket PATH or --listen 127.0.0.1:10809";
        return Err(Failure::usage(line));
    }
    Ok(listeners)
}

fn local(word: &str) -> Result<Address, Failure> {
    let address: Address = word.parse().map_err(|_| {
        let remedy = "write one such as 127.0.0.1:10809, [::1]:10809 or unix:/PATH";
        Failure::usage(format!("--listen '{word}': no address; {remedy}"))
    })?;
    let is_local = address.as_tcp().is_none_or(|tcp| tcp.ip().is_loopback());
    if !is_local {
        let remedy = "listen on 127.0.0.1, or serve it under TLS by byway serve";
        let line = format!("--listen '{word}': others than this host can reach it; {remedy}");
        return Err(Failure::usage(line));
    }
    Ok(address)
}

fn exports(args: &ExportArgs) -> Result<Vec<ExportPlan>, Failure> {
    if !args.name.is_empty() && args.name.len() != args.uri.len() {
        let (names, uris) = (args.name.len(), args.uri.len());
        let line = format!("--name: {names} names for {uris} devices; give one for each");
        return Err(Failure::usage(line));
    }
    let wanted = OpenOptions { read_only: args.read_only };
    let open = |(number, word): (usize, &String)| -> Result<ExportPlan, Failure> {
        let uri = text::device_uri(word)?;
        let name = match args.name.get(number) {
            Some(name) => name.clone(),
            None if args.uri.len() == 1 => String::new(),
            None => format!("disk{number}"),
        };
        let device = open_with(&uri, wanted)?;
        let read_only = args.read_only || device.info().read_only;
        let file = match &uri {
            Uri::File { path, .. } if !read_only => Some(FileRight::new(path)?),
            _ => None,
        };
        let description = args.description.clone().unwrap_or_default();
        Ok(ExportPlan { name, description, device, read_only, right: SharedRight::new(file) })
    };
    args.uri.iter().enumerate().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_let_in() {
        assert!(local("0.0.0.0:10809").is_err() && local("127.0.0.1:0").is_ok());
    }
}
