//! Byway's own initiator before the kernel's target, and the kernel's initiator before Byway's own
//! target, with secrets and digests.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::exec::{self, Outcome};

use super::{folder, initiator, lio};

/// What the own target is called where nothing is said.
const TARGET: &str = "iqn.2026-11.org.byway:target";
const USER: &str = "guest";
/// Long enough for CHAP, and known to everyone: it protects a network of one guest.
const SECRET: &str = "guest-and-host-know";

/// Both, one after the other.
pub(super) fn check() -> Outcome {
    let words = [
        "cargo",
        "test",
        "--offline",
        "-q",
        "-p",
        "byway",
        "--test",
        "iscsi",
        "the_kernels_target",
    ];
    lio::with_command(None, &words.map(str::to_owned))?;
    exec::run(Command::new("cargo").args(["build", "--offline", "-q", "-p", "byway"]))?;
    let chap = Some(format!("{USER}:{SECRET}"));
    let login = initiator::Login { target: TARGET.into(), digests: true, chap };
    initiator::run(&login, &server()?)
}

/// The own target as a command, on the address that the guest reaches.
fn server() -> Outcome<Vec<String>> {
    let file = folder()?.join("secret");
    let private = fs::write(&file, SECRET)
        .and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o600)));
    private.map_err(|error| format!("{}: {error}", file.display()))?;
    let program = exec::target_dir().join("debug/byway");
    let words = [
        program.display().to_string(),
        "target".into(),
        "serve".into(),
        "--with-parent".into(),
        "--lun".into(),
        "mem:64m".into(),
        "--portal".into(),
        "10.77.0.1:3260".into(),
        "--user".into(),
        USER.into(),
        "--secret".into(),
        file.display().to_string(),
    ];
    Ok(words.into())
}
