//! Commands as they are, on one session: for tools that look at a target rather than use a LUN.

use std::rc::{Rc, Weak};

use byway_engine::SetupError;
use byway_engine::core::Core;
use byway_proto::iscsi::initiator::{Tmf, TmfOutcome};
use byway_proto::iscsi::negotiate::SessionParams;
use byway_proto::iscsi::pdu::TaskResponse;
use byway_proto::scsi::{Cdb, Lun, Sense, Status};

use crate::config::IscsiConfig;
use crate::control::{Control, End};
use crate::device::Nobody;
use crate::link::Sink;
use crate::login::{self, Purpose};
use crate::path::{self, Running};

/// One session with a target. Dropping it resets the connection without a logout.
pub struct RawSession {
    running: Running,
    params: SessionParams,
}

/// What a command is sent with, or brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawData<'a> {
    /// Nothing.
    None,
    /// Up to so many bytes come.
    In(usize),
    /// These bytes go.
    Out(&'a [u8]),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawEnd {
    /// GOOD, with what came.
    Good(Vec<u8>),
    /// Another status.
    Status(Status, Option<Sense>),
    /// It may have been executed or not: the session ended, or it was aborted.
    Unknown,
    /// It certainly was not executed.
    NotSent,
}

impl RawSession {
    /// Logs in at the first portal with the first ISID of `config`.
    ///
    /// # Errors
    /// Where the portal does not answer or refuses the login.
    pub async fn open(core: &Rc<Core>, config: &IscsiConfig) -> Result<RawSession, SetupError> {
        let portal = &config.portals[0];
        let opened = login::open(core, config, portal, Purpose::Normal, config.isid).await;
        let refused = |why: String| SetupError::new(&config.name, why, "see byway iscsi discover");
        let opened = opened.map_err(|refusal| refused(refusal.to_string()))?;
        let sink: Weak<dyn Sink> = Weak::<Nobody>::new();
        let running = path::run(core, config, opened, 0, sink);
        let (running, params) = running.ok_or_else(|| refused("no memory is left".into()))?;
        Ok(RawSession { running, params })
    }

    /// What was negotiated.
    pub fn params(&self) -> &SessionParams {
        &self.params
    }

    /// Runs a command on a logical unit; nothing is done about unit attentions.
    pub async fn command(&self, lun: Lun, cdb: Cdb, data: RawData<'_>) -> RawEnd {
        let control = match data {
            RawData::None => Control::read(lun, cdb, 0),
            RawData::In(len) => Control::read(lun, cdb, len),
            RawData::Out(bytes) => Control::write(lun, cdb, bytes.to_vec()),
        };
        match self.running.link.execute(&control).await {
            End::Good(len) => {
                let came = if matches!(data, RawData::In(_)) { len } else { 0 };
                RawEnd::Good(control.take_data(came))
            }
            End::Status(status, sense) => RawEnd::Status(status, sense),
            End::Unknown => RawEnd::Unknown,
            End::NotSent => RawEnd::NotSent,
        }
    }

    /// LOGICAL UNIT RESET: true where the target says that it is done.
    pub async fn reset(&self, lun: Lun) -> bool {
        let outcome = self.running.link.manage(Tmf::LunReset(lun)).await;
        outcome == Some(TmfOutcome::Answered(TaskResponse::Complete))
    }

    /// Logs out in order.
    pub async fn leave(self) {
        self.running.link.leave().await;
    }
}
