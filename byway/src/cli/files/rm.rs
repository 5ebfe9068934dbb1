//! `byway rm` and `byway mkdir`: names of a volume that go and come.

use byway_fs::store::FsError;
use byway_fs::volume::Directory;

use super::args::{MkdirArgs, RmArgs};
use super::place::{Within, own};
use crate::cli::failure::Failure;

/// Names of a folder that are removed before it is read again.
const NAMES_AT_ONCE: usize = 256;

pub(crate) fn rm(args: &RmArgs) -> Result<(), Failure> {
    for word in &args.uri {
        let at = Within::open(word, false)?;
        let recursive = args.recursive;
        at.run(move |home, path| async move {
            let root = home.volume.open_root();
            match root.unlink(&path).await {
                Err(FsError::IsDirectory) if recursive => remove_all(&root, path).await,
                other => other,
            }
        })
        .map_err(|failure| with_remedy(failure, recursive))?;
        at.close()?;
    }
    Ok(())
}

/// A folder that was not asked for by -r says so.
fn with_remedy(failure: Failure, recursive: bool) -> Failure {
    match failure.line().split_once("is a directory") {
        Some((before, _)) if !recursive => {
            Failure::failed(format!("{before}is a directory; add -r to remove all that is in it"))
        }
        _ => failure,
    }
}

/// Removes a folder, deepest names first. What is to be removed is a list and no recursion, so that
/// depth costs no stack.
async fn remove_all(root: &Directory, path: Vec<u8>) -> Result<(), FsError> {
    let mut left = vec![path];
    while let Some(folder) = left.last().cloned() {
        let dir = root.open(&folder).await?;
        let listing = dir.list(0, NAMES_AT_ONCE).await?;
        let names: Vec<Vec<u8>> = listing.iter().map(|one| one.name.to_vec()).collect();
        if names.is_empty() {
            drop(dir);
            root.rmdir(&folder).await?;
            left.pop();
            continue;
        }
        for name in names {
            match dir.unlink(&name).await {
                Err(FsError::IsDirectory) => left.push([&folder[..], b"/", &name].concat()),
                other => other?,
            }
        }
    }
    Ok(())
}

pub(crate) fn mkdir(args: &MkdirArgs) -> Result<(), Failure> {
    for word in &args.uri {
        let at = Within::open(word, false)?;
        let new = own(0o755);
        at.run(move |home, path| async move {
            home.volume.open_root().mkdir(&path, new).await.map(drop)
        })?;
        at.close()?;
    }
    Ok(())
}
