//! Headers of both directions, and additional header segments.

use super::Input;
use crate::iscsi::pdu::{AhsIter, InitiatorPdu, TargetPdu, ahs_len, data_segment_len, padding};

/// A header that is legal says the same after it was written again; additional headers end.
pub fn pdu(data: &[u8]) {
    let mut input = Input::new(data);
    let bhs = input.header();
    if let Ok(pdu) = InitiatorPdu::decode(&bhs) {
        assert_eq!(InitiatorPdu::decode(&pdu.encode()), Ok(pdu));
    }
    if let Ok(pdu) = TargetPdu::decode(&bhs) {
        assert_eq!(TargetPdu::decode(&pdu.encode()), Ok(pdu));
    }
    assert_eq!((data_segment_len(&bhs) + padding(data_segment_len(&bhs))) % 4, 0);
    let additional = input.bytes(ahs_len(&bhs) as usize);
    assert!(AhsIter::new(additional).count() <= additional.len());
    let first_error = AhsIter::new(additional).position(|segment| segment.is_err());
    assert!(first_error.is_none_or(|at| at + 1 == AhsIter::new(additional).count()));
}
