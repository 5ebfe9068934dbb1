//! Stories of a client that has a name and comes again: what it left ends before it is let in.

use std::cell::Cell;

use byway_engine::exec::Class;
use byway_engine::net::Address;
use byway_proto::nbd::context::{ClientId, ContextQuery};
use byway_proto::nbd::option::{Opt, OptReply};

use super::client::Client;
use super::*;

const ONE: ClientId = ClientId(1 << 100);
const OTHER: ClientId = ClientId(2);
const MS: u64 = 1_000_000;

/// A client that says who it is, as the client device does.
async fn connect_as(core: &Rc<Core>, to: &Address, id: ClientId) -> Client {
    let mut client = greet(core, to).await;
    assert_eq!(client.option(Opt::StructuredReply, &[]).await.0, OptReply::Ack);
    let (mut data, query) = (Vec::new(), id.query());
    ContextQuery { export: "a", queries: vec![&query] }.push(&mut data);
    let (reply, listed) = client.option(Opt::ListMetaContext, &data).await;
    assert_eq!((reply, listed.len()), (OptReply::Ack, 1), "the server knows of names");
    assert_eq!(client.go("a").await, OptReply::Ack);
    client
}

/// A right that is given when a test says so.
#[derive(Default)]
struct Later {
    may_write: Cell<bool>,
}

impl WriteRight for Later {
    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer {
        Box::pin(async move {
            while !self.may_write.get() {
                core.sleep(MS).await;
            }
            Ok(())
        })
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn release(&self) {}
}

#[test]
fn who_comes_again_ends_its_earlier_connection_and_no_other() {
    story(config(), |core, to, server| async move {
        let old = connect_as(&core, &to, ONE).await;
        let mut other = connect_as(&core, &to, OTHER).await;
        let mut nameless = connect(&core, &to, "a").await;
        let mut new = connect_as(&core, &to, ONE).await;
        assert!(old.try_take(1).await.is_none(), "the earlier connection is cut");
        for client in [&mut new, &mut other, &mut nameless] {
            client.write(0, &pattern(512, 1)).await.unwrap();
        }
        assert_eq!(server.stats().connections.len(), 3);
    });
}

#[test]
fn half_a_write_of_an_earlier_connection_is_never_executed() {
    story(config(), |core, to, _| async move {
        let mut old = connect_as(&core, &to, ONE).await;
        old.ask(Command::Write, NO_FLAGS, (0, 4096), &pattern(2048, 1)).await;
        let mut new = connect_as(&core, &to, ONE).await;
        assert_eq!(new.read(0, 4096).await.unwrap(), vec![0; 4096]);
    });
}

#[test]
fn nobody_is_let_in_while_an_earlier_request_may_still_be_executed() {
    let right = Rc::new(Later::default());
    let mut config = config();
    config.exports[0].right = Rc::clone(&right) as Rc<dyn WriteRight>;
    story(config, |core, to, server| async move {
        let mut old = connect_as(&core, &to, ONE).await;
        old.ask(Command::Write, NO_FLAGS, (0, 512), &pattern(512, 1)).await;
        while server.stats().connections[0].requests == 0 {
            core.sleep(MS).await;
        }
        let is_in = Rc::new(Cell::new(false));
        let coming = {
            let (core, to, is_in) = (Rc::clone(&core), to.clone(), Rc::clone(&is_in));
            async move {
                let client = connect_as(&core, &to, ONE).await;
                is_in.set(true);
                client
            }
        };
        let coming = core.spawn(Class::Foreground, "comes again", coming);
        assert!(old.try_take(1).await.is_none(), "the earlier connection is cut");
        // A client without a name is let in meanwhile, so the server is not merely slow.
        drop(connect(&core, &to, "a").await);
        assert!(!is_in.get(), "the earlier write waits");
        right.may_write.set(true);
        let mut new = coming.await.unwrap();
        assert!(new.read(0, 512).await.unwrap() == pattern(512, 1), "it was executed before");
        assert_eq!(server.stats().exports[0].counts.written_bytes, 512);
    });
}
