//! Messages: requests that are built whole, and what the kernel answers or tells unasked.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::{FromBytes, IntoBytes};

use super::header::{ALIGN, GenericHeader, NetlinkHeader};
use super::{AttributeWriter, Attributes, NetlinkError};

/// `NLMSG_ERROR`: how a request ended; zero is success.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a list.
const DONE: u16 = 3;
/// Kinds below are control messages (`NLMSG_MIN_TYPE`).
const CONTROL_KINDS: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS: u16 = 1 | 4;
const HEADER_LEN: usize = size_of::<NetlinkHeader>();
const HEADERS_LEN: usize = HEADER_LEN + size_of::<GenericHeader>();

/// A request to a family of generic netlink. Its end is always acknowledged.
#[derive(Clone, Debug)]
pub struct Request {
    /// The family's number.
    pub family: u16,
    /// The family's version.
    pub version: u8,
    /// A command of the family.
    pub command: u8,
    /// What the command is told.
    pub attributes: AttributeWriter,
}

impl Request {
    /// The datagram. The answer has the same `sequence`.
    pub fn encode(&self, sequence: u32) -> Vec<u8> {
        let attributes = self.attributes.bytes();
        let len = u32::try_from(HEADERS_LEN + attributes.len()).expect("our requests are short");
        let header = NetlinkHeader {
            len: len.into(),
            kind: self.family.into(),
            flags: FLAGS.into(),
            sequence: sequence.into(),
            port: 0.into(),
        };
        let generic =
            GenericHeader { command: self.command, version: self.version, reserved: 0.into() };
        [header.as_bytes(), generic.as_bytes(), attributes].concat()
    }
}

/// One message of a datagram.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Of the request that it answers; zero where it was sent unasked.
    pub sequence: u32,
    /// What it says.
    pub content: Content<'a>,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// How a request ended: an errno (positive), or zero for success.
    Ended(u32),
    /// Something of a family.
    Generic {
        /// The family's number.
        family: u16,
        /// A command of the family.
        command: u8,
        /// What the command tells.
        attributes: Attributes<'a>,
    },
    /// A control message that says nothing about requests.
    Other,
}

/// Walks over the messages of a datagram; ends after the first that is wrong.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

/// The messages of a datagram.
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram }
}

impl<'a> Messages<'a> {
    fn take(&mut self) -> Result<Message<'a>, NetlinkError> {
        let (header, _) =
            NetlinkHeader::ref_from_prefix(self.rest).map_err(|_| NetlinkError::Truncated)?;
        let len = usize::try_from(header.len.get()).map_err(|_| NetlinkError::Length)?;
        let body = self.rest.get(HEADER_LEN..len).ok_or(NetlinkError::Length)?;
        self.rest = self.rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        let content = content(header.kind.get(), body)?;
        Ok(Message { sequence: header.sequence.get(), content })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

fn content(kind: u16, body: &[u8]) -> Result<Content<'_>, NetlinkError> {
    match kind {
        ERROR | DONE => {
            let code = body.first_chunk::<4>().ok_or(NetlinkError::Truncated)?;
            // The kernel writes the errno with a minus.
            Ok(Content::Ended(i32::from_ne_bytes(*code).unsigned_abs()))
        }
        kind if kind < CONTROL_KINDS => Ok(Content::Other),
        family => {
            let (generic, attributes) =
                GenericHeader::ref_from_prefix(body).map_err(|_| NetlinkError::Truncated)?;
            let attributes = Attributes::of(attributes);
            Ok(Content::Generic { family, command: generic.command, attributes })
        }
    }
}
