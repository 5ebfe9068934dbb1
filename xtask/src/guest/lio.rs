//! A guest that serves a unit by the kernel's own target, LIO, set up by hand in configfs.
//!
//! Without `crc32c_generic` every login fails, and without `/etc/target/pr` PERSISTENT RESERVE OUT.
//! The unit is a file in memory that takes UNMAP and WRITE SAME; whoever asks may log in and write.

use std::process::Command;

use crate::exec::{self, Outcome};

use super::boot::Guest;
use super::image::{self, Image, Recipe};
use super::network::{GUEST, Network};

/// The target's name.
pub(super) const TARGET: &str = "iqn.2026-01.org.byway:guest";
const MODULES: [&str; 4] =
    ["crc32c_generic", "target_core_mod", "target_core_file", "iscsi_target_mod"];
const SCRIPT: &str = include_str!("lio.sh");

/// The guest's unit, as libiscsi's tools and our own commands take it.
fn uri() -> String {
    format!("iscsi://{GUEST}:3260/{TARGET}/0")
}

/// A guest whose target answers, with what it runs from.
struct Served {
    guest: Guest,
    network: Network,
    _image: Image,
}

/// Who may log in: everyone, or who knows `USER:SECRET`.
fn script(chap: Option<&str>) -> Outcome<String> {
    let (user, secret) = match chap.map(|word| word.split_once(':')) {
        None => ("", ""),
        Some(Some(pair)) => pair,
        Some(None) => return Err("--chap: write USER:SECRET".into()),
    };
    let places = [("@TARGET@", TARGET), ("@ADDRESS@", GUEST), ("@USER@", user)];
    let filled = places.iter().fold(SCRIPT.to_owned(), |text, (key, word)| text.replace(key, word));
    Ok(filled.replace("@SECRET@", secret))
}

fn serve(chap: Option<&str>) -> Outcome<Served> {
    let recipe = Recipe {
        name: "lio",
        memory_mib: image::MEMORY_MIB,
        modules: &MODULES,
        programs: &[],
        host_programs: vec![],
        files: vec![],
        script: script(chap)?,
    };
    let image = image::build(&recipe)?;
    let network = Network::create()?;
    let mut guest = Guest::start(&image, &network)?;
    let up = guest.wait_for("@@READY ")?;
    println!("guest: LIO serves {} after {up} s of the guest's clock", uri());
    Ok(Served { guest, network, _image: image })
}

/// Runs a command in the guest's network, with the unit in BYWAY_LIO_URI.
pub(super) fn with_command(chap: Option<&str>, words: &[String]) -> Outcome {
    let served = serve(chap)?;
    let (program, args) = words.split_first().expect("clap has parsed at least one word");
    let mut command = served.network.program(program);
    exec::run(command.args(args).env("BYWAY_LIO_URI", uri()))
}

/// Keeps the guest until it ends or the terminal interrupts.
pub(super) fn stay(chap: Option<&str>) -> Outcome {
    let mut served = serve(chap)?;
    println!("guest: to reach it: ip netns exec {} iscsi-inq {}", served.network.name(), uri());
    served.guest.show();
    Ok(())
}

/// What libiscsi's tools see of the unit.
pub(super) fn check() -> Outcome {
    let served = serve(None)?;
    let portal = format!("iscsi://{GUEST}:3260/");
    let ask = |name: &str, words: &[&str], expected: &str| {
        let mut command: Command = served.network.program("timeout");
        let text = exec::output(command.args(["60", name]).args(words))?;
        let words_of = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = text.lines().map(words_of).find(|line| line.contains(expected));
        let line = line.ok_or_else(|| format!("{name} {words:?} printed no {expected}: {text}"))?;
        println!("guest: {name}: {line}");
        Ok::<(), String>(())
    };
    ask("iscsi-ls", &["-s", &portal], "Type:DIRECT_ACCESS")?;
    ask("iscsi-inq", &[&uri()], "Peripheral Device Type:DIRECT_ACCESS")?;
    // Total, run, passed, failed.
    let register = ["-d", "-n", "-t", "SCSI.ProutRegister.Simple", &uri()];
    ask("iscsi-test-cu", &register, "tests 1 1 1 0")
}
