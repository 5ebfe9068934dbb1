use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::reservation::Kind;
use crate::scsi::Lun;

fn any_port() -> impl Strategy<Value = InitiatorPort> {
    ("iqn\\.[a-z0-9.:,-]{1,219}", any::<[u8; 6]>())
        .prop_map(|(name, isid)| InitiatorPort { name, isid })
}

fn any_kind() -> impl Strategy<Value = Kind> {
    (0..Kind::ALL.len()).prop_map(|index| Kind::ALL[index])
}

fn some_port() -> InitiatorPort {
    InitiatorPort { name: String::from("iqn.x:a"), isid: [0x80, 1, 2, 3, 4, 5] }
}

#[test]
fn a_transport_id_is_the_name_with_the_isid() {
    let bytes = some_port().build();
    assert_eq!(bytes[..4], [0x45, 0, 0, 28]);
    assert_eq!(&bytes[4..], b"iqn.x:a,i,0x800102030405\0\0\0\0");
    assert_eq!(InitiatorPort::parse(&bytes), Some((some_port(), &[][..])));
}

#[test]
fn standard_inquiry_data_have_their_fields_in_place() {
    let bytes = StandardInquiry::block_device("BYWAY", "DISK", "1").build();
    assert_eq!(bytes[..8], [0, 0, 6, 0x12, 91, 0, 0, 2]);
    assert_eq!(&bytes[8..36], b"BYWAY   DISK            1   ");
    assert_eq!(bytes[58..66], [0, 0xa0, 0x09, 0x60, 0x04, 0x60, 0x04, 0xc0]);
    assert_eq!(StandardInquiry::absent().build()[0], 0x7f);
}

#[test]
fn a_large_capacity_needs_the_long_form() {
    let capacity = Capacity { last_lba: 1 << 32, block_len: 512, ..Capacity::default() };
    assert_eq!(capacity.to_10()[..4], [0xff; 4]);
    assert_eq!(Capacity::parse_10(&capacity.to_10()), None);
    assert_eq!(Capacity::parse_16(&capacity.to_16()), Some(capacity));
}

#[test]
fn an_empty_unmap_list_is_legal_and_half_a_header_is_not() {
    assert_eq!(parse_unmap(&[]), Ok(vec![]));
    assert!(parse_unmap(&[0; 7]).is_err());
    let bytes = build_unmap(&[UnmapRange { lba: 1, blocks: 2 }, UnmapRange { lba: 3, blocks: 4 }]);
    assert_eq!(bytes[..4], [0, 38, 0, 32]);
    assert_eq!(parse_unmap(&bytes[..30]).unwrap(), [UnmapRange { lba: 1, blocks: 2 }]);
}

#[test]
fn capabilities_name_every_kind() {
    let all = Capabilities { can_keep: true, kinds: Capabilities::ALL_KINDS, ..<_>::default() };
    assert_eq!(all.build(), [0, 8, 1, 0x80, 0xea, 1, 0, 0]);
}

#[test]
fn pages_of_both_formats_are_walked() {
    let mut bytes = Vec::from(CachingPage { write_cache: true, no_read_cache: false }.build());
    bytes.extend([0x4a, 1, 0, 2, 7, 7]);
    bytes.extend(ControlPage::default().build());
    bytes.extend([0x1c, 10, 0]);
    let found: Vec<_> = mode_pages(&bytes).map(|(page, sub, all)| (page, sub, all.len())).collect();
    assert_eq!(found, [(8, 0, 20), (10, 1, 6), (10, 0, 12)]);
}

#[test]
fn mode_data_are_cut_from_their_header() {
    for is_ten in [false, true] {
        let header = ModeHeader { is_write_protected: true, has_fua: true };
        let bytes = build_mode(is_ten, header, &[0; 8], &[0x0a, 1, 2]);
        assert_eq!(ModeHeader::parse(&bytes, is_ten), Some((header, &[0x0a, 1, 2][..])));
        assert_eq!(ModeHeader::parse(&bytes[..9], is_ten), None);
    }
}

#[test]
fn a_list_with_bytes_too_many_is_refused() {
    let mut bytes = ReserveList::default().build();
    assert!(ReserveList::parse(&bytes).is_ok());
    bytes.push(0);
    assert!(ReserveList::parse(&bytes).is_err());
    assert!(ReserveList::parse(&bytes[..23]).is_err());
}

proptest! {
    #[test]
    fn transport_ids_survive(port in any_port()) {
        let bytes = port.build();
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(InitiatorPort::parse(&bytes), Some((port, &[][..])));
    }

    #[test]
    fn reserve_lists_survive(
        key: u64, action_key: u64, all_ports: bool, keep: bool,
        also in prop::option::of(prop::collection::vec(any_port(), 0..4)),
    ) {
        let list = ReserveList { key, action_key, all_ports, keep, also };
        prop_assert_eq!(ReserveList::parse(&list.build()), Ok(list));
    }

    #[test]
    fn move_lists_survive(key: u64, new_key: u64, flags: (bool, bool), port: u16, to in any_port()) {
        let (unregister, keep) = flags;
        let list = MoveList { key, new_key, unregister, keep, port, to };
        prop_assert_eq!(MoveList::parse(&list.build()), Ok(list));
    }

    #[test]
    fn reserve_in_data_survive(
        generation: u32,
        keys: Vec<u64>,
        held in prop::option::of((any::<u64>(), any_kind())),
        registrants in prop::collection::vec((any::<(u64, u16)>(), any_port(), prop::option::of(any_kind())), 0..4),
    ) {
        let all = Keys { generation, keys };
        let bytes = all.build();
        prop_assert_eq!(Keys::parse(&bytes), Some((all, bytes.len() as u64)));
        let reservation = ReservationData { generation, held };
        prop_assert_eq!(ReservationData::parse(&reservation.build()), Some(reservation));
        let full: Vec<_> = registrants
            .into_iter()
            .map(|((key, port), initiator, holds)| FullStatus { key, holds, port, initiator })
            .collect();
        let bytes = FullStatus::build_list(generation, &full);
        prop_assert_eq!(FullStatus::parse_list(&bytes), Some((generation, full)));
    }

    #[test]
    fn pages_of_block_devices_survive(a: (u8, u16), b: (u32, u32, u32), c: (u32, u32, u32), d: u64, e: [bool; 5]) {
        let limits = BlockLimits {
            write_same_non_zero: e[0],
            compare_blocks_max: a.0,
            granularity: a.1,
            transfer_blocks_max: b.0,
            transfer_blocks_best: b.1,
            prefetch_blocks_max: b.2,
            unmap_blocks_max: c.0,
            unmap_ranges_max: c.1,
            unmap_granularity: c.2,
            write_same_blocks_max: d,
        };
        prop_assert_eq!(BlockLimits::parse(&limits.build()), Some(limits));
        let thin = ThinProvisioning {
            unmap: e[1], write_same_16: e[2], write_same_10: e[3], reads_zeroes: e[4], kind: a.0 & 7,
        };
        prop_assert_eq!(ThinProvisioning::parse(&thin.build()), Some(thin));
        let rotation = Characteristics { rotation: a.1 };
        prop_assert_eq!(Characteristics::parse(&rotation.build()), Some(rotation));
        prop_assert_eq!(vpd::parse_extended(&vpd::build_extended(e[0])), Some(e[0]));
        let capacity = Capacity {
            last_lba: d, block_len: b.0, physical_exponent: a.0 & 15,
            lowest_aligned: a.1 & 0x3fff, is_thin: e[0], reads_zeroes: e[1],
        };
        prop_assert_eq!(Capacity::parse_16(&capacity.to_16()), Some(capacity));
    }

    #[test]
    fn lists_survive(
        luns: Vec<u64>,
        ranges: Vec<(u64, u32, u8)>,
        groups in prop::collection::vec((any::<u16>(), 0u8..16, any::<bool>(), any::<Vec<u16>>()), 0..5),
        is_extended: bool,
    ) {
        let luns: Vec<_> = luns.into_iter().map(Lun).collect();
        let bytes = build_luns(&luns);
        prop_assert_eq!(parse_luns(&bytes), Some((luns, bytes.len() as u64)));
        let unmap: Vec<_> =
            ranges.iter().map(|(lba, blocks, _)| UnmapRange { lba: *lba, blocks: *blocks }).collect();
        prop_assert_eq!(parse_unmap(&build_unmap(&unmap)), Ok(unmap));
        let runs: Vec<_> = ranges.into_iter().map(|(lba, blocks, bits)| {
            let provisioning = match bits & 0x0f {
                0 => Provisioning::Mapped,
                1 => Provisioning::Deallocated,
                2 => Provisioning::Anchored,
                other => Provisioning::Other(other),
            };
            LbaStatus { lba, blocks, provisioning }
        }).collect();
        prop_assert_eq!(LbaStatus::parse_list(&LbaStatus::build_list(&runs)), Some(runs));
        let groups: Vec<_> = groups.into_iter().map(|(id, state, is_preferred, ports)| {
            let state = match state {
                0 => AluaState::Optimized,
                1 => AluaState::NonOptimized,
                2 => AluaState::Standby,
                3 => AluaState::Unavailable,
                15 => AluaState::Transitioning,
                other => AluaState::Other(other),
            };
            PortGroup { id, state, is_preferred, ports }
        }).collect();
        let bytes = build_port_groups(&groups, is_extended);
        prop_assert_eq!(parse_port_groups(&bytes, is_extended), Some(groups));
    }

    #[test]
    fn designators_survive(id in prop::collection::vec(any::<u8>(), 0..40), number: u16) {
        let name = id.iter().map(|byte| byte % 26 + b'a').collect();
        let all = vec![
            Designator::T10(id.clone()),
            Designator::Naa(id.clone()),
            Designator::Eui(id.clone()),
            Designator::RelativePort(number),
            Designator::PortGroup(number),
            Designator::TargetName(name),
            Designator::Other([1, 7], id),
        ];
        prop_assert_eq!(vpd::parse_identification(&vpd::build_identification(&all)), Some(all));
    }

    #[test]
    fn any_bytes_are_survived(mut bytes: Vec<u8>, page: u8, flag: bool) {
        let _ = (StandardInquiry::parse(&bytes), Capacity::parse_10(&bytes), Capacity::parse_16(&bytes));
        let _ = (parse_luns(&bytes), parse_port_groups(&bytes, flag), parse_unmap(&bytes));
        let _ = (LbaStatus::parse_list(&bytes), ModeHeader::parse(&bytes, flag));
        let _ = (Keys::parse(&bytes), ReservationData::parse(&bytes), Capabilities::parse(&bytes));
        let _ = (FullStatus::parse_list(&bytes), ReserveList::parse(&bytes), MoveList::parse(&bytes));
        let _ = (CachingPage::parse(&bytes), ControlPage::parse(&bytes), mode_pages(&bytes).count());
        if let [_, second, ..] = bytes.as_mut_slice() {
            *second = [0x83, 0x86, 0xb0, 0xb1, 0xb2, page][usize::from(page) % 6];
        }
        let _ = (vpd::parse_page(&bytes), vpd::parse_identification(&bytes), vpd::parse_extended(&bytes));
        let _ = (BlockLimits::parse(&bytes), Characteristics::parse(&bytes), ThinProvisioning::parse(&bytes));
        bytes.insert(0, 0x45);
        let _ = InitiatorPort::parse(&bytes);
    }
}
