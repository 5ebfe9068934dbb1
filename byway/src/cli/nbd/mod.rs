//! `byway nbd`: NBD exports as block devices of the kernel, `/dev/nbdN`.

mod args;
mod attach;
mod detach;
mod list;
mod place;

pub(crate) use args::NbdCommand;

use super::failure::Failure;

pub(crate) fn run(command: &NbdCommand) -> Result<(), Failure> {
    match command {
        NbdCommand::Attach(args) => attach::run(args),
        NbdCommand::Detach(args) => detach::run(args),
        NbdCommand::List(args) => list::run(args),
    }
}
