//! `byway dump`: any structure of a volume, as it lies on the device.

use byway_fs::dump::{Target, Walker};

use super::args::DumpArgs;
use super::on;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

/// What can be shown, and whether it takes a number.
const WORDS: &str = "superblock, backup N, slot N, group N, groupmap, inode N, tree N, leaf N, journal N or block N";

pub(crate) fn dump(args: &DumpArgs) -> Result<(), Failure> {
    let target = target(args)?;
    let node = on::device(&args.uri, true, |core, device| async move {
        let named = |error| on::named(&device, error);
        let walker = Walker::open(&core, &*device).await.map_err(named)?;
        walker.dump(target).await.map_err(named)
    })?;
    if args.json { text::print_json(&node) } else { output::print(&node.to_string()) }
}

fn target(args: &DumpArgs) -> Result<Target, Failure> {
    let word = args.what.as_str();
    let number = || {
        let line = format!("dump '{word}': a number is missing; write {word} 0, or another one");
        args.number.ok_or_else(|| Failure::usage(line))
    };
    let too_large = |number: u64| {
        let line = format!("dump '{word} {number}': no such number; see byway fs info");
        Failure::usage(line)
    };
    let small = || number().and_then(|n| u16::try_from(n).map_err(|_| too_large(n)));
    Ok(match word {
        "superblock" | "super" => Target::Super,
        "backup" => Target::Backup(small()?.into()),
        "slot" => Target::Slot(small()?),
        "group" => {
            Target::Group(number().and_then(|n| u32::try_from(n).map_err(|_| too_large(n)))?)
        }
        "groupmap" => Target::GroupMap,
        "inode" => Target::Inode(number()?),
        "journal" => Target::Journal(small()?),
        // A node shows by itself what it is.
        "tree" | "leaf" | "block" => Target::Block(number()?),
        _ => {
            return Err(Failure::usage(format!("dump '{word}': no such structure; use {WORDS}")));
        }
    })
}
