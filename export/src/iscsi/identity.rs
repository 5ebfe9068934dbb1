//! Names that a target makes of what it was told: they are the same after every restart.

use byway_proto::scsi::data::PortGroup;

/// Locally assigned NAA identifier (SPC-4 section 7.8.6.6.4): eight bytes that begin with 3.
const NAA_LOCAL: u64 = 3 << 60;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The identifier of a logical unit, of its target's name and its serial number.
pub(crate) fn naa(target: &str, serial: &str) -> Vec<u8> {
    let bytes = target.bytes().chain([0]).chain(serial.bytes());
    let hash =
        bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    (NAA_LOCAL | hash & (NAA_LOCAL - 1) & !(0xf << 60)).to_be_bytes().to_vec()
}

/// One port group for each portal group; the tag is the number of group and port.
pub(crate) fn port_groups(tags: &[u16]) -> Vec<PortGroup> {
    let group = |tag: &u16| PortGroup { id: *tag, ports: vec![*tag], ..PortGroup::default() };
    tags.iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_local_and_differ() {
        let (one, other) = (naa("iqn.a", "1"), naa("iqn.a", "2"));
        assert_eq!((one.len(), one[0] >> 4), (8, 3));
        assert_ne!(one, other);
        assert_ne!(naa("iqn.a1", ""), naa("iqn.a", "1"));
    }
}
