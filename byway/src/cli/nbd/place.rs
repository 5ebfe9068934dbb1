//! The words of the command line that name an export and a device.

use byway::{NbdUri, Uri};
use byway_export::nbd::kernel::{Backend, device_index};

use super::super::failure::Failure;

const REMEDY: &str = "write nbd+unix:///NAME?socket=/PATH or nbd://HOST:PORT/NAME";

/// N of `/dev/nbdN`.
pub(super) fn index(word: &str) -> Result<u32, Failure> {
    device_index(word).ok_or_else(|| {
        Failure::usage(format!("'{word}': no NBD device; write /dev/nbd0, /dev/nbd1 and so on"))
    })
}

/// The export that a URI names. The kernel's driver is configured by options of the command, not by
/// those of a URI.
pub(super) fn backend(word: &str) -> Result<Backend, Failure> {
    let wrong = |problem: &str| Failure::usage(format!("'{word}': {problem}; {REMEDY}"));
    if word.starts_with("nbds") {
        return Err(wrong("the kernel's driver has no TLS; let the server listen without it"));
    }
    let uri = match word.parse() {
        Ok(Uri::Nbd(uri)) => uri,
        Ok(_) => return Err(wrong("no URI of an NBD export")),
        Err(error) => return Err(wrong(&error.problem)),
    };
    if *uri != NbdUri::new(uri.place.clone(), &uri.export) {
        return Err(wrong("only socket= has a meaning here; the command has options for the rest"));
    }
    Ok(Backend { address: byway::nbd::address(&uri.place)?, export: uri.export })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_named_by_socket_or_by_host() {
        for (word, shown) in [
            ("nbd+unix:///disk?socket=/run/a.sock", "nbd+unix:///disk?socket=/run/a.sock"),
            ("nbd+unix:///?socket=/run/a%20b", "nbd+unix:///?socket=/run/a b"),
            ("nbd://127.0.0.1:1234/a%2Fb", "nbd://127.0.0.1:1234/a/b"),
            ("nbd://127.0.0.1", "nbd://127.0.0.1:10809/"),
            ("nbd://[::1]/x", "nbd://[::1]:10809/x"),
        ] {
            assert_eq!(backend(word).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for word in [
            "disk",
            "nbd+unix:///disk",
            "nbd+unix://host/disk?socket=/a",
            "nbd+unix:///disk?socket=/a&depth=7",
            "nbds://host/disk",
            "nbd://127.0.0.1/%4",
            "iscsi://host/target/0",
        ] {
            let line = backend(word).unwrap_err().line().to_owned();
            assert!(line.contains(word) && line.contains("nbd+unix:///NAME"), "{line}");
        }
        assert!(index("/dev/sda").unwrap_err().line().contains("/dev/nbd0"));
    }
}
