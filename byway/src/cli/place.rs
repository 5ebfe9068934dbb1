//! Where an export is, as NBD clients read it (NBD, 'NBD URI').

use byway_engine::net::Address;

/// The URI of an export at an address; `scheme` is `nbd`, or `nbds` where TLS is a must.
pub(crate) fn uri(scheme: &str, address: &Address, name: &str) -> String {
    let name = escaped(name);
    match address {
        Address::Tcp(address) => format!("{scheme}://{address}/{name}"),
        Address::Unix(path) => {
            format!("{scheme}+unix:///{name}?socket={}", escaped(&path.to_string_lossy()))
        }
    }
}

fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escape = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_named_as_clients_read_it() {
        let socket = Address::Unix("/run/a b.sock".into());
        assert_eq!(uri("nbd", &socket, ""), "nbd+unix:///?socket=/run/a%20b.sock");
        let port: Address = "127.0.0.1:10809".parse().unwrap();
        assert_eq!(uri("nbds", &port, "disk?"), "nbds://127.0.0.1:10809/disk%3F");
    }
}
