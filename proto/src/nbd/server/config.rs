//! What a handshake is told before it begins, and what it is told about an export.

use alloc::string::String;

use crate::nbd::Headers;
use crate::nbd::flags::TransmissionFlags;
use crate::nbd::info::BlockSizes;

/// Which clients must or may use TLS (NBD, 'TLS support').
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// NOTLS: `STARTTLS` is refused.
    Off,
    /// SELECTIVETLS: the client decides, and an export may insist.
    Allowed,
    /// FORCEDTLS: nothing but `STARTTLS` and `ABORT` is answered before TLS.
    Required,
}

/// What holds for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandshakeConfig {
    /// Who must use TLS.
    pub tls: TlsPolicy,
    /// The most that a client can negotiate.
    pub headers_max: Headers,
}

/// An export, as a client is to see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExportInfo {
    /// The canonical name.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Bytes of the export.
    pub size: u64,
    /// What it can. `HAS_FLAGS` and `SEND_DF` are set or cleared by the machine.
    pub flags: TransmissionFlags,
    /// Which blocks requests are made of; requests that are not are refused.
    pub block_sizes: BlockSizes,
    /// True to open it only to clients that ask for the block sizes, where that can be said.
    pub insists_on_block_sizes: bool,
    /// True where it has extents to tell of: it offers `base:allocation`.
    pub has_allocation: bool,
    /// True where zeroes are written faster than data; otherwise `FAST_ZERO` fails with `ENOTSUP`.
    pub is_zeroing_fast: bool,
}

impl ExportInfo {
    /// Checks what a shell must keep to.
    pub(super) fn check(&self) {
        let BlockSizes { min, preferred, max } = self.block_sizes;
        assert!(min.is_power_of_two() && preferred.is_power_of_two(), "blocks are powers of two");
        assert!(min <= preferred && max >= preferred && max % min == 0, "blocks hold blocks");
    }
}
