use proptest::prelude::*;

use super::*;
use crate::scsi::opcode::SUPPORTED;

fn parse(bytes: &[u8]) -> Result<Command, Sense> {
    let mut cdb = Cdb::default();
    cdb[..bytes.len()].copy_from_slice(bytes);
    Command::parse(&cdb)
}

#[test]
fn a_six_byte_length_of_zero_is_256_blocks() {
    let Ok(Command::Read(read)) = parse(&[0x08, 0xff, 0xff, 0xff, 0, 0]) else { panic!() };
    assert_eq!((read.lba, read.blocks), (0x1f_ffff, 256));
    assert_eq!(read.build_read()[..6], [0x08, 0x1f, 0xff, 0xff, 0, 0]);
}

#[test]
fn fields_lie_where_the_standard_puts_them() {
    let width = Width::Ten;
    let write = Transfer { width, fua: true, ..Transfer::new(0x0102_0304, 0x0506) };
    assert_eq!(write.build_write()[..10], [0x2a, 0x08, 1, 2, 3, 4, 0, 5, 6, 0]);
    let width = Width::Twelve;
    let read = Transfer { width, dpo: true, ..Transfer::new(0x0102_0304, 0x0506_0708) };
    assert_eq!(read.build_read()[..12], [0xa8, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
    let caw = CompareAndWrite { lba: 7, blocks: 3, fua: false, dpo: false }.build();
    assert_eq!(caw, [0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0]);
}

#[test]
fn protection_information_is_refused_everywhere() {
    for code in [0x28, 0xa8, 0x88, 0x2a, 0xaa, 0x8a, 0x8b, 0x2f, 0xaf, 0x8f] {
        assert_eq!(parse(&[code, 0x20]), Err(Sense::invalid_cdb_field(1)), "{code:#x}");
    }
    for code in [0x2e, 0xae, 0x8e, 0x41, 0x93, 0x89] {
        assert_eq!(parse(&[code, 0x20]), Err(Sense::invalid_cdb_field(1)), "{code:#x}");
    }
}

#[test]
fn an_unknown_code_and_an_unknown_action_have_their_own_sense() {
    assert_eq!(parse(&[0xee]), Err(Sense::illegal(SenseCode::INVALID_OPCODE)));
    for code in [0x5e, 0x5f, 0x9e, 0xa3] {
        assert_eq!(parse(&[code, 0x1f]), Err(Sense::invalid_cdb_field(1)));
    }
}

#[test]
fn a_page_needs_evpd() {
    assert_eq!(parse(&[0x12, 0, 0x83]), Err(Sense::invalid_cdb_field(2)));
    assert!(parse(&[0x12, 1, 0x83]).is_ok());
}

#[test]
fn every_command_of_the_table_parses_and_no_other_opcode_does() {
    for entry in SUPPORTED {
        let pf = if matches!(entry.opcode, 0x15 | 0x55) { 0x10 } else { 0 };
        let cdb = [entry.opcode, entry.service_action.unwrap_or(pf)];
        assert!(parse(&cdb).is_ok(), "{entry:?}");
        assert_eq!(entry.usage()[0], entry.opcode);
        assert!(entry.usage()[usize::from(entry.len)..].iter().all(|byte| *byte == 0));
    }
    for code in 0..=u8::MAX {
        let is_known = SUPPORTED.iter().any(|entry| entry.opcode == code);
        let is_refused = parse(&[code]) == Err(Sense::illegal(SenseCode::INVALID_OPCODE));
        assert_ne!(is_known, is_refused, "{code:#x}");
    }
}

proptest! {
    #[test]
    fn any_command_that_parses_survives_the_round_trip(
        mut cdb: [u8; 16],
        entry in 0..SUPPORTED.len(),
        action: bool,
    ) {
        let entry = SUPPORTED[entry];
        cdb[0] = entry.opcode;
        if let Some(wanted) = entry.service_action.filter(|_| action) {
            cdb[1] = wanted;
        }
        if let Ok(command) = Command::parse(&cdb) {
            prop_assert_eq!(Command::parse(&command.build()), Ok(command));
        }
    }

    #[test]
    fn any_bytes_are_survived(cdb: [u8; 16]) {
        let _ = Command::parse(&cdb);
    }
}
