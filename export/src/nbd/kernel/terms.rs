//! What the kernel is told of an export when a device is connected, and may rely on ever after.
//!
//! Invariant: a socket goes to the driver only where its export still does all of that. The driver
//! would not ask again: it would send flushes to a server that knows none, or writes to an export
//! that has become read-only.

use byway_proto::nbd::client::Opened;
use byway_proto::nbd::flags::TransmissionFlags;

/// The kernel's page, and so its longest block.
const BLOCK_LEN_MAX: u32 = 4096;
/// The kernel's shortest block, a sector.
const BLOCK_LEN_MIN: u32 = 512;
/// Lengths of requests where the server does not tell (NBD, 'Block size constraints').
const REQUEST_LEN_MAX: u32 = 32 << 20;

/// What the driver understands of the flags.
const KNOWN: TransmissionFlags = TransmissionFlags::HAS_FLAGS
    .with(TransmissionFlags::READ_ONLY)
    .with(TransmissionFlags::SEND_FLUSH)
    .with(TransmissionFlags::SEND_FUA)
    .with(TransmissionFlags::ROTATIONAL)
    .with(TransmissionFlags::SEND_TRIM)
    .with(TransmissionFlags::SEND_WRITE_ZEROES)
    .with(TransmissionFlags::CAN_MULTI_CONN);
/// What the driver may use once it was told.
const PROMISES: TransmissionFlags = TransmissionFlags::SEND_FLUSH
    .with(TransmissionFlags::SEND_FUA)
    .with(TransmissionFlags::SEND_TRIM)
    .with(TransmissionFlags::SEND_WRITE_ZEROES)
    .with(TransmissionFlags::CAN_MULTI_CONN);

/// What a device was, or would be, connected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) flags: TransmissionFlags,
    pub(super) block_len: u32,
    /// The longest request that the server takes, in bytes.
    pub(super) request_len_max: u32,
}

impl Terms {
    /// The terms of an export; the error says why the kernel cannot use it.
    pub(super) fn of(opened: &Opened, read_only: bool) -> Result<Terms, String> {
        let (min, max) =
            opened.blocks.map_or((1, REQUEST_LEN_MAX), |blocks| (blocks.min, blocks.max));
        if min > BLOCK_LEN_MAX {
            return Err(format!("its blocks of {min} bytes are longer than the kernel's pages"));
        }
        if opened.size < u64::from(BLOCK_LEN_MIN) {
            return Err(format!("it has {} bytes, less than a sector", opened.size));
        }
        let known = TransmissionFlags(opened.flags.0 & KNOWN.0);
        let flags = known.with(TransmissionFlags::READ_ONLY.only_if(read_only));
        Ok(Terms { flags, block_len: min.max(BLOCK_LEN_MIN), request_len_max: max })
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.flags.contains(TransmissionFlags::READ_ONLY)
    }

    pub(super) fn takes_many(&self) -> bool {
        self.flags.contains(TransmissionFlags::CAN_MULTI_CONN)
    }

    /// Why a device with these terms cannot go on with `other`; `None` where it can.
    pub(super) fn unmet_by(&self, other: &Terms) -> Option<String> {
        let promised = TransmissionFlags(self.flags.0 & PROMISES.0);
        if !other.flags.contains(promised) {
            return Some("the export can do less than when it was attached".into());
        }
        if other.is_read_only() && !self.is_read_only() {
            return Some("the export has become read-only".into());
        }
        if other.block_len > self.block_len {
            return Some(format!("the export's blocks have grown to {} bytes", other.block_len));
        }
        None
    }
}
