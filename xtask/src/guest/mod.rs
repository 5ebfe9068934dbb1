//! `cargo xtask guest`: a throw-away guest with Debian's kernel, to meet the kernel's own iSCSI
//! and its NBD driver.
//!
//! QEMU emulates the processor (no KVM), boots an initramfs that is put together here and ends with
//! the status of the guest's script. Guest and programs of the host meet in a network namespace of
//! their own, where the host is 10.77.0.1 and the guest 10.77.0.2: nothing of the machine's own
//! network is touched. What is fetched lies below `target/guest/`. Needs root, for the namespace.

use clap::{Args as ClapArgs, Subcommand};
use std::time::Duration;

use crate::exec::{self, Outcome};
use crate::packages::Need;

mod boot;
mod console;
mod image;
mod initiator;
mod kernel;
mod libraries;
mod lio;
mod machine;
mod migrate;
mod modules;
mod nbd;
mod network;
mod newc;
mod own;
mod qmp;
mod sysroot;
mod tgt;
mod tsc;

/// How long a guest may take, from its start to the end of its script.
const TIMEOUT: Duration = Duration::from_secs(110);
/// What the guests for iSCSI need on the host.
pub(crate) const NEEDS: &[Need] = &[
    Need::Root,
    Need::Tap,
    Need::Program("qemu-system-x86_64"),
    Need::Program("ip"),
    Need::Program("xz"),
    Need::Program("dpkg-deb"),
    Need::Program("tgtd"),
    Need::Program("iscsi-inq"),
];
/// What the guest with the NBD driver needs.
pub(crate) const NBD_NEEDS: &[Need] = &[
    Need::Root,
    Need::Tap,
    Need::Program("qemu-system-x86_64"),
    Need::Program("ip"),
    Need::Program("xz"),
    Need::Program("dpkg-deb"),
    Need::Program("mkfs.ext4"),
    Need::Program("strip"),
];

/// What moving a guest needs.
pub(crate) const MIGRATE_NEEDS: &[Need] = &[
    Need::Program("qemu-system-x86_64"),
    Need::Program("qemu-io"),
    Need::Program("xz"),
    Need::Program("dpkg-deb"),
];

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// The kernel's target before libiscsi's tools, and the kernel's initiator before tgt
    Check,
    /// A guest with the kernel's target (LIO), and a command that finds its unit in BYWAY_LIO_URI
    Lio {
        /// Who may log in, by CHAP; everyone otherwise
        #[arg(long, value_name = "USER:SECRET")]
        chap: Option<String>,
        /// Run in the guest's network; without one, the guest stays until the console is closed
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// A guest whose kernel logs in to a target that the command serves, writes and reads back
    Initiator {
        #[command(flatten)]
        login: initiator::Login,
        /// A target that listens on 10.77.0.1:3260 of the guest's network; without one, tgt
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// A guest whose kernel attaches an NBD export, and keeps it while its server is killed
    Nbd {
        /// Whose server
        #[arg(long, default_value = "byway")]
        server: nbd::Server,
    },
    /// A guest that moves between two exports of one file, and back, while it writes
    Migrate,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let needs = match args.mode {
        Mode::Nbd { .. } => NBD_NEEDS,
        Mode::Migrate => MIGRATE_NEEDS,
        _ => NEEDS,
    };
    if let Some(reason) = needs.iter().find_map(Need::missing) {
        println!("guest: skipped: {reason}");
        return Ok(());
    }
    match &args.mode {
        Mode::Check => check(),
        Mode::Lio { chap, command } if command.is_empty() => lio::stay(chap.as_deref()),
        Mode::Lio { chap, command } => lio::with_command(chap.as_deref(), command),
        Mode::Initiator { login, command } => initiator::run(login, command),
        Mode::Nbd { server } => nbd::run(*server),
        Mode::Migrate => migrate::check(),
    }
}

/// Both guests against programs by others: what the tests of our own rely on.
/// A host that cannot fetch the packages is told so, as it is for programs that it lacks.
pub(crate) fn check() -> Outcome {
    if let Err(failure) = sysroot::sysroot(&folder()?) {
        println!("guest: skipped: no packages for a guest: {failure}");
        return Ok(());
    }
    lio::check()?;
    let login = initiator::Login { target: lio::TARGET.into(), digests: true, chap: None };
    initiator::run(&login, &[])?;
    own::check()
}

/// The kernel's NBD driver before our own server.
pub(crate) fn check_nbd() -> Outcome {
    if let Err(failure) = sysroot::sysroot(&folder()?) {
        println!("guest: skipped: no packages for a guest: {failure}");
        return Ok(());
    }
    nbd::check()
}

/// A guest that moves while it writes to one of our exports.
pub(crate) fn check_migrate() -> Outcome {
    if let Err(failure) = sysroot::sysroot(&folder()?) {
        println!("guest: skipped: no packages for a guest: {failure}");
        return Ok(());
    }
    migrate::check()
}

/// Where what is fetched and built lies.
fn folder() -> Outcome<std::path::PathBuf> {
    let folder = exec::target_dir().join("guest");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}
