//! Keeps one path to the LUN alive: log in, ask, serve, and again from the start when it is lost.
//!
//! ```text
//! Opening ──login and survey──▶ Up ──session over──▶ Down ──wait──▶ Opening
//!    └──────refused, or another LUN──────▶ Down
//! ```
//! Any trouble in any state leads to the one wait before the next attempt. The first attempt after a
//! loss comes at once; further ones wait longer and longer. The ISID stays, so that each login ends
//! what the session before may have left at the target (RFC 7143 section 6.3.5).

use std::rc::{Rc, Weak};

use byway_engine::core::Core;
use byway_engine::exec::{Class, JoinHandle};
use byway_engine::net::{Address, Inbox};
use byway_proto::iscsi::initiator::{Config, Failure, Session, Start};
use byway_proto::iscsi::login::initiator::LoginOutcome;
use byway_proto::iscsi::negotiate::SessionParams;

use crate::config::{IscsiConfig, Mutation, TASKS_MAX};
use crate::dispatch::Dispatcher;
use crate::link::{Link, Sink, Unfinished};
use crate::login::{self, Opened, Purpose, SEND_LEN_MAX};
use crate::status::{self, PathState};
use crate::survey::{self, Access, Survey};

/// The wait after a failed attempt, in nanoseconds: short while the target may just be starting
/// anew, doubled with each further attempt after [`HASTY_ATTEMPTS`].
const WAIT_NS_MIN: u64 = 50_000_000;
/// Attempts in a row with the shortest wait.
const HASTY_ATTEMPTS: usize = 200;

/// A link whose task runs.
pub(crate) struct Running {
    pub(crate) link: Rc<Link>,
    task: JoinHandle<(Failure, Vec<Unfinished>)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes a link of an opened connection, and lets it run.
pub(crate) fn run(
    core: &Rc<Core>,
    config: &IscsiConfig,
    opened: Opened,
    path: usize,
    sink: Weak<dyn Sink>,
) -> Option<(Running, SessionParams)> {
    let LoginOutcome { mut params, cmd_sn, exp_stat_sn, exp_cmd_sn, max_cmd_sn, .. } =
        opened.outcome;
    let told = params.clone();
    params.max_send_data_segment_len = params.max_send_data_segment_len.min(SEND_LEN_MAX);
    let start = Start { cid: 0, cmd_sn, exp_stat_sn, exp_cmd_sn, max_cmd_sn };
    let timeouts = &config.timeouts;
    let terms = Config {
        ka_ns: timeouts.keepalive_ns,
        tmf_ns: timeouts.management_ns,
        ..Config::new(TASKS_MAX)
    };
    let session = Session::new(&params, start, terms, core.now());
    let command_ns = timeouts.command_ns;
    let link = Link::new(core, opened.stream, session, &params, path, command_ns, sink)?;
    let inbox = Inbox::new(core)?;
    let runs = Rc::clone(&link);
    let task = core.spawn(Class::Latency, "iscsi link", async move { runs.run(inbox).await });
    Some((Running { link, task }, told))
}

/// Keeps path `index` alive until the task is aborted.
pub(crate) async fn keep(
    dispatcher: Rc<Dispatcher>,
    index: usize,
    channel: u32,
    sink: Weak<dyn Sink>,
) {
    let mut path =
        Path { dispatcher, index, channel, sink, wait_ns: 0, attempts: 0, left_in: None };
    loop {
        let ended = path.live().await;
        path.note(PathState::Down, Some(ended));
        let dispatcher = Rc::clone(&path.dispatcher);
        let until = dispatcher.core.now() + path.wait_ns;
        dispatcher.core.sleep_until(until).await;
        let longer = if path.attempts < HASTY_ATTEMPTS { WAIT_NS_MIN } else { path.wait_ns * 2 };
        path.wait_ns = longer.clamp(WAIT_NS_MIN, path.config().timeouts.retry_max_ns);
    }
}

struct Path {
    dispatcher: Rc<Dispatcher>,
    index: usize,
    channel: u32,
    sink: Weak<dyn Sink>,
    wait_ns: u64,
    attempts: usize,
    /// The portal group in which the last session left tasks, and until when that matters.
    left_in: Option<(u16, u64)>,
}

impl Path {
    fn config(&self) -> &IscsiConfig {
        &self.dispatcher.shared.config
    }

    fn note(&self, state: PathState, trouble: Option<String>) {
        if let Some(trouble) = &trouble {
            tracing::info!(path = self.index, trouble, "a path is down");
        }
        self.dispatcher.shared.note(self.channel, self.index, |status| {
            status.state = state;
            status.trouble = trouble.or(status.trouble.take());
        });
    }

    /// The portal of this attempt: its own, and when that does not answer, in turns with those of
    /// the same portal group, through which the same ISID ends the old session too.
    fn portal(&self) -> Address {
        let (config, shared) = (self.config(), &self.dispatcher.shared);
        let own = config.portals[self.index].clone();
        if self.attempts.is_multiple_of(2) {
            return own;
        }
        let others = shared.portals_beside(self.index);
        let other = others.get(self.attempts / 2 % others.len().max(1));
        other.map_or(own, |n| config.portals[*n].clone())
    }

    /// One life of the path; answers why it ended.
    async fn live(&mut self) -> String {
        self.note(PathState::Opening, None);
        let portal = self.portal();
        self.attempts += 1;
        let config = self.config();
        let isid = config.isid_of(self.channel * config.portals.len() as u32 + self.index as u32);
        let core = Rc::clone(&self.dispatcher.core);
        let opened = match login::open(&core, config, &portal, Purpose::Normal, isid).await {
            Ok(opened) => opened,
            Err(refusal) => return refusal.to_string(),
        };
        let Some((running, params)) = run(&core, config, opened, self.index, self.sink.clone())
        else {
            return "the core's arena has no memory left; enlarge it".into();
        };
        if let Some(trouble) = self.elsewhere(&params) {
            return trouble;
        }
        match self.survey(&running.link).await {
            Ok(survey) => self.serve(running, &params, &survey).await,
            Err(problem) => {
                self.doubt();
                problem
            }
        }
    }

    /// The session ended before it was known what had happened since the one before. The target says
    /// once that it started anew, and may have said it to this session: then nobody vouches for its
    /// cache any more.
    fn doubt(&self) {
        if self.config().mutation != Some(Mutation::LossForgotten) {
            self.dispatcher.cache_lost();
        }
    }

    /// A login in another portal group leaves the old session alive (RFC 7143 section 4.4.3.2), as a
    /// redirect may bring about. It is of no use while the old session may execute something that is
    /// to be sent again; in the end that has failed for want of a path.
    fn elsewhere(&self, params: &SessionParams) -> Option<String> {
        let (left, until_ns) = self.left_in?;
        let group = params.target_portal_group_tag?;
        let is_elsewhere = group != left && self.dispatcher.core.now() < until_ns;
        is_elsewhere.then(|| {
            format!(
                "the target answers as portal group {group}; the old session is in group {left}"
            )
        })
    }

    /// What the LUN says on this path; it must be the one that was opened.
    async fn survey(&self, link: &Rc<Link>) -> Result<Survey, String> {
        let survey = survey::survey(link, self.config().lun).await?;
        let known = &self.dispatcher.shared.facts;
        if survey.identity != known.identity || survey.block_len != known.block_len {
            return Err("another LUN answers at this portal; correct the configuration".into());
        }
        Ok(survey)
    }

    async fn serve(
        &mut self,
        mut running: Running,
        params: &SessionParams,
        survey: &Survey,
    ) -> String {
        (self.wait_ns, self.attempts, self.left_in) = (0, 0, None);
        let up = if survey.access == Access::Unusable { PathState::Standby } else { PathState::Up };
        self.dispatcher.shared.note(self.channel, self.index, |status| {
            status.state = up;
            status.logins += 1;
            status.params = Some(params.clone());
            status.refused = status::remarks(params);
        });
        self.dispatcher.up(self.index, &running.link, survey);
        let Ok((failure, unfinished)) = (&mut running.task).await else {
            return "the path was closed".into();
        };
        let until_ns = self.dispatcher.core.now() + self.config().timeouts.path_ns;
        let group = params.target_portal_group_tag.filter(|_| running.link.left_tasks.get());
        self.left_in = group.map(|group| (group, until_ns));
        self.dispatcher.down(self.index, unfinished);
        format!("the session ended: {failure:?}")
    }
}
