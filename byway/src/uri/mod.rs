//! The URIs of devices: `file:/path[?direct=off&readonly=on]`, `mem:SIZE`, `null:SIZE`,
//! `iscsi://portal/target/lun`, `nbd://host/EXPORT`, `nbd+unix:///EXPORT?socket=/path`, and files of
//! volumes: `fs:[DEVICE-URI]/path` and `fs:NAME/path`.
//!
//! Pure. A path may hold any byte as `%XX`; `?`, `#` and `%` must be written so. Sizes are those of
//! the bench: `1g`, `512MiB`.

mod fs;
mod iscsi;
mod nbd;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use byway_bench::words::{show_size, size};
use byway_proto::iscsi::chap::Algorithm;

pub use fs::{FsUri, FsVolume, is_volume_name};
pub use iscsi::IscsiUri;
pub use nbd::{NBD_PORT, NbdPlace, NbdUri};

/// The longest URI, in bytes.
pub const URI_LEN_MAX: usize = 8192;
const SCHEMES: &str = "use file:/path, iscsi://host/TARGET/LUN, nbd+unix:///EXPORT?socket=/path, nbd://host/EXPORT, \
     fs:[DEVICE-URI]/path, mem:SIZE or null:SIZE, such as mem:1g";

/// The name of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    /// A file or block device of this host.
    File {
        /// Where it is.
        path: PathBuf,
        /// Go around the page cache; on where not said.
        direct: bool,
        /// Refuse writes; off where not said.
        read_only: bool,
    },
    /// Memory of so many bytes.
    Mem(u64),
    /// Nothing, of so many bytes.
    Null(u64),
    /// A LUN.
    Iscsi(Box<IscsiUri>),
    /// An export of an NBD server.
    Nbd(Box<NbdUri>),
    /// A file of a volume.
    Fs(Box<FsUri>),
}

/// A URI that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError {
    /// The URI as it was given.
    pub uri: String,
    /// What is wrong with it.
    pub problem: String,
    /// What helps.
    pub remedy: String,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}; {}", self.uri, self.problem, self.remedy)
    }
}

impl std::error::Error for UriError {}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(word: &str) -> Result<Uri, UriError> {
        parse(word).map_err(|(problem, remedy)| UriError {
            uri: shown(word).chars().take(200).flat_map(char::escape_debug).collect(),
            problem,
            remedy,
        })
    }
}

/// The URI as messages show it: without what may be a secret between a user and the host.
fn shown(word: &str) -> String {
    let secret = word.rsplit_once('@').and_then(|(before, after)| {
        let (user, _) = before.strip_prefix("iscsi://")?.split_once(':')?;
        Some(format!("iscsi://{user}:...@{after}"))
    });
    secret.unwrap_or_else(|| word.to_owned())
}

/// The algorithms that CHAP offers, from a list such as `sha256,md5`.
///
/// # Errors
/// Where a word of the list is none of md5, sha1, sha256 and sha3.
pub fn algorithms(list: &str) -> Result<Vec<Algorithm>, UriError> {
    let uri = list.chars().take(200).flat_map(char::escape_debug).collect();
    iscsi::algorithms(list).map_err(|(problem, remedy)| UriError { uri, problem, remedy })
}

/// What is wrong and what helps.
type Wrong = (String, String);

fn wrong<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err((problem.into(), remedy.into()))
}

fn parse(word: &str) -> Result<Uri, Wrong> {
    if word.len() > URI_LEN_MAX {
        return wrong(format!("longer than {URI_LEN_MAX} bytes"), "use a shorter path");
    }
    let Some((scheme, rest)) = word.split_once(':') else {
        let remedy = if word.starts_with('/') || word.starts_with('.') {
            format!("write file:{word}")
        } else {
            SCHEMES.into()
        };
        return wrong("no scheme in front", remedy);
    };
    match scheme {
        "file" => file(rest),
        "mem" => sized(rest).map(Uri::Mem),
        "null" => sized(rest).map(Uri::Null),
        "fs" => fs::parse(rest).map(|uri| Uri::Fs(Box::new(uri))),
        "iscsi" => iscsi::parse(rest).map(|uri| Uri::Iscsi(Box::new(uri))),
        "nbd" => nbd::parse(rest, false).map(|uri| Uri::Nbd(Box::new(uri))),
        "nbd+unix" => nbd::parse(rest, true).map(|uri| Uri::Nbd(Box::new(uri))),
        "nbds" | "nbds+unix" => Err(nbd::secure(scheme)),
        _ => wrong(format!("the scheme '{scheme}' is not known"), SCHEMES),
    }
}

fn sized(rest: &str) -> Result<u64, Wrong> {
    match size(rest) {
        Ok(0) => wrong("a device of no bytes", "give it a size, such as 1g"),
        Ok(bytes) if bytes % 512 != 0 => {
            wrong(format!("{bytes} bytes are not whole blocks"), "use a multiple of 512")
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => wrong(format!("{}: {}", error.word, error.problem), error.remedy),
    }
}

fn file(rest: &str) -> Result<Uri, Wrong> {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    if path.contains('#') {
        return wrong("'#' in the path", "write it as %23");
    }
    let path = decode(path)?;
    if path.is_empty() {
        return wrong("no path", "write file:/path/to/it");
    }
    if path.contains(&0) {
        return wrong("a zero byte in the path", "no file has such a name");
    }
    let path = PathBuf::from(OsStr::from_bytes(&path));
    let (mut direct, mut read_only) = (true, false);
    for option in query.into_iter().flat_map(|query| query.split('&')) {
        match option.split_once('=') {
            Some(("direct", value)) => direct = switch("direct", value)?,
            Some(("readonly", value)) => read_only = switch("readonly", value)?,
            _ => {
                let problem = format!("the option '{option}' is not known");
                return wrong(problem, "use direct=on|off and readonly=on|off");
            }
        }
    }
    Ok(Uri::File { path, direct, read_only })
}

fn switch(name: &str, value: &str) -> Result<bool, Wrong> {
    match value {
        "on" | "1" | "true" => Ok(true),
        "off" | "0" | "false" => Ok(false),
        _ => wrong(format!("'{value}' is neither on nor off"), format!("write {name}=on|off")),
    }
}

/// Replaces `%XX` by its byte.
fn decode(text: &str) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = tail.get(..2).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let value = digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok());
        let Some(value) = value else {
            return wrong("'%' without two digits behind it", "write a percent sign as %25");
        };
        bytes.push(value);
        rest = &tail[2..];
    }
    Ok(bytes)
}

/// As `decode`, for what must be text.
fn decode_text(text: &str) -> Result<String, Wrong> {
    String::from_utf8(decode(text)?)
        .map_err(|_| ("bytes that are no text".to_owned(), "use UTF-8".to_owned()))
}

/// Text as it stands in a part of a URI that other signs end.
fn encode_text(text: &str) -> String {
    let plain = |c: char| !c.is_ascii_control() && !"%?#&/@ ".contains(c);
    let one = |c: char| if plain(c) { c.to_string() } else { format!("%{:02X}", c as u32) };
    text.chars().map(one).collect()
}

/// The path as it stands in a URI.
fn encode(path: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '%' | '?' | '#' => write!(f, "%{:02X}", c as u32)?,
                c if c.is_ascii_control() => write!(f, "%{:02X}", c as u32)?,
                c => write!(f, "{c}")?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
    }
    Ok(())
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Mem(bytes) => write!(f, "mem:{}", show_size(*bytes)),
            Uri::Null(bytes) => write!(f, "null:{}", show_size(*bytes)),
            Uri::Iscsi(uri) => uri.fmt(f),
            Uri::Nbd(uri) => uri.fmt(f),
            Uri::Fs(uri) => uri.fmt(f),
            Uri::File { path, direct, read_only } => {
                f.write_str("file:")?;
                encode(path, f)?;
                f.write_str(match (direct, read_only) {
                    (true, false) => "",
                    (false, false) => "?direct=off",
                    (true, true) => "?readonly=on",
                    (false, true) => "?direct=off&readonly=on",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> Uri {
        Uri::File { path: path.into(), direct: true, read_only: false }
    }

    #[test]
    fn every_scheme_is_read() {
        assert_eq!("mem:1g".parse(), Ok(Uri::Mem(1 << 30)));
        assert_eq!("null:512MiB".parse(), Ok(Uri::Null(512 << 20)));
        assert_eq!("file:/dev/zram0".parse(), Ok(file("/dev/zram0")));
        assert_eq!("file:relative/x".parse(), Ok(file("relative/x")));
        assert_eq!("file:/a%3Fb%20c".parse(), Ok(file("/a?b c")));
        let options = "file:/a?direct=off&readonly=on".parse();
        assert_eq!(options, Ok(Uri::File { path: "/a".into(), direct: false, read_only: true }));
    }

    #[test]
    fn mistakes_name_the_uri_and_the_remedy() {
        for (word, part) in [
            ("", "no scheme"),
            ("/dev/sda", "write file:/dev/sda"),
            ("mem", "no scheme"),
            ("ram:1g", "'ram' is not known"),
            ("mem:", "not a size"),
            ("mem:0", "no bytes"),
            ("mem:100", "multiple of 512"),
            ("null:x", "not a size"),
            ("file:", "no path"),
            ("file:/a%2", "two digits"),
            ("file:/a%00b", "zero byte"),
            ("file:/a#b", "%23"),
            ("file:/a?cache=on", "'cache=on' is not known"),
            ("file:/a?direct=maybe", "neither"),
            ("File:/a", "not known"),
        ] {
            let message = word.parse::<Uri>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("'{word}': ")), "{message}");
            assert!(message.contains(part) && message.contains("; "), "{message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
        let secret = "iscsi://me:hidden@host/t/0".parse::<Uri>().unwrap_err().to_string();
        assert!(!secret.contains("hidden"), "{secret}");
        assert!("a\nb".parse::<Uri>().unwrap_err().to_string().lines().count() == 1);
        assert!(format!("file:/{}", "a".repeat(URI_LEN_MAX)).parse::<Uri>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in prop::collection::vec(1u8..=255, 1..60),
                                    direct: bool, read_only: bool) {
            let path = PathBuf::from(OsStr::from_bytes(&bytes));
            let uri = Uri::File { path, direct, read_only };
            prop_assert_eq!(uri.to_string().parse::<Uri>(), Ok(uri));
        }

        #[test]
        fn no_word_panics(word in "\\PC{0,40}") {
            crate::fuzz::uri(word.as_bytes());
            crate::fuzz::uri(format!("file:{word}").as_bytes());
            crate::fuzz::uri(format!("iscsi://{word}").as_bytes());
        }
    }
}
