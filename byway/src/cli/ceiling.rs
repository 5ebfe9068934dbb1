//! `byway bench ceiling`: the smallest loop, as a program of its own for `peers`.

use std::time::Duration;

use byway_bench::words::{size, span_ns};
use byway_ceilings::Ceiling;

use super::args::CeilingArgs;
use super::failure::Failure;
use super::output;

pub(crate) fn run(args: &CeilingArgs) -> Result<(), Failure> {
    if args.kind != "uring" {
        return Err(Failure::usage(format!("'{}': no such loop; use uring", args.kind)));
    }
    let bs = size(&args.bs).map_err(|error| error.of("--bs"))?;
    let bs = u32::try_from(bs).map_err(|_| Failure::usage("--bs: too large; use 4k"))?;
    let runtime = span_ns(&args.runtime).map_err(|error| error.of("--runtime"))?;
    let ceiling = Ceiling {
        path: args.path.clone(),
        qd: args.qd,
        bs,
        runtime: Duration::from_nanos(runtime),
        cpu: args.core,
        batch: args.batch,
    };
    let figures = byway_ceilings::run(&ceiling).map_err(|error| {
        let path = args.path.display();
        Failure::failed(format!("{path}: {error}; name a file that direct I/O can read"))
    })?;
    let json = serde_json::json!({
        "iops": figures.iops,
        "cpu_ns_per_io": figures.cpu_ns_per_io,
        "syscalls_per_io": figures.syscalls_per_io,
    });
    output::print(&format!("{json}\n"))
}
