//! What is written reads the same; what the kernel says is understood; nothing panics.

use alloc::vec::Vec;
use std::string::String;

use proptest::prelude::*;

use super::nbd::{Connect, DeviceStatus, Notice, Order, notice};
use super::*;

/// The numbers below are those of a little-endian machine.
#[cfg(target_endian = "little")]
#[test]
fn a_question_for_a_family_is_what_the_kernel_expects() {
    let datagram = get_family("nbd").encode(7);
    let expected = [
        28, 0, 0, 0, 16, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, // netlink
        3, 2, 0, 0, // generic netlink
        8, 0, 2, 0, b'n', b'b', b'd', 0, // the name
    ];
    assert_eq!(datagram, expected);
}

/// A message as the kernel sends it.
fn answer(kind: u16, sequence: u32, command: u8, attributes: &AttributeWriter) -> Vec<u8> {
    let attributes = attributes.clone();
    Request { family: kind, version: 1, command, attributes }.encode(sequence)
}

fn content(datagram: &[u8]) -> Content<'_> {
    messages(datagram).next().unwrap().unwrap().content
}

#[test]
fn a_family_has_a_number_and_groups() {
    let mut attributes = AttributeWriter::default();
    attributes.text(2, "nbd");
    let bytes = [attributes.bytes(), &[6, 0, 1, 0, 31, 0, 0, 0]].concat();
    let mut groups = AttributeWriter::default();
    groups.nested(7, |list| {
        list.nested(1, |group| {
            group.u32(2, 9);
            group.text(1, nbd::GROUP);
        });
    });
    let family = family_of(Attributes::of(&[&bytes, groups.bytes()].concat())).unwrap();
    assert_eq!((family.id, family.group(nbd::GROUP), family.group("other")), (31, Some(9), None));
}

#[test]
fn a_family_without_a_number_is_an_error() {
    let mut attributes = AttributeWriter::default();
    attributes.text(2, "nbd");
    assert_eq!(family_of(Attributes::of(attributes.bytes())), Err(NetlinkError::Attribute));
}

#[test]
fn the_end_of_a_request_is_success_or_an_errno() {
    for errno in [0i32, -2, -16] {
        let mut datagram = answer(2, 5, 0, &AttributeWriter::default());
        datagram[16..20].copy_from_slice(&errno.to_ne_bytes());
        let message = messages(&datagram).next().unwrap().unwrap();
        assert_eq!(message.sequence, 5);
        assert!(matches!(message.content, Content::Ended(e) if e == errno.unsigned_abs()));
    }
}

#[test]
fn devices_and_dead_links_are_told_apart() {
    let mut attributes = AttributeWriter::default();
    attributes.nested(9, |list| {
        list.nested(1, |item| {
            item.u32(1, 3);
            item.u32(2, 1);
        });
    });
    let datagram = answer(31, 1, 5, &attributes);
    assert_eq!(notice(&content(&datagram), 31), Err(NetlinkError::Attribute), "a byte, not four");
    let mut attributes = AttributeWriter::default();
    attributes.u32(1, 4);
    let datagram = answer(31, 0, 4, &attributes);
    assert_eq!(notice(&content(&datagram), 31), Ok(Some(Notice::LinkDead(4))));
    assert_eq!(notice(&content(&datagram), 30), Ok(None), "another family");
}

#[test]
fn a_list_of_devices_is_read() {
    // [LIST [ITEM [INDEX 0] [CONNECTED 1]] [ITEM [INDEX 1] [CONNECTED 0]]] of a little-endian kernel.
    let device = |index: u32, connected: u8| {
        let head = [20u16, 1, 8, 1].map(u16::to_ne_bytes).concat();
        let rest = [5u16, 2].map(u16::to_ne_bytes).concat();
        [&head[..], &index.to_ne_bytes(), &rest, &[connected, 0, 0, 0]].concat()
    };
    let list =
        [&[44u16, 9].map(u16::to_ne_bytes).concat()[..], &device(0, 1), &device(1, 0)].concat();
    let generic = Content::Generic { family: 31, command: 5, attributes: Attributes::of(&list) };
    let expected = [(0, true), (1, false)]
        .map(|(index, is_connected)| DeviceStatus { index, is_connected })
        .to_vec();
    assert_eq!(notice(&generic, 31), Ok(Some(Notice::Devices(expected))));
}

#[test]
fn a_change_of_size_goes_without_sockets_and_sockets_without_a_size() {
    let kinds = |order: Order<'_>| {
        let request = order.request(31);
        let bytes = request.attributes.bytes().to_vec();
        Attributes::of(&bytes).map(|a| a.unwrap().kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(Order::Resize { index: 0, size: 1 << 20, backend: "b" }), [1, 10, 2]);
    assert_eq!(kinds(Order::Replace { index: 0, socket: 5, backend: "b" }), [1, 10, 7]);
    assert_eq!(kinds(Order::Status(None)), []);
    assert_eq!(kinds(Order::Disconnect(2)), [1]);
}

#[test]
fn a_length_that_points_outside_ends_the_walk() {
    let mut datagram = get_family("nbd").encode(1);
    datagram[0] = 200;
    let mut walk = messages(&datagram);
    assert_eq!(walk.next().unwrap().unwrap_err(), NetlinkError::Length);
    assert!(walk.next().is_none());
    datagram[0] = 3;
    assert_eq!(messages(&datagram).next().unwrap().unwrap_err(), NetlinkError::Length);
}

proptest! {
    #[test]
    fn what_connects_a_device_reads_the_same(
        index: u32, size: u64, flags: u16, sockets in prop::collection::vec(any::<u32>(), 1..16),
        backend in "[a-z:/?=.]{0,200}",
    ) {
        let connect = Connect {
            index, size, block_len: 4096, timeout_s: 180, dead_timeout_s: 600, server_flags: flags,
            sockets: &sockets, backend: &backend,
        };
        let datagram = connect.request(31).encode(9);
        let Content::Generic { family, command, attributes } = content(&datagram) else { panic!() };
        prop_assert_eq!((family, command), (31, 1));
        prop_assert_eq!(attributes.clone().find(1).unwrap().u32(), Ok(index));
        prop_assert_eq!(attributes.clone().find(2).unwrap().value, size.to_ne_bytes());
        let there = String::from_utf8(attributes.clone().find(10).unwrap().text().to_vec()).unwrap();
        prop_assert_eq!(there, backend);
        let items = attributes.find(7).unwrap().nested();
        let there: Vec<_> =
            items.map(|item| item.unwrap().nested().find(1).unwrap().u32().unwrap()).collect();
        prop_assert_eq!(there, sockets);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzz::nbd_netlink(&bytes);
    }
}
