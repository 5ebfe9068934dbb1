//! `fs:[DEVICE-URI]/path` and `fs:NAME/path`: a file of a volume.
//!
//! The volume is named by the device that carries it, in brackets, or by the name that a daemon's
//! configuration gives it. Brackets in the device's URI come in pairs; others are written `%5B` and
//! `%5D`. A volume within a volume has no URI.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Uri, Wrong, decode, encode, switch, wrong};

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsUri {
    /// The volume.
    pub volume: FsVolume,
    /// The file, from the root of the volume on.
    pub path: PathBuf,
    /// Refuse writes; off where not said.
    pub read_only: bool,
}

/// Which volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FsVolume {
    /// The one that a daemon's configuration calls so.
    Named(String),
    /// The one on this device.
    Device(Box<Uri>),
}

const FORM: &str = "write fs:[DEVICE-URI]/path, such as fs:[file:/dev/vg/lv]/vm.img";

pub(super) fn parse(rest: &str) -> Result<FsUri, Wrong> {
    let (volume, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let Some(end) = closing(rest) else {
                return wrong("no bracket behind the device", FORM);
            };
            (device(&rest[..end])?, &rest[end + 1..])
        }
        None => {
            let end = rest.find('/').unwrap_or(rest.len());
            (named(&rest[..end])?, &rest[end..])
        }
    };
    let (path, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    if path.contains('#') {
        return wrong("'#' in the path", "write it as %23");
    }
    let path = decode(path)?;
    if !path.starts_with(b"/") {
        return wrong("no path within the volume", FORM);
    }
    if path.contains(&0) {
        return wrong("a zero byte in the path", "no file has such a name");
    }
    let mut read_only = false;
    for option in query.into_iter().flat_map(|query| query.split('&')) {
        match option.split_once('=') {
            Some(("readonly", value)) => read_only = switch("readonly", value)?,
            _ => {
                let problem = format!("the option '{option}' is not known");
                return wrong(problem, "use readonly=on|off");
            }
        }
    }
    Ok(FsUri { volume, path: PathBuf::from(OsStr::from_bytes(&path)), read_only })
}

/// Where the bracket is closed that was open before.
fn closing(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    rest.bytes().position(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 0 => return true,
            b']' => depth -= 1,
            _ => {}
        }
        false
    })
}

fn device(word: &str) -> Result<FsVolume, Wrong> {
    match super::parse(word)? {
        Uri::Fs(_) => wrong("a volume within a volume", "export the image, and name the export"),
        uri => Ok(FsVolume::Device(Box::new(uri))),
    }
}

fn named(name: &str) -> Result<FsVolume, Wrong> {
    if is_volume_name(name) {
        return Ok(FsVolume::Named(name.to_owned()));
    }
    let problem = format!("'{name}' is not the name of a volume");
    wrong(problem, format!("use letters, digits, '.', '_' and '-'; or {FORM}"))
}

/// True for what a volume can be called: up to 64 letters, digits, `.`, `_` and `-`.
pub fn is_volume_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

impl fmt::Display for FsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.volume {
            FsVolume::Named(name) => write!(f, "fs:{name}")?,
            FsVolume::Device(uri) => write!(f, "fs:[{}]", paired(&uri.to_string()))?,
        }
        encode(&self.path, f)?;
        f.write_str(if self.read_only { "?readonly=on" } else { "" })
    }
}

/// A URI whose brackets come in pairs: those of an address do, the others are escaped.
fn paired(uri: &str) -> String {
    let bracketed = format!("{uri}]");
    if closing(&bracketed) == Some(uri.len()) {
        return uri.to_owned();
    }
    // Brackets of an address lie before the first slash of what follows the scheme.
    let start = uri.find("://").map_or(0, |at| at + 3);
    let start =
        if start == 0 { 0 } else { uri[start..].find('/').map_or(uri.len(), |at| start + at) };
    let (address, rest) = uri.split_at(start);
    format!("{address}{}", rest.replace('[', "%5B").replace(']', "%5D"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_volume_is_named_by_its_device_or_its_name() {
        let uri: Uri = "fs:[file:/dev/sdb?direct=off]/vm/a.img?readonly=on".parse().unwrap();
        let Uri::Fs(uri) = uri else { panic!("a file of a volume") };
        assert_eq!(uri.path, PathBuf::from("/vm/a.img"));
        assert!(uri.read_only);
        let device = "file:/dev/sdb?direct=off".parse().unwrap();
        assert_eq!(uri.volume, FsVolume::Device(Box::new(device)));
        let uri: Uri = "fs:pool/a%3Fb".parse().unwrap();
        assert_eq!(uri.to_string(), "fs:pool/a%3Fb");
        assert!("fs:[iscsi://[::1]:3260/iqn.2026-11.org.byway:t/0]/x".parse::<Uri>().is_ok());
    }

    #[test]
    fn mistakes_name_the_remedy() {
        for (word, part) in [
            ("fs:", "not the name of a volume"),
            ("fs:[file:/a", "no bracket"),
            ("fs:[file:/a]", "no path"),
            ("fs:[file:/a]b", "no path"),
            ("fs:[floppy:a]/b", "not known"),
            ("fs:[fs:a/b]/c", "within a volume"),
            ("fs:a/b?x=y", "'x=y' is not known"),
        ] {
            let message = word.parse::<Uri>().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("; "), "{message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(device in prop::collection::vec(1u8..=255, 1..40),
                                    path in prop::collection::vec(1u8..=255, 0..40),
                                    read_only: bool) {
            let inner = PathBuf::from(OsStr::from_bytes(&device));
            let inner = Uri::File { path: inner, direct: true, read_only: false };
            let path = PathBuf::from(OsStr::from_bytes(&[b"/".as_slice(), &path].concat()));
            let volume = FsVolume::Device(Box::new(inner));
            let uri = Uri::Fs(Box::new(FsUri { volume, path, read_only }));
            prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri));
        }

        #[test]
        fn no_word_panics(word in "\\PC{0,40}") {
            crate::fuzz::uri(format!("fs:[{word}").as_bytes());
            crate::fuzz::uri(format!("fs:{word}").as_bytes());
        }
    }
}
