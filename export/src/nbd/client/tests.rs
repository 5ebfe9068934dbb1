//! A server that shakes hands and never answers a request, and one that is left.

use std::cell::Cell;
use std::rc::Rc;

use byway_engine::ErrorKind;
use byway_engine::api::Disk;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::exec::Class;
use byway_engine::memory::{ArenaConfig, Lease};
use byway_engine::net::{Address, ListenOptions, Listener, Stream};
use byway_engine::reactor::Reactor;

use super::{NbdConfig, NbdDevice};

const MS: u64 = 1_000_000;
/// `NBD_OPT_EXPORT_NAME`.
const EXPORT_NAME: u32 = 1;
/// `NBD_REP_ERR_UNSUP`.
const UNSUPPORTED: u32 = 0x8000_0001;
/// `NBD_CMD_DISC`.
const DISCONNECT: u16 = 2;

async fn take(core: &Rc<Core>, stream: &Stream, len: u32) -> Option<Lease> {
    let (result, payload) = stream.receive_exact(core.lease(len).unwrap().into()).await;
    result.ok().and_then(|()| payload.into_lease())
}

async fn put(core: &Rc<Core>, stream: &Stream, bytes: &[u8]) {
    let mut lease = core.lease(bytes.len() as u32).unwrap();
    lease.copy_from_slice(bytes);
    stream.send(lease.into()).await.0.unwrap();
}

/// Lets a client in by the oldest way, to an export of 1 MiB.
async fn let_in(core: &Rc<Core>, stream: &Stream) -> Option<()> {
    put(core, stream, b"NBDMAGICIHAVEOPT\0\x03").await;
    take(core, stream, 4).await?;
    loop {
        let head = take(core, stream, 16).await?;
        let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let (option, len) = (word(8), word(12));
        if len > 0 {
            take(core, stream, len).await?;
        }
        if option == EXPORT_NAME {
            let size = (1u64 << 20).to_be_bytes();
            put(core, stream, &[&size[..], &1u16.to_be_bytes()].concat()).await;
            return Some(());
        }
        let magic = 0x0003_e889_0455_65a9_u64.to_be_bytes();
        let rest = [option, UNSUPPORTED, 0].map(u32::to_be_bytes).concat();
        put(core, stream, &[&magic[..], &rest].concat()).await;
    }
}

/// What the server has seen.
#[derive(Default)]
struct Seen {
    clients: Cell<u32>,
    requests: Cell<u32>,
    farewells: Cell<u32>,
}

/// Takes requests and answers none.
async fn be_mute(core: Rc<Core>, stream: Stream, seen: Rc<Seen>) {
    seen.clients.set(seen.clients.get() + 1);
    if let_in(&core, &stream).await.is_none() {
        return;
    }
    while let Some(request) = take(&core, &stream, 28).await {
        let count = match u16::from_be_bytes([request[6], request[7]]) {
            DISCONNECT => &seen.farewells,
            _ => &seen.requests,
        };
        count.set(count.get() + 1);
    }
}

/// Runs a story beside such a server.
fn story<F: Future<Output = ()> + 'static>(
    name: &str,
    tell: impl FnOnce(Rc<Core>, NbdConfig, Rc<Seen>) -> F + 'static,
) {
    let path = std::env::temp_dir().join(format!("byway-{name}-{}", std::process::id()));
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    let config = CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() };
    Reactor::new(&config).unwrap().run(|core| async move {
        let address = Address::Unix(path);
        let listener = Listener::bind(&core, &address, ListenOptions::default()).unwrap();
        let seen = Rc::new(Seen::default());
        let (house, counts) = (Rc::clone(&core), Rc::clone(&seen));
        core.spawn(Class::Latency, "mute server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mute = be_mute(Rc::clone(&house), stream, Rc::clone(&counts));
                house.spawn(Class::Latency, "mute connection", mute);
            }
        });
        tell(Rc::clone(&core), NbdConfig::new(address, ""), seen).await;
    });
}

#[test]
fn nothing_hangs_on_a_server_that_is_silent() {
    story("nbd-silent", |core, config, seen| async move {
        let config = NbdConfig { silence_ns: 20 * MS, reconnect_ns: 100 * MS, ..config };
        let device = NbdDevice::open_on(&core, config).await.unwrap();
        let disk = Disk::open(&core, &device).unwrap();
        let began = core.now();
        let (result, _) = disk.read(0, core.lease(4096).unwrap()).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PathLost, "{error}");
        assert!(error.to_string().contains("no reply in"), "{error}");
        assert!(core.now() - began >= 100 * MS, "it was sent again meanwhile");
        assert!(seen.clients.get() > 2 && seen.requests.get() > 2);
    });
}

#[test]
fn the_first_connection_is_used_and_left_in_order() {
    story("nbd-leave", |core, config, seen| async move {
        let device = NbdDevice::open_on(&core, config.clone()).await.unwrap();
        drop(Disk::open(&core, &device).unwrap());
        assert_eq!(seen.clients.get(), 1);
        drop(NbdDevice::open_on(&core, config).await.unwrap());
        while seen.farewells.get() < 1 || seen.clients.get() < 2 {
            byway_engine::core::yield_now().await;
        }
    });
}
