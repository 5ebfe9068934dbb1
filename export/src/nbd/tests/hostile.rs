//! Stories of clients that are wrong, slow or gone: they get an error or are dropped, and the others
//! go on.

use byway_engine::block::DeviceInfo;
use byway_engine::block::{Channel, Completions, Io};
use byway_engine::error::{ErrorKind, IoError, SetupError};
use byway_proto::nbd::option::{Opt, OptError, OptReply};

use super::*;

#[test]
fn what_makes_no_sense_is_refused_and_the_connection_goes_on() {
    story(config(), |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        let end = 64 << 20;
        let unknown = Command::Unknown(77);
        let wrong = [
            (unknown, (0, 512), Vec::new(), NbdErrno::Einval),
            (Command::Read, (end, 512), vec![], NbdErrno::Einval),
            (Command::Read, (u64::MAX - 511, 512), vec![], NbdErrno::Einval),
            (Command::Read, (1, 512), vec![], NbdErrno::Einval),
            (Command::Write, (end, 1024), pattern(1024, 1), NbdErrno::Enospc),
            (Command::Write, (0, 100), pattern(100, 1), NbdErrno::Einval),
        ];
        for (command, range, data, expected) in wrong {
            let told = client.call(command, NO_FLAGS, range, &data).await;
            assert_eq!(told.unwrap_err().0, expected, "{command:?} of {range:?}");
        }
        client.write(0, &pattern(512, 9)).await.unwrap();
    });
}

#[test]
fn an_export_that_is_read_only_takes_no_changes() {
    let mut config = config();
    config.exports[0].read_only = true;
    story(config, |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        let (errno, text) = client.write(0, &pattern(4096, 1)).await.unwrap_err();
        assert!(errno == NbdErrno::Eperm && text.contains("read-only"), "{text}");
        assert_eq!(client.read(0, 512).await.unwrap(), [0; 512]);
    });
}

#[test]
fn an_option_that_is_too_long_gets_an_error_and_garbage_gets_nothing() {
    story(config(), |core, to, server| async move {
        let mut client = greet(&core, &to).await;
        let (reply, _) = client.option(Opt::Go, &vec![0; 100_000]).await;
        assert_eq!(reply, OptReply::Err(OptError::TooBig));
        assert_eq!(client.go("a").await, OptReply::Ack);
        client.put(&[0x55; 28]).await;
        assert_eq!(client.try_take(1).await, None, "where the next request begins is lost");
        let other = greet(&core, &to).await;
        other.put(b"GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(other.try_take(1).await, None);
        assert_eq!(server.stats().connections.len(), 0);
    });
}

#[test]
fn a_client_that_dies_in_mid_write_leaves_nothing_behind() {
    story(config(), |core, to, server| async move {
        let mut client = connect(&core, &to, "a").await;
        for n in 0..20u64 {
            client.ask(Command::Read, NO_FLAGS, (n << 20, 1 << 20), &[]).await;
        }
        client.ask(Command::Write, NO_FLAGS, (0, 4 << 20), &pattern(1 << 20, 1)).await;
        drop(client);
        while server.stats().served > 0 {
            core.sleep(1_000_000).await;
        }
        let mut other = connect(&core, &to, "a").await;
        assert_eq!(other.read(0, 512).await.unwrap(), [0; 512], "half a write is none");
    });
}

#[test]
fn a_client_that_floods_and_never_reads_holds_its_share_and_no_more() {
    let mut config = config();
    config.limits.connection_bytes_max = 4 << 20;
    story(config, |core, to, server| async move {
        let mut flood = connect(&core, &to, "a").await;
        for n in 0..200u64 {
            flood.ask(Command::Read, NO_FLAGS, ((n % 64) << 20, 1 << 20), &[]).await;
        }
        let mut other = connect(&core, &to, "a").await;
        for n in 0..100u64 {
            other.write(n * 4096, &pattern(4096, n as u8)).await.unwrap();
            assert!(other.read(n * 4096, 4096).await.unwrap() == pattern(4096, n as u8));
        }
        let stats = server.stats();
        let held = stats.connections.iter().map(|connection| connection.held_bytes).max();
        assert!(held.is_some_and(|held| (1..=4 << 20).contains(&held)), "{held:?}");
        for _ in 0..200 {
            flood.reply().await.1.unwrap();
        }
    });
}

#[test]
fn who_keeps_memory_from_others_and_stands_still_is_cut() {
    let mut config = config();
    config.limits.stall_ns = SECOND / 10;
    config.limits.connection_bytes_max = 128 << 20;
    story(config, |core, to, _| async move {
        let mut greedy = connect(&core, &to, "a").await;
        for _ in 0..6 {
            greedy.ask(Command::Read, NO_FLAGS, (0, 32 << 20), &[]).await;
        }
        core.sleep(SECOND / 10).await;
        let mut other = connect(&core, &to, "a").await;
        assert_eq!(other.read(0, 32 << 20).await.unwrap().len(), 32 << 20);
    });
}

#[test]
fn more_connections_than_the_limit_are_turned_away() {
    let mut config = config();
    config.limits.connections_max = 1;
    story(config, |core, to, server| async move {
        let first = connect(&core, &to, "a").await;
        let stream = byway_engine::net::Stream::connect(&core, &to).await.unwrap();
        let lease = core.lease(16).unwrap();
        assert!(stream.receive_exact(lease.into()).await.0.is_err());
        assert_eq!(server.stats().turned_away, 1);
        drop(first);
        while server.stats().served > 0 {
            core.sleep(1_000_000).await;
        }
        connect(&core, &to, "a").await;
    });
}

/// A device that fails each read with the next error of a list.
struct Failing(Arc<dyn BlockDevice>);
struct FailingChannel(Box<dyn Channel>, Vec<Io>);

const KINDS: [(ErrorKind, NbdErrno); 4] = [
    (ErrorKind::NoSpace, NbdErrno::Enospc),
    (ErrorKind::Media, NbdErrno::Eio),
    (ErrorKind::Fenced, NbdErrno::Eperm),
    (ErrorKind::PathLost, NbdErrno::Eshutdown),
];

impl BlockDevice for Failing {
    fn info(&self) -> DeviceInfo {
        self.0.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        Ok(Box::new(FailingChannel(self.0.open_channel(core)?, Vec::new())))
    }
}

impl Channel for FailingChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.1.push(io);
        Ok(())
    }

    fn flush_submissions(&mut self) {}

    fn poll(&mut self, done: &mut Completions) {
        for io in self.1.drain(..) {
            let (kind, _) = KINDS[(io.offset / 512) as usize % KINDS.len()];
            let error = IoError::new(kind, io.op, io.offset, io.len, "a test's disk");
            done.push(io.failed_with(error));
        }
    }

    fn in_flight(&self) -> u32 {
        self.1.len() as u32 + self.0.in_flight()
    }

    fn wait_source(&self) -> byway_engine::block::WaitSource {
        byway_engine::block::WaitSource::Poll
    }
}

#[test]
fn errors_of_the_device_reach_the_client_with_their_words() {
    let mut config = config();
    config.exports = vec![ExportConfig::new("a", Arc::new(Failing(mem(1))))];
    story(config, |core, to, server| async move {
        let mut client = connect(&core, &to, "a").await;
        for (n, (_, errno)) in KINDS.into_iter().enumerate() {
            let (told, text) = client.read(n as u64 * 512, 512).await.unwrap_err();
            assert_eq!(told, errno);
            assert!(text.contains("a test's disk"), "{text}");
        }
        let counts = server.stats().exports[0].counts;
        assert_eq!((counts.requests, counts.errors, counts.read_bytes), (4, 4, 0));
    });
}
