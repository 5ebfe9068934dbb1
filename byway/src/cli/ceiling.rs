//! `byway bench ceiling`: the smallest loops, as programs of their own for `peers`.

use std::io;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use byway_bench::words::{size, span_ns};
use byway_ceilings::{Ceiling, Figures, Iscsi, Nbd, NullServer};

use super::args::CeilingArgs;
use super::failure::Failure;
use super::output;

/// Bytes of the export of the server that does no work.
const NULL_SIZE: u64 = 1 << 30;

/// Words that every loop has.
struct Load {
    bs: u32,
    runtime: Duration,
}

pub(crate) fn run(args: &CeilingArgs) -> Result<(), Failure> {
    if args.serve {
        return serve(args);
    }
    let load = load(args)?;
    let measured = match args.kind.as_str() {
        "uring" => byway_ceilings::run(&uring(args, &load)),
        "iscsi" => byway_ceilings::run_iscsi(&iscsi(args, &load)?),
        "nbd" if args.flush => byway_ceilings::run_flushes(&nbd(args, &load)),
        "nbd" => byway_ceilings::run_nbd(&nbd(args, &load)),
        "socket" => socket(args, &load),
        other => {
            let what = format!("'{other}': no such loop; use uring, iscsi, nbd or socket");
            return Err(Failure::usage(what));
        }
    };
    let figures = measured.map_err(|error| {
        let remedy = "name a file that direct I/O can read, a unit that needs no login, or a \
            Unix socket";
        Failure::failed(format!("{}: {error}; {remedy}", args.place))
    })?;
    let json = serde_json::json!({
        "iops": figures.iops,
        "cpu_ns_per_io": figures.cpu_ns_per_io,
        "syscalls_per_io": figures.syscalls_per_io,
        "ios": figures.ios,
        "p50_ns": figures.p50_ns,
        "p99_ns": figures.p99_ns,
    });
    output::print(&format!("{json}\n"))
}

fn load(args: &CeilingArgs) -> Result<Load, Failure> {
    let bs = size(&args.bs).map_err(|error| error.of("--bs"))?;
    let bs = u32::try_from(bs).ok().filter(|bs| *bs < 1 << 24);
    let bs = bs.ok_or_else(|| Failure::usage("--bs: too large; use 4k"))?;
    let runtime = span_ns(&args.runtime).map_err(|error| error.of("--runtime"))?;
    Ok(Load { bs, runtime: Duration::from_nanos(runtime) })
}

fn uring(args: &CeilingArgs, load: &Load) -> Ceiling {
    Ceiling {
        path: args.place.clone().into(),
        qd: args.qd,
        bs: load.bs,
        runtime: load.runtime,
        cpu: args.core,
        batch: args.batch,
    }
}

fn iscsi(args: &CeilingArgs, load: &Load) -> Result<Iscsi, Failure> {
    let (portal, target, lun) = unit(&args.place).ok_or_else(|| {
        Failure::usage(format!("'{}': not a unit; use iscsi://HOST:PORT/IQN/LUN", args.place))
    })?;
    Ok(Iscsi {
        portal: portal.into(),
        target: target.into(),
        lun,
        write: args.write,
        spin: args.spin,
        qd: args.qd,
        bs: load.bs,
        runtime: load.runtime,
        cpu: args.core,
        batch: args.batch,
    })
}

fn nbd(args: &CeilingArgs, load: &Load) -> Nbd {
    Nbd {
        socket: args.place.clone().into(),
        export: args.export.clone(),
        write: args.write,
        spin: args.spin,
        qd: args.qd,
        bs: load.bs,
        runtime: load.runtime,
        cpu: args.core,
        batch: args.batch,
    }
}

/// The bare socket: the loop against the server that does no work, a process of its own.
fn socket(args: &CeilingArgs, load: &Load) -> io::Result<Figures> {
    let mut server = Command::new("setpriv");
    server.args(["--pdeathsig", "KILL"]).arg(std::env::current_exe()?);
    server.args(["bench", "ceiling", "socket", &args.place, "--serve"]);
    if let Some(core) = args.server_core {
        server.args(["--core", &core.to_string()]);
    }
    if args.spin {
        server.arg("--spin");
    }
    let mut server = server.stdin(Stdio::null()).spawn()?;
    let reached = loop {
        match (UnixStream::connect(&args.place), server.try_wait()?) {
            (Ok(_), _) => break Ok(()),
            (_, Some(status)) => break Err(io::Error::other(format!("the server: {status}"))),
            _ => std::thread::yield_now(),
        }
    };
    let measured = reached.and_then(|()| byway_ceilings::run_nbd(&nbd(args, load)));
    server.kill()?;
    server.wait()?;
    std::fs::remove_file(&args.place)?;
    measured
}

fn serve(args: &CeilingArgs) -> Result<(), Failure> {
    let socket = args.place.clone().into();
    let server = NullServer { socket, size: NULL_SIZE, spin: args.spin, cpu: args.core };
    byway_ceilings::serve(&server)
        .map_err(|error| Failure::failed(format!("{}: {error}; name a new socket", args.place)))
}

/// Portal, target and logical unit of `iscsi://HOST:PORT/IQN/LUN`.
fn unit(place: &str) -> Option<(&str, &str, u8)> {
    let (portal, rest) = place.strip_prefix("iscsi://")?.split_once('/')?;
    let (target, lun) = rest.split_once('/')?;
    Some((portal, target, lun.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_a_portal_a_target_and_a_number() {
        let place = "iscsi://[::1]:3260/iqn.2026-01.org.byway:disk/7";
        assert_eq!(unit(place), Some(("[::1]:3260", "iqn.2026-01.org.byway:disk", 7)));
        assert_eq!(unit("iscsi://host:3260/iqn.2026-01.org.byway:disk"), None);
        assert_eq!(unit("file:/disk"), None);
    }
}
