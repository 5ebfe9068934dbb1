//! A core's way into a simulated disk.

use std::sync::{Arc, Mutex};

use super::lock;
use super::state::State;
use crate::block::{Channel, Completions, DeviceEvent, Io, WaitSource};
use crate::core::Clock;

pub(super) struct DiskChannel {
    state: Arc<Mutex<State>>,
    clock: Clock,
    port: u64,
}

impl DiskChannel {
    pub(super) fn new(state: Arc<Mutex<State>>, clock: Clock) -> DiskChannel {
        let port = lock(&state).open_port();
        DiskChannel { state, clock, port }
    }

    /// The state, as of now.
    fn now<T>(&self, use_it: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut state = lock(&self.state);
        state.advance(self.clock.now());
        use_it(&mut state, self.port)
    }
}

impl Channel for DiskChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.now(|state, port| state.submit(port, io))
    }

    fn flush_submissions(&mut self) {}

    fn poll(&mut self, done: &mut Completions) {
        self.now(|state, port| {
            let Some(port) = state.ports.get_mut(&port) else { return };
            port.in_flight -= port.done.len() as u32;
            done.append(&mut port.done);
        });
    }

    fn in_flight(&self) -> u32 {
        lock(&self.state).ports.get(&self.port).map_or(0, |port| port.in_flight)
    }

    fn wait_source(&self) -> WaitSource {
        let state = lock(&self.state);
        match state.ports.get(&self.port) {
            Some(port) if !port.done.is_empty() => WaitSource::Poll,
            _ => WaitSource::Until(state.next_completion(self.port).unwrap_or(u64::MAX)),
        }
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        let mut state = lock(&self.state);
        let size = state.size;
        let port = state.ports.get_mut(&self.port)?;
        let is_new = size != std::mem::replace(&mut port.seen_size, size);
        is_new.then_some(DeviceEvent::Resized { size })
    }
}

impl Drop for DiskChannel {
    fn drop(&mut self) {
        self.now(|state, port| state.close_port(port));
    }
}
