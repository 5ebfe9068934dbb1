//! A reactor on a thread of its own, addressed from any other.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use super::Reactor;
use crate::core::{Core, CoreConfig, CoreHandle};
use crate::cross::SendError;
use crate::error::SetupError;
use crate::exec::Class;

/// A reactor thread. Dropping it stops the reactor and waits for its end.
pub struct ReactorThread {
    handle: CoreHandle,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReactorThread {
    /// Starts a reactor on a new thread and waits until it is set up.
    pub fn start(config: CoreConfig) -> Result<ReactorThread, SetupError> {
        let (report, started) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        let name = config.cpu.map_or_else(|| "reactor".into(), |cpu| format!("reactor-{cpu}"));
        let body = move || match Reactor::new(&config) {
            Ok(reactor) => {
                // The starter waits for this report, so the channel is open.
                let _reported = report.send(Ok(reactor.core().handle()));
                run_until(reactor.core(), &theirs);
            }
            Err(error) => {
                let _reported = report.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(body).map_err(|e| {
            SetupError::new("reactor thread", e.to_string(), "raise the limit of processes")
        })?;
        let answer = started.recv().unwrap_or_else(|_| {
            Err(SetupError::new("reactor thread", "it ended at its start", "see the log"))
        });
        Ok(ReactorThread { handle: answer?, stop, thread: Some(thread) })
    }

    /// The core, seen from any thread.
    pub fn handle(&self) -> CoreHandle {
        self.handle
    }

    /// Starts a task on the reactor; `make` runs there and builds the future.
    pub fn spawn<F>(
        &self,
        class: Class,
        name: &'static str,
        make: impl FnOnce(Rc<Core>) -> F + Send + 'static,
    ) -> Result<(), SendError>
    where
        F: Future<Output = ()> + 'static,
    {
        self.handle.send(Box::new(move |core| {
            drop(core.spawn(class, name, make(Rc::clone(core))));
        }))
    }

    /// Runs `make`'s future on the reactor and waits for its value, from a thread that is not a
    /// reactor. `None` where the reactor is gone or too busy to take the call.
    pub fn block_on<T, F>(&self, make: impl FnOnce(Rc<Core>) -> F + Send + 'static) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (to, from) = mpsc::sync_channel(1);
        let body = move |core: Rc<Core>| {
            let future = make(core);
            async move {
                // Nobody waits any longer: then the value is not needed.
                let _not_needed = to.send(future.await);
            }
        };
        self.spawn(Class::Foreground, "block_on", body).ok()?;
        from.recv().ok()
    }
}

fn run_until(core: &Rc<Core>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        core.turn(true);
    }
}

impl Drop for ReactorThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A call rather than a bare wake-up: the mailbox shows it to a core that is about to sleep.
        let _core_is_gone = self.handle.send(Box::new(|core| core.stay_awake()));
        if let Some(thread) = self.thread.take() {
            let panicked = thread.join().is_err();
            if panicked && !std::thread::panicking() {
                tracing::error!("a reactor thread panicked");
            }
        }
    }
}
