//! `byway cp`: files and folders between this host and volumes.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use byway::FsUri;
use byway_fs::file::FileOptions;
use byway_fs::format::{MODE_DIRECTORY, MODE_TYPE};
use byway_fs::store::FsError;

use super::args::CpArgs;
use super::copy::{Inside, between, host, into_volume, out_of_volume};
use super::place::{Within, own};
use crate::cli::failure::Failure;

/// One end of a copy.
enum End {
    Host(PathBuf),
    Volume(Within),
}

/// What lies at an end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Nothing,
    File,
    Folder,
}

pub(crate) fn cp(args: &CpArgs) -> Result<(), Failure> {
    let (from, to) = (Within::parse(&args.from)?, Within::parse(&args.to)?);
    if from.is_none() && to.is_none() {
        let line = "cp: both are paths of this host; name one as fs:[DEVICE-URI]/path";
        return Err(Failure::usage(line));
    }
    // A volume that is read and written is mounted once, for writing.
    let is_same = from.as_ref().zip(to.as_ref()).is_some_and(|(a, b)| a.volume == b.volume);
    let from = End::new(&args.from, from, !is_same)?;
    let to = End::new(&args.to, to, false)?;
    let done = copy_named(&from, &to, args.recursive);
    let ended = to.close();
    let left = from.close();
    done.and(ended).and(left)
}

/// Copies to the name that is given, or below the folder that is there.
fn copy_named(from: &End, to: &End, recursive: bool) -> Result<(), Failure> {
    let source = from.path();
    let target = to.path();
    let target = match to.what(&target)? {
        What::Folder => child(&target, name_of(&source)),
        What::Nothing | What::File => target,
    };
    if from.what(&source)? == What::Folder && !recursive {
        let line = format!("{}: a folder; add -r to copy all that is in it", from.shown(&source));
        return Err(Failure::usage(line));
    }
    // What is left is a list and no recursion, so that depth costs no stack.
    let mut left = vec![(source, target)];
    while let Some((source, target)) = left.pop() {
        match from.what(&source)? {
            What::Folder => {
                to.make_folder(&target)?;
                let names = from.names(&source)?.into_iter();
                left.extend(names.map(|name| (child(&source, &name), child(&target, &name))));
            }
            What::File => copy_file(from, &source, to, &target)?,
            What::Nothing => {
                let line = format!("{}: no such file; see byway ls", from.shown(&source));
                return Err(Failure::failed(line));
            }
        }
    }
    Ok(())
}

fn copy_file(from: &End, source: &[u8], to: &End, target: &[u8]) -> Result<(), Failure> {
    match (from, to) {
        (End::Host(_), End::Volume(within)) => {
            into_volume(Path::new(os(source)), &to_inside(within, target)?)
        }
        (End::Volume(within), End::Host(_)) => {
            out_of_volume(&from_inside(within, source)?, Path::new(os(target)))
        }
        (End::Volume(a), End::Volume(b)) => {
            between(&from_inside(a, source)?, &to_inside(b, target)?)
        }
        (End::Host(_), End::Host(_)) => unreachable!("one end is in a volume"),
    }
    .map(drop)
}

fn from_inside<'w>(within: &'w Within, path: &[u8]) -> Result<Inside<'w>, Failure> {
    open(within, path, true)
}

/// A file that is made, or emptied where it is there.
fn to_inside<'w>(within: &'w Within, path: &[u8]) -> Result<Inside<'w>, Failure> {
    let (new, at) = (own(0o644), path.to_vec());
    let made = within.volume.run(move |home| async move {
        home.volume.open_root().create(&at, new, false).await.map(|made| made.new)
    });
    let is_new = made.map_err(|error| failed(within, path, &error))?;
    let inside = open(within, path, false)?;
    if !is_new {
        let file = inside.file.clone();
        let emptied = within.volume.run(move |_| async move { file.truncate(0).await });
        emptied.map_err(|error| failed(within, path, &error))?;
    }
    Ok(inside)
}

fn open<'w>(within: &'w Within, path: &[u8], read_only: bool) -> Result<Inside<'w>, Failure> {
    let name = shown(within, path);
    let options = FileOptions { name: name.clone(), read_only };
    let file = within.volume.file(path, options).map_err(|e| failed(within, path, &e))?;
    Ok(Inside { volume: &within.volume, file, name })
}

fn shown(within: &Within, path: &[u8]) -> String {
    FsUri { path: PathBuf::from(os(path)), ..within.uri.clone() }.to_string()
}

fn failed(within: &Within, path: &[u8], error: &FsError) -> Failure {
    Failure::failed(format!("{}: {error}; see byway ls", shown(within, path)))
}

fn os(path: &[u8]) -> &std::ffi::OsStr {
    std::ffi::OsStr::from_bytes(path)
}

fn child(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if folder.ends_with(b"/") { b"" } else { b"/" };
    [folder, slash, name].concat()
}

fn name_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    path[..end].rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl End {
    fn new(word: &str, uri: Option<FsUri>, read_only: bool) -> Result<End, Failure> {
        match uri {
            Some(uri) => Ok(End::Volume(Within::mount(uri, read_only)?)),
            None => Ok(End::Host(PathBuf::from(word))),
        }
    }

    fn path(&self) -> Vec<u8> {
        match self {
            End::Host(path) => path.as_os_str().as_bytes().to_vec(),
            End::Volume(within) => within.path.clone(),
        }
    }

    fn shown(&self, path: &[u8]) -> String {
        match self {
            End::Host(_) => String::from_utf8_lossy(path).into_owned(),
            End::Volume(within) => shown(within, path),
        }
    }

    fn what(&self, path: &[u8]) -> Result<What, Failure> {
        let End::Volume(within) = self else {
            return match fs::metadata(os(path)) {
                Ok(found) if found.is_dir() => Ok(What::Folder),
                Ok(_) => Ok(What::File),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(What::Nothing),
                Err(error) => Err(host(Path::new(os(path)), &error)),
            };
        };
        let at = path.to_vec();
        let found = within
            .volume
            .run(move |home| async move { home.volume.open_root().attributes(&at, true).await });
        match found {
            Ok(found) if found.mode & MODE_TYPE == MODE_DIRECTORY => Ok(What::Folder),
            Ok(_) => Ok(What::File),
            Err(FsError::NotFound) => Ok(What::Nothing),
            Err(error) => Err(failed(within, path, &error)),
        }
    }

    fn names(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let End::Volume(within) = self else {
            let failed = |error: std::io::Error| host(Path::new(os(path)), &error);
            let entries = fs::read_dir(os(path)).map_err(failed)?;
            let name = |entry: std::io::Result<fs::DirEntry>| {
                entry.map(|entry| entry.file_name().into_vec()).map_err(failed)
            };
            return entries.map(name).collect();
        };
        let at = path.to_vec();
        let names = within.volume.run(move |home| async move {
            let folder = home.volume.open_root().open(&at).await?;
            let (mut names, mut listing) = (Vec::new(), folder.names());
            while let Some(listed) = listing.next().await? {
                names.push(listed.name.to_vec());
            }
            Ok(names)
        });
        names.map_err(|error| failed(within, path, &error))
    }

    fn make_folder(&self, path: &[u8]) -> Result<(), Failure> {
        if self.what(path)? == What::Folder {
            return Ok(());
        }
        let End::Volume(within) = self else {
            return fs::create_dir(os(path)).map_err(|error| host(Path::new(os(path)), &error));
        };
        let (at, new) = (path.to_vec(), own(0o755));
        let made = within
            .volume
            .run(move |home| async move { home.volume.open_root().mkdir(&at, new).await });
        made.map(drop).map_err(|error| failed(within, path, &error))
    }

    fn close(self) -> Result<(), Failure> {
        match self {
            End::Host(_) => Ok(()),
            End::Volume(within) => within.close(),
        }
    }
}
