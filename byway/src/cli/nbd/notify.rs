//! Telling systemd that a service is there (sd_notify(3)).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says `READY=1` and a line of status where systemd listens; else does nothing.
pub(super) fn ready(status: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text = format!("READY=1\nSTATUS={}\n", status.replace('\n', " "));
    if let Err(error) = send(place.as_encoded_bytes(), text.as_bytes()) {
        tracing::warn!(%error, "systemd was not told that the device is there: NOTIFY_SOCKET");
    }
}

fn send(place: &[u8], text: &[u8]) -> io::Result<()> {
    let address = match place.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(String::from_utf8_lossy(place).as_ref())?,
    };
    UnixDatagram::unbound()?.send_to_addr(text, &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_the_abstract_namespace_is_reached() {
        let name = format!("byway-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        send(format!("@{name}").as_bytes(), b"READY=1\n").unwrap();
        let mut heard = [0; 64];
        let len = systemd.recv(&mut heard).unwrap();
        assert_eq!(&heard[..len], b"READY=1\n");
    }
}
