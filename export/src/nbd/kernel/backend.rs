//! What is behind a device: the address of a server, and the name of its export.

use std::fmt;

use byway_engine::net::Address;

/// An export of an NBD server. Its words name the device's backend to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where the server listens.
    pub address: Address,
    /// The export's name; empty for the server's own choice.
    pub export: String,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let export = self.export.escape_default();
        match &self.address {
            Address::Tcp(address) => write!(f, "nbd://{address}/{export}"),
            Address::Unix(path) => write!(f, "nbd+unix:///{export}?socket={}", path.display()),
        }
    }
}
