use std::string::ToString;

use proptest::prelude::*;

use super::*;

fn any_sense() -> impl Strategy<Value = Sense> {
    let field = (any::<bool>(), any::<u16>(), proptest::option::of(0u8..8))
        .prop_map(|(is_in_cdb, byte, bit)| FieldPointer { is_in_cdb, byte, bit });
    let parts = (0u8..16, any::<(u8, u8, bool)>(), any::<Option<u64>>());
    (parts, proptest::option::of(field)).prop_map(|((key, rest, information), field)| {
        let key = SenseKey::from_low_bits(key);
        let (asc, ascq, is_deferred) = rest;
        let field = field.filter(|_| key == SenseKey::IllegalRequest);
        Sense { key, code: SenseCode { asc, ascq }, is_deferred, information, field }
    })
}

#[test]
fn a_miscompare_tells_where() {
    let sense = Sense::miscompare(513);
    let fixed = sense.to_fixed();
    assert_eq!(fixed[0], 0xf0);
    assert_eq!(fixed[2], 0x0e);
    assert_eq!(fixed[3..7], [0, 0, 2, 1]);
    assert_eq!((fixed[7], fixed[12], fixed[13]), (10, 0x1d, 0));
    assert_eq!(Sense::parse(&fixed), Some(sense));
}

#[test]
fn an_invalid_field_is_pointed_at() {
    let bytes = Sense::invalid_cdb_field(1).to_descriptor();
    assert_eq!(bytes[..4], [0x72, 5, 0x24, 0]);
    assert_eq!(bytes[7..], [8, 2, 6, 0, 0, 0xc0, 0, 1, 0]);
}

#[test]
fn sense_reads_as_a_sentence() {
    assert_eq!(
        Sense::miscompare(7).to_string(),
        "MISCOMPARE, 1d/00 miscompare during verify operation (at 7)"
    );
}

#[test]
fn what_is_cut_off_counts_as_zero() {
    let sense = Sense::parse(&[0x70, 0, 6]).unwrap();
    assert_eq!(sense, Sense::attention(SenseCode::NO_ADDITIONAL));
    assert_eq!(Sense::parse(&[]), None);
    assert_eq!(Sense::parse(&[0x7f]), None);
}

proptest! {
    #[test]
    fn descriptor_format_loses_nothing(sense in any_sense()) {
        prop_assert_eq!(Sense::parse(&sense.to_descriptor()), Some(sense));
    }

    #[test]
    fn fixed_format_loses_only_wide_information(sense in any_sense()) {
        let information = sense.information.filter(|wide| *wide <= u64::from(u32::MAX));
        let kept = Sense { information, ..sense };
        prop_assert_eq!(Sense::parse(&sense.to_fixed()), Some(kept));
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, code in 0x70u8..0x74) {
        let _ = Sense::parse(&bytes);
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = code;
            prop_assert!(Sense::parse(&bytes).is_some());
        }
    }
}
