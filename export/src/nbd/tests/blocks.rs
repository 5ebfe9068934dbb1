//! Stories of requests that are right: data come back, holes are told, exports are apart.

use byway_engine::block::wrap::Slice;
use byway_engine::sim::{NetConfig, Stop, World, WorldConfig};
use byway_proto::nbd::option::{Opt, OptReply};

use super::*;

#[test]
fn what_was_written_comes_back_short_and_long() {
    story(config(), |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        assert_eq!(client.size, 64 << 20);
        for (n, len) in [512, 4096, 16 << 10, 17 << 10, 1 << 20, 3 << 20].into_iter().enumerate() {
            let data = pattern(len, n as u8);
            let offset = (n as u64) << 22;
            client.write(offset, &data).await.unwrap();
            assert!(client.read(offset, len as u64).await.unwrap() == data, "{len} bytes");
        }
        let long = client.read(0, 32 << 20).await.unwrap();
        assert!(long.len() == 32 << 20 && long[..512] == pattern(512, 0));
        client.call(Command::Flush, NO_FLAGS, (0, 0), &[]).await.unwrap();
        client.call(Command::Cache, NO_FLAGS, (0, 8 << 20), &[]).await.unwrap();
    });
}

#[test]
fn requests_in_flight_together_are_all_answered() {
    story(config(), |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        let mut open = Vec::new();
        for n in 0..600u64 {
            let data = pattern(4096, n as u8);
            open.push(client.ask(Command::Write, NO_FLAGS, (n * 4096, 4096), &data).await);
        }
        for _ in 0..600 {
            let (cookie, told) = client.reply().await;
            told.unwrap();
            open.retain(|other| *other != cookie);
        }
        assert!(open.is_empty());
        for n in [0, 299, 599u64] {
            assert!(client.read(n * 4096, 4096).await.unwrap() == pattern(4096, n as u8));
        }
    });
}

#[test]
fn holes_are_told_and_made() {
    story(config(), |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        client.write(1 << 20, &pattern(8192, 1)).await.unwrap();
        let told = client.status((0, 4 << 20)).await;
        assert_eq!(told, [(1 << 20, 3), (8192, 0), ((3 << 20) - 8192, 3)]);
        client.call(Command::WriteZeroes, NO_FLAGS, (1 << 20, 4096), &[]).await.unwrap();
        assert_eq!(client.status((1 << 20, 8192)).await, [(4096, 3), (4096, 0)]);
        let keep = CommandFlags::NO_HOLE.with(CommandFlags::FUA);
        client.call(Command::WriteZeroes, keep, (1 << 20, 8192), &[]).await.unwrap();
        assert_eq!(client.status((1 << 20, 8192)).await, [(8192, 0)]);
        assert!(client.read(1 << 20, 8192).await.unwrap() == [0; 8192]);
        client.call(Command::Trim, CommandFlags::FUA, (0, 64 << 20), &[]).await.unwrap();
        assert_eq!(client.status((0, 64 << 20)).await, [(64 << 20, 3)]);
    });
}

#[test]
fn exports_have_names_and_the_first_is_the_default() {
    let mut config = config();
    config.exports.push(ExportConfig::new("b", mem(1)));
    story(config, |core, to, server| async move {
        let mut client = greet(&core, &to).await;
        let (reply, names) = client.option(Opt::List, &[]).await;
        assert_eq!((reply, names.len()), (OptReply::Ack, 2));
        assert!(matches!(client.go("c").await, OptReply::Err(_)));
        assert_eq!((client.go("b").await, client.size), (OptReply::Ack, 1 << 20));
        let mut other = greet(&core, &to).await;
        assert_eq!((other.go("").await, other.size), (OptReply::Ack, 64 << 20));
        let taken = server.add_export(ExportConfig::new("b", mem(1))).unwrap_err();
        assert!(taken.to_string().contains("use another name"));
        server.add_export(ExportConfig::new("c", mem(2))).unwrap();
        assert_eq!(connect(&core, &to, "c").await.size, 2 << 20);
    });
}

#[test]
fn those_who_come_after_a_resize_see_the_new_size() {
    let device = Arc::new(MemDevice::with_limit(1 << 20, 8 << 20).unwrap());
    let mut config = config();
    config.exports = vec![ExportConfig::new("a", Arc::clone(&device) as Arc<dyn BlockDevice>)];
    story(config, |core, to, _| async move {
        let mut before = connect(&core, &to, "a").await;
        device.resize(2 << 20).unwrap();
        assert_eq!((before.size, connect(&core, &to, "a").await.size), (1 << 20, 2 << 20));
        let (errno, _) = before.read(1 << 20, 512).await.unwrap_err();
        assert_eq!(errno, NbdErrno::Einval);
        device.resize(1 << 19).unwrap();
        let (errno, text) = before.read(1 << 19, 512).await.unwrap_err();
        assert!(errno == NbdErrno::Einval && text.contains("beyond the device"), "{text}");
    });
}

#[test]
fn a_device_that_takes_little_at_once_is_asked_often() {
    // A slice keeps its device's limits; the last block is the shortest piece.
    let slice = Slice::new(mem(8), 512, (4 << 20) + 512).unwrap();
    let mut config = config();
    config.exports = vec![ExportConfig::new("a", Arc::new(slice))];
    story(config, |core, to, _| async move {
        let mut client = connect(&core, &to, "a").await;
        let data = pattern((4 << 20) + 512, 3);
        client.write(0, &data).await.unwrap();
        assert!(client.read(0, data.len() as u64).await.unwrap() == data);
    });
}

/// The trace of a run in which two clients write and read over a network that cuts messages.
fn simulated(seed: u64) -> u64 {
    let net = NetConfig { partial_ppm: 300_000, ..NetConfig::default() };
    let mut world = World::new(seed, WorldConfig { net, ..WorldConfig::default() });
    let server = world.add_host("server");
    let address = world.address(server, 10809);
    let listener = ListenOn::Address(address.clone());
    let served = world.start(server, move |core| async move {
        let config = ServerConfig { listeners: vec![listener], ..config() };
        let server = Server::start(&core, config).unwrap();
        core.sleep(5 * SECOND).await;
        server.stop().await;
    });
    let mut tasks = Vec::new();
    for n in 0..2u64 {
        let (host, to) = (world.add_host("client"), address.clone());
        tasks.push(world.start(host, move |core| async move {
            let mut client = connect(&core, &to, "a").await;
            for round in 0..20u64 {
                let offset = n * (32 << 20) + round * 51_200;
                let data = pattern(512 * (1 + round as usize * 5), round as u8);
                client.write(offset, &data).await.unwrap();
                assert!(client.read(offset, data.len() as u64).await.unwrap() == data);
            }
        }));
    }
    let is_over = || served.is_finished() && tasks.iter().all(|task| task.is_finished());
    assert_eq!(world.run_until(u64::MAX, is_over).unwrap(), Stop::Condition);
    assert!(served.try_take().is_some() && tasks.iter().all(|task| task.try_take().is_some()));
    world.trace_hash()
}

#[test]
fn equal_seeds_make_equal_runs() {
    assert_eq!(simulated(1), simulated(1));
    assert_ne!(simulated(1), simulated(2));
}

/// A device that writes its zeroes one by one.
struct Slow(Arc<dyn BlockDevice>);

impl BlockDevice for Slow {
    fn info(&self) -> byway_engine::block::DeviceInfo {
        self.0.info()
    }

    fn open_channel(
        &self,
        core: &Rc<Core>,
    ) -> Result<Box<dyn byway_engine::block::Channel>, byway_engine::error::SetupError> {
        self.0.open_channel(core)
    }
}

#[test]
fn zeroes_are_fast_where_the_device_has_them_so() {
    let mut config = config();
    config.exports.push(ExportConfig::new("slow", Arc::new(Slow(mem(1)))));
    story(config, |core, to, _| async move {
        let mut fast = connect(&core, &to, "a").await;
        fast.call(Command::WriteZeroes, CommandFlags::FAST_ZERO, (0, 4096), &[]).await.unwrap();
        let mut slow = connect(&core, &to, "slow").await;
        slow.write(0, &pattern(4096, 1)).await.unwrap();
        let told = slow.call(Command::WriteZeroes, CommandFlags::FAST_ZERO, (0, 4096), &[]).await;
        // It was not offered, so the flag is an unknown one.
        assert_eq!(told.unwrap_err().0, NbdErrno::Einval);
        assert!(slow.read(0, 4096).await.unwrap() == pattern(4096, 1), "nothing was zeroed");
        slow.call(Command::WriteZeroes, NO_FLAGS, (0, 4096), &[]).await.unwrap();
        assert_eq!(slow.read(0, 4096).await.unwrap(), vec![0; 4096]);
    });
}
