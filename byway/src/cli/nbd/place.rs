//! The words of the command line that name an export and a device.

use byway_engine::net::Address;
use byway_export::nbd::kernel::{Backend, device_index};

use super::super::failure::Failure;

/// The port of NBD (NBD, 'Introduction').
const PORT: u16 = 10809;
const REMEDY: &str = "write nbd+unix:///NAME?socket=/PATH or nbd://HOST:PORT/NAME";

/// N of `/dev/nbdN`.
pub(super) fn index(word: &str) -> Result<u32, Failure> {
    device_index(word).ok_or_else(|| {
        Failure::usage(format!("'{word}': no NBD device; write /dev/nbd0, /dev/nbd1 and so on"))
    })
}

/// The export that a URI names.
pub(super) fn backend(word: &str) -> Result<Backend, Failure> {
    let wrong = |problem: &str| Failure::usage(format!("'{word}': {problem}; {REMEDY}"));
    match word.split_once("://") {
        Some(("nbd+unix", rest)) => unix(rest).map_err(|problem| wrong(&problem)),
        Some(("nbd", rest)) => {
            let (host, export) = rest.split_once('/').unwrap_or((rest, ""));
            let export = decode(export).ok_or_else(|| wrong("a '%' without two digits"))?;
            Ok(Backend { address: tcp(host)?, export })
        }
        Some(("nbds" | "nbds+unix", _)) => {
            Err(wrong("the kernel's driver has no TLS; let the server listen without it"))
        }
        _ => Err(wrong("no URI of an NBD export")),
    }
}

fn unix(rest: &str) -> Result<Backend, String> {
    let rest = rest.strip_prefix('/').ok_or("a host has no place there")?;
    let (export, query) = rest.split_once('?').unwrap_or((rest, ""));
    let socket = query.strip_prefix("socket=").ok_or("the socket is missing")?;
    let decoded = |text: &str| decode(text).ok_or("a '%' without two digits");
    let path = decoded(socket)?;
    if !path.starts_with('/') {
        return Err("the path of the socket has no '/' in front".into());
    }
    let address = path.parse::<Address>().map_err(|error| error.problem)?;
    Ok(Backend { address, export: decoded(export)? })
}

fn tcp(host: &str) -> Result<Address, Failure> {
    // An IPv6 address has colons of its own, in brackets.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let text = if has_port { host.to_owned() } else { format!("{host}:{PORT}") };
    let found = Address::resolve(&text)?;
    found.into_iter().find(|address| address.as_tcp().is_some()).ok_or_else(|| {
        Failure::usage(format!("'{host}': no host of that name; write HOST:PORT or IP:PORT"))
    })
}

/// Replaces `%XX` by its byte; `None` for a sign without digits, and for bytes that are no text.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
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
            "nbd+unix:///disk?socket=relative",
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
