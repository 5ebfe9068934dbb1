//! What the kernel says over netlink, with anything in its place.

use crate::netlink::nbd::{Notice, notice};
use crate::netlink::{Content, Family, family_of, messages};

/// Every message of a datagram is walked over, as each of the things it could be.
pub fn nbd_netlink(data: &[u8]) {
    for message in messages(data).flatten() {
        let Content::Generic { family, attributes, .. } = &message.content else { continue };
        let inside = attributes.clone().flatten().map(|attribute| 4 + attribute.value.len());
        assert!(inside.sum::<usize>() <= data.len(), "attributes lie inside the datagram");
        if let Ok(Family { groups, .. }) = family_of(attributes.clone()) {
            assert!(groups.len() <= data.len(), "a group takes bytes");
        }
        if let Ok(Some(Notice::Devices(devices))) = notice(&message.content, *family) {
            assert!(devices.len() <= data.len(), "a device takes bytes");
        }
    }
}
