//! The archive that a kernel takes as its first file system: cpio in the "newc" form.
//!
//! Every entry is a header of `070701` and thirteen numbers of eight hexadecimal digits, the name
//! with its zero, and the content, each filled up to four bytes (Linux,
//! `Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::collections::BTreeMap;

/// What lies at a path.
enum Node {
    Folder,
    File {
        bytes: Vec<u8>,
        mode: u32,
    },
    Link(String),
    /// A character device, by major and minor number.
    Device(u32, u32),
}

/// A tree of files, owned by root.
#[derive(Default)]
pub(super) struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// A file that everyone may read and run.
    pub(super) fn program(&mut self, path: &str, bytes: Vec<u8>) {
        self.insert(path, Node::File { bytes, mode: 0o755 });
    }

    pub(super) fn file(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.insert(path, Node::File { bytes: bytes.into(), mode: 0o644 });
    }

    pub(super) fn folder(&mut self, path: &str) {
        self.insert(path, Node::Folder);
    }

    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.insert(path, Node::Link(to.to_owned()));
    }

    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.insert(path, Node::Device(major, minor));
    }

    /// Paths have no leading slash; the folders above come with them.
    fn insert(&mut self, path: &str, node: Node) {
        let path = path.trim_start_matches('/');
        let above = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in above {
            self.nodes.entry(folder.to_owned()).or_insert(Node::Folder);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// The archive's bytes. A folder sorts before what lies in it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (path, node)) in self.nodes.iter().enumerate() {
            let (mode, device, content): (u32, (u32, u32), &[u8]) = match node {
                Node::Folder => (0o040_755, (0, 0), &[]),
                Node::File { bytes, mode } => (0o100_000 | mode, (0, 0), bytes),
                Node::Link(to) => (0o120_777, (0, 0), to.as_bytes()),
                Node::Device(major, minor) => (0o020_600, (*major, *minor), &[]),
            };
            entry(&mut out, number as u32 + 1, path, mode, device, content);
        }
        entry(&mut out, 0, "TRAILER!!!", 0, (0, 0), &[]);
        out
    }
}

fn entry(out: &mut Vec<u8>, inode: u32, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
    let (len, name_len) = (content.len() as u32, path.len() as u32 + 1);
    let (major, minor) = device;
    out.extend_from_slice(b"070701");
    for number in [inode, mode, 0, 0, 1, 0, len, 0, 0, major, minor, name_len, 0] {
        out.extend_from_slice(format!("{number:08x}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    fill_up(out);
    out.extend_from_slice(content);
    fill_up(out);
}

/// Every part of the archive starts at a multiple of four bytes.
fn fill_up(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_its_folders_before_it_and_the_trailer_behind_it() {
        let mut archive = Archive::default();
        archive.file("/etc/a/b", "hello");
        let bytes = archive.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let places = ["etc\0", "etc/a\0", "etc/a/b\0", "hello", "TRAILER!!!"];
        let found: Vec<_> = places.iter().map(|place| text.find(place).unwrap()).collect();
        assert!(found.is_sorted(), "{found:?}");
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[..14], b"07070100000001");
    }

    #[test]
    fn a_header_has_110_bytes() {
        let mut out = Vec::new();
        entry(&mut out, 1, "x", 0, (0, 0), b"content");
        assert_eq!(&out[110..112], b"x\0");
        assert_eq!(&out[112..119], b"content");
    }
}
