//! From words to an iSCSI target node, for `byway target serve` and `byway serve`.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use byway::{OpenOptions, Uri, open_with};
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::iscsi::{Entropy, LunConfig, PortalConfig, StateFolder, TargetConfig};
use byway_proto::iscsi::chap::{Credentials, DEFAULT_ALGORITHMS, Peer};
use byway_proto::iscsi::login::{Access, Authentication, ChapTerms};
use byway_proto::iscsi::negotiate::DigestPolicy;
use byway_proto::iscsi::text::IscsiName;

/// What a target node is to be.
pub(crate) struct NodeWords<'a> {
    pub(crate) name: &'a str,
    pub(crate) portals: Vec<Address>,
    pub(crate) luns: Vec<Uri>,
    pub(crate) read_only: bool,
    pub(crate) digest: bool,
    /// Who may log in; everyone where there is none.
    pub(crate) initiators: Vec<IscsiName>,
    /// Who logs in by CHAP, and the file of the secret.
    pub(crate) chap: Option<(&'a str, &'a Path)>,
    /// The file of the secret that the target proves itself with.
    pub(crate) mutual: Option<&'a Path>,
    /// The folder that keeps reservations.
    pub(crate) state: Option<&'a Path>,
}

/// Opens the devices of the node, by LUN.
///
/// # Errors
/// Where one cannot be opened.
pub(crate) fn open(words: &NodeWords<'_>) -> Result<Vec<Arc<dyn BlockDevice>>, SetupError> {
    let wanted = OpenOptions { read_only: words.read_only };
    words.luns.iter().map(|uri| open_with(uri, wanted)).collect()
}

/// The node with its open devices, for the core that will run it.
///
/// # Errors
/// Where a file cannot be read.
pub(crate) fn config(
    words: &NodeWords<'_>,
    devices: Vec<Arc<dyn BlockDevice>>,
    core: &Rc<Core>,
) -> Result<TargetConfig, SetupError> {
    let mut config = TargetConfig::new(words.name, entropy(core))?;
    config.portals = words.portals.iter().cloned().map(PortalConfig::new).collect();
    let access = access(words)?;
    (config.access, config.discovery) = (access.clone(), access);
    config.units = units(words, devices);
    let policy = if words.digest { DigestPolicy::Prefer } else { DigestPolicy::Allow };
    (config.operational.header_digest, config.operational.data_digest) = (policy, policy);
    if let Some(folder) = words.state {
        config.state = Some(Rc::new(StateFolder::new(folder)?));
    }
    Ok(config)
}

/// A challenge without randomness could be foreseen: without any, the login fails.
fn entropy(core: &Rc<Core>) -> Entropy {
    let core = Rc::downgrade(core);
    Rc::new(move |bytes: &mut [u8]| {
        let drawn = core.upgrade().map(|core| core.random(bytes));
        let is_drawn = matches!(drawn, Some(Ok(())));
        assert!(is_drawn, "the kernel gives no random bytes: no login can be proved");
    })
}

/// Who may log in: everyone, the named initiators, or who knows the secret.
fn access(words: &NodeWords<'_>) -> Result<Access, SetupError> {
    let terms = match words.chap {
        None => Authentication::None,
        Some((user, file)) => Authentication::Chap(chap(user, file, words.mutual)?),
    };
    if words.initiators.is_empty() {
        return Ok(Access::Anyone(terms));
    }
    let listed: BTreeMap<_, _> =
        words.initiators.iter().map(|name| (name.clone(), terms.clone())).collect();
    Ok(Access::Listed(listed))
}

fn chap(user: &str, file: &Path, mutual: Option<&Path>) -> Result<ChapTerms, SetupError> {
    let peer = Peer { name: Some(user.to_owned()), secret: byway::secret::read(file)? };
    let own = match mutual {
        None => None,
        Some(file) => {
            Some(Credentials { name: "byway".into(), secret: byway::secret::read(file)? })
        }
    };
    Ok(ChapTerms { peer, own, algorithms: DEFAULT_ALGORITHMS.to_vec() })
}

fn units(words: &NodeWords<'_>, devices: Vec<Arc<dyn BlockDevice>>) -> Vec<LunConfig> {
    let unit = |(number, device)| {
        let mut unit = LunConfig::new(number as u16, device, &serial(words.name, number));
        unit.read_only = words.read_only;
        unit
    };
    devices.into_iter().enumerate().map(unit).collect()
}

/// A serial number that stays: it is made of the target's name and the LUN's number.
fn serial(name: &str, number: usize) -> String {
    let digest = byway_engine::memory::Crc32c::of(name.as_bytes());
    format!("byway-{digest:08x}-{number}")
}
