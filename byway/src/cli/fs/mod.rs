//! Commands about a volume as a whole: making, checking, showing, changing it without a mount.

pub(crate) mod args;
mod dump;
mod fsck;
mod info;
mod mkfs;
pub(crate) mod on;
mod wreck;

use super::failure::Failure;
use args::FsCommand;

pub(crate) use dump::dump;
pub(crate) use fsck::{USAGE as FSCK_USAGE, fsck};
pub(crate) use mkfs::{mkfs, own_ids};

pub(crate) fn run(command: &FsCommand) -> Result<(), Failure> {
    match command {
        FsCommand::Info(args) => info::info(args),
        FsCommand::Label(args) => info::label(args),
        FsCommand::Grow(args) => info::grow(args),
        FsCommand::Wreck(args) => wreck::wreck(args),
    }
}
