//! Live migration, there and back: a guest counts on a disk behind one `byway export`, and goes on
//! counting behind another one of the same file.
//!
//! Both exports are connected while the guest moves. The right to write goes from one to the other
//! with it, and nobody else gets it. In the end the console, where the guest says what it has made
//! durable, and the disk have to agree. Times are told, and nothing is asked of them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::exec::{self, Outcome};

use super::image::{self, HostProgram, Image, Recipe};
use super::machine::Machine;
use super::qmp::LOOK;

const SCRIPT: &str = include_str!("migrate.sh");
/// The counter's lanes, the blocks of each, and their length in bytes.
const LANES: u64 = 4;
const RING: u64 = 256;
const BLOCK_LEN: usize = 4096;
const DISK_LEN: u64 = 64 << 20;
/// A part of the disk that the guest leaves alone.
const ELSEWHERE: &str = "32m";
/// How far the guest counts before and after each move.
const STEPS: u64 = 40;
/// What is to be migrated is not to be large.
const MEMORY_MIB: u32 = 192;
/// For the whole story.
const TIMEOUT: Duration = Duration::from_secs(90);
const PREFIX: &str = "migrate-";

/// A folder with the disk, the console and the sockets. It goes away with the value.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn create() -> Outcome<Folder> {
        // The paths of sockets are short ones.
        let path = std::env::temp_dir().join(format!("byway-{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let disk = File::create(path.join("disk")).and_then(|file| file.set_len(DISK_LEN));
        disk.map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder { path })
    }

    fn text(&self, name: &str) -> String {
        fs::read(self.path.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.path);
    }
}

/// A server of the disk.
struct Export {
    child: Child,
    socket: PathBuf,
    log: String,
}

impl Export {
    fn start(folder: &Folder, name: &str, deadline: Instant) -> Outcome<Export> {
        let socket = folder.path.join(format!("{name}.socket"));
        let log = format!("{name}.log");
        let failed = |e: std::io::Error| format!("byway export: {e}");
        let errors = File::create(folder.path.join(&log)).map_err(failed)?;
        let mut byway = Command::new(exec::target_dir().join("debug/byway"));
        byway
            .args(["--log", "info", "--log-format", "json", "export"])
            .arg(folder.path.join("disk"))
            .arg("--socket")
            .arg(&socket);
        byway.arg("--with-parent").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = byway.spawn().map_err(failed)?;
        let export = Export { child, socket, log };
        while !export.socket.exists() {
            if Instant::now() >= deadline {
                return Err(format!("byway export does not start:\n{}", folder.text(&export.log)));
            }
            std::thread::sleep(LOOK);
        }
        Ok(export)
    }

    /// How often it got the right to write, and how often it let it go.
    fn rights(&self, folder: &Folder) -> (usize, usize) {
        let log = folder.text(&self.log);
        let count = |words: &str| log.lines().filter(|line| line.contains(words)).count();
        (count("\"has the right to write\""), count("\"lets the right to write go\""))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Everything the story needs.
struct Stage {
    folder: Folder,
    image: Image,
    deadline: Instant,
}

/// The whole story.
pub(super) fn check() -> Outcome {
    let image = image()?;
    let stage = Stage { folder: Folder::create()?, image, deadline: Instant::now() + TIMEOUT };
    story(&stage).map_err(|failure| {
        let mut texts = String::new();
        for name in ["a.log", "b.log", "console"] {
            let text = stage.folder.text(name);
            let lines: Vec<_> = text.lines().rev().take(12).collect();
            texts += &format!("\n{name}:");
            lines.iter().rev().for_each(|line| texts += &format!("\n    {line}"));
        }
        failure + &texts
    })
}

fn story(stage: &Stage) -> Outcome {
    let (folder, deadline) = (&stage.folder, stage.deadline);
    let [a, b] = ["a", "b"].map(|name| Export::start(folder, name, deadline));
    let (a, b) = (a?, b?);
    let mut first = stage.machine("first", &a, false)?;
    let reached = stage.counted(STEPS)?;
    println!("guest: counts on its disk, {reached} so far");
    refuse_another(stage, &b)?;
    rights(folder, [&a, &b], [(1, 0), (0, 0)])?;

    let mut second = stage.machine("second", &b, true)?;
    stage.migrate("there", &mut first, &mut second)?;
    rights(folder, [&a, &b], [(1, 1), (1, 0)])?;
    drop(first);

    let mut third = stage.machine("third", &a, true)?;
    stage.migrate("back", &mut second, &mut third)?;
    rights(folder, [&a, &b], [(2, 1), (1, 1)])?;
    drop(second);

    third.stop()?;
    let counted = numbers(&folder.text("console"))?;
    let on_disk = on_disk(&folder.path.join("disk"))?;
    // What is durable is not said yet where the guest stopped in between.
    if on_disk < counted || on_disk > counted + 1 {
        return Err(format!("the guest has counted to {counted}, and its disk to {on_disk}"));
    }
    println!("guest: counted to {counted} on three machines, and the disk has all of it");
    Ok(())
}

impl Stage {
    fn machine(&self, name: &str, export: &Export, is_to_wait: bool) -> Outcome<Machine> {
        let (folder, disk) = (&self.folder.path, &export.socket);
        Machine::start(&self.image, folder, name, disk, is_to_wait, self.deadline)
    }

    /// One move, after which the guest goes on.
    fn migrate(&self, way: &str, from: &mut Machine, to: &mut Machine) -> Outcome {
        let moved = from.migrate(to)?;
        let reached = numbers(&self.folder.text("console"))?;
        self.counted(reached + STEPS)?;
        let (total, downtime) = (moved.total, moved.downtime);
        println!("guest: moved {way} in {total} ms with {downtime} ms of standstill");
        Ok(())
    }

    /// Waits until the guest has counted so far.
    fn counted(&self, least: u64) -> Outcome<u64> {
        loop {
            let reached = numbers(&self.folder.text("console"))?;
            if reached >= least {
                return Ok(reached);
            }
            if Instant::now() >= self.deadline {
                return Err(format!("the guest has counted to {reached}, and not to {least}"));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Somebody writes by the other export while the guest goes on: that is no migration.
fn refuse_another(stage: &Stage, export: &Export) -> Outcome {
    let before = numbers(&stage.folder.text("console"))?;
    let uri = format!("nbd+unix:///?socket={}", export.socket.display());
    let mut client = exec::program("qemu-io");
    client.args(["-f", "raw", "-c", &format!("write -P 0x55 {ELSEWHERE} 4k"), &uri]);
    let output = client.output().map_err(|e| format!("qemu-io: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !said.contains("Operation not permitted") {
        return Err(format!("a second writer is not refused: {said}"));
    }
    let after = stage.counted(before + STEPS)?;
    println!("guest: a second writer is refused while it counts from {before} to {after}");
    Ok(())
}

/// What each export got and let go.
fn rights(folder: &Folder, of: [&Export; 2], expected: [(usize, usize); 2]) -> Outcome {
    let found = of.map(|export| export.rights(folder));
    if found == expected {
        return Ok(());
    }
    Err(format!("the right to write was got and let go {found:?} times, not {expected:?}"))
}

/// The last number of the console, where all of them are there and in order.
fn numbers(console: &str) -> Outcome<u64> {
    let mut last = 0;
    // The last line may be half a line.
    let whole = console.rfind('\n').map_or("", |end| &console[..end]);
    for line in whole.lines().map(str::trim) {
        if line.starts_with("@@WRONG") || line.starts_with("@@STATUS") {
            return Err(format!("the guest says: {line}"));
        }
        let Some(number) = line.strip_prefix("@@COUNT ") else { continue };
        if number.parse() != Ok(last + 1) {
            return Err(format!("the guest says {number} after {last}"));
        }
        last += 1;
    }
    Ok(last)
}

/// The last number of the first lane; the ring of every lane has to hold its last numbers, all of them.
fn on_disk(path: &Path) -> Outcome<u64> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let disk = File::open(path).map_err(failed)?;
    let mut first = 0;
    for lane in 0..LANES {
        let mut ring = Vec::new();
        for place in 0..RING {
            let mut block = [0; BLOCK_LEN];
            let offset = (lane * RING + place) * BLOCK_LEN as u64;
            disk.read_exact_at(&mut block, offset).map_err(failed)?;
            let mut words = block.chunks_exact(8);
            let word = words.next().expect("a block has words");
            if !words.all(|other| other == word) {
                return Err(format!("lane {lane}: half a block at {offset}"));
            }
            ring.push(u64::from_le_bytes(word.try_into().expect("a word has eight bytes")));
        }
        let last = last_of(&ring).map_err(|why| format!("lane {lane}: {why}"))?;
        first = if lane == 0 { last } else { first };
    }
    Ok(first)
}

/// The largest number of a ring, which has to hold that and those before it, each in its place.
fn last_of(ring: &[u64]) -> Outcome<u64> {
    let last = ring.iter().copied().max().unwrap_or_default();
    let places = RING;
    let is_there = |number: u64| ring[(number % places) as usize] == number;
    let first = (last + 1).saturating_sub(places);
    match (first..=last).find(|number| !is_there(*number)) {
        None => Ok(last),
        Some(lost) => Err(format!("{lost} is lost, where {last} was the last")),
    }
}

fn image() -> Outcome<Image> {
    exec::run(exec::program("cargo").args(["build", "--offline", "-q", "-p", "byway"]))?;
    let mut build = exec::program("cargo");
    build.args(["build", "--offline", "-q", "-p", "xtask", "--example", "counter"]);
    let here = exec::executable(&mut build, "example", "counter")?;
    image::build(&Recipe {
        name: "migrate",
        memory_mib: MEMORY_MIB,
        modules: &["virtio_blk"],
        programs: &[],
        host_programs: vec![HostProgram { here, there: "bin/counter".into() }],
        files: vec![],
        script: SCRIPT.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_without_gaps() {
        assert_eq!(numbers("boot\n@@COUNT 1\r\n@@COUNT 2\r\n@@COUNT 3"), Ok(2));
        assert!(numbers("@@COUNT 1\n@@COUNT 3\n").unwrap_err().contains("3 after 1"));
        assert!(numbers("@@WRONG lane 1\n").unwrap_err().contains("lane 1"));
    }

    #[test]
    fn a_ring_holds_its_last_numbers() {
        let ring = |last: u64| -> Vec<u64> {
            (0..RING)
                .map(|at| if at <= last % RING { last - last % RING + at } else { 0 })
                .collect()
        };
        assert_eq!(last_of(&ring(10)), Ok(10));
        let mut whole: Vec<u64> = (0..RING).map(|at| at + RING).collect();
        assert_eq!(last_of(&whole), Ok(2 * RING - 1));
        whole[7] = 7;
        assert!(last_of(&whole).unwrap_err().contains("263 is lost"));
        assert!(last_of(&ring(RING + 3)).is_err());
    }
}
