//! `byway demo`: it all, on this machine, with nothing set up.
//!
//! A target serves a sparse file over iSCSI on loopback, a volume is made on that LUN with an image in
//! it, an export serves the image over NBD on a Unix socket, and a verified load runs on the export:
//! three processes. The target is killed under the load and started again, then the export; what was
//! written is read back, and the volume is checked. Each act says what it does when it does it.

mod folder;
mod report;
mod server;
mod volume;

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
use report::{Outage, Outages, Report};
use server::Server;
use volume::DemoVolume;

/// How long a killed server stays away, in nanoseconds.
const AWAY_NS: u64 = 500_000_000;
/// Between two attempts to start it again, in nanoseconds.
const AGAIN_NS: u64 = 50_000_000;
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
    let ends = Ends::on_signals()?;
    let folder = Folder::new(args.folder.as_deref())?;
    let stage = Stage::set(&folder, disk_len)?;
    // The saboteur waits for processes: it may hold its core up.
    let patient = CoreConfig { stall_ns: RECOVERY_NS_MAX, ..CoreConfig::default() };
    let saboteur = ReactorThread::start(patient)?;
    stage.send(&saboteur, runtime_ns, &ends.load)?;
    let result = stage.load(runtime_ns, &args.runtime, &ends.load)?;
    drop(saboteur);
    if ends.all.load(Ordering::Relaxed) {
        return Err(Failure::failed("interrupted; everything is cleaned up"));
    }
    stage.read_back()?;
    let fsck = stage.check_volume()?;
    let report = Report::new(&result, stage.outages()?, stage.verify.counts(), &fsck);
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

/// What ends the load: the saboteur, who is through with the servers, or Ctrl-C, which ends
/// everything; then what was set up is cleared away.
#[derive(Default)]
struct Ends {
    load: Arc<AtomicBool>,
    all: Arc<AtomicBool>,
}

impl Ends {
    fn on_signals() -> Result<Ends, Failure> {
        let ends = Ends::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            for end in [&ends.load, &ends.all] {
                signal_hook::flag::register(signal, Arc::clone(end))
                    .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
            }
        }
        Ok(ends)
    }
}

/// What the demo plays on.
struct Stage {
    volume: DemoVolume,
    servers: Arc<Mutex<Servers>>,
    device: Arc<dyn BlockDevice>,
    verify: VerifyHandle,
    outages: Arc<Mutex<Option<Result<Outages, String>>>>,
}

/// The processes between the load and the disk. The export goes first.
struct Servers {
    export: Server,
    target: Server,
}

impl Stage {
    fn set(folder: &Folder, disk_len: u64) -> Result<Stage, Failure> {
        let target = Server::target(&folder.disk(disk_len)?, folder.path())?;
        say(&format!("target     serves a sparse file of {} over iSCSI at", show_size(disk_len)))?;
        say(&format!("           {}", target.uri))?;
        let volume = DemoVolume::make(&target.uri)?;
        let export = Server::export(&volume.image, &folder.path().join("nbd.sock"))?;
        say("export     mounts the volume, and serves the image over NBD at")?;
        say(&format!("           {}", export.uri))?;
        let uri: Uri = export.uri.parse()?;
        let disk = open(&uri)?;
        let info = disk.info();
        say(&format!(
            "client     connected: {} in blocks of {}, up to {} a request",
            show_size(info.size),
            info.block_len,
            show_size(info.io_len_max.into())
        ))?;
        let verify = Verify::new(disk)?;
        let handle = verify.handle();
        Ok(Stage {
            volume,
            servers: Arc::new(Mutex::new(Servers { export, target })),
            device: Arc::new(verify),
            verify: handle,
            outages: Arc::default(),
        })
    }

    /// Runs the load until it is told to end.
    fn load(
        &self,
        runtime_ns: u64,
        runtime: &str,
        end: &Arc<AtomicBool>,
    ) -> Result<RunResult, Failure> {
        let longest = format!("{}ms", (runtime_ns + 2 * RECOVERY_NS_MAX) / 1_000_000);
        let mut words = JobWords::default();
        let given = [("rw", "randrw"), ("bs", "4k"), ("qd", "32"), ("warmup", "0s")];
        for (key, word) in given.into_iter().chain([("runtime", &longest[..])]) {
            words.set(key, word.to_owned())?;
        }
        let spec = RunSpec::parse(&words, &[])?;
        say(&format!(
            "load       random 4 KiB reads and writes at depth 32 for {runtime}, verified"
        ))?;
        let options = RunOptions { stop: Arc::clone(end), ..RunOptions::default() };
        Ok(byway_bench::run::run(&spec, &self.device, &options)?)
    }

    /// What the saboteur has seen.
    fn outages(&self) -> Result<Outages, Failure> {
        let outages = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = || Err("the saboteur was never through; report this".into());
        outages.clone().unwrap_or_else(unfinished).map_err(Failure::failed)
    }

    /// Sends the saboteur, who ends the load when both servers have been killed and are back, at
    /// `runtime_ns` or later.
    fn send(
        &self,
        thread: &ReactorThread,
        runtime_ns: u64,
        end: &Arc<AtomicBool>,
    ) -> Result<(), Failure> {
        let (servers, verify) = (Arc::clone(&self.servers), self.verify.clone());
        let (outages, end) = (Arc::clone(&self.outages), Arc::clone(end));
        let act = move |core: std::rc::Rc<Core>| async move {
            let finish = core.now() + runtime_ns;
            let done = sabotage_both(&core, &servers, &verify, runtime_ns / 3).await;
            // The load may wait for a server that does not come back: this is said at once.
            if let Err(problem) = &done {
                tracing::error!(problem, "the demo cannot go on");
            }
            *outages.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            core.sleep(finish.saturating_sub(core.now())).await;
            end.store(true, Ordering::Relaxed);
        };
        let sent = thread.spawn(Class::Foreground, "saboteur", act);
        sent.map_err(|_| Failure::failed("the demo's second thread has ended; report this"))
    }

    /// Kills the export once more, for good, and checks what it has left of the volume.
    fn check_volume(&self) -> Result<byway_fs::fsck::Report, Failure> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).export.kill();
        self.volume.check()
    }

    /// Reads the whole image; the device compares it with what was written.
    fn read_back(&self) -> Result<(), Failure> {
        let len = self.volume.len;
        say("check      reads everything back and compares it")?;
        let memory = (2 * CHUNK) as usize + self.device.memory_len();
        let arena = ArenaConfig { len: memory, ..ArenaConfig::default() };
        let core = CoreConfig { arena, ..CoreConfig::default() };
        let mut queue = PollQueue::open(&*self.device, &core)?;
        let no_memory = || Failure::failed("no memory for the check; raise ulimit -l");
        let mut lease = queue.lease(CHUNK as u32).ok_or_else(no_memory)?;
        for offset in (0..len).step_by(CHUNK as usize) {
            lease.set_len(CHUNK.min(len - offset) as u32);
            let (result, payload) = queue.run_one(Io::read(offset, lease));
            result.map_err(|error| Failure::failed(format!("the check: {error}")))?;
            lease = payload.into_lease().expect("a device gives the lease back");
        }
        Ok(())
    }
}

/// The target first, then the export.
async fn sabotage_both(
    core: &std::rc::Rc<Core>,
    servers: &Mutex<Servers>,
    verify: &VerifyHandle,
    pause_ns: u64,
) -> Result<Outages, String> {
    core.sleep(pause_ns).await;
    let target = sabotage(core, servers, |servers| &mut servers.target, verify).await?;
    core.sleep(pause_ns.saturating_sub(AWAY_NS)).await;
    let export = sabotage(core, servers, |servers| &mut servers.export, verify).await?;
    Ok(Outages { target, export })
}

fn restart(
    servers: &Mutex<Servers>,
    which: fn(&mut Servers) -> &mut Server,
) -> Result<(), Failure> {
    which(&mut servers.lock().unwrap_or_else(PoisonError::into_inner)).restart()
}

/// Kills a server, lets it be away, starts it again, and waits for the next completed request.
async fn sabotage(
    core: &std::rc::Rc<Core>,
    servers: &Mutex<Servers>,
    which: fn(&mut Servers) -> &mut Server,
    verify: &VerifyHandle,
) -> Result<Outage, String> {
    let words = |failure: Failure| failure.line().to_owned();
    let killed = core.now();
    let name = {
        let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
        let server = which(&mut servers);
        say(&format!("fault      kill -9 of the {}, under load", server.name)).map_err(words)?;
        server.kill();
        server.name
    };
    core.sleep(AWAY_NS).await;
    // The kernel takes apart what a killed process had in flight, and only then is a port free.
    while let Err(failure) = restart(servers, which) {
        if core.now() > killed + RECOVERY_NS_MAX {
            return Err(words(failure));
        }
        core.sleep(AGAIN_NS).await;
    }
    let back = core.now();
    let seen = verify.counts();
    while verify.counts() == seen {
        if core.now() > back + RECOVERY_NS_MAX {
            return Err(format!("no request completed after the {name} was back; report this"));
        }
        core.sleep(LOOK_NS).await;
    }
    let outage = Outage { outage_ns: back - killed, recovery_ns: core.now() - back };
    let recovery = outage.recovery_ns / 1_000_000;
    say(&format!("recovery   the {name} is back; I/O flows {recovery} ms later")).map_err(words)?;
    Ok(outage)
}
