//! A guest whose kernel attaches NBD exports by `byway nbd`: a file system over four sockets while
//! server and watcher are killed, and an export that grows.
//!
//! Server, watcher and kernel are in the guest; the server is our own, or nbdkit. The programs are
//! those of the host, with their libraries; ours goes without its debug information, which a small
//! guest has no room for.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::exec::{self, Outcome};

use super::boot::Guest;
use super::folder;
use super::image::{self, HostProgram, Recipe};
use super::network::Network;

const MODULES: [&str; 3] = ["crc32c_generic", "ext4", "nbd"];
const SCRIPT: &str = include_str!("nbd.sh");
/// A server pins 256 MiB, and one that was killed gives them back when its successor has begun.
const MEMORY_MIB: u32 = 1024;
/// Programs of the host: e2fsprogs brings them.
const E2FSPROGS: [&str; 3] = ["mkfs.ext4", "e2fsck", "resize2fs"];
/// What the script says on its way.
const MARKERS: [&str; 5] = ["@@ATTACHED ", "@@RESUMED ", "@@TAKEN_UP ", "@@GREW ", "@@TCP "];
const NBDKIT_PLUGIN: &str = "usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-file-plugin.so";

/// Whose server the kernel meets.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Server {
    Byway,
    Nbdkit,
}

impl Server {
    /// Its command lines on a Unix socket and on a port of the guest's loopback.
    fn lines(self) -> [&'static str; 2] {
        match self {
            Server::Byway => [
                "byway export file:/tmp/disk?direct=off --name disk --socket /run/nbd.sock",
                "byway export file:/tmp/disk?direct=off --name disk --listen 127.0.0.1:10809",
            ],
            Server::Nbdkit => [
                "nbdkit -f -U /run/nbd.sock file /tmp/disk",
                "nbdkit -f -i 127.0.0.1 -p 10809 file /tmp/disk",
            ],
        }
    }
}

/// Our own server, and the only one that the guest's step needs.
pub(super) fn check() -> Outcome {
    run(Server::Byway)
}

/// Boots the guest and waits for the end of its story.
pub(super) fn run(server: Server) -> Outcome {
    let mut programs = vec![HostProgram { here: own_program()?, there: "bin/byway".into() }];
    for name in E2FSPROGS {
        programs.push(HostProgram { here: found(name)?, there: format!("bin/{name}") });
    }
    if server == Server::Nbdkit {
        programs.push(HostProgram { here: found("nbdkit")?, there: "bin/nbdkit".into() });
        let here = Path::new("/").join(NBDKIT_PLUGIN);
        programs.push(HostProgram { here, there: NBDKIT_PLUGIN.into() });
    }
    let [at_socket, at_port] = server.lines();
    let script = SCRIPT.replace("@SOCKET_SERVER@", at_socket).replace("@PORT_SERVER@", at_port);
    let recipe = Recipe {
        name: "nbd",
        memory_mib: MEMORY_MIB,
        modules: &MODULES,
        programs: &[],
        host_programs: programs,
        files: vec![],
        script,
    };
    let image = image::build(&recipe)?;
    let network = Network::create()?;
    let mut guest = Guest::start(&image, &network)?;
    for marker in MARKERS {
        let said = guest.wait_for(marker)?;
        println!("guest: {} {said}", marker.trim_matches(['@', ' ']).to_lowercase());
    }
    guest.wait_for_success()?;
    println!("guest: what was written over NBD came back, and the file system is whole");
    Ok(())
}

/// The binary of this workspace without debug information.
fn own_program() -> Outcome<PathBuf> {
    exec::run(Command::new("cargo").args(["build", "--offline", "-q", "-p", "byway"]))?;
    let stripped = folder()?.join("byway");
    let mut strip = exec::program("strip");
    strip.arg("-o").arg(&stripped).arg(exec::target_dir().join("debug/byway"));
    exec::run(&mut strip)?;
    Ok(stripped)
}

/// Where a program of the host lies.
fn found(name: &str) -> Outcome<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let path = folders.iter().map(|folder| Path::new(folder).join(name)).find(|p| p.is_file());
    path.ok_or_else(|| format!("{name} is not on this host"))
}
