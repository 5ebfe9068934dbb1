//! `byway demo`: it all, on this machine, with nothing set up.
//!
//! A target of its own serves a sparse file on loopback; a verified load runs through the initiator;
//! the target is killed under it and started again; what was written is read back. Each act says
//! what it does when it does it.

mod folder;
mod report;
mod server;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use byway::{Uri, open};
use byway_bench::job::{JobWords, RunSpec};
use byway_bench::run::{RunOptions, RunResult};
use byway_bench::words::{show_size, size, span_ns};
use byway_engine::api::PollQueue;
use byway_engine::block::wrap::{Verify, VerifyHandle};
use byway_engine::block::{BlockDevice, Io};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::ReactorThread;

use super::args::DemoArgs;
use super::failure::Failure;
use super::output;
use folder::Folder;
use report::{Outage, Report};
use server::Server;

/// How long the target stays away, in nanoseconds.
const AWAY_NS: u64 = 500_000_000;
/// How often it is looked whether requests complete again, in nanoseconds.
const LOOK_NS: u64 = 500_000;
/// How long that may take, in nanoseconds.
const RECOVERY_NS_MAX: u64 = 30_000_000_000;
/// Bytes of a read when everything is read back.
const CHUNK: u64 = 256 << 10;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let disk_len = size(&args.size).map_err(|error| error.of("--size"))?;
    let runtime_ns = span_ns(&args.runtime).map_err(|error| error.of("--runtime"))?;
    output::check_places(&[&args.json])?;
    let stop = stop_flag()?;
    let folder = Folder::new(args.folder.as_deref())?;
    let stage = Stage::set(&folder, disk_len)?;
    let result = stage.load(&folder, runtime_ns, &args.runtime, &stop)?;
    if stop.load(Ordering::Relaxed) {
        return Err(Failure::failed("interrupted; everything is cleaned up"));
    }
    stage.read_back(disk_len)?;
    let outage = stage.outage();
    let report = Report::new(&result, outage, stage.verify.counts());
    say(&format!("\n{}", report.table()))?;
    if let Some(path) = &args.json {
        output::write(path, report.json().as_bytes())?;
    }
    if report.is_clean() {
        return say("nothing was lost");
    }
    let first = result.jobs[0].errors.first.first().map(|error| error.what.clone());
    Err(Failure::failed(format!(
        "the demo failed: see the table{}; report this",
        first.map_or(String::new(), |what| format!(" (first: {what})"))
    )))
}

fn say(line: &str) -> Result<(), Failure> {
    output::print(&format!("{line}\n"))
}

/// Ctrl-C ends the load, and what was set up is cleared away.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    Ok(stop)
}

/// What the demo plays on.
struct Stage {
    server: Arc<Mutex<Server>>,
    device: Arc<dyn BlockDevice>,
    verify: VerifyHandle,
    outage: Arc<Mutex<Result<Outage, String>>>,
}

impl Stage {
    fn set(folder: &Folder, disk_len: u64) -> Result<Stage, Failure> {
        let server = Server::start(&folder.disk(disk_len)?, folder.path())?;
        say(&format!("target     serves a sparse file of {} at", show_size(disk_len)))?;
        say(&format!("           {}", server.uri))?;
        let uri: Uri = server.uri.parse()?;
        let lun = open(&uri)?;
        let info = lun.info();
        say(&format!(
            "initiator  logged in: {} in blocks of {}, up to {} a request",
            show_size(info.size),
            info.block_len,
            show_size(info.io_len_max.into())
        ))?;
        let verify = Verify::new(lun)?;
        let handle = verify.handle();
        Ok(Stage {
            server: Arc::new(Mutex::new(server)),
            device: Arc::new(verify),
            verify: handle,
            outage: Arc::new(Mutex::new(Ok(Outage::default()))),
        })
    }

    /// Runs the load, and kills the target under it.
    fn load(
        &self,
        folder: &Folder,
        runtime_ns: u64,
        runtime: &str,
        stop: &Arc<AtomicBool>,
    ) -> Result<RunResult, Failure> {
        let mut words = JobWords::default();
        let given = [("rw", "randrw"), ("bs", "4k"), ("qd", "32"), ("warmup", "0s")];
        for (key, word) in given.into_iter().chain([("runtime", runtime)]) {
            words.set(key, word.to_owned())?;
        }
        let spec = RunSpec::parse(&words, &[])?;
        say(&format!(
            "load       random 4 KiB reads and writes at depth 32 for {runtime}, verified"
        ))?;
        // The saboteur waits for processes: it may hold its core up.
        let patient = CoreConfig { stall_ns: RECOVERY_NS_MAX, ..CoreConfig::default() };
        let saboteur = ReactorThread::start(patient)?;
        self.send(&saboteur, folder, runtime_ns / 3)?;
        let progress = std::io::stderr().is_terminal();
        let stop = Arc::clone(stop);
        let options = RunOptions { progress, stop, ..RunOptions::default() };
        let result = byway_bench::run::run(&spec, &self.device, &options)?;
        drop(saboteur);
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &*outage {
            Ok(_) => Ok(result),
            Err(problem) => Err(Failure::failed(problem.clone())),
        }
    }

    fn outage(&self) -> Outage {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.clone().unwrap_or_default()
    }

    /// Sends the saboteur, who acts at `after_ns`.
    fn send(&self, thread: &ReactorThread, folder: &Folder, after_ns: u64) -> Result<(), Failure> {
        let (server, verify) = (Arc::clone(&self.server), self.verify.clone());
        let (outage, state) = (Arc::clone(&self.outage), folder.path().to_owned());
        let act = move |core: std::rc::Rc<Core>| async move {
            core.sleep(after_ns).await;
            let done = sabotage(&core, &server, &verify, &state).await;
            *outage.lock().unwrap_or_else(PoisonError::into_inner) = done;
        };
        let sent = thread.spawn(Class::Foreground, "saboteur", act);
        sent.map_err(|_| Failure::failed("the demo's second thread has ended; report this"))
    }

    /// Reads the whole disk; the device compares it with what was written.
    fn read_back(&self, disk_len: u64) -> Result<(), Failure> {
        say("check      reads everything back and compares it")?;
        let len = (2 * CHUNK) as usize + self.device.memory_len();
        let arena = ArenaConfig { len, ..ArenaConfig::default() };
        let core = CoreConfig { arena, ..CoreConfig::default() };
        let mut queue = PollQueue::open(&*self.device, &core)?;
        let no_memory = || Failure::failed("no memory for the check; raise ulimit -l");
        let mut lease = queue.lease(CHUNK as u32).ok_or_else(no_memory)?;
        for offset in (0..disk_len).step_by(CHUNK as usize) {
            lease.set_len(CHUNK.min(disk_len - offset) as u32);
            let (result, payload) = queue.run_one(Io::read(offset, lease));
            result.map_err(|error| Failure::failed(format!("the check: {error}")))?;
            lease = payload.into_lease().expect("a device gives the lease back");
        }
        Ok(())
    }
}

/// Kills the target, lets it be away, starts it again, and waits for the next completed request.
async fn sabotage(
    core: &std::rc::Rc<Core>,
    server: &Mutex<Server>,
    verify: &VerifyHandle,
    state: &std::path::Path,
) -> Result<Outage, String> {
    let words = |failure: Failure| failure.line().to_owned();
    say("fault      kill -9 of the target, under load").map_err(words)?;
    let killed = core.now();
    server.lock().unwrap_or_else(PoisonError::into_inner).kill();
    core.sleep(AWAY_NS).await;
    let restarted = server.lock().unwrap_or_else(PoisonError::into_inner).restart(state);
    restarted.map_err(words)?;
    let back = core.now();
    let seen = verify.counts();
    while verify.counts() == seen {
        if core.now() > back + RECOVERY_NS_MAX {
            return Err("no request completed after the target was back; report this".into());
        }
        core.sleep(LOOK_NS).await;
    }
    let outage = Outage { outage_ns: back - killed, recovery_ns: core.now() - back };
    let recovery = outage.recovery_ns / 1_000_000;
    say(&format!("recovery   the target is back; I/O flows {recovery} ms later")).map_err(words)?;
    Ok(outage)
}
