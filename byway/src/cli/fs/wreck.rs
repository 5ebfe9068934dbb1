//! `byway fs wreck`: one damage for each finding of fsck, for tests.

use byway_fs::fsck::{CODES, Code};
use byway_fs::wreck::wreck as damage;

use super::args::WreckArgs;
use super::on;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

pub(super) fn wreck(args: &WreckArgs) -> Result<(), Failure> {
    let (Some(uri), Some(word)) = (&args.uri, &args.code) else {
        return output::print(&list());
    };
    let code = code(word)?;
    if !args.yes {
        let line = format!("{uri}: this damages the volume; add --yes where that is wanted");
        return Err(Failure::usage(line));
    }
    let done = on::device(uri, false, |core, device| async move {
        on::unused(&core, &device).await?;
        damage(&core, &*device, code).await.map_err(|error| on::named(&device, error))
    })?;
    output::print(&format!("{done}\n"))
}

fn code(word: &str) -> Result<Code, Failure> {
    CODES.into_iter().find(|code| text::word_of(code) == word).ok_or_else(|| {
        Failure::usage(format!("wreck '{word}': no such finding; byway fs wreck lists them"))
    })
}

fn list() -> String {
    CODES.iter().map(|code| text::word_of(code) + "\n").collect()
}
