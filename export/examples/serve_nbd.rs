//! Serves memory over NBD: `serve_nbd SOCKET [SIZE-IN-MIB [POLL [CORE]]]`, until its input ends.
//!
//! Then it says what it cost: processor time and system calls per request.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway_engine::block::mem::MemDevice;
use byway_engine::core::{CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::nbd::{ExportConfig, ListenOn, Server, ServerConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| args.get(at).map(String::as_str);
    let size = word(1).unwrap_or("256").parse::<u64>()? << 20;
    let poll_mode = PollMode::from_name(word(2).unwrap_or("never")).ok_or("a poll mode")?;
    let cpu = word(3).map(str::parse).transpose()?;
    let arena = ArenaConfig { len: 256 << 20, huge: false };
    let reactor = Reactor::new(&CoreConfig { arena, poll_mode, cpu, ..<_>::default() })?;
    let config = ServerConfig {
        listeners: vec![ListenOn::Address(Address::Unix(word(0).ok_or("a socket")?.into()))],
        exports: vec![ExportConfig::new("", Arc::new(MemDevice::new(size)?))],
        ..ServerConfig::default()
    };
    reactor.run(|core| async move {
        let server = Server::start(&core, config)?;
        let (handle, ended) = (core.handle(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&ended);
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            seen.store(true, Ordering::Release);
            handle.notify();
        });
        while !ended.load(Ordering::Acquire) {
            core.sleep(100_000_000).await;
        }
        let counts = server.stats().exports[0].counts;
        let calls = core.counters().syscalls as f64 / counts.requests.max(1) as f64;
        println!("{} requests, {calls:.3} system calls each", counts.requests);
        server.stop().await;
        Ok(())
    })
}
