//! Generic netlink, as far as the kernel's NBD driver is told what to do over it.
//!
//! A datagram holds messages, a message a header of netlink, one of generic netlink, and attributes,
//! each padded to four bytes. Numbers are in the byte order of the machine. Requests are built whole;
//! what the kernel says is viewed first and given a meaning second, and no bytes of it can panic.
//! (Linux: `include/uapi/linux/{netlink,genetlink,nbd-netlink}.h`; RFC 3549 for the first two layers.)

mod attribute;
mod control;
mod header;
mod message;
pub mod nbd;
#[cfg(test)]
mod tests;

pub use attribute::{Attribute, AttributeWriter, Attributes};
pub use control::{Family, family_of, get_family};
pub use header::{AttributeHeader, GenericHeader, NetlinkHeader};
pub use message::{Content, Message, Messages, Request, messages};

use core::fmt;

/// What is wrong with bytes that should be netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetlinkError {
    /// A header is cut off.
    Truncated,
    /// A length is smaller than its header, or points behind the end.
    Length,
    /// An attribute that the message cannot do without is not there, or has another size.
    Attribute,
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetlinkError::Truncated => "a message is cut off",
            NetlinkError::Length => "a length points outside its message",
            NetlinkError::Attribute => "an attribute is missing or of another size",
        })
    }
}

impl core::error::Error for NetlinkError {}
