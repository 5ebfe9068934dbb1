//! The daemon on two cores: who serves whom, and what holds for all of them together.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "each test file needs a part of these helpers")]
mod common;
#[allow(dead_code, reason = "each test file needs a part of these helpers")]
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/raw_nbd.rs"]
mod raw_nbd;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Folder, byway, file_uri};
use daemon::{Daemon, export, has, head, http, run, status};
use raw_nbd::RawClient;

/// NBD's number for what is not permitted.
const EPERM: u32 = 1;

/// The first two processors; nothing, and the test is skipped, where there are fewer.
fn two_cores() -> Option<[usize; 2]> {
    let [first, second, ..] = *byway_engine::core::processors() else {
        println!("one processor: skipped");
        return None;
    };
    Some([first, second])
}

/// `[daemon]` on two cores, with a control socket, metrics, and a listener for all exports.
fn on(cores: [usize; 2], folder: &Folder) -> String {
    let head = head(folder).replace("[daemon]\n", &format!("[daemon]\ncores = {cores:?}\n"));
    assert!(head.contains("cores"));
    head
}

fn connect(folder: &Folder, export: &str) -> RawClient {
    RawClient::connect(&folder.path("nbd.sock"), export).expect("there is room")
}

/// A number of each core.
fn of_cores(folder: &Folder, what: &str) -> Vec<u64> {
    let status = status(folder);
    let cores = status["cores"].as_array().unwrap();
    cores.iter().map(|core| core[what].as_u64().unwrap()).collect()
}

#[test]
fn connections_through_one_socket_are_served_by_both_cores() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-spread");
    let mut daemon = Daemon::start(&folder, &(on(cores, &folder) + &export("one", "mem:8m")));
    let mut clients: Vec<_> = (0..4).map(|_| connect(&folder, "one")).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.write(n as u64 * 4096, &[n as u8 + 1; 4096]), 0);
    }
    for client in &mut clients {
        for n in 0..4u8 {
            assert_eq!(client.read(u64::from(n) * 4096, 4096), [n + 1; 4096], "one disk for all");
        }
    }
    assert_eq!(of_cores(&folder, "connections"), [2, 2]);
    assert_eq!(of_cores(&folder, "requests"), [10, 10], "both cores have worked");
    let told = status(&folder);
    assert_eq!((&told["accepted"], &told["exports"][0]["requests"]), (&4.into(), &20.into()));
    let processors: Vec<_> = told["cores"].as_array().unwrap().iter().collect();
    assert_eq!(processors[1]["processor"], cores[1]);
    assert!(daemon.line().starts_with("nbd+unix:///one?socket="));
    let metrics = daemon.line();
    let metrics = metrics.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    let page = http(metrics, "/metrics");
    for line in [
        "byway_core_requests{core=\"1\"} 10",
        "byway_core_up{core=\"1\"} 1",
        "byway_nbd_requests_total{export=\"one\"} 20",
    ] {
        assert!(page.lines().any(|one| one == line), "{line} is not in\n{page}");
    }

    let table = run(byway(&["status", "--control"]).arg(folder.path("control.sock")));
    assert!(table.contains("PROCESSOR"), "{table}");

    // Who leaves makes room: the next two go to the core that has fewer.
    let gone = [clients.remove(2), clients.remove(0)];
    drop(gone);
    while of_cores(&folder, "connections") != [0, 2] {}
    clients.extend((0..2).map(|_| connect(&folder, "one")));
    assert_eq!(of_cores(&folder, "connections"), [2, 2]);

    daemon.signal("-TERM");
    daemon.hears("STOPPING=1");
    clients.iter_mut().for_each(RawClient::ends);
    assert!(daemon.child.wait().unwrap().success(), "an end in order");
    assert!(!folder.path("nbd.sock").exists(), "its socket is gone");
}

#[test]
fn a_flush_covers_what_the_other_core_has_acknowledged() {
    let Some(cores) = two_cores() else { return };
    if !has("nbdkit") {
        return;
    }
    let folder = Folder::new("cores-flush");
    let (socket, log) = (folder.path("below.sock"), folder.path("log"));
    let mut below = Command::new("nbdkit");
    below.args(["-f", "--exit-with-parent", "--filter=log", "-U"]).arg(&socket);
    below.args(["memory", "8m", &format!("logfile={}", log.display())]).stdout(Stdio::null());
    let mut below = below.spawn().unwrap();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {}
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    let daemon = Daemon::start(&folder, &(on(cores, &folder) + &export("one", &uri)));
    let [mut writer, mut flusher] = [connect(&folder, "one"), connect(&folder, "one")];
    assert_eq!(writer.write(4096, &[7; 4096]), 0);
    assert_eq!(flusher.flush(), 0);
    assert_eq!(of_cores(&folder, "requests"), [1, 1], "each was on a core of its own");
    drop(daemon);
    let text = std::fs::read_to_string(&log).unwrap();
    let at = |what: &str| text.lines().position(|line| line.contains(what)).expect(what);
    let (written, flushed) = (at("...Write"), at("Flush id"));
    assert!(written < flushed, "the flush below began after the write had ended:\n{text}");
    let connection = |line: usize| {
        let line = text.lines().nth(line).unwrap();
        line.split_whitespace().find(|word| word.starts_with("connection=")).unwrap().to_owned()
    };
    assert_ne!(connection(at("Write id")), connection(flushed), "each core has its own");
    below.kill().unwrap();
    below.wait().unwrap();
}

#[test]
fn a_reload_reaches_both_cores() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-reload");
    let config = on(cores, &folder) + &export("one", "mem:8m");
    let daemon = Daemon::start(&folder, &config);
    let mut stays: Vec<_> = (0..2).map(|_| connect(&folder, "one")).collect();
    let reload = |text: &str, exports: &str| {
        std::fs::write(folder.path("byway.toml"), text).unwrap();
        daemon.signal("-HUP");
        daemon.hears("RELOADING=1");
        assert!(daemon.hears("READY=1").contains(exports));
    };
    let own = format!("listen = \"unix:{}\"\n", folder.path("two.sock").display());
    reload(&(config.clone() + &export("two", "mem:4m") + &own), "2 exports");
    let mut two: Vec<_> = (0..2).map(|_| connect(&folder, "two")).collect();
    let own = RawClient::connect(&folder.path("two.sock"), "two");
    two.extend([own.unwrap(), RawClient::connect(&folder.path("two.sock"), "two").unwrap()]);
    for (n, client) in two.iter_mut().enumerate() {
        assert_eq!(client.write(n as u64 * 512, &[n as u8; 512]), 0);
    }
    assert_eq!(of_cores(&folder, "connections"), [3, 3], "two and two of the common, one and one");
    assert_eq!(status(&folder)["exports"][1]["connections"], 4);
    reload(&config, "1 exports");
    two.iter_mut().for_each(RawClient::ends);
    assert!(RawClient::connect(&folder.path("nbd.sock"), "two").is_none(), "on no core");
    assert!(RawClient::connect(&folder.path("nbd.sock"), "two").is_none());
    for client in &mut stays {
        assert_eq!(client.write(0, &[1; 512]), 0, "those of the others did not notice");
    }
}

#[test]
fn the_limit_of_connections_holds_for_all_listeners_and_cores_together() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-limit");
    let own = format!("listen = \"unix:{}\"\n", folder.path("own.sock").display());
    let config = on(cores, &folder).replace("[limits]\n", "[limits]\nconnections = 3\n");
    let _daemon = Daemon::start(&folder, &(config + &export("one", "mem:8m") + &own));
    let mut here: Vec<_> = (0..2).map(|_| connect(&folder, "one")).collect();
    here.push(RawClient::connect(&folder.path("own.sock"), "one").unwrap());
    for socket in ["nbd.sock", "own.sock"] {
        assert!(RawClient::connect(&folder.path(socket), "one").is_none(), "three are here");
    }
    assert_eq!(status(&folder)["turned_away"], 2);
    here.pop();
    // The place is free when the server has noticed that its client left.
    while RawClient::connect(&folder.path("nbd.sock"), "one").is_none() {}
}

/// Whether the daemon may write its first export.
fn has_right(folder: &Folder) -> bool {
    status(folder)["exports"][0]["has_right"].as_bool().unwrap()
}

/// Another process that exports a file.
fn stranger(folder: &Folder, disk: &Path) -> std::process::Child {
    let mut command = byway(&["export", &file_uri(disk), "--with-parent", "--socket"]);
    let child = command.arg(folder.path("other.sock")).stdout(Stdio::null()).spawn().unwrap();
    while std::os::unix::net::UnixStream::connect(folder.path("other.sock")).is_err() {}
    child
}

#[test]
fn the_right_to_write_is_that_of_both_cores() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-right");
    let disk = folder.file("disk", 1 << 20);
    let daemon = Daemon::start(&folder, &(on(cores, &folder) + &export("a", &file_uri(&disk))));
    let [mut first, mut second] = [connect(&folder, "a"), connect(&folder, "a")];
    assert!(!has_right(&folder), "nothing was written yet");
    assert_eq!((first.write(0, &[1; 4096]), second.write(4096, &[2; 4096])), (0, 0));
    assert_eq!(of_cores(&folder, "requests"), [1, 1]);
    assert!(has_right(&folder));

    let mut other = stranger(&folder, &disk);
    let mut moved = RawClient::connect(&folder.path("other.sock"), "").unwrap();
    // While one core writes, the other's being quiet gives nothing away.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(second.write(8192, &[3; 4096]), 0);
            }
        });
        // Three times, since a writer that does not get to run for a while is quiet, too.
        let mut is_refused = || moved.write(16384, &[4; 4096]) == EPERM;
        assert!((0..3).any(|_| is_refused()), "a second writer is refused");
        is_over.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
    assert_eq!(first.read(0, 4096), [1; 4096]);
    // When both are quiet it goes, and what was written is there.
    assert_eq!(moved.write(12288, &[5; 4096]), 0);
    assert!(!has_right(&folder));
    assert_eq!(moved.read(8192, 4096), [3; 4096]);
    // And back, by the core that did not write last.
    assert_eq!(first.write(0, &[6; 4096]), 0);
    assert!(has_right(&folder));
    assert_eq!(second.read(12288, 4096), [5; 4096]);
    other.kill().unwrap();
    other.wait().unwrap();
    drop(daemon);
}

#[test]
fn targets_are_dealt_out_to_the_cores() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-target");
    let target = |name: &str| {
        let name = format!("iqn.2026-11.org.example:{name}");
        format!("[[target]]\nname = \"{name}\"\nportals = \"127.0.0.1:0\"\nluns = [\"mem:8m\"]\n")
    };
    let config = on(cores, &folder) + &export("one", "mem:8m") + &target("b") + &target("a");
    let mut daemon = Daemon::start(&folder, &config);
    daemon.line();
    for uri in [daemon.line(), daemon.line()] {
        let mut load = byway(&["bench", "run", &format!("{uri}/0"), "--rw", "randrw"]);
        load.args(["--verify", "crc32c", "--bs", "4k", "--warmup", "0s", "--runtime", "300ms"]);
        let told = run(load.args(["--fill", "true", "--json", "-"]));
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["jobs"][0]["x"]["errors"], 0);
        assert!(told["jobs"][0]["x"]["verified"].as_u64().unwrap() > 0);
    }
    let told = status(&folder);
    for (n, name) in ["b", "a"].into_iter().enumerate() {
        let target = &told["targets"][n];
        assert_eq!(target["name"], format!("iqn.2026-11.org.example:{name}"));
        assert_eq!(target["core"], n);
    }
    daemon.signal("-TERM");
    daemon.hears("STOPPING=1");
    assert!(daemon.child.wait().unwrap().success(), "an end in order");
}

#[test]
fn an_export_of_the_command_line_runs_on_several_cores_too() {
    let Some([one, other]) = two_cores() else { return };
    let folder = Folder::new("cores-export");
    let socket = folder.path("nbd.sock");
    let mut command = byway(&["--log", "info", "export", "mem:8m", "--with-parent"]);
    command.args(["--cores", &format!("{one},{other}"), "--socket"]).arg(&socket);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("nbd.sock"), "it says '{line}'");
    let mut clients: Vec<_> =
        (0..4).map(|_| RawClient::connect(&socket, "").expect("there is room")).collect();
    assert!(clients.iter_mut().all(|client| client.write(0, &[1; 512]) == 0));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    clients.iter_mut().for_each(RawClient::ends);
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success(), "an end in order");
    for core in ["core=0", "core=1"] {
        let is_told = |line: &&str| line.contains("an export at the end") && line.contains(core);
        let line = log.lines().find(is_told).expect("each core tells what it did");
        assert!(line.contains("requests=2"), "{line}");
    }
}

#[test]
fn the_service_manager_hears_of_a_daemon_whose_cores_all_turn() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-watchdog");
    let config = on(cores, &folder) + &export("one", "mem:8m");
    let daemon = Daemon::start_with(&folder, &config, &[("WATCHDOG_USEC", "200000")]);
    for _ in 0..3 {
        daemon.hears("WATCHDOG=1");
    }
}

#[test]
fn a_place_that_is_taken_ends_the_start_on_all_cores() {
    let Some(cores) = two_cores() else { return };
    let folder = Folder::new("cores-taken");
    let _other = std::os::unix::net::UnixListener::bind(folder.path("nbd.sock")).unwrap();
    std::fs::write(folder.path("byway.toml"), on(cores, &folder) + &export("one", "mem:8m"))
        .unwrap();
    let mut command = byway(&["--log", "error", "serve", "--config"]);
    let output = command.arg(folder.path("byway.toml")).output().unwrap();
    let (line, code) = common::failure(&output);
    assert!(line.contains("nbd.sock") && line.contains("; "), "{line}");
    assert_eq!(code, 1);
}

#[test]
fn cores_that_this_host_does_not_have_are_refused() {
    let folder = Folder::new("cores-none");
    let most = byway_engine::core::processors().last().unwrap() + 1;
    let config = on([0, most], &folder) + &export("one", "mem:8m");
    std::fs::write(folder.path("byway.toml"), config).unwrap();
    let output = byway(&["config", "check"]).arg(folder.path("byway.toml")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = format!("byway.toml:2: daemon: cores: this process cannot run on core {most}; use");
    assert!(error.contains(&words), "{error}");
}
