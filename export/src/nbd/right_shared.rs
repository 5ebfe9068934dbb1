//! One right to write for several servers of this process, on any cores: the first that writes takes
//! it, and it is let go when the last has.
//!
//! Invariants: a server that lets go twice, because it loses an export while somebody asks for the
//! right, takes nothing from the others: each has a handle of its own. The right is let go under the
//! lock, so nobody who asks for it anew at that moment loses it again.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use byway_engine::core::Core;

use super::right::{Answer, FreeRight, WriteRight};
use super::right_file::FileRight;

/// How often one server looks whether the other's question is answered, in nanoseconds.
const LOOK_NS: u64 = 1_000_000;

/// What the servers of one device share.
#[derive(Debug)]
pub struct SharedRight {
    /// Nothing where everybody may write.
    file: Option<FileRight>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    holders: u32,
    is_asking: bool,
}

impl SharedRight {
    /// The right to write to a file, or to what nobody else writes to.
    #[must_use]
    pub fn new(file: Option<FileRight>) -> Arc<SharedRight> {
        Arc::new(SharedRight { file, state: Mutex::default() })
    }

    /// The right as one server has it, on the core that calls.
    #[must_use]
    pub fn handle(self: &Arc<Self>) -> Rc<dyn WriteRight> {
        if self.file.is_none() {
            return Rc::new(FreeRight);
        }
        Rc::new(Handle { shared: Arc::clone(self), is_held: Cell::new(false) })
    }

    fn file(&self) -> &FileRight {
        self.file.as_ref().expect("who has a handle shares a file")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Handle {
    shared: Arc<SharedRight>,
    is_held: Cell<bool>,
}

/// What is to be done by a server that wants to write.
enum Turn {
    /// It may.
    Holds,
    /// It asks for all.
    Asks,
    /// Another one asks.
    Waits,
}

impl Handle {
    fn turn(&self) -> Turn {
        let mut state = self.shared.state();
        if state.is_asking {
            return Turn::Waits;
        }
        if state.holders == 0 {
            state.is_asking = true;
            return Turn::Asks;
        }
        self.hold(&mut state);
        Turn::Holds
    }

    fn hold(&self, state: &mut State) {
        if !self.is_held.replace(true) {
            state.holders += 1;
        }
    }
}

/// A question that ends with its task, also where that is dropped half-way.
struct Asking<'a>(&'a SharedRight);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.state().is_asking = false;
    }
}

impl WriteRight for Handle {
    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer {
        Box::pin(async move {
            loop {
                match self.turn() {
                    Turn::Holds => return Ok(()),
                    Turn::Waits => core.sleep(LOOK_NS).await,
                    Turn::Asks => {
                        let asking = Asking(&self.shared);
                        self.shared.file().take(&core).await?;
                        self.hold(&mut self.shared.state());
                        drop(asking);
                        return Ok(());
                    }
                }
            }
        })
    }

    fn is_wanted(&self) -> bool {
        self.shared.file().is_wanted()
    }

    fn release(&self) {
        if !self.is_held.replace(false) {
            return;
        }
        let mut state = self.shared.state();
        state.holders -= 1;
        if state.holders == 0 {
            self.shared.file().release();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use byway_engine::core::{CoreConfig, PollMode};
    use byway_engine::memory::ArenaConfig;
    use byway_engine::reactor::ReactorThread;

    use super::super::right::Refused;
    use super::*;

    struct Image(PathBuf);

    impl Image {
        fn new(name: &str) -> Image {
            let name = format!("byway-shared-right-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, [0; 512]).unwrap();
            Image(path)
        }

        fn right(&self) -> FileRight {
            FileRight::new(&self.0).unwrap().with_wait(20_000_000)
        }
    }

    impl Drop for Image {
        fn drop(&mut self) {
            for path in [self.0.clone(), format!("{}.byway-want", self.0.display()).into()] {
                let _gone = std::fs::remove_file(path);
            }
        }
    }

    fn thread() -> ReactorThread {
        let arena = ArenaConfig { len: 4 << 20, huge: false };
        let poll_mode = PollMode::Never;
        ReactorThread::start(CoreConfig { arena, poll_mode, ..CoreConfig::default() }).unwrap()
    }

    /// Takes the right on a core, and gives the handle to `then`.
    fn take(
        on: &ReactorThread,
        right: &Arc<SharedRight>,
        then: impl FnOnce(&dyn WriteRight) + Send + 'static,
    ) -> Result<(), Refused> {
        let right = Arc::clone(right);
        let taking = move |core: Rc<Core>| async move {
            let handle = right.handle();
            Rc::clone(&handle).acquire(core).await?;
            then(&*handle);
            // The server goes on to hold it.
            std::mem::forget(handle);
            Ok(())
        };
        on.block_on(taking).unwrap()
    }

    #[test]
    fn one_server_that_lets_go_twice_leaves_the_right_to_the_other() {
        let image = Image::new("twice");
        let shared = SharedRight::new(Some(image.right()));
        let stranger = SharedRight::new(Some(image.right()));
        let cores = [thread(), thread()];
        take(&cores[0], &shared, |_| {}).unwrap();
        let lets_go_twice = |handle: &dyn WriteRight| {
            handle.release();
            handle.release();
        };
        take(&cores[1], &shared, lets_go_twice).unwrap();
        assert!(take(&cores[1], &stranger, |_| {}).is_err(), "still held by the first core");
        assert_eq!(shared.state().holders, 1);
    }

    #[test]
    fn the_last_core_that_lets_go_lets_others_in() {
        let image = Image::new("last");
        let shared = SharedRight::new(Some(image.right()));
        let stranger = SharedRight::new(Some(image.right()));
        let cores = [thread(), thread()];
        for core in &cores {
            take(core, &shared, |handle| handle.release()).unwrap();
        }
        take(&cores[0], &stranger, |handle| handle.release()).unwrap();
        take(&cores[1], &shared, |_| {}).unwrap();
        assert!(take(&cores[0], &stranger, |_| {}).is_err());
        assert!(!shared.state().is_asking && !stranger.state().is_asking);
    }

    #[test]
    fn cores_that_take_and_let_go_all_the_time_never_hold_what_another_process_holds() {
        let image = Image::new("busy");
        let shared = SharedRight::new(Some(image.right().with_wait(10_000_000_000)));
        let other = SharedRight::new(Some(image.right().with_wait(10_000_000_000)));
        // The lock of the file is what keeps the two apart: they stand for two processes.
        let inside: Arc<[AtomicU32; 2]> = Arc::default();
        let work = |right: &Arc<SharedRight>, side: usize| {
            let (right, inside) = (Arc::clone(right), Arc::clone(&inside));
            move |core: Rc<Core>| async move {
                for _ in 0..20 {
                    let handle = right.handle();
                    Rc::clone(&handle).acquire(Rc::clone(&core)).await.unwrap();
                    inside[side].fetch_add(1, Ordering::SeqCst);
                    assert_eq!(inside[1 - side].load(Ordering::SeqCst), 0, "both sides hold it");
                    core.sleep(100_000).await;
                    inside[side].fetch_sub(1, Ordering::SeqCst);
                    handle.release();
                    core.sleep(6_000_000).await;
                }
            }
        };
        let cores = [thread(), thread(), thread()];
        std::thread::scope(|scope| {
            for (core, work) in
                cores.iter().zip([work(&shared, 0), work(&shared, 0), work(&other, 1)])
            {
                scope.spawn(move || core.block_on(work).expect("it ended well"));
            }
        });
    }
}
