//! One core's way into the LUN.

use std::rc::{Rc, Weak};

use byway_engine::block::{Channel, Completions, DeviceEvent, Io, WaitSource};
use byway_engine::core::Core;
use byway_engine::exec::{Class, JoinHandle};

use crate::dispatch::{DEPTH_MAX, Dispatcher, Ends};
use crate::link::Sink;
use crate::path;

/// How often what waits is looked at, in nanoseconds.
const TICK_NS: u64 = 200_000_000;

pub(crate) struct IscsiChannel {
    dispatcher: Rc<Dispatcher>,
    /// Links reach the dispatcher through it.
    _ends: Rc<Ends>,
    tasks: Vec<JoinHandle<()>>,
    channel: u32,
}

impl IscsiChannel {
    /// Starts the paths; requests wait until one is up.
    pub(crate) fn open(dispatcher: Dispatcher, channel: u32) -> IscsiChannel {
        let dispatcher = Rc::new(dispatcher);
        let ends = Rc::new(Ends(Rc::clone(&dispatcher)));
        let core = Rc::clone(&dispatcher.core);
        let mut tasks: Vec<_> = (0..dispatcher.shared.config.portals.len())
            .map(|index| {
                let as_sink: Rc<dyn Sink> = Rc::clone(&ends) as Rc<dyn Sink>;
                let sink: Weak<dyn Sink> = Rc::downgrade(&as_sink);
                let keep = path::keep(Rc::clone(&dispatcher), index, channel, sink);
                core.spawn(Class::Latency, "iscsi path", keep)
            })
            .collect();
        tasks.push(core.spawn(Class::Metadata, "iscsi tick", tick(Rc::clone(&dispatcher))));
        IscsiChannel { dispatcher, _ends: ends, tasks, channel }
    }
}

async fn tick(dispatcher: Rc<Dispatcher>) {
    loop {
        let core: &Rc<Core> = &dispatcher.core;
        core.sleep(TICK_NS).await;
        dispatcher.expire();
        dispatcher.wake();
    }
}

impl Channel for IscsiChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.dispatcher.accept(io)
    }

    #[inline]
    fn flush_submissions(&mut self) {
        self.dispatcher.pump();
    }

    #[inline]
    fn poll(&mut self, done: &mut Completions) {
        self.dispatcher.take_done(done);
    }

    fn in_flight(&self) -> u32 {
        self.dispatcher.in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        if self.dispatcher.has_done() { WaitSource::Poll } else { WaitSource::Ring }
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        self.dispatcher.take_event()
    }
}

impl Drop for IscsiChannel {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.dispatcher.shared.give_back(self.channel);
    }
}

const _: () = assert!(DEPTH_MAX >= crate::config::TASKS_MAX as u32);
