//! What a LUN says of itself after a login: the questions, and the facts they bring.
//!
//! Sources: SPC-4 sections 6.4, 6.6, 6.11, 6.35 and 7.8; SBC-3 sections 5.15, 5.16 and 6.6.

use std::rc::Rc;

use byway_proto::scsi::cdb::{
    GetLbaStatus, Inquiry, ModeSense, PageControl, Report, ReserveIn, ReserveInAction,
};
use byway_proto::scsi::data::{
    self, AluaState, BlockLimits, CachingPage, Capacity, Designator, ModeHeader,
    PeripheralQualifier, StandardInquiry, ThinProvisioning, vpd,
};
use byway_proto::scsi::{Cdb, Command, Lun, Sense, SenseCode, SenseKey, Status};

use crate::attention::{self, Duty, News};
use crate::control::{Control, End};
use crate::link::Link;

/// Unit attentions in a row after a login.
const ATTENTIONS_MAX: u32 = 32;
/// Bytes asked for where a page has no fixed length.
const PAGE_LEN: u16 = 252;
/// The pause before a busy target is asked again, in nanoseconds.
const PAUSE_NS: u64 = 10_000_000;

/// Facts of a LUN, as one path tells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// What tells this LUN from every other: its designators.
    pub(crate) identity: Vec<Designator>,
    pub(crate) vendor: String,
    pub(crate) product: String,
    pub(crate) blocks: u64,
    pub(crate) block_len: u32,
    pub(crate) limits: BlockLimits,
    /// UNMAP works.
    pub(crate) unmaps: bool,
    pub(crate) reads_zeroes: bool,
    pub(crate) has_cache: bool,
    pub(crate) fua: bool,
    pub(crate) is_protected: bool,
    /// GET LBA STATUS works.
    pub(crate) tells_status: bool,
    pub(crate) reserves: bool,
    /// This path is preferred, by its ALUA state.
    pub(crate) access: Access,
    /// The target may have lost what its cache held since the last session.
    pub(crate) cache_lost: bool,
}

/// How good a path is (SPC-4 section 5.15.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Active/optimised, or no ALUA at all.
    Optimized,
    /// Active/non-optimised.
    NonOptimized,
    /// No I/O this way for now.
    Unusable,
}

/// Why a survey failed, in words.
pub(crate) type Problem = String;

/// One question; unit attentions before its answer are news of their own, and a busy target is
/// asked again. An error is the answer of a LUN that does not know the question.
///
/// # Errors
/// Where there is no answer at all: that tells nothing of the LUN.
async fn ask(
    link: &Link,
    lun: Lun,
    cdb: Cdb,
    len: usize,
) -> Result<Result<Vec<u8>, Sense>, Problem> {
    for _ in 0..ATTENTIONS_MAX {
        let control = Control::read(lun, cdb, len);
        match link.execute(&control).await {
            End::Good(len) => return Ok(Ok(control.take_data(len))),
            End::Status(Status::CheckCondition, Some(sense)) => match sense.key {
                SenseKey::UnitAttention => {
                    let (_, news) = attention::judge(&sense, false);
                    if news == News::CacheLost {
                        return Err("the target started anew in the middle of the survey".into());
                    }
                }
                _ => return Ok(Err(sense)),
            },
            End::Status(Status::Busy | Status::TaskSetFull, _) => link.core.sleep(PAUSE_NS).await,
            // Another host's reservation: as good as not known.
            End::Status(status, _) => {
                tracing::debug!(?status, operation = cdb[0], "a question is refused");
                return Ok(Err(Sense::new(SenseKey::IllegalRequest, SenseCode::INVALID_OPCODE)));
            }
            End::Unknown | End::NotSent => return Err("the session ended".into()),
        }
    }
    Err("the LUN does not get ready".into())
}

/// The answer to a question that a LUN need not know.
async fn try_ask(link: &Link, lun: Lun, cdb: Cdb, len: usize) -> Result<Option<Vec<u8>>, Problem> {
    Ok(ask(link, lun, cdb, len).await?.ok())
}

/// Takes what happened since the last session off the LUN; tells whether its cache may be lost.
async fn wake(link: &Link, lun: Lun) -> Result<bool, Problem> {
    let mut cache_lost = false;
    for _ in 0..ATTENTIONS_MAX {
        let control = Control::read(lun, Command::TestUnitReady.build(), 0);
        let sense = match link.execute(&control).await {
            End::Good(_) => return Ok(cache_lost),
            End::Status(Status::ReservationConflict, _) => return Ok(cache_lost),
            End::Status(_, Some(sense)) => sense,
            End::Status(status, None) => return Err(format!("the LUN answers {status:?}")),
            End::Unknown | End::NotSent => return Err("the session ended".into()),
        };
        match attention::judge(&sense, false) {
            (Duty::Fail(_), _) => return Err(format!("the LUN says {sense}")),
            // Standby and the like: RTPG tells more.
            (Duty::LookAtPaths, _) => return Ok(cache_lost),
            (_, news) => cache_lost |= news == News::CacheLost,
        }
    }
    Err("the LUN does not get ready".into())
}

/// Asks everything that a device wants to know.
pub(crate) async fn survey(link: &Rc<Link>, lun: Lun) -> Result<Survey, Problem> {
    let cache_lost = wake(link, lun).await?;
    let standard = inquiry(link, lun, None).await?.ok_or("it does not answer INQUIRY")?;
    let about = StandardInquiry::parse(&standard).ok_or("its INQUIRY data are too short")?;
    if about.device_type != 0 || about.qualifier != PeripheralQualifier::Connected {
        return Err(format!("no disk answers there (device type {:#04x})", about.device_type));
    }
    let capacity = capacity(link, lun).await?;
    let identity = inquiry(link, lun, Some(vpd::IDENTIFICATION)).await?;
    let mut identity =
        identity.and_then(|page| vpd::parse_identification(&page)).unwrap_or_default();
    let limits = inquiry(link, lun, Some(vpd::BLOCK_LIMITS)).await?;
    let limits = limits.and_then(|page| BlockLimits::parse(&page)).unwrap_or_default();
    let thin = inquiry(link, lun, Some(vpd::PROVISIONING)).await?;
    let thin = thin.and_then(|page| ThinProvisioning::parse(&page));
    let mode = caching(link, lun).await?;
    let has_alua = about.port_groups != 0;
    let access = if has_alua { access(link, lun, &identity).await? } else { Access::Optimized };
    identity.retain(is_of_unit);
    Ok(Survey {
        vendor: words(&about.vendor),
        product: words(&about.product),
        blocks: capacity.last_lba + 1,
        block_len: capacity.block_len,
        unmaps: capacity.is_thin && thin.is_none_or(|thin| thin.unmap),
        reads_zeroes: capacity.reads_zeroes,
        has_cache: mode.has_cache,
        fua: mode.fua,
        is_protected: mode.is_protected,
        tells_status: lba_status(link, lun).await?,
        reserves: reserves(link, lun).await?,
        identity,
        limits,
        access,
        cache_lost,
    })
}

async fn inquiry(link: &Link, lun: Lun, page: Option<u8>) -> Result<Option<Vec<u8>>, Problem> {
    let cdb = Command::Inquiry(Inquiry { page, allocation: PAGE_LEN }).build();
    try_ask(link, lun, cdb, usize::from(PAGE_LEN)).await
}

/// READ CAPACITY 16, or 10 where the target is old.
pub(crate) async fn capacity(link: &Link, lun: Lun) -> Result<Capacity, Problem> {
    let allocation = Capacity::LEN_16 as u32;
    let cdb = Command::ReadCapacity16 { allocation }.build();
    let says = |sense| format!("READ CAPACITY: the LUN says {sense}");
    let found = match ask(link, lun, cdb, Capacity::LEN_16).await? {
        Ok(bytes) => Capacity::parse_16(&bytes),
        Err(sense) if sense.key == SenseKey::IllegalRequest => {
            let cdb = Command::ReadCapacity10.build();
            let bytes = ask(link, lun, cdb, 8).await?.map_err(says)?;
            Capacity::parse_10(&bytes)
        }
        Err(sense) => return Err(says(sense)),
    };
    let found = found.ok_or("its READ CAPACITY data are too short")?;
    let is_block = found.block_len.is_power_of_two() && (512..=65536).contains(&found.block_len);
    if !is_block {
        return Err(format!("blocks of {} bytes are not served", found.block_len));
    }
    Ok(found)
}

struct Caching {
    has_cache: bool,
    fua: bool,
    is_protected: bool,
}

/// The caching page. Where there is none, a cache is assumed: a flush too many harms nobody.
async fn caching(link: &Link, lun: Lun) -> Result<Caching, Problem> {
    let sense = ModeSense {
        is_ten: false,
        long_lba: false,
        no_block_descriptors: true,
        control: PageControl::Current,
        page: CachingPage::PAGE,
        subpage: 0,
        allocation: PAGE_LEN,
    };
    let cdb = Command::ModeSense(sense).build();
    let bytes = try_ask(link, lun, cdb, usize::from(PAGE_LEN)).await?.unwrap_or_default();
    let Some((header, pages)) = ModeHeader::parse(&bytes, false) else {
        return Ok(Caching { has_cache: true, fua: false, is_protected: false });
    };
    let page = data::mode_pages(pages).find(|(page, ..)| *page == CachingPage::PAGE);
    let caching = page.and_then(|(_, _, whole)| CachingPage::parse(whole));
    Ok(Caching {
        has_cache: caching.is_none_or(|page| page.write_cache),
        fua: header.has_fua,
        is_protected: header.is_write_protected,
    })
}

/// The field that says whether a designator names the unit (zero) or the port that was asked.
const ASSOCIATION: u8 = 0x30;

/// True for what names the logical unit itself, the same on every path (SPC-4 section 7.8.6.1).
fn is_of_unit(designator: &Designator) -> bool {
    match designator {
        Designator::RelativePort(_) | Designator::PortGroup(_) => false,
        Designator::Other([_, kind], _) => kind & ASSOCIATION == 0,
        _ => true,
    }
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

async fn lba_status(link: &Link, lun: Lun) -> Result<bool, Problem> {
    let status = GetLbaStatus { lba: 0, allocation: 24 };
    Ok(ask(link, lun, Command::GetLbaStatus(status).build(), 24).await?.is_ok())
}

async fn reserves(link: &Link, lun: Lun) -> Result<bool, Problem> {
    let read = ReserveIn { action: ReserveInAction::ReadKeys, allocation: 8 };
    Ok(ask(link, lun, Command::ReserveIn(read).build(), 8).await?.is_ok())
}

/// The ALUA state of the port group that this path leads to, asked anew.
pub(crate) async fn look_at_access(link: &Link, lun: Lun) -> Result<Access, Problem> {
    let identity = inquiry(link, lun, Some(vpd::IDENTIFICATION)).await?;
    let identity = identity.and_then(|page| vpd::parse_identification(&page)).unwrap_or_default();
    access(link, lun, &identity).await
}

async fn access(link: &Link, lun: Lun, identity: &[Designator]) -> Result<Access, Problem> {
    let report = Report::TargetPortGroups { is_extended: false, allocation: 4096 };
    let cdb = Command::Report(report).build();
    let Some(bytes) = try_ask(link, lun, cdb, 4096).await? else { return Ok(Access::Optimized) };
    let own = identity.iter().find_map(|designator| match designator {
        Designator::PortGroup(group) => Some(*group),
        _ => None,
    });
    let groups = data::parse_port_groups(&bytes, false).unwrap_or_default();
    let mine = groups.iter().find(|group| own.is_none_or(|own| own == group.id));
    Ok(match mine.map(|group| group.state) {
        None | Some(AluaState::Optimized) => Access::Optimized,
        Some(AluaState::NonOptimized) => Access::NonOptimized,
        Some(_) => Access::Unusable,
    })
}
