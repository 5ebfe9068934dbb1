//! Serves memory as an iSCSI target on a loopback port: `serve_mem [SIZE-IN-MIB [PORT [UNITS [BLOCK..]]]]`.
//!
//! For Debian's libiscsi: `iscsi-ls iscsi://127.0.0.1:PORT`, `iscsi-test-cu --dataloss URL`. Says
//! where it listens on the first line, and serves until its input ends.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::core::{CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::Reactor;
use byway_export::iscsi::{Entropy, LunConfig, PortalConfig, Target, TargetConfig};

const NAME: &str = "iqn.2026-01.org.byway:memory";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let size = args.next().transpose()?.unwrap_or(1024) << 20;
    let port = args.next().transpose()?.unwrap_or(0);
    let units = args.next().transpose()?.unwrap_or(1) as u16;
    let arena = ArenaConfig { len: 512 << 20, huge: false };
    let reactor =
        Reactor::new(&CoreConfig { arena, poll_mode: PollMode::Adaptive, ..<_>::default() })?;
    let mut config = TargetConfig::new(NAME, entropy())?;
    config.portals.push(PortalConfig::new(format!("127.0.0.1:{port}").parse()?));
    let is_null = std::env::var_os("SERVE_NULL").is_some();
    for number in 0..units {
        let device: Arc<dyn BlockDevice> =
            if is_null { Arc::new(NullDevice::new(size)) } else { Arc::new(MemDevice::new(size)?) };
        let mut unit = LunConfig::new(number, device, &format!("mem{number}"));
        unit.block_len = args.next().transpose()?.map(|len| len as u32);
        config.units.push(unit);
    }
    reactor.run(|core| async move {
        let target = Target::start(&core, config)?;
        let mut out = std::io::stdout();
        for address in target.addresses() {
            writeln!(out, "iscsi://{address}/{NAME}/0")?;
        }
        out.flush()?;
        let (handle, ended) = (core.handle(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let seen = Arc::clone(&ended);
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            seen.store(true, std::sync::atomic::Ordering::Release);
            handle.notify();
        });
        while !ended.load(std::sync::atomic::Ordering::Acquire) {
            core.sleep(100_000_000).await;
        }
        target.stop().await;
        Ok(())
    })
}

/// Numbers that anyone can foresee: there are no secrets here.
fn entropy() -> Entropy {
    let count = Cell::new(0u8);
    Rc::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            count.set(count.get().wrapping_add(1));
            *byte = count.get();
        }
    })
}
