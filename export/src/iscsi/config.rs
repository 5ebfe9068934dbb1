//! What a target node is made of: its name, portals, logical units, who may log in, and limits.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_proto::iscsi::login::{Access, TargetAddress};
use byway_proto::iscsi::negotiate::Operational;
use byway_proto::iscsi::text::IscsiName;

use super::faults::Faults;
use super::state::StateStore;

/// Logical units of one target.
pub const UNITS_MAX: usize = 256;
/// Largest number of a logical unit, which flat addressing carries.
pub const UNIT_NUMBER_MAX: u16 = 0x3fff;

/// Fills bytes that nobody can foresee: CHAP challenges. A simulation gives its own.
pub type Entropy = Rc<dyn Fn(&mut [u8])>;

/// One target node.
pub struct TargetConfig {
    /// Its iSCSI name.
    pub name: IscsiName,
    /// What it calls itself.
    pub alias: Option<String>,
    /// Where it listens.
    pub portals: Vec<PortalConfig>,
    /// What it serves.
    pub units: Vec<LunConfig>,
    /// Who may log in, and how they prove who they are.
    pub access: Access,
    /// Who may ask which targets there are.
    pub discovery: Access,
    /// Wishes for the operational keys.
    pub operational: Operational,
    /// Bounds on what peers can make it do.
    pub limits: TargetLimits,
    /// Where reservations are kept over a power loss; nowhere, where there is none.
    pub state: Option<Rc<dyn StateStore>>,
    /// Randomness for CHAP.
    pub entropy: Entropy,
    /// What it does wrong; nothing by default.
    pub faults: Faults,
}

impl TargetConfig {
    /// A target of that name that lets everyone in, without portals and logical units.
    ///
    /// # Errors
    /// Where the name is none of iSCSI's.
    pub fn new(name: &str, entropy: Entropy) -> Result<TargetConfig, SetupError> {
        let name = IscsiName::new(name).map_err(|error| {
            SetupError::new(name, error.to_string(), "use a name like iqn.2026-01.org.example:disk")
        })?;
        Ok(TargetConfig {
            name,
            alias: None,
            portals: Vec::new(),
            units: Vec::new(),
            access: super::open_to_everyone(),
            discovery: super::open_to_everyone(),
            operational: Operational::default(),
            limits: TargetLimits::default(),
            state: None,
            entropy,
            faults: Faults::default(),
        })
    }
}

/// One address that initiators connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalConfig {
    /// Where it listens; port 0 lets the kernel choose.
    pub address: Address,
    /// Its portal group, from 1 on; also the relative port number of the target port.
    pub group: u16,
    /// What discovery tells; the listening address where nothing is said.
    pub told: Option<TargetAddress>,
}

impl PortalConfig {
    /// A portal of group 1 that discovery tells by its own address.
    #[must_use]
    pub fn new(address: Address) -> PortalConfig {
        PortalConfig { address, group: 1, told: None }
    }
}

/// One logical unit.
#[derive(Clone)]
pub struct LunConfig {
    /// Its number, at most [`UNIT_NUMBER_MAX`].
    pub number: u16,
    /// What it serves.
    pub device: Arc<dyn BlockDevice>,
    /// Serial number: the same on every path and after every restart. Its identity for multipath is
    /// made from target name and serial.
    pub serial: String,
    /// Nothing may be written.
    pub read_only: bool,
    /// Bytes of a logical block, a power of two that the device's is no larger than; the device's
    /// where nothing is said.
    pub block_len: Option<u32>,
}

impl LunConfig {
    /// A logical unit that may be written, with the blocks of its device.
    #[must_use]
    pub fn new(number: u16, device: Arc<dyn BlockDevice>, serial: &str) -> LunConfig {
        let (serial, read_only, block_len) = (serial.to_owned(), false, None);
        LunConfig { number, device, serial, read_only, block_len }
    }
}

/// Bounds of a target node. Times are in nanoseconds, lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetLimits {
    /// Connections at once, those that log in included.
    pub connections_max: u32,
    /// Commands that one session may have under way.
    pub tasks_max: u16,
    /// Memory for data that one session may use at once; a single command may have more.
    pub session_bytes_max: u64,
    /// The longest transfer of one command.
    pub transfer_max: u32,
    /// How long a login may take.
    pub login_ns: u64,
    /// Silence of a peer after which it is pinged.
    pub keepalive_ns: Option<u64>,
    /// Silence after a ping after which a peer counts as gone.
    pub silence_ns: u64,
    /// How long initiators have to log out when the target stops.
    pub logout_ns: u64,
}

/// One second in nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl Default for TargetLimits {
    fn default() -> TargetLimits {
        TargetLimits {
            connections_max: 4096,
            tasks_max: 128,
            session_bytes_max: 64 << 20,
            transfer_max: 32 << 20,
            login_ns: 15 * SECOND,
            keepalive_ns: Some(15 * SECOND),
            silence_ns: 15 * SECOND,
            logout_ns: 3 * SECOND,
        }
    }
}
