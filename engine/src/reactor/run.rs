//! A reactor on the calling thread.

use std::future::Future;
use std::rc::Rc;

use crate::core::{Core, CoreConfig};
use crate::error::SetupError;
use crate::exec::Class;
use crate::reactor::watchdog;

/// A core and its loop, on the calling thread.
pub struct Reactor {
    core: Rc<Core>,
    _watch: watchdog::Watch,
}

impl Reactor {
    /// Sets a core up on the calling thread.
    pub fn new(config: &CoreConfig) -> Result<Reactor, SetupError> {
        let core = Core::new(config)?;
        let watch = watchdog::watch(&core);
        Ok(Reactor { core, _watch: watch })
    }

    /// The core.
    pub fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Runs `main` and everything it starts until it ends.
    ///
    /// # Panics
    /// When `main` panics.
    pub fn run<T, F>(&self, main: impl FnOnce(Rc<Core>) -> F) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let (future, core) = (main(Rc::clone(&self.core)), Rc::clone(&self.core));
        let main = async move {
            let value = future.await;
            core.stay_awake();
            value
        };
        let handle = self.core.spawn(Class::Foreground, "main", main);
        loop {
            self.core.turn(true);
            if let Some(value) = handle.try_take() {
                return value;
            }
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.core.shutdown();
    }
}
