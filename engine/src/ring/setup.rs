//! Setting a ring up: the best flags that this kernel takes, then the registrations.

use std::io;

use io_uring::{IoUring, Probe, opcode};

use super::features::{Feature, FeatureSet};
use crate::error::SetupError;

/// Entries of the submission queue. More requests than that are submitted in several calls.
pub const SQ_ENTRIES: u32 = 256;
/// Entries of the completion queue; the kernel keeps what overflows.
pub const CQ_ENTRIES: u32 = 4096;

/// Builds a ring with the best flags; tells which features it has.
pub(super) fn build(off: FeatureSet, polled: bool) -> Result<(IoUring, FeatureSet), SetupError> {
    let mut wanted = FeatureSet::NONE;
    for flag in [Feature::DeferTaskrun, Feature::CoopTaskrun, Feature::NoSqArray] {
        if !off.has(flag) {
            wanted.insert(flag);
        }
    }
    let mut ring = try_build(wanted, polled);
    // Newest first: drop one flag at a time until the kernel takes the rest.
    for flag in [Feature::NoSqArray, Feature::DeferTaskrun, Feature::CoopTaskrun] {
        if matches!(&ring, Err(e) if e.raw_os_error() == Some(libc::EINVAL)) {
            wanted.remove(flag);
            ring = try_build(wanted, polled);
        }
    }
    let ring = ring.map_err(explain)?;
    Ok((ring, wanted))
}

fn try_build(flags: FeatureSet, polled: bool) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(CQ_ENTRIES).setup_clamp().setup_submit_all();
    if flags.has(Feature::DeferTaskrun) {
        builder.setup_single_issuer().setup_defer_taskrun();
    }
    if flags.has(Feature::CoopTaskrun) {
        builder.setup_coop_taskrun().setup_taskrun_flag();
    }
    if flags.has(Feature::NoSqArray) {
        builder.setup_no_sqarray();
    }
    if polled {
        builder.setup_iopoll();
    }
    builder.build(SQ_ENTRIES)
}

/// Says in words why the kernel gave no ring.
pub(super) fn explain(error: io::Error) -> SetupError {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let remedy = match (error.raw_os_error(), disabled.as_deref().map(str::trim)) {
        (Some(libc::ENOSYS), _) => "use a kernel of version 6.1 or newer with CONFIG_IO_URING",
        (_, Ok("2")) => "set the sysctl kernel.io_uring_disabled to 0",
        (_, Ok("1")) => "set kernel.io_uring_disabled to 0, or join the group io_uring_group",
        (Some(libc::ENOMEM), _) => "raise the limit of locked memory (ulimit -l)",
        (Some(libc::EPERM), _) => "allow io_uring in the container's seccomp profile",
        (Some(libc::EMFILE | libc::ENFILE), _) => "raise the limit of open files (ulimit -n)",
        _ => "see dmesg and the sysctl kernel.io_uring_disabled",
    };
    SetupError::new("io_uring", error.to_string(), remedy)
}

/// Adds the features that are found by asking or trying, less those forced off.
pub(super) fn probe(ring: &IoUring, off: FeatureSet, features: &mut FeatureSet) {
    let mut probe = Probe::new();
    let known = ring.submitter().register_probe(&mut probe).is_ok();
    let has = |code: u8| known && probe.is_supported(code);
    let found = [
        (Feature::MsgRing, has(opcode::MsgRingData::CODE)),
        // Multishot accept came with buffer rings (5.19), whose opcode neighbours are Socket
        // (5.19) and, for multishot receive (6.0), SendZc (6.0).
        (Feature::MultishotAccept, has(opcode::Socket::CODE)),
        (Feature::BufferRing, has(opcode::Socket::CODE)),
        (Feature::MultishotReceive, has(opcode::SendZc::CODE)),
        // Announced by no probe: the first discard tells, and falls back.
        (Feature::DiscardCommand, has(opcode::UringCmd16::CODE)),
        (Feature::MinWait, ring.params().is_feature_min_timeout()),
        (Feature::Iopoll, true),
    ];
    for (feature, there) in found {
        if there && !off.has(feature) {
            features.insert(feature);
        }
    }
}
