//! What an initiator is told: who it is, where the LUN is, and how patient it should be.

use byway_engine::block::WriteGate;
use byway_engine::net::Address;
use byway_proto::iscsi::chap::{Algorithm, DEFAULT_ALGORITHMS, Secret};
use byway_proto::iscsi::pdu::Isid;
use byway_proto::scsi::Lun;

/// Requests in flight of one core and path.
pub const TASKS_MAX: u16 = 256;

/// One LUN, as one host sees it.
#[derive(Clone, Debug)]
pub struct IscsiConfig {
    /// What messages call the device: its URI.
    pub name: String,
    /// The name of this host (iqn., eui. or naa.).
    pub initiator_name: String,
    /// The portals of the target; one session of each core goes to each of them.
    pub portals: Vec<Address>,
    /// The name of the target.
    pub target_name: String,
    /// The logical unit.
    pub lun: Lun,
    /// The first ISID; those of further paths and cores count up from it. Stable, as reservations
    /// belong to it.
    pub isid: Isid,
    /// Who proves what.
    pub chap: Option<ChapConfig>,
    /// Which digests are asked for.
    pub digests: Digests,
    /// How patient the initiator is.
    pub timeouts: Timeouts,
    /// Requests in flight of one path, at most [`TASKS_MAX`].
    pub depth: u16,
    /// Refuse writes.
    pub read_only: bool,
    /// Closed whenever a session is lost; see [`WriteGate`]. None: writes are sent again by the
    /// initiator itself once the old session is gone.
    pub gate: Option<WriteGate>,
    /// For tests of checkers alone.
    #[doc(hidden)]
    pub mutation: Option<Mutation>,
}

/// A rule that is broken on purpose, so that a simulation can prove that it would notice.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A write that may have been executed is sent by any path, at once.
    ReplayAnywhere,
    /// Compare-and-write that may have been executed is sent again.
    CompareTwice,
    /// Nobody is told that the target lost its cache.
    LossUntold,
    /// A session that ends before its survey does takes what the target told with it.
    LossForgotten,
}

impl IscsiConfig {
    /// LUN 0 of a target at one portal, with what fits most.
    pub fn new(portal: Address, target_name: impl Into<String>) -> IscsiConfig {
        let target_name = target_name.into();
        IscsiConfig {
            name: format!("iscsi://{portal}/{target_name}/0"),
            initiator_name: "iqn.2026-11.org.byway:host".into(),
            portals: vec![portal],
            target_name,
            lun: Lun::ZERO,
            isid: Isid([0x80, 0, 0, 0, 0, 1]),
            chap: None,
            digests: Digests::default(),
            timeouts: Timeouts::default(),
            depth: 128,
            read_only: false,
            gate: None,
            mutation: None,
        }
    }

    /// The ISID of the `n`th session.
    pub(crate) fn isid_of(&self, n: u32) -> Isid {
        let Isid([kind, a, b, c, high, low]) = self.isid;
        let base = u32::from_be_bytes([b, c, high, low]).wrapping_add(n);
        let [b, c, high, low] = base.to_be_bytes();
        Isid([kind, a, b, c, high, low])
    }
}

/// Which CRC32C digests are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digests {
    /// Over headers.
    pub header: bool,
    /// Over data.
    pub data: bool,
}

/// Names and secrets of CHAP. Secrets are at least 12 bytes long and are never printed.
#[derive(Clone, Debug)]
pub struct ChapConfig {
    /// What this host calls itself.
    pub user: String,
    /// What it proves.
    pub secret: Secret,
    /// Where the target must prove something too.
    pub peer: Option<ChapPeer>,
    /// Offered in this order; some targets mistake one algorithm for another.
    pub algorithms: Vec<Algorithm>,
}

impl ChapConfig {
    /// One-way CHAP with every algorithm, the strongest first.
    pub fn one_way(user: impl Into<String>, secret: Secret) -> ChapConfig {
        let algorithms = DEFAULT_ALGORITHMS.to_vec();
        ChapConfig { user: user.into(), secret, peer: None, algorithms }
    }
}

/// What the target proves in mutual CHAP.
#[derive(Clone, Debug)]
pub struct ChapPeer {
    /// The name it must give; any where none is told.
    pub user: Option<String>,
    /// The secret that it must know.
    pub secret: Secret,
}

/// How patient the initiator is, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For connecting and logging in, in all.
    pub login_ns: u64,
    /// For a command without any progress, before it is aborted.
    pub command_ns: u64,
    /// Silence of the target before it is asked whether it lives.
    pub keepalive_ns: u64,
    /// For a task management function, before the next harsher one.
    pub management_ns: u64,
    /// The longest wait between two logins.
    pub retry_max_ns: u64,
    /// How long requests wait for a path before they fail.
    pub path_ns: u64,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        const SECOND: u64 = 1_000_000_000;
        Timeouts {
            login_ns: 10 * SECOND,
            command_ns: 30 * SECOND,
            keepalive_ns: 2 * SECOND,
            management_ns: 5 * SECOND,
            retry_max_ns: 5 * SECOND,
            path_ns: 120 * SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_have_isids_of_their_own() {
        let address = "127.0.0.1:3260".parse().unwrap();
        let mut config = IscsiConfig::new(address, "iqn.2026-11.org.byway:disk");
        config.isid = Isid([0x80, 1, 2, 3, 4, 255]);
        assert_eq!(config.isid_of(0), config.isid);
        assert_eq!(config.isid_of(1), Isid([0x80, 1, 2, 3, 5, 0]));
    }
}
