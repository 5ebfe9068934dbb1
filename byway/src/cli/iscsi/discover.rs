//! `byway iscsi discover`: the targets of a portal (SendTargets).

use byway_iscsi_initiator::{DiscoveredTarget, discover};
use serde::Serialize;

use super::super::args::PortalArgs;
use super::super::failure::Failure;
use super::super::{output, text};

/// A target, as it is printed.
#[derive(Serialize)]
struct Row {
    target: String,
    /// Where it can be reached, each with its portal group.
    portals: Vec<String>,
}

pub(crate) fn run(args: &PortalArgs) -> Result<(), Failure> {
    let config = super::config(args)?;
    let found = discover(&config, &config.portals[0])?;
    let rows: Vec<_> = found.iter().map(row).collect();
    if args.json {
        return text::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("no targets\n");
    }
    let lines = rows.iter().map(|row| vec![row.target.clone(), row.portals.join(" ")]);
    output::print(&text::table(&["target", "portals"], &lines.collect::<Vec<_>>()))
}

fn row(found: &DiscoveredTarget) -> Row {
    let portals = found.addresses.iter().map(ToString::to_string).collect();
    Row { target: found.name.as_str().to_owned(), portals }
}
