//! The three levels against memory devices and real files.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::{Client, Disk, PollQueue, block_on};
use crate::block::mem::MemDevice;
use crate::block::null::NullDevice;
use crate::block::{Completions, DeviceEvent, Io, Op};
use crate::core::{Core, CoreConfig, PollMode, yield_now};
use crate::error::ErrorKind;
use crate::exec::Class;
use crate::memory::ArenaConfig;
use crate::reactor::{Reactor, ReactorThread};

fn config(poll_mode: PollMode) -> CoreConfig {
    let arena = ArenaConfig { len: 8 << 20, huge: false };
    CoreConfig { arena, poll_mode, ..CoreConfig::default() }
}

fn mem(mib: u64) -> Arc<MemDevice> {
    Arc::new(MemDevice::new(mib << 20).unwrap())
}

#[test]
fn tasks_read_what_tasks_wrote() {
    for mode in [PollMode::Never, PollMode::Adaptive, PollMode::Always] {
        let reactor = Reactor::new(&config(mode)).unwrap();
        let device = mem(1);
        let sum = reactor.run(|core| async move {
            let disk = Disk::open(&core, &*device).unwrap();
            let writer = |n: u64| {
                let disk = disk.clone();
                async move {
                    let mut lease = disk.core().lease(4096).unwrap();
                    lease.fill(n as u8);
                    disk.write_fua(n * 4096, lease).await.0.unwrap();
                    let lease = disk.core().lease(4096).unwrap();
                    let (result, lease) = disk.read(n * 4096, lease).await;
                    result.unwrap();
                    assert!(lease.iter().all(|&b| b == n as u8));
                    n
                }
            };
            let tasks: Vec<_> =
                (0..64).map(|n| core.spawn(Class::Foreground, "io", writer(n))).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            disk.flush().await.unwrap();
            sum
        });
        assert_eq!(sum, 63 * 64 / 2);
    }
}

#[test]
fn a_dropped_request_runs_to_its_end_and_frees_its_slot() {
    let core = Core::standalone().unwrap();
    let disk = Disk::open(&core, &*mem(1)).unwrap();
    let mut request = Box::pin(disk.submit(Io::write(0, core.lease(512).unwrap())));
    assert!(request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(request);
    assert_eq!(disk.in_flight(), 1);
    core.turn(false);
    assert_eq!(disk.in_flight(), 0);
    core.shutdown();
}

#[test]
fn requests_beyond_the_depth_wait_their_turn() {
    let core = Core::standalone().unwrap();
    let disk = Disk::open(&core, &NullDevice::new(1 << 20)).unwrap();
    let ended = Rc::new(Cell::new(0));
    let requests = disk.info().depth_max + 100;
    for _ in 0..requests {
        let (disk, ended) = (disk.clone(), Rc::clone(&ended));
        let task = async move {
            disk.flush().await.unwrap();
            ended.set(ended.get() + 1);
        };
        drop(core.spawn(Class::Foreground, "flush", task));
    }
    for _ in 0..1000 {
        core.turn(false);
    }
    assert_eq!(ended.get(), requests);
    core.shutdown();
}

#[test]
fn a_disk_tells_of_a_resize() {
    let core = Core::standalone().unwrap();
    let device = MemDevice::with_limit(1 << 20, 4 << 20).unwrap();
    let disk = Disk::open(&core, &device).unwrap();
    device.resize(2 << 20).unwrap();
    core.turn(false);
    assert_eq!(disk.take_event(), Some(DeviceEvent::Resized { size: 2 << 20 }));
    core.shutdown();
}

#[test]
fn a_full_poll_queue_gives_the_request_back() {
    let mut queue = PollQueue::open(&NullDevice::new(1 << 20), &config(PollMode::Never)).unwrap();
    let depth = queue.info().depth_max;
    (0..depth).for_each(|n| queue.submit(Io::flush().with_tag(u64::from(n))).unwrap());
    let back = queue.submit(Io::discard(0, 512).with_tag(77)).unwrap_err();
    assert_eq!((back.tag, back.op), (77, Op::Discard));
    let mut done = Completions::new();
    assert_eq!(queue.poll(&mut done), depth as usize);
    assert!(done.iter().enumerate().all(|(n, completion)| completion.tag == n as u64));
    assert_eq!(queue.wait(&mut done, u64::MAX / 2), 0, "nothing in flight, nothing to wait for");
}

#[test]
fn clients_of_many_threads_share_a_device() {
    for mode in [PollMode::Never, PollMode::Adaptive] {
        let reactor = ReactorThread::start(config(mode)).unwrap();
        let client = Client::open(&reactor, mem(4), 8).unwrap();
        std::thread::scope(|scope| {
            for part in 0..4u64 {
                let client = client.clone();
                scope.spawn(move || {
                    for round in 0..100 {
                        let at = (part * 100 + round) * 4096;
                        let mut lease = client.lease(4096).unwrap();
                        lease.fill((part * 50 + round) as u8);
                        let (result, lease) = client.write_blocking(at, lease);
                        result.unwrap();
                        let (result, lease) = client.read_blocking(at, lease.unwrap());
                        result.unwrap();
                        assert!(lease.unwrap().iter().all(|&b| b == (part * 50 + round) as u8));
                    }
                });
            }
        });
    }
}

#[test]
fn more_client_requests_than_slots_all_end() {
    let reactor = ReactorThread::start(config(PollMode::Never)).unwrap();
    let client = Client::open(&reactor, mem(1), 2).unwrap();
    let reads = (0..50).map(|n| client.read(n * 512, client.lease(512).unwrap()));
    let mut reads: Vec<_> = reads.map(Box::pin).collect();
    block_on(std::future::poll_fn(|cx| {
        reads.retain_mut(|read| match read.as_mut().poll(cx) {
            std::task::Poll::Ready((result, _)) => {
                result.unwrap();
                false
            }
            std::task::Poll::Pending => true,
        });
        if reads.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    }));
}

#[test]
fn dropped_client_requests_free_their_slots() {
    let reactor = ReactorThread::start(config(PollMode::Never)).unwrap();
    let client = Client::open(&reactor, mem(1), 4).unwrap();
    for _ in 0..100 {
        let mut request = Box::pin(client.submit(Io::flush()));
        let _either = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    client.flush_blocking().unwrap();
}

#[test]
fn a_client_whose_reactor_ended_gets_errors_and_no_hang() {
    let reactor = ReactorThread::start(config(PollMode::Never)).unwrap();
    let client = Client::open(&reactor, mem(1), 4).unwrap();
    client.flush_blocking().unwrap();
    drop(reactor);
    let error = client.flush_blocking().unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Aborted { .. }), "{error}");
}

#[test]
fn a_reactor_that_ends_answers_requests_that_wait() {
    let reactor = ReactorThread::start(config(PollMode::Never)).unwrap();
    let client = Client::open(&reactor, mem(1), 4).unwrap();
    let asking = std::thread::spawn(move || while client.flush_blocking().is_ok() {});
    drop(reactor);
    asking.join().unwrap();
}

#[test]
fn a_task_that_yields_lets_the_others_run() {
    let reactor = Reactor::new(&config(PollMode::Never)).unwrap();
    let order = reactor.run(|core| async move {
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let step = |name| {
            let order = Rc::clone(&order);
            async move {
                for _ in 0..3 {
                    order.borrow_mut().push(name);
                    yield_now().await;
                }
            }
        };
        let a = core.spawn(Class::Foreground, "a", step('a'));
        let b = core.spawn(Class::Foreground, "b", step('b'));
        a.await.unwrap();
        b.await.unwrap();
        order.borrow().iter().collect::<String>()
    });
    assert_eq!(order, "ababab");
}
