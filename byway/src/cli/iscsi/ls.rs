//! `byway iscsi ls`: the targets of a portal with their LUNs.

use std::rc::Rc;

use byway::lun::facts;
use byway_engine::core::Core;
use byway_engine::net::Address;
use byway_iscsi_initiator::{DiscoveredTarget, IscsiConfig, RawData, RawEnd, RawSession, discover};
use byway_proto::iscsi::login::Host;
use byway_proto::scsi::cdb::ReportLuns;
use byway_proto::scsi::data::parse_luns;
use byway_proto::scsi::{Command, Lun};
use serde::Serialize;

use super::super::args::PortalArgs;
use super::super::failure::Failure;
use super::super::{output, text};

/// Bytes asked for of a list of LUNs: 1023 of them.
const LIST_LEN: usize = 8 << 10;

/// A target, as it is printed.
#[derive(Serialize)]
struct Target {
    target: String,
    /// The portal that was used.
    portal: String,
    luns: Vec<Unit>,
    /// Why its LUNs are not known.
    trouble: Option<String>,
}

/// A logical unit, as it is printed.
#[derive(Serialize)]
struct Unit {
    lun: String,
    kind: String,
    /// Bytes; nothing for what has none.
    size: Option<u64>,
    block_len: Option<u32>,
    vendor: String,
    product: String,
    uri: Option<String>,
}

pub(crate) fn run(args: &PortalArgs) -> Result<(), Failure> {
    let config = super::config(args)?;
    let found = discover(&config, &config.portals[0])?;
    let reactor = byway::lun::reactor()?;
    let targets = reactor.run(|core| async move {
        let mut targets = Vec::new();
        for target in &found {
            targets.push(look(&core, &config, target).await);
        }
        targets
    });
    if args.json {
        text::print_json(&targets)?;
    } else {
        output::print(&table(&targets))?;
    }
    let trouble = targets.iter().find_map(|t| Some((&t.target, t.trouble.as_ref()?)));
    let Some((target, why)) = trouble else { return Ok(()) };
    Err(Failure::failed(format!("{target}: {why}; check who may log in to it")))
}

/// The target through the portal that was asked, where it is one of its own; else through its first.
fn portal_of(asked: &Address, target: &DiscoveredTarget) -> Address {
    let addresses = target.addresses.iter().filter_map(|address| match &address.host {
        Host::Ip(ip) if !ip.is_unspecified() => Some(Address::Tcp((*ip, address.port).into())),
        _ => None,
    });
    let addresses: Vec<_> = addresses.collect();
    match addresses.first() {
        Some(first) if !addresses.contains(asked) => first.clone(),
        _ => asked.clone(),
    }
}

async fn look(core: &Rc<Core>, config: &IscsiConfig, found: &DiscoveredTarget) -> Target {
    let target = found.name.as_str().to_owned();
    let portal = portal_of(&config.portals[0], found);
    let mut config = config.clone();
    (config.portals, config.target_name) = (vec![portal.clone()], target.clone());
    config.name = format!("iscsi://{portal}/{target}");
    let units = match RawSession::open(core, &config).await {
        Ok(session) => {
            let units = units(&session, &config.name).await;
            session.leave().await;
            units
        }
        Err(error) => Err(error.problem),
    };
    let (luns, trouble) = match units {
        Ok(luns) => (luns, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Target { target, portal: portal.to_string(), luns, trouble }
}

async fn units(session: &RawSession, target: &str) -> Result<Vec<Unit>, String> {
    let report = ReportLuns { select: 0, allocation: LIST_LEN as u32 };
    let cdb = Command::ReportLuns(report).build();
    let bytes = match session.command(Lun::ZERO, cdb, RawData::In(LIST_LEN)).await {
        RawEnd::Good(bytes) => bytes,
        RawEnd::Status(_, Some(sense)) => return Err(format!("REPORT LUNS: {sense}")),
        other => return Err(format!("REPORT LUNS: {other:?}")),
    };
    let (luns, _) = parse_luns(&bytes).ok_or("its list of LUNs is too short")?;
    let mut units = Vec::new();
    for lun in luns {
        units.push(unit(session, lun, target).await);
    }
    Ok(units)
}

async fn unit(session: &RawSession, lun: Lun, target: &str) -> Unit {
    let identity = facts::identity(session, lun).await.ok();
    let is_disk = identity.as_ref().is_some_and(|identity| identity.kind == "disk");
    let size = if is_disk { facts::size(session, lun).await.ok() } else { None };
    let (kind, vendor, product) = identity
        .map_or(("no answer".into(), String::new(), String::new()), |identity| {
            (identity.kind, identity.vendor, identity.product)
        });
    Unit {
        lun: lun.to_string(),
        kind,
        size: size.map(|size| size.bytes()),
        block_len: size.map(|size| size.block_len),
        vendor,
        product,
        uri: size.and(lun.number()).map(|number| format!("{target}/{number}")),
    }
}

fn table(targets: &[Target]) -> String {
    let mut rows = Vec::new();
    for target in targets {
        let mut name = target.target.clone();
        if target.luns.is_empty() {
            let why = target.trouble.clone().unwrap_or_else(|| "no LUNs".into());
            rows.push(vec![name.clone(), "-".into(), why]);
        }
        for unit in &target.luns {
            let size = unit.size.map_or("-".into(), text::size);
            let product = format!("{} {}", unit.vendor, unit.product);
            let name = std::mem::take(&mut name);
            rows.push(vec![name, unit.lun.clone(), unit.kind.clone(), size, product]);
        }
    }
    if rows.is_empty() {
        return "no targets\n".into();
    }
    text::table(&["target", "LUN", "kind", "size", "product"], &rows)
}
