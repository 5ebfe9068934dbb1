//! What a logical unit can do, and through which ports (SPC-4 sections 6.11, 6.35 and 6.37).

use byway_proto::scsi::cdb::{ModeSense, PageControl, Report, Which};
use byway_proto::scsi::data::{self, AluaState, CachingPage, ModeHeader, ThinProvisioning, vpd};
use byway_proto::scsi::{Command, opcode};
use serde::Serialize;

use super::{Size, Unit};

/// Bytes asked for where an answer has no fixed length.
const REPORT_LEN: u32 = 8 << 10;
/// Bytes asked for of mode pages.
const MODE_LEN: u16 = 252;

/// What it can do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Abilities {
    /// A volatile cache is in use; nothing where it is not told.
    pub write_cache: Option<bool>,
    /// FUA is understood.
    pub fua: bool,
    /// Nothing may be written.
    pub write_protected: bool,
    /// UNMAP works.
    pub unmap: bool,
    /// Names of the rarer commands, as REPORT SUPPORTED OPERATION CODES tells them; nothing where
    /// the unit does not have that.
    pub commands: Option<Vec<&'static str>>,
}

/// Commands that are worth a word.
const NAMES: [(u8, &str); 7] = [
    (opcode::COMPARE_AND_WRITE, "COMPARE AND WRITE"),
    (opcode::ORWRITE_16, "ORWRITE"),
    (opcode::PERSISTENT_RESERVE_OUT, "PERSISTENT RESERVE OUT"),
    (opcode::UNMAP, "UNMAP"),
    (opcode::WRITE_SAME_10, "WRITE SAME 10"),
    (opcode::WRITE_SAME_16, "WRITE SAME 16"),
    (opcode::WRITE_VERIFY_16, "WRITE AND VERIFY 16"),
];

pub(super) async fn ask(unit: &Unit<'_>, size: Option<&Size>) -> Abilities {
    let mut abilities = Abilities::default();
    let control = PageControl::Current;
    let (page, allocation) = (CachingPage::PAGE, MODE_LEN);
    let (is_ten, long_lba, no_block_descriptors, subpage) = (false, false, true, 0);
    let sense =
        ModeSense { is_ten, long_lba, no_block_descriptors, control, page, subpage, allocation };
    let mode = unit.ask(Command::ModeSense(sense), MODE_LEN.into()).await.unwrap_or_default();
    if let Some((header, pages)) = ModeHeader::parse(&mode, false) {
        let page = data::mode_pages(pages).find(|(page, ..)| *page == CachingPage::PAGE);
        let caching = page.and_then(|(_, _, whole)| CachingPage::parse(whole));
        abilities.write_cache = caching.map(|page| page.write_cache);
        (abilities.fua, abilities.write_protected) = (header.has_fua, header.is_write_protected);
    }
    let thin = unit.inquire(Some(vpd::PROVISIONING)).await.ok();
    let thin = thin.and_then(|page| ThinProvisioning::parse(&page));
    abilities.unmap = thin.map_or(size.is_some_and(|size| size.is_thin), |thin| thin.unmap);
    abilities.commands = commands(unit).await;
    abilities
}

async fn commands(unit: &Unit<'_>) -> Option<Vec<&'static str>> {
    let report = Report::Opcodes { which: Which::All, timeouts: false, allocation: REPORT_LEN };
    let bytes = unit.ask(Command::Report(report), REPORT_LEN as usize).await.ok()?;
    let found = data::parse_opcodes(&bytes)?;
    let has = |code: u8| found.iter().any(|(opcode, _)| *opcode == code);
    Some(NAMES.iter().filter(|(code, _)| has(*code)).map(|(_, name)| *name).collect())
}

/// A target port group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alua {
    /// Its number.
    pub group: u16,
    /// Its state, in words.
    pub state: String,
    /// The way to be preferred.
    pub preferred: bool,
    /// Its ports.
    pub ports: Vec<u16>,
}

pub(super) async fn alua(unit: &Unit<'_>) -> Option<Vec<Alua>> {
    let report = Report::TargetPortGroups { is_extended: false, allocation: REPORT_LEN };
    let bytes = unit.ask(Command::Report(report), REPORT_LEN as usize).await.ok()?;
    let groups = data::parse_port_groups(&bytes, false)?;
    let alua = groups.into_iter().map(|group| Alua {
        group: group.id,
        state: state(group.state),
        preferred: group.is_preferred,
        ports: group.ports,
    });
    Some(alua.collect())
}

fn state(state: AluaState) -> String {
    match state {
        AluaState::Optimized => "active/optimised".into(),
        AluaState::NonOptimized => "active/non-optimised".into(),
        AluaState::Standby => "standby".into(),
        AluaState::Unavailable => "unavailable".into(),
        AluaState::Transitioning => "transitioning".into(),
        AluaState::Other(bits) => format!("state {bits:#x}"),
    }
}
