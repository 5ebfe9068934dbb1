//! Requests that came before their turn, by CmdSN.
//!
//! On one connection they come in order; a hole is left where a request was discarded for its data
//! digest (RFC 7143 section 7.8), until the initiator sends it again or plugs it with an ABORT TASK.
//! The table is empty, and costs nothing, until that happens.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::slab::TaskId;
use crate::iscsi::pdu::Bhs;
use crate::serial::Serial;

/// A request of which only the header is remembered, with its data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) bhs: Bhs,
    pub(super) data: Vec<u8>,
}

/// What has a CmdSN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Task(TaskId),
    Request(Box<Request>),
    /// Nothing to deliver: refused, or aborted before it came.
    Plug,
}

impl Item {
    fn bytes(&self) -> usize {
        if let Item::Request(request) = self { request.data.len() } else { 0 }
    }
}

/// Items by CmdSN, over a window of at most `span` numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    items: Vec<Option<Item>>,
    span: u32,
    used: u32,
    bytes: usize,
}

impl Held {
    pub(super) fn new(span: u32) -> Held {
        Held { items: Vec::new(), span: span.next_power_of_two(), used: 0, bytes: 0 }
    }

    fn index(&self, cmd_sn: Serial) -> usize {
        (cmd_sn.0 & (self.span - 1)) as usize
    }

    /// True where the number is taken.
    pub(super) fn contains(&self, cmd_sn: Serial) -> bool {
        self.used > 0 && self.items[self.index(cmd_sn)].is_some()
    }

    /// Keeps `item` until its turn; one that is there already is replaced.
    pub(super) fn put(&mut self, cmd_sn: Serial, item: Item) {
        if self.items.is_empty() {
            self.items.resize(self.span as usize, None);
        }
        self.bytes += item.bytes();
        let at = self.index(cmd_sn);
        match self.items[at].replace(item) {
            Some(old) => self.bytes -= old.bytes(),
            None => self.used += 1,
        }
    }

    /// The item whose turn it is.
    #[inline]
    pub(super) fn take(&mut self, cmd_sn: Serial) -> Option<Item> {
        if self.used == 0 {
            return None;
        }
        let at = self.index(cmd_sn);
        let item = self.items[at].take()?;
        self.used -= 1;
        self.bytes -= item.bytes();
        Some(item)
    }

    /// Bytes kept for requests.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn items_wait_for_their_number_across_the_wrap() {
        let mut held = Held::new(3);
        let request = Item::Request(Box::new(Request { bhs: [0; 48], data: vec![1, 2, 3] }));
        held.put(Serial(0), request);
        held.put(Serial(u32::MAX), Item::Plug);
        assert_eq!((held.bytes(), held.contains(Serial(0))), (3, true));
        assert_eq!(held.take(Serial(1)), None);
        assert_eq!(held.take(Serial(u32::MAX)), Some(Item::Plug));
        held.put(Serial(0), Item::Plug);
        assert_eq!(held.bytes(), 0);
        assert_eq!(held.take(Serial(0)), Some(Item::Plug));
        assert_eq!(held.take(Serial(0)), None);
    }
}
