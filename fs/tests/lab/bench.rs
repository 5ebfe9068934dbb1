//! A core whose tasks run to their end, without a kernel below it.

use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use byway_engine::core::Core;
use byway_engine::exec::Class;

use super::disk::LogDisk;
use super::image::Image;
use super::log::SharedLog;

/// Turns after which a task that does not end is stuck.
const TURNS_MAX: u32 = 50_000_000;

/// Runs a future to its end on a core of its own.
pub(crate) fn run<T: 'static, F: Future<Output = T> + 'static>(
    make: impl FnOnce(Rc<Core>) -> F,
) -> T {
    let core = Core::standalone().expect("an arena");
    let result = run_on(&core, make);
    core.shutdown();
    result
}

/// Runs a future to its end on a core.
pub(crate) fn run_on<T: 'static, F: Future<Output = T> + 'static>(
    core: &Rc<Core>,
    make: impl FnOnce(Rc<Core>) -> F,
) -> T {
    let task = core.spawn(Class::Foreground, "test", make(Rc::clone(core)));
    for _ in 0..TURNS_MAX {
        core.turn(false);
        if let Some(outcome) = task.try_take() {
            return outcome;
        }
    }
    panic!("the task does not end");
}

/// A disk with an image, whose log nobody reads.
pub(crate) fn disk(image: Image, size: u64) -> LogDisk {
    LogDisk { image: Arc::new(Mutex::new(image)), log: None, size, seed: 1 }
}

/// A disk with an image, and its log.
pub(crate) fn logged(image: Image, size: u64, seed: u64) -> (LogDisk, SharedLog) {
    let log = SharedLog::default();
    let image = Arc::new(Mutex::new(image));
    (LogDisk { image, log: Some(Arc::clone(&log)), size, seed }, log)
}

/// What a disk holds.
pub(crate) fn image_of(disk: &LogDisk) -> Image {
    let mut image = disk.image.lock().expect("no test panics with it").clone();
    image.settle();
    image
}
