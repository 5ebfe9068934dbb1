//! First in, first out, with leaving from the middle: lists through slots.

const NONE: u32 = u32::MAX;

/// The neighbours of every slot, in whichever queue it is.
pub(super) struct Links(Vec<(u32, u32)>);

impl Links {
    /// Bytes for each slot.
    pub(super) const LEN: usize = size_of::<(u32, u32)>();

    pub(super) fn new(len: usize) -> Links {
        Links(vec![(NONE, NONE); len])
    }
}

/// One queue.
pub(super) struct Queue {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { oldest: NONE, newest: NONE, len: 0 }
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.len > 0).then_some(self.oldest)
    }

    /// Appends a slot that is in no queue.
    pub(super) fn push(&mut self, links: &mut Links, slot: u32) {
        links.0[slot as usize] = (self.newest, NONE);
        match self.len {
            0 => self.oldest = slot,
            _ => links.0[self.newest as usize].1 = slot,
        }
        self.newest = slot;
        self.len += 1;
    }

    /// Takes the oldest slot out.
    pub(super) fn pop(&mut self, links: &mut Links) -> Option<u32> {
        let slot = self.oldest()?;
        self.remove(links, slot);
        Some(slot)
    }

    /// Takes out a slot that is in this queue.
    pub(super) fn remove(&mut self, links: &mut Links, slot: u32) {
        let (older, newer) = links.0[slot as usize];
        match older {
            NONE => self.oldest = newer,
            _ => links.0[older as usize].1 = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => links.0[newer as usize].0 = older,
        }
        self.len -= 1;
    }
}
