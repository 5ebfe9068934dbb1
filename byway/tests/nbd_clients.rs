//! Real NBD clients against `byway export` of a file, of memory and of an iSCSI LUN: libnbd's tools
//! and library, fio's engine, and QEMU's.
//!
//! `BYWAY_NBD_SERVER=nbdkit` or `=qemu-nbd` runs the same stories against those, which proves the
//! stories.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "of these helpers, a part is needed")]
mod common;
#[path = "common/own_target.rs"]
mod own_target;
#[path = "common/peers/mod.rs"]
mod peers;

use std::os::unix::fs::FileExt;
use std::path::Path;

use common::Folder;
use own_target::OwnTarget;
use peers::is_missing;
use peers::nbd::{
    NbdServer, client, is_libnbd_missing, is_python_missing, run_client, said, script,
};
use serde_json::Value;

/// Bytes of every device.
const SIZE: u64 = 64 << 20;
const MIB: u64 = 1 << 20;

/// A server with what is behind it.
struct Served {
    server: NbdServer,
    _target: Option<OwnTarget>,
    folder: Folder,
    name: &'static str,
}

/// The file, memory and the LUN, each behind a server; one file behind the server of others that
/// the environment names.
fn served(test: &str) -> Vec<Served> {
    let folder = |kind: &str| Folder::new(&format!("{test}-{kind}"));
    if let Ok(other) = std::env::var("BYWAY_NBD_SERVER") {
        let folder = folder("other");
        let file = folder.file("disk", SIZE);
        let server = match other.as_str() {
            "nbdkit" => NbdServer::nbdkit(test, &["file", file.to_str().unwrap()]),
            _ => NbdServer::qemu_nbd(test, &file, &["--cache=none", "--aio=io_uring"]),
        };
        let server = server.unwrap();
        return vec![Served { server, _target: None, folder, name: "other" }];
    }
    let of_file = {
        let folder = folder("file");
        let device = format!("file:{}", folder.file("disk", SIZE).display());
        let server = NbdServer::own(&format!("{test}-file"), &device, &[]);
        Served { server, _target: None, folder, name: "file" }
    };
    let of_memory = {
        let server = NbdServer::own(&format!("{test}-mem"), "mem:64m", &[]);
        Served { server, _target: None, folder: folder("mem"), name: "mem" }
    };
    let of_unit = {
        let target = OwnTarget::start(&["--lun", "mem:64m"]);
        let server = NbdServer::own(&format!("{test}-iscsi"), &target.uri, &[]);
        Served { server, _target: Some(target), folder: folder("iscsi"), name: "iscsi" }
    };
    vec![of_file, of_memory, of_unit]
}

/// A file without holes, of bytes that differ from block to block.
fn image(folder: &Folder, name: &str, len: u64) -> String {
    let path = folder.path(name);
    let bytes: Vec<u8> = (0..len).map(|at| (at / 512 * 7 + at % 251) as u8).collect();
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn same(a: &str, b: &str) -> bool {
    std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}

#[test]
fn nbdinfo_tells_what_is_exported() {
    if is_missing("nbdinfo", "nbdinfo", "libnbd-bin") {
        return;
    }
    for Served { server, name, .. } in served("nbdinfo") {
        assert_eq!(client("nbdinfo", &["--size", &server.uri]).trim(), SIZE.to_string(), "{name}");
        let info: Value =
            serde_json::from_str(&client("nbdinfo", &["--json", &server.uri])).unwrap();
        let export = &info["exports"][0];
        assert_eq!(info["protocol"], "newstyle-fixed");
        assert_eq!(
            (&export["export-size"], &export["is_read_only"]),
            (&SIZE.into(), &false.into())
        );
        for ability in ["can_flush", "can_fua", "can_trim", "can_zero", "can_multi_conn"] {
            assert_eq!(export[ability], true, "{name}: {ability}");
        }
        for ability in ["can_df", "can_cache"] {
            assert!(!server.is_ours || export[ability] == true, "{name}: {ability}");
        }
        // A LUN may write zeroes out, memory never does; of a file its file system decides.
        let fast = [("mem", true), ("iscsi", false)].into_iter().find(|(of, _)| *of == name);
        let told = &export["can_fast_zero"];
        assert!(fast.is_none_or(|(_, fast)| *told == fast), "{name}: can_fast_zero is {told}");
        assert_eq!(export["contexts"][0], "base:allocation", "{name}");
        let base = format!("nbd+unix:///?socket={}", server.socket().display());
        let listed = client("nbdinfo", &["--list", "--json", &base]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        assert_eq!(listed["exports"].as_array().unwrap().len(), 1, "{name}: {listed}");
        let map: Value =
            serde_json::from_str(&client("nbdinfo", &["--map", "--json", &server.uri])).unwrap();
        let lengths = map.as_array().unwrap().iter().map(|extent| extent["length"].as_u64());
        assert_eq!(lengths.sum::<Option<u64>>(), Some(SIZE), "{name}: {map}");
    }
}

#[test]
fn nbdcopy_brings_back_what_it_took() {
    if is_missing("nbdcopy", "nbdcopy", "libnbd-bin") {
        return;
    }
    for Served { server, folder, name, .. } in served("nbdcopy") {
        let from = image(&folder, "from", SIZE);
        for words in [&["--connections=4", "--requests=16", "--flush"][..], &["--connections=1"]] {
            let to = folder.path("to").display().to_string();
            let copy = |a: &str, b: &str| client("nbdcopy", &[words, &[a, b]].concat());
            copy(&from, &server.uri);
            copy(&server.uri, &to);
            assert!(same(&from, &to), "{name}: {words:?}");
            std::fs::remove_file(to).unwrap();
        }
    }
}

#[test]
fn libnbd_finds_every_command() {
    if is_libnbd_missing("libnbd") {
        return;
    }
    let all = "structured df flush fua trim zero cache multi-conn allocation";
    let all: Vec<_> = all.split(' ').collect();
    for Served { server, .. } in served("libnbd") {
        script("operations.py", &[&[&server.uri[..]], &all[..]].concat());
    }
}

#[test]
fn requests_against_the_rules_are_refused() {
    if is_python_missing("hostile") {
        return;
    }
    for Served { server, .. } in served("hostile") {
        let socket = server.socket().display().to_string();
        let strict = if server.is_ours { "strict" } else { "" };
        script("hostile.py", &[&socket, server.export(), strict]);
    }
}

#[test]
fn a_read_only_export_refuses_writes() {
    if is_python_missing("read-only") {
        return;
    }
    let folder = Folder::new("nbd-read-only");
    let file = folder.file("disk", SIZE);
    let device = format!("file:{}", file.display());
    let server = match std::env::var("BYWAY_NBD_SERVER") {
        Ok(_) => NbdServer::qemu_nbd("read-only", &file, &["-r"]).unwrap(),
        Err(_) => NbdServer::own("read-only", &device, &["--read-only"]),
    };
    let strict = if server.is_ours { "strict" } else { "" };
    script("read_only.py", &[&server.socket().display().to_string(), server.export(), strict]);
    if !is_missing("read-only", "nbdinfo", "libnbd-bin") {
        assert!(client("nbdinfo", &[&server.uri]).contains("is_read_only: true"));
    }
}

#[test]
fn fio_verifies_what_it_wrote() {
    if is_missing("fio-nbd", "fio", "fio") {
        return;
    }
    for Served { server, folder, name, .. } in served("fio-nbd") {
        let place = format!("--uri={}", server.uri);
        let aux = format!("--aux-path={}", folder.path("").display());
        for words in [&["--bs=4k", "--iodepth=32", "--size=16m"][..], &["--bs=1m", "--size=64m"]] {
            let fixed = ["--name=x", "--ioengine=nbd", &place, &aux, "--rw=randwrite"];
            let checked = ["--verify=crc32c", "--verify_fatal=1", "--thread", "--fsync=64"];
            let text = client("fio", &[&fixed[..], &checked, words].concat());
            assert!(text.contains("err= 0"), "{name}: {text}");
        }
    }
}

#[test]
fn qemu_img_converts_compares_and_measures() {
    if is_missing("qemu-img", "qemu-img", "qemu-utils") {
        return;
    }
    for Served { server, folder, name, .. } in served("qemu-img") {
        let (from, uri) = (image(&folder, "from", SIZE), &server.uri[..]);
        assert!(client("qemu-img", &["info", "-f", "raw", uri]).contains("64 MiB"), "{name}");
        client("qemu-img", &["convert", "-n", "-W", "-f", "raw", "-O", "raw", &from, uri]);
        let text = client("qemu-img", &["compare", "-f", "raw", "-F", "raw", &from, uri]);
        assert!(text.contains("identical"), "{name}: {text}");
        for words in [&["-d", "16"][..], &["-d", "16", "-w"], &["-d", "1", "-w", "-s", "1m"]] {
            let count = if words.contains(&"1m") { "20" } else { "2000" };
            client("qemu-img", &[&["bench", "-f", "raw", "-c", count][..], words, &[uri]].concat());
        }
        let back = folder.path("back").display().to_string();
        client("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", uri, &back]);
        client("qemu-img", &["compare", "-f", "qcow2", "-F", "raw", &back, uri]);
    }
}

#[test]
fn a_qcow2_image_lives_in_the_export() {
    if is_missing("qcow2", "qemu-img", "qemu-utils") {
        return;
    }
    for Served { server, folder, name, .. } in served("qcow2") {
        let (from, uri) = (image(&folder, "from", 8 * MIB), &server.uri[..]);
        client("qemu-img", &["create", "-f", "qcow2", uri, "40m"]);
        client("qemu-img", &["convert", "-n", "-f", "raw", "-O", "qcow2", &from, uri]);
        client("qemu-io", &["-f", "qcow2", "-c", "write -P 0x5a 20m 1m", "-c", "flush", uri]);
        client("qemu-io", &["-f", "qcow2", "-c", "read -P 0x5a 20m 1m", uri]);
        client("qemu-img", &["check", "-f", "qcow2", uri]);
        let back = folder.path("back").display().to_string();
        client("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", uri, &back]);
        let (a, b) = (std::fs::read(&from).unwrap(), std::fs::read(&back).unwrap());
        assert!(a[..] == b[..a.len()], "{name}: the image differs");
    }
}

#[test]
fn qemu_io_writes_zeroes_and_discards() {
    if is_missing("qemu-io", "qemu-io", "qemu-utils") {
        return;
    }
    for Served { server, name, .. } in served("qemu-io") {
        let lines = [
            "write -P 0x11 0 1m",
            "write -f -P 0x22 1m 64k",
            "aio_write -P 0x33 2m 512k",
            "aio_flush",
            "write -z 0 64k",
            "write -z -u 64k 64k",
            "discard 4m 1m",
            "flush",
            "read -P 0 0 128k",
            "read -P 0x11 128k 896k",
            "read -P 0x22 1m 64k",
            "read -P 0x33 2m 512k",
        ];
        let mut args = vec!["-f", "raw", "-d", "unmap"];
        lines.iter().for_each(|line| args.extend(["-c", line]));
        args.push(&server.uri);
        let text = client("qemu-io", &args);
        assert!(!text.contains("failed") && !text.contains("error"), "{name}: {text}");
    }
}

/// The lines of `qemu-img map`, as start, length and whether there is data.
fn map(uri: &str) -> Vec<(u64, u64, bool)> {
    let text = client("qemu-img", &["map", "-f", "raw", "--output=json", uri]);
    let lines: Value = serde_json::from_str(&text).unwrap();
    let number = |line: &Value, key: &str| line[key].as_u64().unwrap();
    let line = |line: &Value| {
        (number(line, "start"), number(line, "length"), line["data"].as_bool().unwrap())
    };
    lines.as_array().unwrap().iter().map(line).collect()
}

#[test]
fn qemu_img_sees_the_holes_of_a_sparse_file() {
    if is_missing("map", "qemu-img", "qemu-utils") {
        return;
    }
    let folder = Folder::new("nbd-map");
    let path = folder.file("disk", SIZE);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[1; 2 << 20], 8 * MIB).unwrap();
    file.sync_all().unwrap();
    let server = match std::env::var("BYWAY_NBD_SERVER") {
        Ok(_) => NbdServer::qemu_nbd("map", &path, &[]).unwrap(),
        Err(_) => NbdServer::own("map", &format!("file:{}", path.display()), &[]),
    };
    let expected = [(0, 8 * MIB, false), (8 * MIB, 2 * MIB, true), (10 * MIB, 54 * MIB, false)];
    assert_eq!(map(&server.uri), expected);
}

#[test]
fn a_second_server_takes_over_while_both_are_connected() {
    if is_missing("hand-over", "qemu-io", "qemu-utils") {
        return;
    }
    if std::env::var("BYWAY_NBD_SERVER").is_ok() {
        println!("skipped: hand-over: others have no right to write that moves");
        return;
    }
    let folder = Folder::new("nbd-hand-over");
    let device = format!("file:{}", folder.file("disk", SIZE).display());
    let first = NbdServer::own("hand-over-1", &device, &[]);
    let io = |server: &NbdServer, lines: &[&str]| {
        let mut args = vec!["-f", "raw"];
        lines.iter().for_each(|line| args.extend(["-c", line]));
        args.push(&server.uri);
        run_client("qemu-io", &args)
    };
    let good = |output: &std::process::Output| {
        let text = said(output);
        assert!(output.status.success() && !text.contains("failed"), "{text}");
    };
    good(&io(&first, &["write -P 0x41 0 1m", "flush"]));
    // The second is there, and may be asked for its size and read, while the first may write.
    let second = NbdServer::own("hand-over-2", &device, &[]);
    good(&io(&second, &["read -P 0x41 0 1m"]));
    // The last client of the first has gone: the right is free, or its holder ends.
    drop(first);
    good(&io(&second, &["write -P 0x42 0 1m", "flush", "read -P 0x42 0 1m"]));
}

#[test]
fn clients_find_a_server_again_on_the_same_socket() {
    if is_missing("again", "nbdinfo", "libnbd-bin") || std::env::var("BYWAY_NBD_SERVER").is_ok() {
        return;
    }
    let folder = Folder::new("nbd-again");
    let device = format!("file:{}", folder.file("disk", SIZE).display());
    let mut server = NbdServer::own("again", &device, &[]);
    server.kill();
    assert!(Path::new(&server.socket()).exists(), "a crash leaves its socket behind");
    let uri = server.uri.clone();
    let again = NbdServer::own("again", &device, &[]);
    assert_eq!(again.uri, uri);
    assert_eq!(client("nbdinfo", &["--size", &uri]).trim(), SIZE.to_string());
}
