//! What a core and its loop promise: tasks, timers, wake-ups, limits, ends.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{pending, poll_fn};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span;

use super::*;
use crate::core::{Core, CoreConfig, CoreHandle, PollMode, yield_now};
use crate::cross::{CALLS_MAX, SendError};
use crate::exec::{Class, JoinError};
use crate::memory::ArenaConfig;
use crate::net::{Address, ListenOptions, Listener, Stream};
use crate::ring::{Feature, FeatureSet};

/// The longest that a test waits for something that has to come; then it fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn config() -> CoreConfig {
    CoreConfig {
        arena: ArenaConfig { len: 4 << 20, huge: false },
        poll_mode: PollMode::Never,
        stall_ns: 0,
        ..CoreConfig::default()
    }
}

struct SetOnDrop(Rc<Cell<bool>>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn tasks_are_joined_and_aborted() {
    Reactor::new(&config()).unwrap().run(|core| async move {
        let answer = core.spawn(Class::Foreground, "answer", async { 42 });
        assert_eq!(answer.await, Ok(42));

        let dropped = Rc::new(Cell::new(false));
        let guard = SetOnDrop(Rc::clone(&dropped));
        let endless = core.spawn(Class::Background, "endless", async move {
            let _guard = guard;
            pending::<()>().await;
        });
        yield_now().await;
        assert!(!endless.is_finished());
        endless.abort();
        assert_eq!(endless.await, Err(JoinError));
        assert!(dropped.get(), "its memory is gone with it");

        let ran = Rc::new(Cell::new(false));
        let guard = SetOnDrop(Rc::clone(&ran));
        drop(core.spawn(Class::Foreground, "detached", async move { drop(guard) }));
        while !ran.get() {
            yield_now().await;
        }
    });
}

#[test]
fn timers_fire_in_order_and_never_early() {
    Reactor::new(&config()).unwrap().run(|core| async move {
        let (start, order) = (core.now(), Rc::new(RefCell::new(Vec::new())));
        let mut tasks = Vec::new();
        for ms in [9, 1, 5, 3, 7] {
            let (core_, order) = (core.clone(), order.clone());
            tasks.push(core.spawn(Class::Foreground, "sleeper", async move {
                let deadline = start + ms * 2_000_000;
                core_.sleep_until(deadline).await;
                assert!(core_.now() >= deadline);
                order.borrow_mut().push(ms);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [1, 3, 5, 7, 9]);
    });
}

/// A number on its way back from another core.
#[derive(Default)]
struct Reply {
    value: Option<u32>,
    waker: Option<Waker>,
}

/// Asks another core for the successor of `number`, and sleeps until it answers.
async fn ask(other: CoreHandle, number: u32) -> u32 {
    let reply = Arc::new(Mutex::new(Reply::default()));
    let theirs = Arc::clone(&reply);
    let call = Box::new(move |_: &Rc<Core>| {
        let mut reply = theirs.lock().unwrap();
        reply.value = Some(number + 1);
        reply.waker.take().into_iter().for_each(Waker::wake);
    });
    other.send(call).unwrap();
    poll_fn(|cx| {
        let mut reply = reply.lock().unwrap();
        reply.waker = Some(cx.waker().clone());
        reply.value.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

#[test]
fn cores_wake_each_other() {
    for off in [FeatureSet::NONE, FeatureSet::from_iter([Feature::MsgRing]), FeatureSet::all()] {
        let config = CoreConfig { features_off: off, ..config() };
        let asker = ReactorThread::start(config.clone()).unwrap();
        let other = ReactorThread::start(config).unwrap();
        let to = other.handle();
        let rounds = move |_: Rc<Core>| async move {
            let mut number = 0;
            for _ in 0..300 {
                number = ask(to, number).await;
            }
            number
        };
        assert_eq!(asker.block_on(rounds), Some(300), "{off:?}");
        // From this thread, which has no ring: by the eventfd.
        for _ in 0..100 {
            let (say, said) = mpsc::channel();
            other.handle().send(Box::new(move |_| say.send(()).unwrap())).unwrap();
            said.recv_timeout(PATIENCE).unwrap();
        }
    }
}

#[test]
fn a_full_mailbox_gives_the_call_back() {
    let reactor = Reactor::new(&config()).unwrap();
    let (handle, ran) = (reactor.core().handle(), Arc::new(AtomicU32::new(0)));
    let call = || {
        let ran = Arc::clone(&ran);
        Box::new(move |_: &Rc<Core>| {
            ran.fetch_add(1, Ordering::Relaxed);
        })
    };
    for _ in 0..CALLS_MAX {
        handle.send(call()).unwrap();
    }
    let Err(SendError::Full(back)) = handle.send(call()) else {
        panic!("more than {CALLS_MAX} calls were taken");
    };
    while ran.load(Ordering::Relaxed) < CALLS_MAX as u32 {
        reactor.core().turn(false);
    }
    handle.send(back).unwrap();
    while ran.load(Ordering::Relaxed) <= CALLS_MAX as u32 {
        reactor.core().turn(false);
    }
    drop(reactor);
    assert!(!handle.is_alive());
    assert!(matches!(handle.send(call()), Err(SendError::Gone(_))));
}

#[test]
fn classes_get_their_shares_of_a_busy_core() {
    let core = Core::standalone().unwrap();
    let counts = Rc::new(RefCell::new([0u64; 4]));
    for (index, class) in Class::ALL.into_iter().enumerate() {
        let (counts, core_) = (counts.clone(), core.clone());
        drop(core.spawn(class, "busy", async move {
            loop {
                core_.clock().advance_to(core_.now() + 10_000);
                counts.borrow_mut()[index] += 1;
                yield_now().await;
            }
        }));
    }
    while counts.borrow().iter().sum::<u64>() < 14_500 {
        core.turn(false);
    }
    let total: u64 = counts.borrow().iter().sum();
    for (index, class) in Class::ALL.into_iter().enumerate() {
        let (got, due) = (counts.borrow()[index], total * class.shares() / 1450);
        assert!(got.abs_diff(due) <= due / 50 + 4, "{class:?} got {got} of {total}, due {due}");
    }
    core.shutdown();
}

/// Takes the names of tasks that the stall detector reports.
struct StallSink(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct StallVisit {
    task: Option<String>,
    is_stall: bool,
}

impl Visit for StallVisit {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.is_stall = format!("{value:?}") == "stall";
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "task" {
            self.task = Some(value.to_owned());
        }
    }
}

impl tracing::Subscriber for StallSink {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut visit = StallVisit::default();
        event.record(&mut visit);
        if let (true, Some(task)) = (visit.is_stall, visit.task) {
            self.0.lock().unwrap().push(task);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_task_that_does_not_yield_is_reported() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    tracing::subscriber::set_global_default(StallSink(Arc::clone(&reported))).unwrap();
    let config = CoreConfig { stall_ns: 10_000_000, ..config() };
    let is_reported = move || reported.lock().unwrap().iter().any(|task| task == "greedy");
    let found = Reactor::new(&config).unwrap().run(|core| async move {
        let greedy = async move {
            let began = Instant::now();
            while !is_reported() && began.elapsed() < PATIENCE {
                std::hint::spin_loop();
            }
            is_reported()
        };
        core.spawn(Class::Foreground, "greedy", greedy).await.unwrap()
    });
    assert!(found, "the stall detector saw nothing");
}

fn listen(core: &Rc<Core>) -> (Listener, Address) {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(core, &any, ListenOptions::default()).unwrap();
    let address = listener.local_address().clone();
    (listener, address)
}

/// Waits for the end of a connection: closed or reset, but not left open.
fn assert_closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // What the ring of this thread still has to say interrupts the read.
    let mut read = || stream.read(&mut [0]);
    let end = std::iter::repeat_with(&mut read)
        .find(|end| !matches!(end, Err(error) if error.kind() == ErrorKind::Interrupted));
    match end.unwrap() {
        Ok(n) => assert_eq!(n, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

#[test]
fn a_reactor_that_ends_drains_what_is_in_flight() {
    let reactor = Reactor::new(&config()).unwrap();
    let address = reactor.run(|core| async move {
        let (listener, address) = listen(&core);
        let core_ = core.clone();
        drop(core.spawn(Class::Foreground, "serve", async move {
            let (stream, _) = listener.accept().await.unwrap();
            let lease = core_.lease(1 << 20).unwrap();
            stream.receive(lease.into()).await.0.unwrap();
        }));
        address
    });
    let client = TcpStream::connect(address.as_tcp().unwrap()).unwrap();
    let region = Arc::downgrade(reactor.core().arena().region());
    let in_flight = || reactor.core().arena().region().in_use(0);
    let idle = in_flight();
    while in_flight() == idle {
        reactor.core().turn(false);
    }
    reactor.core().turn(false);
    drop(reactor);
    assert!(region.upgrade().is_none(), "memory is held by a request that nobody ended");
    assert_closed(client);
}

#[test]
fn connections_that_arrive_while_a_reactor_ends_are_closed() {
    for off in [FeatureSet::NONE, FeatureSet::all()] {
        let reactor = Reactor::new(&CoreConfig { features_off: off, ..config() }).unwrap();
        let address = reactor.run(|core| async move {
            let (listener, address) = listen(&core);
            drop(core.spawn(Class::Foreground, "serve", async move {
                let accepted: Result<(Stream, _), _> = listener.accept().await;
                drop(accepted.unwrap());
                pending::<()>().await;
            }));
            address
        });
        // Two turns: the request is queued, then in the kernel.
        reactor.core().turn(false);
        reactor.core().turn(false);
        let to = address.as_tcp().unwrap();
        let clients: Vec<_> = (0..8).map(|_| TcpStream::connect(to).unwrap()).collect();
        drop(reactor);
        clients.into_iter().for_each(assert_closed);
    }
}

/// Hands a token to the next core of the group until it has made its rounds.
fn pass_on(core: &Rc<Core>, left: u32, done: mpsc::Sender<usize>) {
    let peers = core.peers().expect("a core of a group knows its peers");
    if left == 0 {
        done.send(peers.me()).unwrap();
        return;
    }
    let next = (peers.me() + 1) % peers.len();
    let sent = peers.send(next, Box::new(move |core| pass_on(core, left - 1, done)));
    assert!(sent.is_ok(), "a ring with one token is not full");
}

#[test]
fn calls_go_round_a_group_of_sleeping_cores() {
    let group = ReactorGroup::start(vec![config(); 3]).unwrap();
    let (done, ended) = mpsc::channel();
    let start = Box::new(move |core: &Rc<Core>| pass_on(core, 1000, done));
    group.threads()[0].handle().send(start).unwrap();
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(1000 % 3));
}

#[test]
fn a_full_ring_between_cores_gives_the_call_back() {
    let group = ReactorGroup::start(vec![config(); 2]).unwrap();
    let refused = group.threads()[0].block_on(|core| async move {
        let peers = core.peers().unwrap();
        let hold = Arc::new(Mutex::new(()));
        let held = hold.lock().unwrap();
        // The peer waits in its first call, so that nothing is taken from the ring any more.
        let theirs = Arc::clone(&hold);
        let wait: crate::cross::Call = Box::new(move |_| drop(theirs.lock().unwrap()));
        assert!(peers.send(1, wait).is_ok());
        let sent = (0..2 * LANE_CALLS_MAX).filter(|_| peers.send(1, Box::new(|_| {})).is_ok());
        let sent = sent.count();
        drop(held);
        assert!(peers.send(0, Box::new(|_| {})).is_err(), "no core is its own peer");
        assert!(peers.send(7, Box::new(|_| {})).is_err(), "there is no eighth core");
        sent
    });
    let sent = refused.unwrap();
    assert!((LANE_CALLS_MAX - 1..=LANE_CALLS_MAX).contains(&sent), "{sent}");
}
