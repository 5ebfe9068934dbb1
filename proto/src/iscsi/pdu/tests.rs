//! What holds for every PDU: bytes from outside never panic, and what has a meaning survives.

use std::string::ToString;

use proptest::prelude::*;

use super::*;

const INITIATOR: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 0x10];
const TARGET: [u8; 10] = [0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f];

/// Bytes at random, with the fields that decide most about meaning drawn from what is legal.
fn bhs(opcodes: &'static [u8]) -> impl Strategy<Value = Bhs> {
    let opcode = proptest::sample::select(opcodes);
    let tail = proptest::array::uniform32(any::<u8>());
    let head = (opcode, any::<bool>(), any::<u8>(), any::<u16>(), 0u8..9);
    let rest = (any::<bool>(), any::<u32>(), any::<u64>());
    (head, rest, tail, 0u8..7).prop_map(|(head, (no_data, len, lun), tail, event)| {
        let (opcode, immediate, flags, status, response) = head;
        let mut bhs = [0; BHS_LEN];
        bhs[0] = opcode | if immediate { IMMEDIATE } else { 0 };
        bhs[1] = flags;
        bhs[2..4].copy_from_slice(&status.to_be_bytes());
        bhs[4..8].copy_from_slice(&(if no_data { 0 } else { len }).to_be_bytes());
        bhs[8..16].copy_from_slice(&lun.to_be_bytes());
        bhs[16..].copy_from_slice(&tail);
        bhs[2] = if status % 2 == 0 { response } else { bhs[2] };
        bhs[3] = if status % 3 == 0 { 0 } else { bhs[3] };
        bhs[36] = if len % 2 == 0 { event } else { bhs[36] };
        bhs
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_an_initiator_means_survives(bhs in bhs(&INITIATOR)) {
        if let Ok(pdu) = InitiatorPdu::decode(&bhs) {
            prop_assert_eq!(InitiatorPdu::decode(&pdu.encode()), Ok(pdu));
        }
        prop_assert!(TargetPdu::decode(&bhs).is_err());
    }

    #[test]
    fn what_a_target_means_survives(bhs in bhs(&TARGET)) {
        if let Ok(pdu) = TargetPdu::decode(&bhs) {
            prop_assert_eq!(TargetPdu::decode(&pdu.encode()), Ok(pdu));
        }
        prop_assert!(InitiatorPdu::decode(&bhs).is_err());
    }

    #[test]
    fn any_bytes_are_a_pdu_or_an_error(head in proptest::array::uniform16(any::<u8>()), tail in proptest::array::uniform32(any::<u8>())) {
        let mut bhs = [0; BHS_LEN];
        bhs[..16].copy_from_slice(&head);
        bhs[16..].copy_from_slice(&tail);
        let _ = InitiatorPdu::decode(&bhs).map_err(|error| error.to_string());
        let _ = TargetPdu::decode(&bhs).map_err(|error| error.to_string());
        prop_assert!(ahs_len(&bhs) <= 1020 && data_segment_len(&bhs) <= DATA_SEGMENT_LEN_MAX);
    }

    #[test]
    fn padding_completes_a_word(len in 0..=DATA_SEGMENT_LEN_MAX) {
        prop_assert!(padding(len) < 4 && (len + padding(len)).is_multiple_of(4));
    }
}

#[test]
fn lengths_are_known_before_the_opcode() {
    let mut bhs = [0; BHS_LEN];
    bhs[4..8].copy_from_slice(&[2, 1, 0, 3]);
    assert_eq!((ahs_len(&bhs), data_segment_len(&bhs)), (8, 0x1_0003));
}

#[test]
fn reserved_opcodes_are_named_in_the_error() {
    let mut bhs = [0; BHS_LEN];
    bhs[0] = 0x1c;
    let error = InitiatorPdu::decode(&bhs).unwrap_err();
    assert_eq!(error.to_string(), "PDU with opcode 0x1c: Opcode is 0x1c");
    bhs[0] = 0x25;
    assert_eq!(InitiatorPdu::decode(&bhs).unwrap_err().to_string(), "DataIn: Opcode is 0x25");
}
