//! `byway ls`: what a folder of a volume holds.

use byway_fs::format::{BLOCK_LEN, MODE_DIRECTORY, MODE_LINK, MODE_REGULAR, MODE_TYPE};
use byway_fs::inode::Attributes;
use byway_fs::store::FsError;
use byway_fs::volume::Directory;
use serde::Serialize;

use super::args::LsArgs;
use super::place::Within;
use crate::cli::failure::Failure;
use crate::cli::{output, text};

/// One name, for people and programs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    mode: String,
    links: u32,
    uid: u32,
    gid: u32,
    pub(crate) size: u64,
    /// Bytes that it takes on the device.
    pub(crate) allocated: u64,
    inode: u64,
    modified_ns: i128,
}

pub(crate) fn ls(args: &LsArgs) -> Result<(), Failure> {
    let rows = rows(&args.uri)?;
    if args.json {
        return text::print_json(&rows);
    }
    if !args.long {
        return output::print(
            &rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>(),
        );
    }
    let cells = |row: &Row| {
        let owner = format!("{}:{}", row.uid, row.gid);
        let (size, taken) = (row.size.to_string(), text::size(row.allocated));
        vec![row.mode.clone(), row.links.to_string(), owner, size, taken, row.name.clone()]
    };
    let cells: Vec<_> = rows.iter().map(cells).collect();
    output::print(&text::table(&["mode", "links", "owner", "bytes", "taken", "name"], &cells))
}

/// What lies at a place: the names of a folder, in their order, or the one file.
pub(crate) fn rows(uri: &str) -> Result<Vec<Row>, Failure> {
    let at = Within::open(uri, true)?;
    let mut rows = at.run(|home, path| async move {
        let root = home.volume.open_root();
        match root.open(&path).await {
            Ok(folder) => all(&folder).await,
            Err(FsError::NotDirectory) => {
                let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                Ok(vec![row(name, &root.attributes(&path, false).await?)])
            }
            Err(error) => Err(error),
        }
    })?;
    at.close()?;
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rows)
}

async fn all(folder: &Directory) -> Result<Vec<Row>, FsError> {
    let mut names = folder.names();
    let mut found = Vec::new();
    while let Some(listed) = names.next().await? {
        found.push(listed.name.to_vec());
    }
    let mut rows = Vec::with_capacity(found.len());
    for name in found {
        rows.push(row(&name, &folder.attributes(&name, false).await?));
    }
    Ok(rows)
}

fn row(name: &[u8], of: &Attributes) -> Row {
    Row {
        name: String::from_utf8_lossy(name).into_owned(),
        kind: kind(of.mode).1,
        mode: mode(of.mode),
        links: of.nlink,
        uid: of.uid,
        gid: of.gid,
        size: of.size,
        allocated: of.blocks * BLOCK_LEN as u64,
        inode: of.at.ino,
        modified_ns: of.mtime,
    }
}

fn kind(mode: u32) -> (char, &'static str) {
    match mode & MODE_TYPE {
        MODE_REGULAR => ('-', "file"),
        MODE_DIRECTORY => ('d', "folder"),
        MODE_LINK => ('l', "link"),
        _ => ('s', "special"),
    }
}

/// The mode as ls(1) writes it.
fn mode(mode: u32) -> String {
    let bit = |at: u32| if mode >> at & 1 == 1 { b"xwr"[at as usize % 3] as char } else { '-' };
    let bits: String = (0..9).rev().map(bit).collect();
    format!("{}{bits}", kind(mode).0)
}
