//! Texts that are cut, too long or wrong, and names.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.to_string(), value: value.to_string() }
}

/// Sends a text in parts of `limit` bytes; gives what arrives.
fn through(mut text: TextOut, limit: usize, mut collector: Collector) -> Vec<Pair> {
    loop {
        let part = text.next_part(limit);
        assert!(part.bytes.len() <= limit);
        if let Some(pairs) = collector.take(part.bytes, part.is_continued).unwrap() {
            assert!(text.is_empty() && !collector.is_collecting());
            return pairs;
        }
    }
}

#[test]
fn a_real_login_text_is_read() {
    let text =
        b"InitiatorName=iqn.1993-08.org.debian:01:abc\0SessionType=Normal\0\0AuthMethod=None\0";
    let pairs = parse_pairs(text).unwrap();
    assert_eq!(pairs[0], pair("InitiatorName", "iqn.1993-08.org.debian:01:abc"));
    assert_eq!(pairs[2], pair("AuthMethod", "None"));
}

#[test]
fn every_fault_has_a_name() {
    let long_key = format!("{}=1\0", "K".repeat(64));
    let long_value = format!("TargetAlias={}\0", "v".repeat(256));
    let faults: [(&[u8], TextError); 8] = [
        (b"MaxBurstLength=26", TextError::Unterminated),
        (b"MaxBurstLength\0", TextError::NoEqualSign),
        (b"=1\0", TextError::BadKey(String::new())),
        (b"1a=1\0", TextError::BadKey("1a".into())),
        (b"A b=1\0", TextError::BadKey("A b".into())),
        (b"A=\xff\0", TextError::NotUtf8),
        (long_key.as_bytes(), TextError::KeyTooLong),
        (long_value.as_bytes(), TextError::ValueTooLong("TargetAlias".into())),
    ];
    for (text, error) in faults {
        assert_eq!(parse_pairs(text), Err(error));
    }
}

#[test]
fn long_values_are_for_lists_and_large_binary() {
    let hex = format!("CHAP_C={}\0", encode_hex(&[7; 1024]));
    assert!(parse_pairs(hex.as_bytes()).is_ok());
    let list = format!("AuthMethod={}\0", ["X-a"; 200].join(","));
    assert!(parse_pairs(list.as_bytes()).is_ok());
}

#[test]
fn a_key_twice_is_for_lists_of_targets() {
    let text = b"TargetName=iqn.2026-01.a:1\0TargetName=iqn.2026-01.a:2\0";
    let twice = Err(TextError::Duplicate("TargetName".into()));
    assert_eq!(Collector::for_negotiation().take(text, false), twice);
    assert_eq!(Collector::for_listing().take(text, false).unwrap().unwrap().len(), 2);
}

#[test]
fn text_without_end_is_stopped() {
    let mut collector = Collector::for_listing();
    let part = [b'a'; 8192];
    for _ in 0..TEXT_LEN_MAX / part.len() {
        assert_eq!(collector.take(&part, true), Ok(None));
    }
    assert_eq!(collector.take(&part, true), Err(TextError::Endless));
    for _ in 0..TEXT_PARTS_MAX {
        assert_eq!(collector.take(&[], true), Ok(None));
    }
    assert_eq!(collector.take(&[], false), Err(TextError::Endless));
    assert_eq!(collector.take(&[], false), Ok(Some(Vec::new())));
}

#[test]
fn an_empty_text_is_one_empty_last_part() {
    let mut text = TextOut::new();
    assert_eq!(text.next_part(512), Part { bytes: &[], is_continued: false });
}

#[test]
fn numbers_ranges_and_booleans() {
    let numbers = ["0", "262144", "0x40000", "0X0", "007", "", "0x", "+1", "-1", "1k", "0x+1"];
    let read: Vec<_> = numbers.into_iter().map(parse_number).collect();
    assert_eq!(read[..4], [Some(0), Some(262_144), Some(0x40000), Some(0)]);
    assert!(read[4..].iter().all(Option::is_none));
    assert_eq!(parse_range("1~0x10"), Some((1, 16)));
    assert_eq!((parse_range("2~1"), parse_range("1")), (None, None));
    assert_eq!(
        [parse_bool("Yes"), parse_bool("No"), parse_bool("yes")],
        [Some(true), Some(false), None]
    );
}

#[test]
fn binary_values_have_two_alphabets_and_a_limit() {
    assert_eq!(decode_binary("0xA1b", 2), Some([0x0a, 0x1b].into()));
    assert_eq!(decode_binary("0bAQID", 3), Some([1, 2, 3].into()));
    for wrong in ["0x", "0xg1", "0b*", "12", "0", "", "0é", "0xé"] {
        assert_eq!(decode_binary(wrong, 9), None, "{wrong}");
    }
    assert_eq!(decode_binary("0x010203", 2), None);
}

#[test]
fn names_have_three_formats_and_one_case() {
    for good in [
        "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309",
        "iqn.2001-04.com.example",
        "eui.02004567a425678d",
        "naa.52004567ba64678d",
        "naa.62004567ba64678d0123456789abcdef",
        "iqn.2003-01.org.linux-iscsi.host_1:straße",
    ] {
        assert_eq!(IscsiName::new(good).unwrap().as_str(), good);
        assert_eq!(IscsiName::new(good), IscsiName::new(&good.replace("iqn", "IQN")));
    }
}

#[test]
fn what_is_no_name_says_why() {
    let long = format!("iqn.2001-04.com.example:{}", "a".repeat(200));
    for (wrong, error) in [
        ("", NameError::UnknownFormat),
        ("disk", NameError::UnknownFormat),
        ("iqn.2001-13.com", NameError::BadAuthority),
        ("iqn.2001-4.com", NameError::BadAuthority),
        ("iqn.2001-04.:disk", NameError::BadAuthority),
        ("iqn.2001-04.com a", NameError::BadCharacter(' ')),
        ("iqn.2001-04.com,a", NameError::BadCharacter(',')),
        ("eui.123", NameError::BadDigits),
        ("naa.62004567ba64678d0", NameError::BadDigits),
        (&long, NameError::TooLong),
    ] {
        assert_eq!(IscsiName::new(wrong), Err(error), "{wrong}");
    }
}

proptest! {
    #[test]
    fn a_text_survives_any_cut(
        pairs in proptest::collection::vec(("[A-Z][a-zA-Z0-9.+@_-]{0,62}", "[a-z0-9~:/\\[\\]é=]{0,100}"), 0..20),
        limit in 1usize..600,
    ) {
        let mut text = TextOut::new();
        pairs.iter().for_each(|(key, value)| text.push(key, value));
        let limit = limit.max(text.len() / TEXT_PARTS_MAX as usize + 1);
        let expected: Vec<_> = pairs.iter().map(|(key, value)| pair(key, value)).collect();
        prop_assert_eq!(through(text, limit, Collector::for_listing()), expected);
    }

    #[test]
    fn any_bytes_are_pairs_or_an_error(bytes: Vec<u8>) {
        let _ = Collector::for_negotiation().take(&bytes, false);
    }

    #[test]
    fn any_text_is_a_value_or_none(text: String) {
        let _ = (parse_number(&text), parse_range(&text), decode_binary(&text, 16));
        if let Ok(name) = IscsiName::new(&text) {
            prop_assert_eq!(IscsiName::new(name.as_str()), Ok(name.clone()));
        }
    }

    #[test]
    fn binary_survives_both_alphabets(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        prop_assert_eq!(decode_binary(&encode_hex(&bytes), 200), Some(bytes.clone()));
        prop_assert_eq!(decode_binary(&encode_base64(&bytes), 200), Some(bytes));
    }
}
