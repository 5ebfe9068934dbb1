//! The daemon as a process: checked, started, asked, reloaded and stopped, as service managers,
//! monitoring systems and NBD clients do it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "each test file needs a part of these helpers")]
mod common;
#[path = "common/daemon.rs"]
mod daemon;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Folder, byway};
use daemon::{Daemon, export, has, head, http, run, status};

#[test]
fn a_daemon_serves_tells_reloads_and_stops() {
    let folder = Folder::new("serve");
    let mut daemon = Daemon::start(&folder, &(head(&folder) + &export("one", "mem:8m")));
    let uri = daemon.line();
    assert!(uri.starts_with("nbd+unix:///one?socket="), "{uri}");
    let metrics = daemon.line();
    let metrics = metrics.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    let mode = std::fs::metadata(folder.path("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the control socket is its owner's");
    assert_eq!(status(&folder)["exports"][0]["size"], 8 << 20);

    if has("nbdinfo") {
        assert_eq!(run(Command::new("nbdinfo").args(["--size", &uri])).trim(), "8388608");
        let (content, copied) = (vec![7; 8 << 20], folder.path("copy"));
        std::fs::write(&copied, &content).unwrap();
        run(Command::new("nbdcopy").arg(&copied).arg(&uri));
        run(Command::new("nbdcopy").arg(&uri).arg(&copied));
        assert!(std::fs::read(&copied).unwrap() == content, "what was written is read");
        let page = http(metrics, "/metrics");
        assert!(page.contains("byway_nbd_read_bytes_total{export=\"one\"} 8388608"), "{page}");
        assert!(page.contains("byway_nbd_latency_seconds_count{export=\"one\"}"));
        assert_eq!(status(&folder)["exports"][0]["read_bytes"], 8 << 20);
    }

    let more = head(&folder) + &export("two", "mem:4m") + &export("one", "mem:8m");
    std::fs::write(folder.path("byway.toml"), more).unwrap();
    daemon.signal("-HUP");
    daemon.hears("RELOADING=1");
    assert!(daemon.hears("READY=1").contains("2 exports"));
    let names = |status: serde_json::Value| {
        let all = status["exports"].as_array().unwrap().clone();
        all.iter().map(|export| export["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(status(&folder)), ["one", "two"], "the first has stayed");

    std::fs::write(folder.path("byway.toml"), "[[export]]\nname = 5").unwrap();
    daemon.signal("-HUP");
    assert!(daemon.hears("READY=1").contains("2 exports"), "a wrong one changes nothing");
    std::fs::write(folder.path("byway.toml"), head(&folder) + &export("two", "mem:4m")).unwrap();
    daemon.signal("-HUP");
    assert!(daemon.hears("READY=1").contains("1 exports"));
    assert_eq!(names(status(&folder)), ["two"]);

    let text = run(byway(&["status", "--control"]).arg(folder.path("control.sock")));
    assert!(text.contains("EXPORT") && text.contains("two"), "{text}");
    daemon.signal("-TERM");
    daemon.hears("STOPPING=1");
    assert!(daemon.child.wait().unwrap().success(), "an end in order");
    assert!(!folder.path("nbd.sock").exists(), "its socket is gone");
}

/// A verified load of that length; it has compared something, and nothing was wrong.
fn load(uri: &str, runtime: &str) -> Child {
    let mut command = byway(&["bench", "run", uri, "--rw", "randrw", "--verify", "crc32c"]);
    command.args(["--bs", "4k", "--qd", "8", "--warmup", "0s", "--runtime", runtime]);
    command.args(["--fill", "true", "--json", "-"]).stdout(Stdio::piped()).spawn().unwrap()
}

fn is_verified(load: Child) {
    let output = load.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let extra = &run["jobs"][0]["x"];
    assert_eq!(extra["errors"], 0);
    assert!(extra["verified"].as_u64().unwrap() > 0, "something was compared");
}

#[test]
fn a_client_stays_connected_while_other_exports_come_and_go() {
    let folder = Folder::new("reload");
    let config = head(&folder) + &export("one", "mem:8m");
    let mut daemon = Daemon::start(&folder, &config);
    let load = load(&daemon.line(), "2s");
    // The load itself reads; what comes before it asks and writes.
    while status(&folder)["exports"][0]["read_bytes"].as_u64() < Some(1 << 20) {}
    let before = status(&folder);
    for more in [export("two", "mem:4m"), String::new(), export("two", "mem:2m")] {
        std::fs::write(folder.path("byway.toml"), config.clone() + &more).unwrap();
        daemon.signal("-HUP");
        daemon.hears("RELOADING=1");
        daemon.hears("READY=1");
    }
    let then = status(&folder);
    assert_eq!(then["exports"].as_array().unwrap().len(), 2);
    assert_eq!(then["accepted"], before["accepted"], "nobody had to connect again");
    assert_eq!(then["exports"][0]["connections"], before["exports"][0]["connections"]);
    is_verified(load);
    assert_eq!(status(&folder)["exports"][0]["errors"], 0);
}

#[test]
fn a_target_is_served_beside_exports() {
    let folder = Folder::new("target");
    let name = "iqn.2026-11.org.example:disk";
    let target =
        format!("[[target]]\nname = \"{name}\"\nportals = \"127.0.0.1:0\"\nluns = [\"mem:8m\"]\n");
    let mut daemon = Daemon::start(&folder, &(head(&folder) + &export("one", "mem:8m") + &target));
    assert!(daemon.line().starts_with("nbd+unix:"));
    let uri = daemon.line();
    assert!(uri.starts_with("iscsi://127.0.0.1:") && uri.ends_with(name), "{uri}");
    is_verified(load(&format!("{uri}/0"), "500ms"));
    let told = status(&folder)["targets"][0].clone();
    assert_eq!((&told["name"], &told["errors"]), (&name.into(), &0.into()));
    let load = load(&format!("{uri}/0"), "1s");
    while status(&folder)["targets"][0]["commands"].as_u64() < Some(100) {}
    is_verified(load);
    daemon.signal("-TERM");
    daemon.hears("STOPPING=1");
    assert!(daemon.child.wait().unwrap().success(), "an end in order");
}

#[test]
fn an_export_of_the_command_line_tells_the_service_manager() {
    let folder = Folder::new("export-ready");
    let manager = UnixDatagram::bind(folder.path("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = byway(&["export", "mem:1m", "--with-parent", "--socket"]);
    command.arg(folder.path("nbd.sock")).env("NOTIFY_SOCKET", folder.path("notify"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let daemon = Daemon { child, out, manager };
    assert!(daemon.hears("READY=1").contains("1 exports"));
    assert!(folder.path("nbd.sock").exists(), "it listens");
    daemon.signal("-TERM");
    daemon.hears("STOPPING=1");
}

#[test]
fn a_file_that_grows_is_told_with_what_qemu_needs() {
    let folder = Folder::new("grows");
    let disk = folder.file("disk", 1 << 20);
    let config = head(&folder) + &export("disk", &common::file_uri(&disk));
    let _daemon = Daemon::start(&folder, &config);
    let text =
        |folder: &Folder| run(byway(&["status", "--control"]).arg(folder.path("control.sock")));
    assert!(!text(&folder).contains("QMP"));
    let file = std::fs::File::options().write(true).open(&disk).unwrap();
    file.set_len(2 << 20).unwrap();
    let text = text(&folder);
    assert!(text.contains("block_resize") && text.contains("2097152"), "{text}");
    if has("nbdinfo") {
        let uri = format!("nbd+unix:///disk?socket={}", folder.path("nbd.sock").display());
        assert_eq!(run(Command::new("nbdinfo").args(["--size", &uri])).trim(), "2097152");
    }
}

#[test]
fn sockets_of_a_service_manager_are_taken_over() {
    let folder = Folder::new("inherit");
    let listener = UnixListener::bind(folder.path("given.sock")).unwrap();
    let config = "[[listen]]\nsocket = \"nbd\"\n".to_owned() + &export("disk", "mem:1m");
    std::fs::write(folder.path("byway.toml"), config).unwrap();
    // The shell is the process that execs, so its number is that of the daemon.
    let script =
        "export LISTEN_PID=$$; exec \"$0\" serve --with-parent --config \"$1\" 3<&0 </dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_byway")]).arg(folder.path("byway.toml"));
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "nbd");
    command.stdin(std::os::fd::OwnedFd::from(listener)).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("given.sock"), "it says '{line}'");
    if has("nbdinfo") {
        assert_eq!(
            run(Command::new("nbdinfo").args(["--size", line.trim_end()])).trim(),
            "1048576"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_example_is_right_and_a_wrong_one_is_told_in_full() {
    let folder = Folder::new("check");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/byway.toml");
    let table = run(byway(&["config", "check"]).arg(&example));
    assert!(table.contains("mem:64m") && table.contains("byway-example.sock"), "{table}");
    // What is commented out is right too.
    let text = std::fs::read_to_string(&example).unwrap();
    let is_key = |line: &str| line.starts_with("# [") || line.split_once(" = ").is_some();
    let whole: Vec<_> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|_| is_key(line)).unwrap_or(line))
        .collect();
    let whole = whole.join("\n");
    let config = byway::daemon::config::Config::parse(&whole);
    assert!(config.is_ok(), "{config:#?}");

    let wrong = folder.path("wrong.toml");
    std::fs::write(&wrong, "[[export]]\nname = \"a\"\nuri = \"floppy:\"\nx = 1\n").unwrap();
    let output = byway(&["config", "check"]).arg(&wrong).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error.contains("wrong.toml:3: export 'a': uri") && error.contains("toml:4:"),
        "{error}"
    );
    let output = byway(&["config", "check", "--json"]).arg(&wrong).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], json["findings"].as_array().unwrap().len()), (&false.into(), 2));
}
