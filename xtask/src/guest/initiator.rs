//! A guest whose kernel logs in to a target on the host, writes, reads back and compares.
//!
//! The kernel's initiator needs the programs of open-iscsi for the login. The script logs in twice,
//! so that what it compares has not stayed in the guest's memory.

use std::process::Child;

use crate::exec::Outcome;

use super::boot::Guest;
use super::image::{self, Recipe};
use super::network::{HOST, Network};
use super::tgt::Tgt;

const MODULES: [&str; 5] =
    ["crc32c_generic", "sd_mod", "scsi_transport_iscsi", "libiscsi", "iscsi_tcp"];
const PROGRAMS: [&str; 2] = ["sbin/iscsid", "sbin/iscsiadm"];
const SCRIPT: &str = include_str!("initiator.sh");
/// `node.startup` and the like have defaults; these are what a test waits for.
const ISCSID: &str = "node.startup = manual\nnode.leading_login = No\n\
    node.session.timeo.replacement_timeout = 20\nnode.conn[0].timeo.login_timeout = 10\n\
    node.session.initial_login_retry_max = 4\nnode.session.scan = auto\n";

/// The target of a run: ends with this value.
enum Server {
    Tgt(#[expect(dead_code, reason = "ends with the value")] Tgt),
    Command(Child),
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Server::Command(child) = self {
            let _gone = child.kill();
            let _status = child.wait();
        }
    }
}

/// Boots the guest while `command`, or tgt, serves `target` on port 3260 of the host's address.
pub(super) fn run(target: &str, command: &[String]) -> Outcome {
    let recipe = Recipe {
        name: "initiator",
        modules: &MODULES,
        programs: &PROGRAMS,
        files: vec![
            ("etc/iscsi/iscsid.conf", ISCSID.to_owned()),
            ("etc/iscsi/initiatorname.iscsi", format!("InitiatorName={target}-guest\n")),
        ],
        script: SCRIPT.replace("@TARGET@", target).replace("@PORTAL@", &format!("{HOST}:3260")),
    };
    let image = image::build(&recipe)?;
    let network = Network::create()?;
    let _server = serve(&network, target, command)?;
    let mut guest = Guest::start(&image, &network)?;
    guest.wait_for("@@LOGIN ").map(|disk| println!("guest: logged in: {disk}"))?;
    guest.wait_for_success()?;
    println!("guest: what the kernel's initiator wrote came back");
    Ok(())
}

fn serve(network: &Network, target: &str, command: &[String]) -> Outcome<Server> {
    let Some((program, args)) = command.split_first() else {
        return Ok(Server::Tgt(Tgt::start(network, target)?));
    };
    let mut server = network.program(program);
    let child = server.args(args).spawn().map_err(|e| format!("{program}: {e}"))?;
    Ok(Server::Command(child))
}
