//! The links that the driver took from this process, which keeps a descriptor of each.
//!
//! A connection knows the size that its export had when hands were shaken (NBD, 'Transmission
//! phase'), so a device can only grow behind connections that are newer than the export's size. The
//! old ones are ended from here, at a moment when nothing is in flight if there is one: what is in
//! flight on a link that ends may have to wait for the time limit of requests.

use super::dial::Link;

/// Links in use.
#[derive(Debug, Default)]
pub(super) struct Held {
    links: Vec<Link>,
}

impl Held {
    pub(super) fn add(&mut self, link: Link) {
        self.links.push(link);
    }

    /// Lets go of links that have ended; the driver has, too.
    pub(super) fn forget_ended(&mut self) {
        self.links.retain(|link| !link.has_ended());
    }

    /// Whether all of a device's links are held, so that they can be ended.
    pub(super) fn is_whole(&self, connections: u32) -> bool {
        self.count() >= connections
    }

    /// Whether all of a device's links are held, and know that size.
    pub(super) fn knows(&self, size: u64, connections: u32) -> bool {
        self.is_whole(connections) && self.links.iter().all(|link| link.opened.size == size)
    }

    /// Ends sending: the server answers what it has and ends the connection. The driver sends what
    /// comes next over another link, as it does with what it could not send whole.
    pub(super) fn end_sending(&self) {
        self.links.iter().for_each(Link::end_sending);
    }

    /// Whether all have ended.
    pub(super) fn have_ended(&self) -> bool {
        self.links.iter().all(Link::has_ended)
    }

    /// Ends those that have not, with what is in flight, and lets go of them.
    pub(super) fn end(&mut self) {
        self.links.drain(..).for_each(|link| link.end());
    }

    fn count(&self) -> u32 {
        u32::try_from(self.links.len()).unwrap_or(u32::MAX)
    }
}
