//! What sessions have done, for `status`.

use byway_proto::iscsi::pdu::Isid;

/// Counts of one session since its login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Commands that were executed.
    pub commands: u64,
    /// Bytes that were sent as data of reads.
    pub read_bytes: u64,
    /// Bytes that were written to the device.
    pub written_bytes: u64,
    /// Commands that ended with another status than GOOD.
    pub failed: u64,
    /// Task management functions.
    pub management: u64,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStats {
    /// Who it is.
    pub initiator: String,
    /// Its part of the session identifier.
    pub isid: Isid,
    /// The target's part.
    pub tsih: u16,
    /// The portal group it came in by.
    pub portal_group: u16,
    /// Where it is.
    pub peer: String,
    /// Commands under way.
    pub tasks: usize,
    /// Memory in use for data, in bytes.
    pub held_bytes: u64,
    /// What it has done.
    pub counts: SessionCounts,
}
