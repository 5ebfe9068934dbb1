//! Stories of ends: of clients, exports and servers.

use byway_engine::sim::{Stop, World, WorldConfig};

use super::*;

#[test]
fn a_server_that_stops_answers_what_it_took_and_refuses_the_rest() {
    let mut config = config();
    config.limits.drain_ns = 10 * SECOND;
    story(config, |core, to, server| async move {
        let (idle, mut client) = (connect(&core, &to, "a").await, connect(&core, &to, "a").await);
        let data = pattern(8192, 1);
        client.ask(Command::Write, NO_FLAGS, (0, 8192), &data[..4096]).await;
        while server.stats().connections[1].requests == 0 {
            core.sleep(1_000_000).await;
        }
        let stopping = async move { server.stop().await };
        let stopping = core.spawn(byway_engine::exec::Class::Foreground, "stops", stopping);
        core.sleep(1_000_000).await;
        assert!(byway_engine::net::Stream::connect(&core, &to).await.is_err(), "nobody comes in");
        let request = byway_proto::nbd::request::Request {
            flags: NO_FLAGS,
            command: Command::Read,
            cookie: 99,
            offset: 0,
            len: 512,
        };
        client.put(&[&data[4096..], &request.encode_compact()[..]].concat()).await;
        for _ in 0..2 {
            let (cookie, told) = client.reply().await;
            let told = told.map_err(|(errno, _)| errno);
            let is_late = cookie == 99;
            assert_eq!(told, if is_late { Err(NbdErrno::Eshutdown) } else { Ok(Vec::new()) });
        }
        assert!(client.try_take(1).await.is_none() && idle.try_take(1).await.is_none());
        stopping.await.unwrap();
    });
}

#[test]
fn a_client_that_says_good_bye_gets_what_it_asked_for() {
    story(config(), |core, to, server| async move {
        let mut client = connect(&core, &to, "a").await;
        for n in 0..8u64 {
            client.ask(Command::Read, NO_FLAGS, (n << 20, 1 << 20), &[]).await;
        }
        client.ask(Command::Disconnect, NO_FLAGS, (0, 0), &[]).await;
        for _ in 0..8 {
            assert_eq!(client.reply().await.1.unwrap().len(), 1 << 20);
        }
        assert!(client.try_take(1).await.is_none());
        while server.stats().served > 0 {
            core.sleep(1_000_000).await;
        }
    });
}

#[test]
fn an_export_that_is_removed_closes_its_clients_only() {
    let mut config = config();
    config.exports.push(ExportConfig::new("b", mem(1)));
    story(config, |core, to, server| async move {
        let (mut one, mut other) = (connect(&core, &to, "a").await, connect(&core, &to, "b").await);
        assert!(server.remove_export("b").await && !server.remove_export("b").await);
        assert!(other.try_reply().await.is_none());
        one.write(0, &pattern(512, 1)).await.unwrap();
        assert!(matches!(
            greet(&core, &to).await.go("b").await,
            byway_proto::nbd::option::OptReply::Err(_)
        ));
        drop(other.read(0, 0));
    });
}

/// Runs a server and a client that goes silent in a way; tells the seconds until the server has
/// nothing of it any more, 120 at most.
fn seconds_to_notice(goes: impl FnOnce(&mut World, byway_engine::sim::HostId) + 'static) -> u64 {
    let mut world = World::new(1, WorldConfig::default());
    let (server, client) = (world.add_host("server"), world.add_host("client"));
    let to = world.address(server, 10809);
    let listener = ListenOn::Address(to.clone());
    let noticed = world.start(server, move |core| async move {
        let config = ServerConfig { listeners: vec![listener], ..super::config() };
        let server = Server::start(&core, config).unwrap();
        while server.stats().connections.is_empty() {
            core.sleep(SECOND / 10).await;
        }
        let began = core.now();
        while server.stats().served > 0 && core.now() - began < 120 * SECOND {
            core.sleep(SECOND / 10).await;
        }
        (core.now() - began) / SECOND
    });
    let _staying = world.start(client, move |core| async move {
        let client = connect(&core, &to, "a").await;
        core.sleep(1_000 * SECOND).await;
        drop(client);
    });
    world.at(SECOND, move |world| goes(world, client));
    let is_over = || noticed.is_finished();
    assert_eq!(world.run_until(u64::MAX, is_over).unwrap(), Stop::Condition);
    noticed.try_take().unwrap()
}

#[test]
fn a_client_whose_host_is_gone_is_noticed_and_a_quiet_one_stays() {
    let crashed = seconds_to_notice(|world, client| world.crash(client));
    assert!(crashed < 60, "{crashed} s with a client that is gone");
    assert_eq!(seconds_to_notice(|_, _| {}), 120, "a quiet client is no lost one");
}
