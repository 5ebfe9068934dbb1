//! What is wrong is said in one line that names the thing and the remedy, with exit code 2 for
//! wrong usage and 1 for what failed; and no part of a result file is left behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Folder, byway, failure, file_uri};

/// Runs a short random read with `--json` in the folder; the run must fail.
fn refused(folder: &Folder, args: &[&str]) -> (String, i32) {
    let json = folder.path("result.json");
    let before = folder.names();
    let mut command = byway(&["bench", "run"]);
    command.args(args).args(["--runtime", "100ms", "--warmup", "0s", "--json"]).arg(&json);
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "nothing but results on the standard output");
    assert_eq!(folder.names(), before, "nothing is left behind");
    failure(&output)
}

fn assert_failure((line, code): (String, i32), expected: i32, parts: &[&str]) {
    assert_eq!(code, expected, "{line}");
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
    assert!(line.contains("; "), "a remedy stands behind a semicolon: {line}");
}

#[test]
fn a_wrong_uri_is_wrong_usage() {
    let folder = Folder::new("uri");
    assert_failure(refused(&folder, &["floppy:a"]), 2, &["'floppy:a'", "file:/path"]);
    assert_failure(refused(&folder, &["/dev/sda"]), 2, &["write file:/dev/sda"]);
    assert_failure(refused(&folder, &["mem:many"]), 2, &["'many'", "such as 4k"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new("absent");
    let uri = file_uri(&folder.path("nothing"));
    assert_failure(refused(&folder, &[&uri]), 1, &[&uri]);
}

#[test]
fn a_file_that_is_too_short_is_named_with_its_length() {
    let folder = Folder::new("short");
    let uri = file_uri(&folder.file("short", 1 << 20));
    assert_failure(refused(&folder, &[&uri, "--size", "1g"]), 1, &[&uri, "1048576", "--size 1m"]);
    let uri = file_uri(&folder.file("empty", 0));
    assert_failure(refused(&folder, &[&uri]), 1, &[&uri]);
}

#[test]
fn a_size_that_does_not_fit_the_blocks_is_named() {
    let folder = Folder::new("aligned");
    let uri = file_uri(&folder.file("disk", 1 << 20));
    assert_failure(refused(&folder, &[&uri, "--bs", "1000"]), 1, &[&uri, "--bs 1000", "multiple"]);
}

#[test]
fn a_read_only_device_takes_no_writes() {
    let folder = Folder::new("readonly");
    let uri = file_uri(&folder.file("disk", 1 << 20)) + "?readonly=on";
    let said = refused(&folder, &[&uri, "--rw", "randwrite"]);
    assert_failure(said, 1, &["read-only", "randread"]);
}

#[test]
fn a_depth_above_the_limit_is_refused() {
    let folder = Folder::new("depth");
    let said = refused(&folder, &["null:1g", "--qd", "4097"]);
    assert_failure(said, 2, &["qd '4097'", "at most 4096"]);
}

#[test]
fn words_that_mean_nothing_are_wrong_usage() {
    let folder = Folder::new("words");
    assert_failure(refused(&folder, &["null:1g", "--bs", "4q"]), 2, &["bs '4q'", "such as 4k"]);
    assert_failure(refused(&folder, &["null:1g", "--rate", "0"]), 2, &["rate '0'"]);
    assert_failure(refused(&folder, &["null:1g", "--blocks", "1"]), 2, &["--blocks"]);
    assert_failure(refused(&folder, &["null:1g", "--without", "luck"]), 2, &["'luck'"]);
    let (line, code) = failure(&byway(&["bench"]).output().unwrap());
    assert_eq!(code, 2, "{line}");
}

#[test]
fn a_job_file_with_a_mistake_is_named() {
    let folder = Folder::new("jobfile");
    let file = folder.path("job.toml");
    std::fs::write(&file, "bs = \"4k\"\nblocksize = 4\n").unwrap();
    let name = file.display().to_string();
    let said = refused(&folder, &["null:1g", "--job", &name]);
    assert_failure(said, 2, &[&name, "'blocksize'"]);
    let gone = folder.path("gone.toml").display().to_string();
    assert_failure(refused(&folder, &["null:1g", "--job", &gone]), 1, &[&gone]);
}

#[test]
fn a_result_that_cannot_be_written_is_said_before_the_run() {
    let folder = Folder::new("place");
    let place = folder.path("no/such/result.json").display().to_string();
    let args = ["bench", "run", "null:1g", "--runtime", "1h", "--json", &place];
    let said = failure(&byway(&args).output().unwrap());
    assert_failure(said, 1, &[&place]);
}

/// A limit of open files stands in for a kernel without io_uring: a core cannot be set up.
#[test]
fn a_kernel_that_gives_no_ring_is_one_line() {
    let folder = Folder::new("ring");
    let script = "ulimit -n 4; exec \"$0\" bench run null:1g --runtime 100ms";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_byway")]);
    let output = command.current_dir(folder.path("")).output().unwrap();
    assert_failure(failure(&output), 1, &["open files"]);
    assert!(output.stdout.is_empty() && folder.names().is_empty());
}

/// A file system of 4 MiB in memory, gone with the test; none where this is not root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(folder: &Folder) -> Option<SmallDisk> {
        let at = folder.path("small");
        std::fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        if succeeds(mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&at)) {
            return Some(SmallDisk(at));
        }
        eprintln!("skipped: mounting a small file system takes root");
        None
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let is_gone = succeeds(Command::new("umount").arg(&self.0));
        assert!(is_gone, "{} is still mounted", self.0.display());
    }
}

#[test]
fn a_full_disk_is_reported_with_offset_and_errno() {
    let folder = Folder::new("enospc");
    let Some(small) = SmallDisk::new(&folder) else { return };
    let disk = small.0.join("disk");
    std::fs::File::create(&disk).unwrap().set_len(64 << 20).unwrap();
    let args = ["--rw", "write", "--bs", "64k", "--runtime", "2s", "--warmup", "0s", "--qd", "1"];
    let output = byway(&["bench", "run", &file_uri(&disk)]).args(args).output().unwrap();
    let (line, code) = failure(&output);
    assert_eq!(code, 1, "{line}");
    for part in ["operations failed", "write of 65536 bytes at offset", "errno 28"] {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
}

/// A file that loses its end while it is read stands in for a device that is taken away: from then
/// on, nothing is where it was.
#[test]
fn a_device_that_disappears_is_reported_and_ends_the_run() {
    let folder = Folder::new("vanish");
    let disk = folder.file("disk", 64 << 20);
    let args = ["--rw", "randread", "--runtime", "1h", "--warmup", "0s"];
    let mut command = byway(&["bench", "run", &file_uri(&disk)]);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while completions(child.id()) < 100 {
        std::thread::yield_now();
    }
    std::fs::File::options().write(true).open(&disk).unwrap().set_len(0).unwrap();
    let (line, code) = failure(&child.wait_with_output().unwrap());
    assert_eq!(code, 1, "{line}");
    for part in ["operations failed", "read of 4096 bytes at offset", "ended early"] {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
}

/// The most completions that a ring of process `pid` has seen, as the kernel shows them in `fdinfo`;
/// without end where the process is gone.
fn completions(pid: u32) -> u64 {
    let Ok(rings) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return u64::MAX };
    let texts = rings.flatten().filter_map(|ring| std::fs::read_to_string(ring.path()).ok());
    let tail = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("CqTail:"))?.trim().parse();
        line.ok()
    };
    texts.filter_map(tail).max().unwrap_or(0)
}

/// A file that grows beyond the limit of file sizes: the writes fail as on a full disk.
#[test]
fn failed_writes_are_reported_with_offset_and_errno() {
    let folder = Folder::new("full");
    let disk = folder.file("disk", 64 << 20);
    // SIGXFSZ is ignored, so that the write fails with EFBIG instead.
    let script = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" bench run \"$1\" --rw write --bs 64k \
                  --runtime 2s --warmup 0s --qd 1";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_byway"), &file_uri(&disk)])
        .output()
        .unwrap();
    let (line, code) = failure(&output);
    assert_eq!(code, 1, "{line}");
    for part in ["operations failed", "write of 65536 bytes at offset", "errno 27"] {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("are counted nowhere above"), "{table}");
}
