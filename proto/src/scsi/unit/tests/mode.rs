//! Mode pages: what they say, and what may be changed.

use super::*;
use crate::scsi::cdb::{ModeSelect, ModeSense, PageControl, Transfer};
use crate::scsi::data::{CachingPage, ControlPage, ModeHeader, build_mode, mode_pages};

const SENSE: ModeSense = ModeSense {
    is_ten: false,
    long_lba: false,
    no_block_descriptors: false,
    control: PageControl::Current,
    page: 0x3f,
    subpage: 0,
    allocation: 255,
};

fn select(unit: &mut LogicalUnit, by: &str, is_ten: bool, page: &[u8]) -> Action {
    let list = build_mode(is_ten, ModeHeader::default(), &[], page);
    let command = ModeSelect { is_ten, save: false, list_len: list.len() as u16 };
    unit.handle(&nexus(by), &command.build(), &list)
}

fn control(unit: &mut LogicalUnit) -> ControlPage {
    let sense = ModeSense { page: ControlPage::PAGE, no_block_descriptors: true, ..SENSE };
    ControlPage::parse(&ask(unit, "a", Command::ModeSense(sense)).data[4..]).unwrap()
}

#[test]
fn all_pages_come_in_order_in_both_forms() {
    let mut unit = unit();
    for (is_ten, long_lba, subpage) in [(false, false, 0), (true, false, 0xff), (true, true, 0)] {
        let sense = ModeSense { is_ten, long_lba, subpage, ..SENSE };
        let bytes = ask(&mut unit, "a", Command::ModeSense(sense)).data;
        let (header, pages) = ModeHeader::parse(&bytes, is_ten).unwrap();
        assert_eq!(header, ModeHeader { is_write_protected: false, has_fua: true });
        let found: Vec<u8> = mode_pages(pages).map(|(page, ..)| page).collect();
        assert_eq!(found, [0x08, 0x0a, 0x1c]);
        let told: usize =
            if is_ten { u16::from_be_bytes([bytes[0], bytes[1]]).into() } else { bytes[0].into() };
        assert_eq!(bytes.len(), usize::from(u16::from(is_ten)) + 1 + told);
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let mut unit = unit();
    let of = |unit: &mut LogicalUnit, sense| code(&run(unit, "a", Command::ModeSense(sense)));
    let field = Some(SenseCode::INVALID_FIELD_IN_CDB);
    assert_eq!(of(&mut unit, ModeSense { page: 1, ..SENSE }), field);
    assert_eq!(of(&mut unit, ModeSense { page: 8, subpage: 1, ..SENSE }), field);
    let saved = ModeSense { control: PageControl::Saved, ..SENSE };
    assert_eq!(of(&mut unit, saved), Some(SenseCode::SAVING_NOT_SUPPORTED));
}

#[test]
fn software_write_protection_protects() {
    let mut unit = unit();
    unit.nexus_established(&nexus("b"));
    let _ = run(&mut unit, "b", Command::TestUnitReady);
    let swp = ControlPage { write_protect: true, ..<_>::default() }.build();
    assert_eq!(status(&select(&mut unit, "a", false, &swp)), Some(Status::Good));
    assert!(control(&mut unit).write_protect);
    let write = Command::Write(Transfer::new(0, 1));
    assert_eq!(code(&run(&mut unit, "a", write)), Some(SenseCode::WRITE_PROTECTED));
    assert_eq!(io(run(&mut unit, "a", Command::Read(Transfer::new(0, 1)))).op, BlockOp::Read);
    assert_eq!(code(&run(&mut unit, "b", write)), Some(SenseCode::MODE_PARAMETERS_CHANGED));
    let none = ControlPage::default().build();
    assert_eq!(status(&select(&mut unit, "a", true, &none)), Some(Status::Good));
    assert_eq!(io(run(&mut unit, "a", write)).op, BlockOp::Write);
}

#[test]
fn a_cache_that_is_switched_off_is_written_back_first() {
    let mut unit = unit();
    let off = CachingPage { write_cache: false, no_read_cache: false }.build();
    assert_eq!(io(select(&mut unit, "a", false, &off)).op, BlockOp::Flush);
    assert!(io(run(&mut unit, "a", Command::Write(Transfer::new(0, 1)))).fua);
    assert_eq!(status(&select(&mut unit, "a", false, &off)), Some(Status::Good));
}

#[test]
fn sense_is_in_the_format_that_was_chosen() {
    let mut unit = unit();
    let sense = Sense::miscompare(1 << 40);
    assert_eq!(unit.sense_bytes(&sense)[0] & 0x7f, 0x70);
    let page = ControlPage { descriptor_sense: true, ..<_>::default() }.build();
    assert_eq!(status(&select(&mut unit, "a", false, &page)), Some(Status::Good));
    assert_eq!(Sense::parse(&unit.sense_bytes(&sense)), Some(sense));
}

#[test]
fn bits_that_may_not_change_are_refused_and_nothing_changes() {
    let mut unit = unit();
    let mut page = ControlPage { write_protect: true, ..<_>::default() }.build();
    page[2] |= 0x01;
    let list = Some(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST);
    assert_eq!(code(&select(&mut unit, "a", false, &page)), list);
    let mut both = ControlPage { write_protect: true, ..<_>::default() }.build().to_vec();
    both.extend([0x1c, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(code(&select(&mut unit, "a", false, &both)), list);
    both.truncate(15);
    let short = Some(SenseCode::PARAMETER_LIST_LENGTH_ERROR);
    assert_eq!(code(&select(&mut unit, "a", false, &both)), short);
    assert!(!control(&mut unit).write_protect);
}

#[test]
fn the_changeable_bits_are_those_that_select_takes() {
    let mut unit = unit();
    let sense = ModeSense { control: PageControl::Changeable, no_block_descriptors: true, ..SENSE };
    let bytes = ask(&mut unit, "a", Command::ModeSense(sense)).data;
    assert_eq!(bytes[4..8], [0x08, 18, 0x04, 0]);
    assert_eq!(bytes[24..30], [0x0a, 10, 0x04, 0, 0x08, 0x40]);
}

#[test]
fn an_empty_list_is_good_and_saving_is_not() {
    let mut unit = unit();
    let empty = ModeSelect { is_ten: false, save: false, list_len: 0 };
    assert_eq!(ask(&mut unit, "a", Command::ModeSelect(empty)), ScsiReply::good());
    let save = Command::ModeSelect(ModeSelect { save: true, ..empty });
    assert_eq!(code(&run(&mut unit, "a", save)), Some(SenseCode::INVALID_FIELD_IN_CDB));
}

#[test]
fn a_reset_restores_the_parameters() {
    let mut unit = unit();
    let swp = ControlPage { write_protect: true, ..<_>::default() }.build();
    let _ = select(&mut unit, "a", false, &swp);
    unit.reset(Reset::LogicalUnit);
    assert!(!control(&mut unit).write_protect);
}
