//! `byway serve`: what a configuration names, until a signal.
//!
//! `SIGTERM` and `SIGINT` end it when what clients asked for is done; `SIGHUP` reads the configuration
//! again and changes the exports, which clients of the others do not notice.

mod facts;
mod house;
mod open;
mod reload;
mod servers;

use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use byway::daemon::activation;
use byway::daemon::config::Config;
use byway::daemon::notify::{Notifier, State};
use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::reactor::Reactor;

use super::args::DaemonArgs;
use super::config::{read, refuse};
use super::crew::{Cores, Crew, Threads};
use super::failure::Failure;
use super::{log, output};
use house::House;
use open::Opened;

/// How often the daemon looks whether it is to do something else, in nanoseconds.
const LOOK_NS: u64 = 50_000_000;

/// What signals ask for.
#[derive(Clone)]
struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

pub(crate) fn run(
    args: &DaemonArgs,
    filter: Option<&str>,
    format: Option<&str>,
) -> Result<(), Failure> {
    let config = read(&args.config)?.map_err(|findings| refuse(&args.config, &findings))?;
    let from_config = config.daemon.log_json.then_some("json");
    log::start(filter.or(Some(&config.daemon.log)), format.or(from_config))?;
    let inherited = activation::take()?;
    let notifier = Notifier::from_environment().map_err(|error| {
        Failure::failed(format!("NOTIFY_SOCKET: {error}; unset it, or name a socket"))
    })?;
    let signals = signals()?;
    let configs = cores(&config).configs();
    // The others outlive the first, which asks them to stop.
    let threads = Threads::start(&configs)?;
    let reactor = Reactor::new(&configs[0])?;
    let crew = Rc::new(Crew::start(reactor.core(), &threads)?);
    let opened = Opened::open(&config)?;
    let parent = args.with_parent.then(parent_id);
    let (file, notifier) = (args.config.clone(), Rc::new(notifier));
    let daemon = Daemon { file, notifier, signals, parent, crew };
    reactor.run(|core| daemon.serve(core, config, opened, inherited))
}

fn signals() -> Result<Signals, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let signals = Signals { stop: Arc::default(), reload: Arc::default() };
    let all = [(SIGINT, &signals.stop), (SIGTERM, &signals.stop), (SIGHUP, &signals.reload)];
    for (signal, flag) in all {
        signal_hook::flag::register(signal, Arc::clone(flag))
            .map_err(|error| Failure::failed(format!("signals: {error}; report this")))?;
    }
    Ok(signals)
}

fn cores(config: &Config) -> Cores {
    let daemon = &config.daemon;
    Cores { cpus: daemon.cores.value.clone(), memory: daemon.memory, poll_mode: daemon.poll_mode }
}

/// The process as a whole.
struct Daemon {
    file: PathBuf,
    notifier: Rc<Notifier>,
    signals: Signals,
    parent: Option<u32>,
    crew: Rc<Crew>,
}

impl Daemon {
    async fn serve(
        self,
        core: Rc<Core>,
        config: Config,
        opened: Opened,
        inherited: Vec<activation::Inherited>,
    ) -> Result<(), Failure> {
        let house = House::start(&core, &self.crew, config, opened, inherited).await?;
        for line in house.places() {
            output::print(&format!("{line}\n"))?;
        }
        self.keep_alive(&core);
        self.notifier.tell(&[State::Ready, State::Status(house.summary())]);
        while !self.is_over() {
            if let Some(number) = self.crew.lost() {
                let line = format!("core number {number} has ended; see the log, and report this");
                return Err(Failure::failed(line));
            }
            if self.signals.reload.swap(false, Ordering::Relaxed) {
                self.notifier.tell(&[State::Reloading]);
                reload::reload(&core, &house, &self.file).await;
                self.notifier.tell(&[State::Ready, State::Status(house.summary())]);
            }
            core.sleep(LOOK_NS).await;
        }
        self.notifier.tell(&[State::Stopping, State::Status("waiting for clients".into())]);
        tracing::info!("stopping");
        house.stop().await;
        Ok(())
    }

    fn is_over(&self) -> bool {
        let is_orphan = self.parent.is_some_and(|id| id != parent_id());
        self.signals.stop.load(Ordering::Relaxed) || is_orphan
    }

    /// Tells the service manager for as long as all reactors turn, also while they drain.
    fn keep_alive(&self, core: &Rc<Core>) {
        let Some(every_ns) = self.notifier.watchdog_every_ns() else { return };
        let (notifier, crew) = (Rc::clone(&self.notifier), Rc::clone(&self.crew));
        let own = Rc::clone(core);
        let telling = async move {
            loop {
                // One that hangs is waited for until the manager ends the process.
                let answers = crew.ask_all(|_| async {}).await;
                if answers.iter().all(Option::is_some) {
                    notifier.tell(&[State::Watchdog]);
                }
                own.sleep(every_ns).await;
            }
        };
        drop(core.spawn(Class::Background, "watchdog", telling));
    }
}
