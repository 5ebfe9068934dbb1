//! The family `nbd`: what the kernel's NBD driver can be told, and what it tells.
//!
//! Two commands to reconfigure are kept apart on purpose. The driver changes the size before it takes
//! sockets, and a change of size may wait for requests in flight, which may wait for sockets: a
//! request of ours is about one of them.

use alloc::vec::Vec;

use super::{AttributeWriter, Attributes, Content, NetlinkError, Request};

/// The family's name, by which the controller finds it.
pub const FAMILY: &str = "nbd";
/// The multicast group in which it tells of links that died.
pub const GROUP: &str = "nbd_mc_group";
const VERSION: u8 = 1;

/// `NBD_CMD_*`.
const CONNECT: u8 = 1;
const DISCONNECT: u8 = 2;
const RECONFIGURE: u8 = 3;
const LINK_DEAD: u8 = 4;
const STATUS: u8 = 5;

/// `NBD_ATTR_*`.
const INDEX: u16 = 1;
const SIZE_BYTES: u16 = 2;
const BLOCK_SIZE_BYTES: u16 = 3;
const TIMEOUT: u16 = 4;
const SERVER_FLAGS: u16 = 5;
const SOCKETS: u16 = 7;
const DEAD_CONN_TIMEOUT: u16 = 8;
const DEVICE_LIST: u16 = 9;
const BACKEND_IDENTIFIER: u16 = 10;

/// Items of the two lists, and what is in them.
const SOCK_ITEM: u16 = 1;
const SOCK_FD: u16 = 1;
const DEVICE_INDEX: u16 = 1;
const DEVICE_CONNECTED: u16 = 2;

/// Devices of a list that are looked at; the kernel's minor numbers end before.
const DEVICES_MAX: usize = 1 << 20;

/// A device that is to exist: N of `/dev/nbdN` and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connect<'a> {
    /// N of `/dev/nbdN`.
    pub index: u32,
    /// Bytes of the export.
    pub size: u64,
    /// Bytes of a block: a power of two from 512 to the size of a page.
    pub block_len: u32,
    /// How long a request may take, in seconds.
    pub timeout_s: u64,
    /// How long requests wait for a link where all are dead, in seconds.
    pub dead_timeout_s: u64,
    /// The transmission flags of the export (NBD, "Transmission flags").
    pub server_flags: u16,
    /// Connected sockets behind their handshake, as descriptors of this process.
    pub sockets: &'a [u32],
    /// A name by which the device is found again.
    pub backend: &'a str,
}

/// A request to the driver, but for [`Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order<'a> {
    /// End a device, whatever is in flight.
    Disconnect(u32),
    /// Put a socket in the place of a dead one. Where none is dead, the driver drops it silently.
    Replace {
        /// N of `/dev/nbdN`.
        index: u32,
        /// The descriptor, behind its handshake.
        socket: u32,
        /// The name that the device was connected with.
        backend: &'a str,
    },
    /// Give a device another size, in bytes.
    Resize {
        /// N of `/dev/nbdN`.
        index: u32,
        /// Bytes of the export.
        size: u64,
        /// The name that the device was connected with.
        backend: &'a str,
    },
    /// Ask which devices are connected: one, or all.
    Status(Option<u32>),
}

/// What the driver says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceStatus {
    /// N of `/dev/nbdN`.
    pub index: u32,
    /// Whether something is behind it. Links may be dead nevertheless.
    pub is_connected: bool,
}

/// What the driver tells, asked or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A device was connected.
    Connected(u32),
    /// One of a device's sockets is no longer used.
    LinkDead(u32),
    /// Which devices there are.
    Devices(Vec<DeviceStatus>),
    /// A command of later drivers.
    Unknown(u8),
}

impl Connect<'_> {
    /// The request to the family with that number.
    pub fn request(&self, family: u16) -> Request {
        let mut attributes = AttributeWriter::default();
        attributes.u32(INDEX, self.index);
        attributes.u64(SIZE_BYTES, self.size);
        attributes.u64(BLOCK_SIZE_BYTES, self.block_len.into());
        attributes.u64(TIMEOUT, self.timeout_s);
        attributes.u64(DEAD_CONN_TIMEOUT, self.dead_timeout_s);
        attributes.u64(SERVER_FLAGS, self.server_flags.into());
        attributes.text(BACKEND_IDENTIFIER, self.backend);
        put_sockets(&mut attributes, self.sockets);
        Request { family, version: VERSION, command: CONNECT, attributes }
    }
}

impl Order<'_> {
    /// The request to the family with that number.
    pub fn request(&self, family: u16) -> Request {
        let mut attributes = AttributeWriter::default();
        let command = match *self {
            Order::Disconnect(index) => {
                attributes.u32(INDEX, index);
                DISCONNECT
            }
            Order::Replace { index, socket, backend } => {
                attributes.u32(INDEX, index);
                attributes.text(BACKEND_IDENTIFIER, backend);
                put_sockets(&mut attributes, &[socket]);
                RECONFIGURE
            }
            Order::Resize { index, size, backend } => {
                attributes.u32(INDEX, index);
                attributes.text(BACKEND_IDENTIFIER, backend);
                attributes.u64(SIZE_BYTES, size);
                RECONFIGURE
            }
            Order::Status(index) => {
                index.iter().for_each(|index| attributes.u32(INDEX, *index));
                STATUS
            }
        };
        Request { family, version: VERSION, command, attributes }
    }
}

fn put_sockets(attributes: &mut AttributeWriter, sockets: &[u32]) {
    attributes.nested(SOCKETS, |list| {
        for socket in sockets {
            list.nested(SOCK_ITEM, |item| item.u32(SOCK_FD, *socket));
        }
    });
}

/// What a message of `family` says; `None` for other messages.
///
/// # Errors
/// Where attributes are broken, or those are missing that the command cannot do without.
pub fn notice(content: &Content<'_>, family: u16) -> Result<Option<Notice>, NetlinkError> {
    let Content::Generic { family: there, command, attributes } = content else { return Ok(None) };
    if *there != family {
        return Ok(None);
    }
    let index = || attributes.clone().find(INDEX)?.u32();
    Ok(Some(match *command {
        CONNECT => Notice::Connected(index()?),
        LINK_DEAD => Notice::LinkDead(index()?),
        STATUS => Notice::Devices(devices(attributes.clone())?),
        other => Notice::Unknown(other),
    }))
}

fn devices(attributes: Attributes<'_>) -> Result<Vec<DeviceStatus>, NetlinkError> {
    let list = attributes.find(DEVICE_LIST)?;
    let device = |item: Result<super::Attribute<'_>, NetlinkError>| {
        let item = item?.nested();
        let index = item.clone().find(DEVICE_INDEX)?.u32()?;
        let is_connected = item.find(DEVICE_CONNECTED)?.u8()? != 0;
        Ok(DeviceStatus { index, is_connected })
    };
    list.nested().take(DEVICES_MAX).map(device).collect()
}
