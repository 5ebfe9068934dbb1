//! `byway iscsi`: targets and LUNs, looked at.

mod discover;
mod info;
mod ls;
mod refused;

pub(crate) use discover::run as discover;
pub(crate) use info::run as info;
pub(crate) use ls::run as ls;

use byway_iscsi_initiator::{ChapConfig, IscsiConfig};
use byway_proto::iscsi::login::TargetAddress;
use byway_proto::iscsi::text::IscsiName;

use super::args::PortalArgs;
use super::failure::Failure;

/// What the initiator is told for a portal whose targets are not known yet.
fn config(args: &PortalArgs) -> Result<IscsiConfig, Failure> {
    let portal = &args.portal;
    let address = TargetAddress::parse(portal).filter(|address| address.portal_group.is_none());
    let address = address.ok_or_else(|| {
        let remedy = "write host, host:port or [v6]:port";
        Failure::usage(format!("the portal '{portal}': no address; {remedy}"))
    })?;
    let name = match &args.initiator {
        Some(name) => checked_name("initiator", name)?,
        None => byway::iscsi::initiator_name(),
    };
    // A discovery session goes to no target: the name stays unused.
    let mut config = IscsiConfig::new(byway::iscsi::resolve(&address)?, "");
    config.initiator_name = name;
    if let (Some(user), Some(file)) = (&args.user, &args.secret) {
        let mut chap = ChapConfig::one_way(user, byway::secret::read(file)?);
        if let Some(list) = &args.chap {
            chap.algorithms = byway::uri::algorithms(list)?;
        }
        config.chap = Some(chap);
    }
    Ok(config)
}

/// A name of an initiator.
pub(crate) fn checked_name(option: &str, name: &str) -> Result<String, Failure> {
    IscsiName::new(name).map(|name| name.as_str().to_owned()).map_err(|error| {
        Failure::usage(format!("--{option} '{name}': {error}; write iqn.YYYY-MM.domain:name"))
    })
}
