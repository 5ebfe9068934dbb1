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

/// How the guest logs in.
#[derive(clap::Args)]
pub(super) struct Login {
    /// The target's name
    #[arg(long, default_value = super::lio::TARGET)]
    pub(super) target: String,
    /// With checksums over headers and data
    #[arg(long)]
    pub(super) digests: bool,
    /// With a password, by CHAP; the command's target has to know it
    #[arg(long, value_name = "USER:SECRET")]
    pub(super) chap: Option<String>,
}

impl Login {
    /// The configuration of iscsid, which records hold that discovery makes.
    fn iscsid(&self) -> Outcome<String> {
        let mut text = ISCSID.to_owned();
        if self.digests {
            text += "node.conn[0].iscsi.HeaderDigest = CRC32C\n\
                     node.conn[0].iscsi.DataDigest = CRC32C\n";
        }
        if let Some(word) = &self.chap {
            let (user, secret) = word.split_once(':').ok_or("--chap: write USER:SECRET")?;
            text += &format!(
                "node.session.auth.authmethod = CHAP\nnode.session.auth.username = {user}\n\
                 node.session.auth.password = {secret}\n\
                 discovery.sendtargets.auth.authmethod = CHAP\n\
                 discovery.sendtargets.auth.username = {user}\n\
                 discovery.sendtargets.auth.password = {secret}\n"
            );
        }
        Ok(text)
    }
}

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

/// Boots the guest while `command`, or tgt, serves the target on port 3260 of the host's address.
pub(super) fn run(login: &Login, command: &[String]) -> Outcome {
    let target = login.target.as_str();
    let recipe = Recipe {
        name: "initiator",
        memory_mib: image::MEMORY_MIB,
        modules: &MODULES,
        programs: &PROGRAMS,
        host_programs: vec![],
        files: vec![
            ("etc/iscsi/iscsid.conf", login.iscsid()?),
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
