//! `byway export`: block devices over NBD, until a signal.

use std::os::unix::process::parent_id;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway::daemon::activation;
use byway::daemon::notify::{Notifier, State};
use byway::{OpenOptions, Uri, open_with};
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::nbd::{
    ExportConfig, FileRight, ListenOn, Server, ServerConfig, ServerHandle, WriteRight,
};

use super::args::ExportArgs;
use super::failure::Failure;
use super::output;
use super::place::uri;

/// How often the server looks whether it is to end, in nanoseconds.
const LOOK_NS: u64 = 50_000_000;
/// Memory for the data of all connections, in bytes.
const ARENA_LEN: usize = 256 << 20;

pub(crate) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    let config = config(args)?;
    let poll_mode = PollMode::from_name(&args.poll_mode).ok_or_else(|| {
        let line = format!("--poll-mode '{}': use never, adaptive or always", args.poll_mode);
        Failure::usage(line)
    })?;
    let arena = ArenaConfig { len: ARENA_LEN, ..ArenaConfig::default() };
    let core = CoreConfig { cpu: args.core, arena, poll_mode, ..CoreConfig::default() };
    let reactor = Reactor::new(&core)?;
    let notifier = Notifier::from_environment().map_err(|error| {
        Failure::failed(format!("NOTIFY_SOCKET: {error}; unset it, or name a socket"))
    })?;
    let parent = args.with_parent.then(parent_id);
    let goes_on =
        move || !stop.load(Ordering::Relaxed) && parent.is_none_or(|id| id == parent_id());
    reactor.run(|core| serve(core, config, notifier, goes_on))
}

async fn serve(
    core: Rc<Core>,
    config: ServerConfig,
    notifier: Notifier,
    goes_on: impl Fn() -> bool,
) -> Result<(), Failure> {
    let names: Vec<_> = config.exports.iter().map(|export| export.name.clone()).collect();
    let server = Server::start(&core, config)?;
    for address in server.addresses() {
        for name in &names {
            output::print(&format!("{}\n", uri("nbd", address, name)))?;
        }
    }
    notifier.tell(&[State::Ready, State::Status(format!("{} exports", names.len()))]);
    while goes_on() {
        core.sleep(LOOK_NS).await;
    }
    notifier.tell(&[State::Stopping, State::Status("waiting for clients".into())]);
    report(&server);
    server.stop().await;
    Ok(())
}

/// Tells the log what was done.
fn report(server: &ServerHandle) {
    for export in server.stats().exports {
        tracing::info!(
            export = export.name,
            device = export.device,
            requests = export.counts.requests,
            errors = export.counts.errors,
            p99_ns = export.counts.quantile(0.99),
            "an export at the end"
        );
    }
}

fn config(args: &ExportArgs) -> Result<ServerConfig, Failure> {
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
    Ok(ServerConfig { listeners, exports: exports(args)?, ..ServerConfig::default() })
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

fn exports(args: &ExportArgs) -> Result<Vec<ExportConfig>, Failure> {
    if !args.name.is_empty() && args.name.len() != args.uri.len() {
        let (names, uris) = (args.name.len(), args.uri.len());
        let line = format!("--name: {names} names for {uris} devices; give one for each");
        return Err(Failure::usage(line));
    }
    let wanted = OpenOptions { read_only: args.read_only };
    let open = |(number, word): (usize, &String)| -> Result<ExportConfig, Failure> {
        let is_uri = word.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('/'));
        let word = if is_uri { word.clone() } else { format!("file:{word}") };
        let uri: Uri = word.parse()?;
        let name = match args.name.get(number) {
            Some(name) => name.clone(),
            None if args.uri.len() == 1 => String::new(),
            None => format!("disk{number}"),
        };
        let mut export = ExportConfig::new(&name, open_with(&uri, wanted)?);
        export.read_only |= args.read_only;
        export.description = args.description.clone().unwrap_or_default();
        if let Uri::File { path, .. } = &uri
            && !export.read_only
        {
            export.right = right_to(path)?;
        }
        Ok(export)
    };
    args.uri.iter().enumerate().map(open).collect()
}

fn right_to(path: &Path) -> Result<Rc<dyn WriteRight>, Failure> {
    Ok(Rc::new(FileRight::new(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host_is_let_in() {
        assert!(local("0.0.0.0:10809").is_err() && local("127.0.0.1:0").is_ok());
    }
}
