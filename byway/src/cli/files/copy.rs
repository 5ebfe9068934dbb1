//! Copying the bytes of a file into a volume, out of it, or within: holes stay holes.

use std::fs::File as HostFile;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;

use byway::volume::MountedVolume;
use byway_fs::file::File;
use byway_fs::store::FsError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::failure::Failure;

/// Bytes that are copied at once.
pub(crate) const CHUNK: u64 = 1 << 20;
/// What is zero over so many bytes becomes a hole.
const GRAIN: usize = 64 << 10;

/// A file of a volume, and the volume.
pub(crate) struct Inside<'v> {
    pub(crate) volume: &'v MountedVolume,
    pub(crate) file: File,
    /// What messages call it.
    pub(crate) name: String,
}

impl Inside<'_> {
    fn failed(&self, error: &FsError) -> Failure {
        Failure::failed(format!("{}: {error}; see byway ls", self.name))
    }

    fn read(&self, offset: u64) -> Result<Vec<u8>, Failure> {
        let file = self.file.clone();
        let read =
            self.volume.run(move |_| async move { file.read_at(offset, CHUNK as u32).await });
        read.map_err(|error| self.failed(&error))
    }

    fn write(&self, offset: u64, bytes: Vec<u8>) -> Result<(), Failure> {
        let file = self.file.clone();
        let written = self.volume.run(move |_| async move { file.write_at(offset, bytes).await });
        written.map_err(|error| self.failed(&error))
    }

    /// Where data begins at or after `from`, and where it ends.
    fn data(&self, from: u64) -> Result<Option<(u64, u64)>, Failure> {
        let file = self.file.clone();
        let found = self.volume.run(move |_| async move {
            let Some(start) = file.seek_data(from).await? else { return Ok(None) };
            let end = file.seek_hole(start).await?.unwrap_or(file.size());
            Ok(Some((start, end)))
        });
        found.map_err(|error| self.failed(&error))
    }

    /// Gives the file its size, and makes all of it durable.
    pub(crate) fn finish(&self, size: u64) -> Result<(), Failure> {
        let file = self.file.clone();
        let done = self.volume.run(move |_| async move {
            if file.size() != size {
                file.truncate(size).await?;
            }
            file.flush().await
        });
        done.map_err(|error| self.failed(&error))
    }
}

/// Copies a file of this host into one of a volume, which is empty or reads as zeroes.
pub(crate) fn into_volume(from: &Path, to: &Inside<'_>) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| host(from, &error);
    let mut source = HostFile::open(from).map_err(failed)?;
    let size = source.seek(SeekFrom::End(0)).and_then(|len| source.rewind().map(|()| len));
    let size = size.map_err(failed)?;
    let bar = bar(size);
    let mut at = 0;
    loop {
        let mut bytes = Vec::with_capacity(CHUNK as usize);
        (&mut source).take(CHUNK).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            break;
        }
        for (offset, part) in parts_with_data(&bytes) {
            to.write(at + offset as u64, part.to_vec())?;
        }
        at += bytes.len() as u64;
        bar.set_position(at);
    }
    bar.finish_and_clear();
    to.finish(at)?;
    Ok(at)
}

/// The runs of a chunk that are not zero, in grains.
fn parts_with_data(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (index, grain) in bytes.chunks(GRAIN).enumerate() {
        if grain.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = index * GRAIN;
        match parts.last_mut().filter(|(_, end)| *end == start) {
            Some((_, end)) => *end = start + grain.len(),
            None => parts.push((start, start + grain.len())),
        }
    }
    parts.into_iter().map(|(start, end)| (start, &bytes[start..end])).collect()
}

/// Copies a file of a volume to one of this host, which is made or replaced.
pub(crate) fn out_of_volume(from: &Inside<'_>, to: &Path) -> Result<u64, Failure> {
    let failed = |error: std::io::Error| host(to, &error);
    let mut target = HostFile::create(to).map_err(failed)?;
    let size = from.file.size();
    let bar = bar(size);
    each_part(from, |offset, bytes| {
        target.seek(SeekFrom::Start(offset)).map_err(failed)?;
        target.write_all(&bytes).map_err(failed)?;
        bar.set_position(offset);
        Ok(())
    })?;
    target.set_len(size).and_then(|()| target.sync_all()).map_err(failed)?;
    bar.finish_and_clear();
    Ok(size)
}

/// Copies a file of a volume to another one, of the same volume or not.
pub(crate) fn between(from: &Inside<'_>, to: &Inside<'_>) -> Result<u64, Failure> {
    let size = from.file.size();
    let bar = bar(size);
    each_part(from, |offset, bytes| {
        bar.set_position(offset);
        to.write(offset, bytes)
    })?;
    bar.finish_and_clear();
    to.finish(size)?;
    Ok(size)
}

/// Everything that is data, chunk by chunk.
fn each_part(
    from: &Inside<'_>,
    mut take: impl FnMut(u64, Vec<u8>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let size = from.file.size();
    let mut at = 0;
    while at < size {
        let Some((start, end)) = from.data(at)? else { break };
        at = start;
        while at < end.min(size) {
            let mut bytes = from.read(at)?;
            bytes.truncate((end - at).min(CHUNK) as usize);
            if bytes.is_empty() {
                return Ok(());
            }
            let len = bytes.len() as u64;
            take(at, bytes)?;
            at += len;
        }
    }
    Ok(())
}

/// A line that shows how far a copy is, on a terminal.
fn bar(len: u64) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(len), target);
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
    bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
    bar
}

/// A failure of a file of this host.
pub(crate) fn host(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}; look at the path", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroes_are_left_out_in_grains() {
        let mut bytes = vec![0; 5 * GRAIN + 3];
        bytes[GRAIN] = 1;
        bytes[2 * GRAIN] = 1;
        bytes[5 * GRAIN + 2] = 1;
        let parts: Vec<_> = parts_with_data(&bytes).iter().map(|(at, p)| (*at, p.len())).collect();
        assert_eq!(parts, [(GRAIN, 2 * GRAIN), (5 * GRAIN, 3)]);
        assert!(parts_with_data(&[0; 100]).is_empty());
    }
}
