//! `byway iscsi info`: the session with a LUN, and everything that the LUN says of itself.

use std::fmt::Write;

use byway::lun::facts::{self, Facts, Reservations};
use byway_engine::SetupError;
use byway_iscsi_initiator::{IscsiConfig, RawSession};
use byway_proto::iscsi::negotiate::SessionParams;
use serde::Serialize;

use super::super::args::InfoArgs;
use super::super::failure::Failure;
use super::super::{output, text};
use super::refused::{Refused, refused};

/// Everything, as it is printed.
#[derive(Serialize)]
struct Info {
    uri: String,
    session: Session,
    refused: Vec<Refused>,
    #[serde(flatten)]
    facts: Facts,
}

/// What was negotiated, by the names of RFC 7143 section 13.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Session {
    target_name: String,
    target_alias: Option<String>,
    target_portal_group_tag: Option<u16>,
    header_digest: bool,
    data_digest: bool,
    max_connections: u16,
    #[serde(rename = "InitialR2T")]
    initial_r2t: bool,
    immediate_data: bool,
    max_recv_data_segment_length: u32,
    max_send_data_segment_length: u32,
    max_burst_length: u32,
    first_burst_length: u32,
    #[serde(rename = "MaxOutstandingR2T")]
    max_outstanding_r2t: u16,
    error_recovery_level: u8,
}

pub(crate) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let uri = text::iscsi_uri(&args.uri)?;
    let config = byway::iscsi::config(&uri)?;
    let digests = (config.digests.header, config.digests.data);
    let (params, facts) = ask(config)?;
    let refused = refused(&params, digests);
    let info = Info { uri: uri.to_string(), session: session(&params), refused, facts };
    if args.json { text::print_json(&info) } else { output::print(&page(&info)) }
}

fn ask(config: IscsiConfig) -> Result<(SessionParams, Facts), SetupError> {
    let reactor = byway::lun::reactor()?;
    reactor.run(|core| async move {
        let session = RawSession::open(&core, &config).await?;
        let facts = facts::gather(&session, config.lun).await;
        let params = session.params().clone();
        session.leave().await;
        let remedy = "name one that byway iscsi ls shows";
        let facts = facts.map_err(|why| SetupError::new(&config.name, why, remedy))?;
        if facts.identity.kind == "absent" {
            return Err(SetupError::new(&config.name, "there is no such LUN", remedy));
        }
        Ok((params, facts))
    })
}

fn session(params: &SessionParams) -> Session {
    let name = params.target_name.as_ref();
    Session {
        target_name: name.map_or(String::new(), |name| name.as_str().to_owned()),
        target_alias: params.target_alias.clone(),
        target_portal_group_tag: params.target_portal_group_tag,
        header_digest: params.header_digest,
        data_digest: params.data_digest,
        max_connections: params.max_connections,
        initial_r2t: params.initial_r2t,
        immediate_data: params.immediate_data,
        max_recv_data_segment_length: params.max_recv_data_segment_len,
        max_send_data_segment_length: params.max_send_data_segment_len,
        max_burst_length: params.max_burst_len,
        first_burst_length: params.first_burst_len,
        max_outstanding_r2t: params.max_outstanding_r2t,
        error_recovery_level: params.error_recovery_level,
    }
}

/// Pairs of a name and a value, one a line.
type Lines = Vec<(&'static str, String)>;

fn page(info: &Info) -> String {
    let mut page = format!("{}\n", info.uri);
    section(&mut page, "LUN", &unit_lines(&info.facts));
    section(&mut page, "session", &session_lines(&info.session));
    refused_lines(&mut page, &info.refused);
    section(&mut page, "reservations", &reservation_lines(info.facts.reservations.as_ref()));
    page
}

fn section(page: &mut String, title: &str, lines: &Lines) {
    let rows: Vec<_> = lines.iter().map(|(k, v)| vec![format!("  {k}"), v.clone()]).collect();
    page.push_str(&format!("\n{}", text::table(&[title, ""], &rows)));
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.into()
}

/// A limit; zero stands for none.
fn limit(value: u64) -> String {
    if value == 0 { "not told".into() } else { value.to_string() }
}

fn unit_lines(facts: &Facts) -> Lines {
    let who = &facts.identity;
    let mut lines = vec![
        ("kind", who.kind.clone()),
        ("product", format!("{} {} {}", who.vendor, who.product, who.revision)),
        ("serial", who.serial.clone().unwrap_or_else(|| "not told".into())),
        ("designators", who.designators.join(" ")),
    ];
    if let Some(size) = &facts.size {
        let blocks = format!("{} blocks of {} bytes", size.blocks, size.block_len);
        lines.push(("size", format!("{} ({blocks})", text::size(size.bytes()))));
        lines.push(("physical block", size.physical_block_len.to_string()));
        lines.push(("thin", yes_no(size.is_thin)));
        lines.push(("unmapped reads as zeroes", yes_no(size.reads_zeroes)));
    }
    let limits = &facts.limits;
    lines.push(("blocks of a transfer", limit(limits.transfer_blocks_max.into())));
    lines.push(("blocks of an UNMAP", limit(limits.unmap_blocks_max.into())));
    lines.push(("blocks of a WRITE SAME", limit(limits.write_same_blocks_max)));
    lines.push(("blocks of COMPARE AND WRITE", limit(limits.compare_blocks_max.into())));
    let can = &facts.abilities;
    lines.push(("write cache", can.write_cache.map_or("not told".into(), yes_no)));
    lines.push(("FUA", yes_no(can.fua)));
    lines.push(("UNMAP", yes_no(can.unmap)));
    lines.push(("write protected", yes_no(can.write_protected)));
    let commands = can.commands.as_ref().map_or("not told".into(), |names| names.join(", "));
    lines.push(("commands", commands));
    for group in facts.alua.iter().flatten() {
        let preferred = if group.preferred { ", preferred" } else { "" };
        let (id, state, ports) = (group.group, &group.state, &group.ports);
        lines.push(("port group", format!("{id}: {state}{preferred}, ports {ports:?}")));
    }
    if facts.alua.is_none() {
        lines.push(("ALUA", "no".into()));
    }
    lines
}

fn session_lines(session: &Session) -> Lines {
    let iscsi = |value: bool| if value { "Yes" } else { "No" }.to_owned();
    let digest = |value: bool| if value { "CRC32C" } else { "None" }.to_owned();
    let group = session.target_portal_group_tag;
    vec![
        ("TargetPortalGroupTag", group.map_or("not told".into(), |tag| tag.to_string())),
        ("HeaderDigest", digest(session.header_digest)),
        ("DataDigest", digest(session.data_digest)),
        ("InitialR2T", iscsi(session.initial_r2t)),
        ("ImmediateData", iscsi(session.immediate_data)),
        (
            "MaxRecvDataSegmentLength",
            format!(
                "{} here, {} at the target",
                session.max_recv_data_segment_length, session.max_send_data_segment_length
            ),
        ),
        ("MaxBurstLength", session.max_burst_length.to_string()),
        ("FirstBurstLength", session.first_burst_length.to_string()),
        ("MaxOutstandingR2T", session.max_outstanding_r2t.to_string()),
        ("MaxConnections", session.max_connections.to_string()),
        ("ErrorRecoveryLevel", session.error_recovery_level.to_string()),
    ]
}

fn refused_lines(page: &mut String, refused: &[Refused]) {
    if refused.is_empty() {
        return;
    }
    page.push_str("\nwhat the target did not agree to, and how to raise it there\n");
    for Refused { key, value, wanted, cost, tgt, lio, spdk } in refused {
        let spdk = spdk.as_deref().unwrap_or("has no option for it");
        let lines = format!(
            "  {key}={value}, not {wanted}: {cost}\n    tgt:  {tgt}\n    LIO:  {lio}\n    SPDK: {spdk}\n"
        );
        page.push_str(&lines);
    }
}

fn reservation_lines(reservations: Option<&Reservations>) -> Lines {
    let Some(found) = reservations else {
        return vec![("persistent reservations", "no".into())];
    };
    let mut lines = vec![("generation", found.generation.to_string())];
    let keeps = found.can_keep.map_or("not told".into(), yes_no);
    lines.push(("kept over a power loss", keeps));
    for registrant in &found.registrants {
        let mut line = registrant.key.clone();
        if let Some(name) = &registrant.initiator {
            // A string takes everything.
            let _written = write!(line, " {name}");
        }
        lines.push(("registered", line));
    }
    let kind = found.kind.clone().unwrap_or_else(|| "none".into());
    lines.push(("reservation", kind));
    if let Some(holder) = &found.holder {
        lines.push(("holder", holder.clone()));
    }
    lines
}
