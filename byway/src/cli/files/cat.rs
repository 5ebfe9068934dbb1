//! `byway cat`: a file of a volume on the standard output.

use std::io::Write;

use byway_fs::file::FileOptions;

use super::args::CatArgs;
use super::copy::CHUNK;
use super::place::Within;
use crate::cli::failure::Failure;

pub(crate) fn cat(args: &CatArgs) -> Result<(), Failure> {
    let at = Within::open(&args.uri, true)?;
    let options = FileOptions { name: args.uri.clone(), read_only: true };
    let file = at.volume.file(&at.path, options).map_err(|error| at.failed(&error))?;
    let mut out = std::io::stdout().lock();
    for offset in (0..file.size()).step_by(CHUNK as usize) {
        let file = file.clone();
        let bytes = at.run(move |_, _| async move { file.read_at(offset, CHUNK as u32).await })?;
        match out.write_all(&bytes) {
            // Whoever reads it has enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(error) => {
                let line = format!("standard output: {error}; free some room there");
                return Err(Failure::failed(line));
            }
            Ok(()) => {}
        }
    }
    drop(file);
    at.close()
}
