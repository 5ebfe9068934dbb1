//! Command blocks, sense, parameter data, and saved reservations.

use super::Input;
use crate::reservation::{Reservations, Saved};
use crate::scsi::data::{
    self, BlockLimits, CachingPage, Capabilities, Capacity, Characteristics, ControlPage,
    Designator, FullStatus, InitiatorPort, Keys, LbaStatus, ModeHeader, MoveList, ReservationData,
    ReserveList, StandardInquiry, ThinProvisioning, vpd,
};
use crate::scsi::sense::SENSE_LEN_MAX;
use crate::scsi::{Command, Sense};

/// Longest name that a designator has room for, with its terminator.
const NAME_LEN_MAX: usize = 251;

/// A command that makes sense says the same after it was built again.
pub fn cdb(data: &[u8]) {
    let cdb = Input::new(data).array();
    if let Ok(command) = Command::parse(&cdb) {
        assert_eq!(Command::parse(&command.build()), Ok(command));
        let _ = command.data_len(512);
    }
}

/// Sense says the same in descriptor format, and in the fixed one where it fits.
pub fn sense(data: &[u8]) {
    let Some(sense) = Sense::parse(data) else { return };
    let descriptor = sense.to_descriptor();
    assert!(descriptor.len() <= SENSE_LEN_MAX);
    assert_eq!(Sense::parse(&descriptor), Some(sense));
    let fixed = Sense::parse(&sense.to_fixed());
    let fits = sense.information.is_none_or(|information| u32::try_from(information).is_ok());
    assert!(!fits || fixed == Some(sense), "the fixed format has room");
}

/// Reservations that were stored say the same after they were stored again.
pub fn reservations(data: &[u8]) {
    let Ok(saved) = Saved::decode(data) else { return };
    assert_eq!(saved.encode(), data);
    let Ok(state) = Reservations::import(&saved, |name| Some(name.to_vec())) else { return };
    let again = state.export(Clone::clone);
    let state_again = Reservations::import(&again, |name| Some(name.to_vec()));
    assert_eq!(state_again, Ok(state));
}

/// What a parser makes of parameter data, it makes of what is built from it too.
pub fn scsi_data(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, flag) = (input.byte(), input.flag());
    let bytes = input.all();
    match kind % 4 {
        0 => identity(bytes),
        1 => pages(bytes),
        2 => reserve(bytes),
        _ => lists(bytes, flag),
    }
}

fn identity(bytes: &[u8]) {
    if let Some(inquiry) = StandardInquiry::parse(bytes) {
        assert_eq!(StandardInquiry::parse(&inquiry.build()), Some(inquiry));
    }
    if let Some(capacity) = Capacity::parse_16(bytes) {
        assert_eq!(Capacity::parse_16(&capacity.to_16()), Some(capacity));
    }
    if let Some(capacity) = Capacity::parse_10(bytes) {
        assert_eq!(Capacity::parse_10(&capacity.to_10()), Some(capacity));
    }
    let names = vpd::parse_identification(bytes).unwrap_or_default();
    if !names.iter().any(is_too_long) && bytes.len() < 0x1000 {
        let again = vpd::build_identification(&names);
        assert_eq!(vpd::parse_identification(&again), Some(names));
    }
    let _ = (vpd::parse_page(bytes), vpd::parse_extended(bytes));
}

/// A name without terminator that fills its descriptor has no room for one.
fn is_too_long(designator: &Designator) -> bool {
    matches!(designator, Designator::TargetName(name) if name.len() > NAME_LEN_MAX)
}

fn pages(bytes: &[u8]) {
    if let Some(limits) = BlockLimits::parse(bytes) {
        assert_eq!(BlockLimits::parse(&limits.build()), Some(limits));
    }
    if let Some(page) = Characteristics::parse(bytes) {
        assert_eq!(Characteristics::parse(&page.build()), Some(page));
    }
    if let Some(page) = ThinProvisioning::parse(bytes) {
        assert_eq!(ThinProvisioning::parse(&page.build()), Some(page));
    }
    for is_ten in [false, true] {
        let Some((_, pages)) = ModeHeader::parse(bytes, is_ten) else { continue };
        for (_, _, page) in data::mode_pages(pages) {
            if let Some(caching) = CachingPage::parse(page) {
                assert_eq!(CachingPage::parse(&caching.build()), Some(caching));
            }
            if let Some(control) = ControlPage::parse(page) {
                assert_eq!(ControlPage::parse(&control.build()), Some(control));
            }
        }
    }
}

fn reserve(bytes: &[u8]) {
    if let Some((keys, _)) = Keys::parse(bytes) {
        assert_eq!(Keys::parse(&keys.build()).map(|(again, _)| again), Some(keys));
    }
    if let Some(held) = ReservationData::parse(bytes) {
        assert_eq!(ReservationData::parse(&held.build()), Some(held));
    }
    if let Some((generation, all)) = FullStatus::parse_list(bytes) {
        let again = FullStatus::build_list(generation, &all);
        assert_eq!(FullStatus::parse_list(&again), Some((generation, all)));
    }
    if let Some(capabilities) = Capabilities::parse(bytes) {
        assert_eq!(Capabilities::parse(&capabilities.build()), Some(capabilities));
    }
    if let Ok(list) = ReserveList::parse(bytes) {
        assert_eq!(ReserveList::parse(&list.build()), Ok(list));
    }
    if let Ok(list) = MoveList::parse(bytes) {
        assert_eq!(MoveList::parse(&list.build()), Ok(list));
    }
    if let Some((port, _)) = InitiatorPort::parse(bytes) {
        let again = port.build();
        assert_eq!(InitiatorPort::parse(&again), Some((port, &[][..])));
    }
}

fn lists(bytes: &[u8], is_extended: bool) {
    if let Some((luns, _)) = data::parse_luns(bytes) {
        let again = data::build_luns(&luns);
        assert_eq!(data::parse_luns(&again).map(|(luns, _)| luns), Some(luns));
    }
    if let Some(runs) = LbaStatus::parse_list(bytes) {
        assert_eq!(LbaStatus::parse_list(&LbaStatus::build_list(&runs)), Some(runs));
    }
    if let Some(groups) = data::parse_port_groups(bytes, is_extended) {
        let again = data::build_port_groups(&groups, is_extended);
        assert_eq!(data::parse_port_groups(&again, is_extended), Some(groups));
    }
    if let Ok(ranges) = data::parse_unmap(bytes) {
        assert!(ranges.len() <= bytes.len() / 16);
        assert_eq!(data::parse_unmap(&data::build_unmap(&ranges)), Ok(ranges));
    }
    let _ = (data::parse_opcodes(bytes), data::parse_opcode(bytes));
}
