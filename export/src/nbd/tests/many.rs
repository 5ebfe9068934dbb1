//! A thousand connections: idle ones cost little, and each works when it is wanted.

use byway_engine::sim::{Stop, World, WorldConfig};

use super::*;

const CONNECTIONS: usize = 1000;
/// Bytes of the arena that an idle connection may hold.
const IDLE_MAX: usize = 16 << 10;

#[test]
fn idle_connections_are_cheap_and_every_one_works() {
    let arena_len = CONNECTIONS * IDLE_MAX;
    let config = WorldConfig { arena_len, steps_max: 100_000_000, ..WorldConfig::default() };
    let mut world = World::new(1, config);
    let (server, client) = (world.add_host("server"), world.add_host("clients"));
    let to = world.address(server, 10809);
    let listener = ListenOn::Address(to.clone());
    let served = world.start(server, move |core| async move {
        let config = ServerConfig { listeners: vec![listener], ..super::config() };
        let server = Server::start(&core, config).unwrap();
        while server.stats().connections.len() < CONNECTIONS {
            core.sleep(SECOND).await;
        }
        core.sleep(60 * SECOND).await;
        assert_eq!(server.stats().exports[0].counts.errors, 0);
        server.stop().await;
    });
    let asked = world.start(client, move |core| async move {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(connect(&core, &to, "a").await);
        }
        for (n, client) in clients.iter_mut().enumerate() {
            client.write(n as u64 * 512, &pattern(512, n as u8)).await.unwrap();
            // What a connection took for its requests comes back when it is idle.
            if n % 100 == 99 {
                core.sleep(3 * SECOND).await;
            }
        }
    });
    let is_over = || served.is_finished() && asked.is_finished();
    assert_eq!(world.run_until(u64::MAX, is_over).unwrap(), Stop::Condition);
    assert!(served.try_take().is_some() && asked.try_take().is_some());
}
