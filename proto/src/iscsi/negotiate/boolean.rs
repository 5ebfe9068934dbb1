//! Boolean keys: ImmediateData (AND), InitialR2T, DataPDUInOrder, DataSequenceInOrder (OR).

use crate::iscsi::text::{format_bool, parse_bool};

pub(super) fn parse(text: &str) -> Option<u32> {
    parse_bool(text).map(u32::from)
}

pub(super) fn format(value: u32) -> &'static str {
    format_bool(value != 0)
}
