//! Keys and values, their parts, and the values of which a peer is believed to know the format.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Input;
use crate::iscsi::login::TargetAddress;
use crate::iscsi::login::discovery::parse_listing;
use crate::iscsi::text::{
    Collector, IscsiName, Pair, TextOut, decode_binary, encode_base64, encode_hex, parse_number,
    parse_pairs, parse_range,
};

/// A text says the same in one part and in many, and after it was written again.
pub fn text(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = usize::from(input.byte()) + 1;
    let may_repeat = input.flag();
    let text = input.all();
    let whole = collector(may_repeat).take(text, false);
    let parts = in_parts(collector(may_repeat), text, cut);
    if text.len().div_ceil(cut) < 1000 {
        assert_eq!(whole, parts, "where a text is cut does not matter");
    }
    let Ok(pairs) = parse_pairs(text) else { return };
    assert_eq!(parse_pairs(&written(&pairs, cut)), Ok(pairs.clone()));
    pairs.iter().for_each(|pair| value(&pair.value));
    let mut targets = Vec::new();
    if parse_listing(&pairs, &mut targets).is_ok() {
        let addresses = targets.iter().map(|target| target.addresses.len()).sum::<usize>();
        assert!(targets.len() + addresses <= pairs.len());
    }
}

fn collector(may_repeat: bool) -> Collector {
    if may_repeat { Collector::for_listing() } else { Collector::for_negotiation() }
}

fn in_parts(
    mut collector: Collector,
    text: &[u8],
    cut: usize,
) -> Result<Option<Vec<Pair>>, crate::iscsi::text::TextError> {
    let mut rest = text;
    while rest.len() > cut {
        let (part, behind) = rest.split_at(cut);
        assert_eq!(collector.take(part, true)?, None);
        assert!(collector.is_collecting());
        rest = behind;
    }
    collector.take(rest, false)
}

fn written(pairs: &[Pair], limit: usize) -> Vec<u8> {
    let mut out = TextOut::new();
    pairs.iter().for_each(|pair| out.push(&pair.key, &pair.value));
    let mut bytes = Vec::new();
    loop {
        let part = out.next_part(limit);
        bytes.extend_from_slice(part.bytes);
        if !part.is_continued {
            return bytes;
        }
    }
}

/// Every format at once: a value does not say of which it is.
fn value(value: &str) {
    if let Ok(name) = IscsiName::new(value) {
        assert_eq!(IscsiName::new(name.as_str()).as_ref(), Ok(&name), "normal is normal");
    }
    if let Some(address) = TargetAddress::parse(value) {
        assert_eq!(TargetAddress::parse(&address.to_string()), Some(address));
    }
    if let Some(bytes) = decode_binary(value, 1024) {
        assert!(!bytes.is_empty() && bytes.len() <= 1024);
        assert_eq!(decode_binary(&encode_hex(&bytes), 1024).as_ref(), Some(&bytes));
        assert_eq!(decode_binary(&encode_base64(&bytes), 1024), Some(bytes));
    }
    if let Some(number) = parse_number(value) {
        assert_eq!(parse_number(&number.to_string()), Some(number));
    }
    assert!(parse_range(value).is_none_or(|(low, high)| low <= high));
}
