//! One core's way into the export.

use std::rc::Rc;

use byway_engine::block::{Channel, Completions, DeviceEvent, Io, WaitSource};
use byway_engine::exec::{Class, JoinHandle};
use byway_engine::net::Inbox;

use super::keep;
use super::leave::Kept;
use super::line::Line;

pub(crate) struct NbdChannel {
    line: Rc<Line>,
    task: JoinHandle<()>,
}

impl NbdChannel {
    /// Opens the connection, or goes on with the one that was kept; requests wait until it is up.
    pub(crate) fn open(line: Line, inbox: Inbox, kept: Option<Kept>) -> NbdChannel {
        let line = Rc::new(line);
        let keep = keep::keep(Rc::clone(&line), inbox, kept);
        let task = line.core.spawn(Class::Latency, "nbd connection", keep);
        NbdChannel { line, task }
    }
}

impl Channel for NbdChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.line.accept(io)
    }

    #[inline]
    fn flush_submissions(&mut self) {
        self.line.pump();
    }

    #[inline]
    fn poll(&mut self, done: &mut Completions) {
        self.line.take_done(done);
    }

    fn in_flight(&self) -> u32 {
        self.line.in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        if self.line.has_done() { WaitSource::Poll } else { WaitSource::Ring }
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        self.line.take_event()
    }
}

impl Drop for NbdChannel {
    fn drop(&mut self) {
        self.line.leave();
        self.task.abort();
        self.line.shared.give_back();
    }
}
