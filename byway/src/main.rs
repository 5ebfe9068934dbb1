//! The binary: `byway serve …`, `byway bench …`, `byway iscsi …`, `byway lun …`, `byway version`.
//!
//! Results go to the standard output and nothing else does. What goes wrong is one line on the
//! error output that names the thing and the remedy; the exit code is 2 for wrong usage and 1 for
//! what failed.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use byway_engine::count_alloc::CountingAllocator;

/// Counts allocations, so that a result can say what an operation allocates.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    cli::main()
}
