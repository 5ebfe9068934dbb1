//! Stories of one server on two cores.

use byway_engine::block::Op;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Trace};
use byway_engine::net::Stream;
use byway_engine::reactor::ReactorThread;
use byway_proto::nbd::context::ClientId;

use super::*;

/// A server of the export "a" on two cores, the first of which listens.
struct TwoCores {
    threads: [ReactorThread; 2],
    address: Address,
    guests: Arc<Guests>,
}

thread_local! {
    /// This core's part of the server.
    static PART: std::cell::RefCell<Option<Rc<ServerHandle>>> = const { std::cell::RefCell::new(None) };
}

fn part() -> Rc<ServerHandle> {
    PART.with_borrow(|part| Rc::clone(part.as_ref().expect("it was started")))
}

fn thread() -> ReactorThread {
    let arena = ArenaConfig { len: 32 << 20, huge: false };
    let poll_mode = PollMode::Never;
    ReactorThread::start(CoreConfig { arena, poll_mode, ..CoreConfig::default() }).unwrap()
}

impl TwoCores {
    fn start(device: Arc<dyn BlockDevice>, right: &Arc<SharedRight>, max: u32) -> TwoCores {
        let (threads, guests) = ([thread(), thread()], Guests::new(max, 2));
        let mut addresses = Vec::new();
        let doors = Door::of_cores(2, &guests).into_iter().enumerate();
        for (number, door) in doors.rev() {
            let (device, right) = (Arc::clone(&device), Arc::clone(right));
            let start = move |core: Rc<Core>| async move {
                let mut export = ExportConfig::new("a", device);
                export.right = right.handle();
                let mut config =
                    ServerConfig { exports: vec![export], door: Some(door), ..config() };
                config.listeners.truncate(1 - number);
                let server = Rc::new(Server::start(&core, config).unwrap());
                let addresses = server.addresses().to_vec();
                PART.set(Some(server));
                addresses
            };
            addresses = threads[number].block_on(start).unwrap();
        }
        TwoCores { threads, address: addresses.remove(0), guests }
    }

    /// Connections in their transmission, by core.
    fn connections(&self) -> [usize; 2] {
        let count = || part().stats().connections.len();
        [0, 1].map(|n| self.threads[n].block_on(move |_| async move { count() }).unwrap())
    }

    /// A story of clients on a core of their own; then the server has to end well, on both cores.
    fn story<F: Future<Output = ()> + 'static>(
        self,
        tell: impl FnOnce(Rc<Core>, Address) -> F + Send + 'static,
    ) {
        let address = self.address.clone();
        thread().block_on(move |core| tell(core, address)).expect("the story ends well");
        for thread in &self.threads {
            thread.block_on(|_| async { part().stop().await }).unwrap();
            thread.block_on(|_| async { PART.set(None) }).unwrap();
        }
        assert_eq!(self.guests.here(), 0, "nobody is counted any more");
    }
}

fn free() -> Arc<SharedRight> {
    SharedRight::new(None)
}

#[test]
fn both_cores_serve_one_device_to_those_who_come_in_at_one() {
    let served = TwoCores::start(mem(64), &free(), 100);
    let connections = served.address.clone();
    let clients = thread();
    let numbers = clients.block_on(move |core| async move {
        let mut clients = Vec::new();
        for n in 0..4u64 {
            let mut client = connect(&core, &connections, "a").await;
            client.write(n * 4096, &pattern(4096, n as u8)).await.unwrap();
            clients.push(client);
        }
        for client in &mut clients {
            for n in 0..4u64 {
                let read = client.read(n * 4096, 4096).await.unwrap();
                assert!(read == pattern(4096, n as u8));
            }
        }
        // They stay while the others look.
        std::mem::forget(clients);
    });
    assert_eq!(numbers, Some(()));
    assert_eq!(served.connections(), [2, 2]);
    drop(clients);
    served.story(|_, _| async {});
}

#[test]
fn the_limit_holds_for_both_cores_together() {
    TwoCores::start(mem(64), &free(), 3).story(|core, to| async move {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(connect(&core, &to, "a").await);
        }
        let refused = Stream::connect(&core, &to).await.unwrap();
        let memory = core.lease(64).unwrap();
        let ended = refused.receive(memory.into()).await.0;
        assert!(matches!(ended, Ok(0) | Err(_)), "a fourth is turned away: {ended:?}");
        clients[2].read(0, 512).await.unwrap();
    });
}

#[test]
fn a_client_that_comes_again_at_the_other_core_ends_what_it_left() {
    let served = TwoCores::start(mem(64), &free(), 100);
    served.story(|core, to| async move {
        let me = ClientId(7);
        let mut earlier = connect_as(&core, &to, "a", me).await;
        earlier.write(0, &pattern(512, 1)).await.unwrap();
        // Round after round the client comes in at the other core.
        for round in 2..10 {
            let mut later = connect_as(&core, &to, "a", me).await;
            assert!(
                earlier.try_take(1).await.is_none(),
                "what was left is over when the client is let in"
            );
            later.write(0, &pattern(512, round)).await.unwrap();
            assert!(later.read(0, 512).await.unwrap() == pattern(512, round));
            earlier = later;
        }
        let mut other = connect_as(&core, &to, "a", ClientId(8)).await;
        other.read(0, 512).await.unwrap();
        earlier.read(0, 512).await.expect("another client ends nothing");
    });
}

#[test]
fn nothing_of_an_earlier_connection_is_under_way_when_its_client_is_let_in_elsewhere() {
    let slow = FaultRule::new(FaultAction::Delay { ns: SECOND / 4 }).on(Op::Write);
    let device = Fault::new(mem(64), FaultPlan::new(1).rule(slow));
    let device = Trace::new(Arc::new(device), 100);
    let trace = device.handle();
    TwoCores::start(Arc::new(device), &free(), 100).story(|core, to| async move {
        let mut earlier = connect_as(&core, &to, "a", ClientId(7)).await;
        let data = pattern(512, 1);
        earlier.ask(Command::Write, NO_FLAGS, (0, 512), &data).await;
        // The answer to what comes after it tells that the write is at the device.
        earlier.read(512, 512).await.unwrap_or_default();
        assert_eq!(trace.count(), 1, "the write is not back");
        let mut later = connect_as(&core, &to, "a", ClientId(7)).await;
        assert_eq!(trace.count(), 2, "the write is back before its client is let in again");
        assert!(later.read(0, 512).await.unwrap() == data);
    });
}

#[test]
fn a_flush_at_one_core_covers_what_the_other_has_acknowledged() {
    let device = Trace::new(mem(64), 100);
    let trace = device.handle();
    TwoCores::start(Arc::new(device), &free(), 100).story(|core, to| async move {
        let (mut one, mut two) = (connect(&core, &to, "a").await, connect(&core, &to, "a").await);
        one.write(0, &pattern(512, 1)).await.unwrap();
        two.call(Command::Flush, NO_FLAGS, (0, 0), &[]).await.unwrap();
        let events = trace.events();
        assert_eq!((events[0].op, events[1].op), (Op::Write, Op::Flush), "{events:?}");
        assert_ne!(events[0].channel, events[1].channel, "each core has a channel of its own");
    });
}

#[test]
fn a_stranger_gets_the_right_only_when_both_cores_have_let_it_go() {
    let path = std::env::temp_dir().join(format!("byway-nbd-{}-cores", std::process::id()));
    std::fs::write(&path, vec![0; 1 << 20]).unwrap();
    let device = || {
        let options = FileOptions { direct: false, ..<_>::default() };
        Arc::new(FileDevice::open(&path, options).unwrap()) as Arc<dyn BlockDevice>
    };
    let right = |wait_ns| SharedRight::new(Some(FileRight::new(&path).unwrap().with_wait(wait_ns)));
    let served = TwoCores::start(device(), &right(10 * SECOND), 100);
    let stranger = TwoCores::start(device(), &right(SECOND / 2), 100);
    let other = stranger.address.clone();
    served.story(move |core, to| async move {
        let (mut one, mut two) = (connect(&core, &to, "a").await, connect(&core, &to, "a").await);
        one.write(0, &pattern(512, 1)).await.unwrap();
        two.write(512, &pattern(512, 2)).await.unwrap();
        let mut new = connect(&core, &other, "a").await;
        let is_over = Rc::new(std::cell::Cell::new(false));
        let until = Rc::clone(&is_over);
        let busy = core.spawn(byway_engine::exec::Class::Foreground, "busy", async move {
            while !until.get() {
                two.write(1024, &pattern(512, 3)).await.unwrap();
            }
            two
        });
        // Three times, since a writer that does not get to run for a while is quiet, too.
        let mut told = Ok(Vec::new());
        for _ in 0..3 {
            told = new.write(4096, &pattern(512, 4)).await;
            if told.is_err() {
                break;
            }
        }
        assert_eq!(told.unwrap_err().0, NbdErrno::Eperm, "the second core still writes");
        is_over.set(true);
        let mut two = busy.await.unwrap();
        // Both are quiet after a while.
        while new.write(2048, &pattern(512, 5)).await.is_err() {}
        assert!(new.read(1024, 512).await.unwrap() == pattern(512, 3));
        one.write(0, &pattern(512, 6)).await.unwrap();
        assert!(two.read(2048, 512).await.unwrap() == pattern(512, 5));
    });
    stranger.story(|_, _| async {});
    for path in [path.clone(), format!("{}.byway-want", path.display()).into()] {
        std::fs::remove_file(path).unwrap();
    }
}
