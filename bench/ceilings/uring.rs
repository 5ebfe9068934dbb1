//! Random reads through io_uring with every option that helps: one registered file opened for
//! direct I/O, fixed buffers, a ring of one issuer that runs completions itself, and one system
//! call that submits and waits for a batch. No latency, no error handling beyond the first error.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::{fd::AsRawFd, unix::fs::OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue::SubmissionQueue, types};

use crate::{Figures, cpu_ns, pin};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// A file or block device.
    pub path: PathBuf,
    /// Requests in flight.
    pub qd: u32,
    /// Bytes of each request.
    pub bs: u32,
    /// How long is measured, after a tenth of it uncounted.
    pub runtime: Duration,
    /// The processor to pin the thread to.
    pub cpu: Option<usize>,
    /// Completions that a system call waits for.
    pub batch: u32,
}

struct Loop {
    ring: IoUring,
    reads: Reads,
    syscalls: u64,
    done: u64,
}

#[derive(Clone)]
#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "the kernel writes it")] [u8; 4096]);

struct Reads {
    buffers: Vec<Page>,
    bs: u32,
    blocks: u64,
    random: u64,
}

/// Runs the loop on this thread.
pub fn run(ceiling: &Ceiling) -> io::Result<Figures> {
    pin(ceiling.cpu)?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(&ceiling.path)?;
    let mut state = Loop::new(ceiling, &file)?;
    (0..ceiling.qd).for_each(|slot| state.reads.push(&mut state.ring.submission(), slot));
    state.spin(ceiling.batch, ceiling.runtime / 10)?;
    let (done, syscalls, cpu, start) = (state.done, state.syscalls, cpu_ns(), Instant::now());
    state.spin(ceiling.batch, ceiling.runtime)?;
    let elapsed = start.elapsed();
    let figures =
        Figures::of(state.done - done, elapsed, cpu_ns() - cpu, state.syscalls - syscalls);
    // Nothing may be in flight when the buffers are freed.
    state.ring.submit_and_wait(ceiling.qd as usize)?;
    Ok(figures)
}

impl Loop {
    fn new(ceiling: &Ceiling, file: &File) -> io::Result<Loop> {
        let size = (&*file).seek(SeekFrom::End(0))?;
        let blocks = size / u64::from(ceiling.bs);
        if blocks == 0 || ceiling.qd == 0 {
            return Err(io::Error::other("no block to read or no request in flight"));
        }
        let mut base = IoUring::builder();
        base.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
        let newest = base.clone().setup_no_sqarray().build(ceiling.qd);
        let ring = newest.or_else(|_| base.build(ceiling.qd))?;
        let len = ceiling.qd as usize * ceiling.bs as usize;
        let mut buffers = vec![Page([0; 4096]); len.div_ceil(4096)];
        let iovec = libc::iovec { iov_base: buffers.as_mut_ptr().cast(), iov_len: len };
        // SAFETY: the buffers live in `Loop` beside the ring and do not move (a vector's heap
        // block); `run` waits for what is in flight before they are freed.
        unsafe { ring.submitter().register_buffers(&[iovec]) }?;
        ring.submitter().register_files(&[file.as_raw_fd()])?;
        let reads = Reads { buffers, bs: ceiling.bs, blocks, random: 0x9e37_79b9_7f4a_7c15 };
        Ok(Loop { ring, reads, syscalls: 0, done: 0 })
    }

    fn turn(&mut self, batch: u32) -> io::Result<()> {
        self.ring.submit_and_wait(batch as usize)?;
        self.syscalls += 1;
        let (_, mut queue, completions) = self.ring.split();
        for entry in completions {
            if entry.result() != self.reads.bs as i32 {
                return Err(io::Error::from_raw_os_error((-entry.result()).max(libc::EIO)));
            }
            self.done += 1;
            self.reads.push(&mut queue, entry.user_data() as u32);
        }
        Ok(())
    }

    fn spin(&mut self, batch: u32, span: Duration) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < span {
            self.turn(batch)?;
        }
        Ok(())
    }
}

impl Reads {
    fn push(&mut self, queue: &mut SubmissionQueue<'_>, slot: u32) {
        // A linear congruence (D. Knuth, MMIX); its high bits pick the block.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let block = (u128::from(self.random) * u128::from(self.blocks)) >> 64;
        let at = slot as usize * self.bs as usize;
        let address = self.buffers.as_mut_ptr().cast::<u8>().wrapping_add(at);
        let read = opcode::ReadFixed::new(types::Fixed(0), address, self.bs, 0)
            .offset(block as u64 * u64::from(self.bs))
            .build()
            .user_data(u64::from(slot));
        // SAFETY: each slot has its own part of the registered buffers and one read at a time.
        unsafe { queue.push(&read) }.expect("the queue has an entry for every slot");
    }
}
