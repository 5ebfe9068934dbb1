//! REPORT SUPPORTED OPERATION CODES data (SPC-4 section 6.35).

use alloc::vec::Vec;

use crate::scsi::opcode::Supported;

const DESCRIPTOR_LEN: usize = 8;
const HAS_ACTION: u8 = 0x01;
const HAS_TIMEOUTS: u8 = 0x02;
const ONE_HAS_TIMEOUTS: u8 = 0x80;
/// A command timeouts descriptor that promises nothing.
const TIMEOUTS: [u8; 12] = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NOT_SUPPORTED: u8 = 1;
const SUPPORTED_BY_STANDARD: u8 = 3;

/// All commands.
#[must_use]
pub fn build_opcodes(all: &[Supported], timeouts: bool) -> Vec<u8> {
    let mut bytes = Vec::from([0; 4]);
    for command in all {
        let action = command.service_action.unwrap_or(0);
        let has_action = if command.service_action.is_some() { HAS_ACTION } else { 0 };
        let flags = has_action | if timeouts { HAS_TIMEOUTS } else { 0 };
        bytes.extend([command.opcode, 0, 0, action, 0, flags, 0, command.len]);
        if timeouts {
            bytes.extend(TIMEOUTS);
        }
    }
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

/// One command, or the news that it is not supported.
#[must_use]
pub fn build_opcode(one: Option<&Supported>, timeouts: bool) -> Vec<u8> {
    let Some(command) = one else { return Vec::from([0, NOT_SUPPORTED, 0, 0]) };
    let flags = SUPPORTED_BY_STANDARD | if timeouts { ONE_HAS_TIMEOUTS } else { 0 };
    let mut bytes = Vec::from([0, flags, 0, command.len]);
    bytes.extend_from_slice(&command.usage()[..usize::from(command.len)]);
    if timeouts {
        bytes.extend(TIMEOUTS);
    }
    bytes
}

/// Operation codes and service actions of a list of all commands.
#[must_use]
pub fn parse_opcodes(bytes: &[u8]) -> Option<Vec<(u8, Option<u16>)>> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?);
    let mut rest = super::body(bytes, 4, len);
    let mut commands = Vec::new();
    while let [opcode, _, high, low, _, flags, _, _, ..] = *rest {
        let action = u16::from_be_bytes([high, low]);
        commands.push((opcode, (flags & HAS_ACTION != 0).then_some(action)));
        let extra = if flags & HAS_TIMEOUTS != 0 { TIMEOUTS.len() } else { 0 };
        rest = rest.get(DESCRIPTOR_LEN + extra..).unwrap_or(&[]);
    }
    Some(commands)
}

/// Whether the answer for one command says that it is supported.
#[must_use]
pub fn parse_opcode(bytes: &[u8]) -> Option<bool> {
    bytes.get(1).map(|flags| flags & 7 == SUPPORTED_BY_STANDARD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scsi::opcode::SUPPORTED;

    #[test]
    fn the_table_survives_with_and_without_timeouts() {
        let wanted: Vec<_> = SUPPORTED
            .iter()
            .map(|command| (command.opcode, command.service_action.map(u16::from)))
            .collect();
        for timeouts in [false, true] {
            let bytes = build_opcodes(SUPPORTED, timeouts);
            assert_eq!(parse_opcodes(&bytes), Some(wanted.clone()));
        }
        assert_eq!(parse_opcode(&build_opcode(SUPPORTED.first(), true)), Some(true));
        assert_eq!(parse_opcode(&build_opcode(None, false)), Some(false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = (parse_opcodes(&bytes), parse_opcode(&bytes));
        }
    }
}
