//! `byway nbd list`: devices with something behind them.

use byway_export::nbd::kernel::{Control, Disk};
use serde::Serialize;

use super::super::failure::Failure;
use super::super::{output, text};
use super::args::ListArgs;

/// A device, as it is printed.
#[derive(Serialize)]
struct Device {
    device: String,
    /// Bytes.
    size: Option<u64>,
    read_only: bool,
    /// What is behind it, where that was said.
    backend: Option<String>,
    /// Where it is mounted, or what lies on it.
    user: Option<String>,
    /// The longest request, in KiB.
    max_sectors_kb: Option<u32>,
}

pub(super) fn run(args: &ListArgs) -> Result<(), Failure> {
    let attached = Control::open()?.status(None)?.into_iter().filter(|d| d.is_connected);
    let devices: Vec<_> = attached.map(|device| look(&Disk { index: device.index })).collect();
    if args.json { text::print_json(&devices) } else { output::print(&table(&devices)) }
}

fn look(disk: &Disk) -> Device {
    Device {
        device: disk.device(),
        size: disk.size(),
        read_only: disk.is_read_only(),
        backend: disk.backend(),
        user: disk.user(),
        max_sectors_kb: disk.request_kib(),
    }
}

fn table(devices: &[Device]) -> String {
    if devices.is_empty() {
        return "nothing is attached\n".into();
    }
    let known = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".into());
    let row = |device: &Device| {
        let size = device.size.map_or("-".into(), text::size);
        let mode = if device.read_only { "read-only" } else { "writable" };
        let (backend, user) = (known(&device.backend), known(&device.user));
        vec![device.device.clone(), size, mode.into(), user, backend]
    };
    let rows: Vec<_> = devices.iter().map(row).collect();
    text::table(&["device", "size", "mode", "used by", "backend"], &rows)
}
