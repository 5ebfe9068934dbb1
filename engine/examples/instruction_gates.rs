//! The loops that `cargo xtask instructions` counts the instructions of.
//!
//! Each gate does a fixed number of operations in a function of its own and prints that number.
//! Nothing here makes a system call inside a gate, as valgrind knows no io_uring; what a gate needs
//! is set up before it.

use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::TimerWheel;
use byway_engine::api::Disk;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::block::{BlockDevice, Channel, Completions, Io};
use byway_engine::core::Core;
use byway_engine::cross::spsc::{self, Consumer, Producer};
use byway_engine::exec::Class;
use byway_engine::memory::Lease;
use hdrhistogram::Histogram;

/// Requests in flight, timers running and messages in a ring at a time.
const BATCH: usize = 32;
/// Operations of a gate.
const ITERATIONS: usize = 1000 * BATCH;
/// What the memory device holds, all of it written.
const MEM_LEN: u64 = 4 << 20;

fn main() -> ExitCode {
    let gate = std::env::args().nth(1).unwrap_or_default();
    let done = match gate.as_str() {
        "mailbox" => mailbox(),
        "timer_wheel" => timer_wheel(),
        "null_submit_complete" => {
            submit_complete(Arc::new(NullDevice::new(MEM_LEN)), gate_null_submit_complete)
        }
        "mem_submit_complete" => match MemDevice::new(MEM_LEN) {
            Ok(device) => submit_complete(Arc::new(device), gate_mem_submit_complete),
            Err(error) => Err(error.to_string()),
        },
        "native_submit_complete" => native_submit_complete(),
        "histogram_record" => histogram_record(),
        other => Err(format!(
            "{other:?} is no gate; name one of mailbox, timer_wheel, null_submit_complete, \
             mem_submit_complete, native_submit_complete, histogram_record"
        )),
    };
    match done {
        Ok(()) => {
            println!("{ITERATIONS}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn mailbox() -> Result<(), String> {
    let (mut to, mut from) = spsc::ring(BATCH);
    gate_mailbox(&mut to, &mut from);
    Ok(())
}

#[inline(never)]
fn gate_mailbox(to: &mut Producer<[u64; 8]>, from: &mut Consumer<[u64; 8]>) {
    for round in 0..ITERATIONS / BATCH {
        for n in 0..BATCH {
            let is_full = to.push([(round * BATCH + n) as u64; 8]).is_err();
            assert!(!is_full, "the ring takes a batch");
        }
        for _ in 0..BATCH {
            black_box(from.pop());
        }
    }
}

fn timer_wheel() -> Result<(), String> {
    let mut wheel = TimerWheel::with_capacity(BATCH);
    let mut expired = Vec::with_capacity(BATCH);
    gate_timer_wheel(&mut wheel, &mut expired);
    assert!(wheel.is_empty(), "every timer expired or was cancelled");
    Ok(())
}

/// One operation is an insert and its end: every second timer is cancelled, the others expire.
#[inline(never)]
fn gate_timer_wheel(wheel: &mut TimerWheel<usize>, expired: &mut Vec<usize>) {
    let mut now_ns = 0;
    for _ in 0..ITERATIONS / BATCH {
        for n in 0..BATCH {
            let key = wheel.insert(now_ns + 50_000 * (n as u64 + 1), n);
            if n % 2 == 1 {
                black_box(wheel.cancel(key));
            }
        }
        black_box(wheel.next_deadline());
        now_ns += 50_000 * BATCH as u64;
        wheel.advance(now_ns, expired);
        black_box(expired.len());
        expired.clear();
    }
}

/// A gate over a channel: the same loop under two names, one for each device. They differ in a word
/// that the optimiser cannot see through, or it would make one function of them.
type ChannelGate = fn(&mut dyn Channel, &mut Vec<Lease>);

fn submit_complete(device: Arc<dyn BlockDevice>, gate: ChannelGate) -> Result<(), String> {
    let core = Core::standalone().map_err(|e| e.to_string())?;
    let mut channel = device.open_channel(&core).map_err(|e| e.to_string())?;
    let lease = || core.arena().lease(4096).ok_or("the arena is used up");
    let mut leases = (0..BATCH).map(|_| lease()).collect::<Result<Vec<Lease>, _>>()?;
    let mut done = Completions::new();
    for offset in (0..MEM_LEN).step_by(4096) {
        let lease = leases.pop().ok_or("a lease comes back with every completion")?;
        channel.submit(Io::write(offset, lease)).map_err(|_| "the channel is empty")?;
        channel.poll(&mut done);
        leases.extend(done.drain(..).filter_map(|c| c.payload.into_lease()));
    }
    gate(channel.as_mut(), &mut leases);
    Ok(())
}

#[inline(never)]
fn gate_null_submit_complete(channel: &mut dyn Channel, leases: &mut Vec<Lease>) {
    black_box("null");
    read_in_batches(channel, leases);
}

#[inline(never)]
fn gate_mem_submit_complete(channel: &mut dyn Channel, leases: &mut Vec<Lease>) {
    black_box("mem");
    read_in_batches(channel, leases);
}

/// Reads 4 KiB at offsets all over the device, a batch at a time.
#[inline(always)]
fn read_in_batches(channel: &mut dyn Channel, leases: &mut Vec<Lease>) {
    let mut done = Completions::with_capacity(BATCH);
    let mut block = 0;
    for _ in 0..ITERATIONS / BATCH {
        for lease in leases.drain(..) {
            block = (block + 389) % (MEM_LEN / 4096);
            let is_full = channel.submit(Io::read(block * 4096, lease)).is_err();
            assert!(!is_full, "the channel takes a batch");
        }
        channel.flush_submissions();
        channel.poll(&mut done);
        for completion in done.drain(..) {
            assert!(completion.result.is_ok(), "a read inside the device");
            leases.extend(completion.payload.into_lease());
        }
    }
}

/// The same through a reactor's tasks: as many tasks as a batch, a read each at a time.
fn native_submit_complete() -> Result<(), String> {
    let core = Core::standalone().map_err(|e| e.to_string())?;
    let disk = Disk::open(&core, &NullDevice::new(MEM_LEN)).map_err(|e| e.to_string())?;
    for _ in 0..BATCH {
        let (disk, mut lease) = (disk.clone(), core.lease(4096).ok_or("the arena is used up")?);
        let read_on = async move {
            for block in 0..(ITERATIONS / BATCH) as u64 {
                let (result, back) = disk.read(block % (MEM_LEN / 4096) * 4096, lease).await;
                assert!(result.is_ok(), "a read inside the device");
                lease = back;
            }
        };
        drop(core.spawn(Class::Foreground, "read", read_on));
    }
    gate_native_submit_complete(&core);
    core.shutdown();
    Ok(())
}

#[inline(never)]
fn gate_native_submit_complete(core: &Rc<Core>) {
    while !core.executor().is_empty() {
        core.turn(false);
    }
}

fn histogram_record() -> Result<(), String> {
    let mut histogram =
        Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(|e| e.to_string())?;
    gate_histogram_record(&mut histogram);
    assert_eq!(histogram.len(), ITERATIONS as u64, "every value is recorded");
    Ok(())
}

#[inline(never)]
fn gate_histogram_record(histogram: &mut Histogram<u64>) {
    for n in 0..ITERATIONS as u64 {
        histogram.saturating_record(black_box(500 + n * 7919 % 1_000_000));
    }
}
