//! The login of one connection: PDUs between the stream and the login machine, in bounded time.
//!
//! A login that names a living session takes its place: the old one is cut, and the answer waits
//! until the device is done with its commands (RFC 7143 section 6.3.5).

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::net::{Inbox, Stream};
use byway_proto::iscsi::chap::Challenge;
use byway_proto::iscsi::framing::{Framer, Next};
use byway_proto::iscsi::login::LOGIN_PART_LEN_MAX;
use byway_proto::iscsi::login::target::{
    Applicant, Login, TargetLoginConfig, TargetLoginOutcome, TargetLoginState,
};
use byway_proto::iscsi::pdu::{BHS_LEN, Bhs, LoginResponse, LoginStatus, Stage, padding};
use byway_proto::serial::Serial;

use super::connection::SessionKey;
use super::node::Node;

/// Staging memory of a connection that logs in, or is idle.
pub(crate) const INBOX_SMALL_LEN: u32 = 16 << 10;
/// The first StatSN of every connection.
const FIRST_STAT_SN: Serial = Serial(1);

/// Why nobody logged in.
#[derive(Debug)]
pub(crate) enum NoLogin {
    /// The stream ended or failed.
    Stream(String),
    /// What came was no login, or too much of it.
    Garbage(String),
    /// The initiator was told why.
    Refused(LoginStatus),
    /// There is no memory for the connection.
    NoMemory,
}

/// One connection before its session.
pub(crate) struct Gate<'a> {
    pub(crate) node: &'a Rc<Node>,
    pub(crate) stream: &'a Stream,
    pub(crate) inbox: Inbox,
    pub(crate) portal_group: u16,
}

impl Gate<'_> {
    /// Performs a login. The key of the session is reserved for this connection.
    pub(crate) async fn run(&mut self) -> Result<(TargetLoginOutcome, Reserved), NoLogin> {
        let mut login = Login::new(self.config());
        let mut framer = Framer::new(false, false);
        let mut reserved = None;
        loop {
            let (bhs, data) = self.receive(&mut framer).await?;
            let directory = self.node.directory_of(self.portal_group);
            if let Err(error) = login.handle(&bhs, &data, &directory) {
                tracing::info!(peer = %self.stream.peer_address(), %error, "login refused");
            }
            if let TargetLoginState::Deciding(applicant) = login.state() {
                match admit(self.node, applicant).await {
                    Ok(place) => {
                        login.accept(place.tsih);
                        reserved = Some(place);
                    }
                    Err(status) => login.reject(status),
                }
            }
            let is_over = self.send(&mut login).await?;
            match login.state() {
                TargetLoginState::Closing(status) if is_over => {
                    return Err(NoLogin::Refused(status));
                }
                TargetLoginState::Done(outcome) if is_over => {
                    let place = reserved.expect("a login is accepted with a place");
                    return Ok((outcome.clone(), place));
                }
                _ => {}
            }
        }
    }

    /// Sends what is due; true where that was the last response of the login.
    async fn send(&self, login: &mut Login) -> Result<bool, NoLogin> {
        let mut is_over = false;
        while let Some((bhs, data)) = login.poll_transmit() {
            let payload = self.pdu(&bhs, data)?;
            let (sent, _) = self.stream.send(payload).await;
            sent.map_err(|error| NoLogin::Stream(error.to_string()))?;
            let response = LoginResponse::decode(&bhs).expect("a response that was just built");
            is_over = response.flags.next == Some(Stage::FullFeature)
                || response.status != LoginStatus::Success && !response.flags.is_continued;
        }
        Ok(is_over)
    }

    fn config(&self) -> TargetLoginConfig {
        let mut random = [0; 33];
        (self.node.entropy)(&mut random);
        let mut challenge = Challenge { id: random[32], random: [0; 32] };
        challenge.random.copy_from_slice(&random[..32]);
        TargetLoginConfig {
            operational: self.node.operational,
            stat_sn: FIRST_STAT_SN,
            window: self.node.limits.tasks_max.into(),
            challenge,
            pace: self.node.faults.pace.unwrap_or_default(),
        }
    }

    /// One PDU; during a login its data are short.
    async fn receive(&mut self, framer: &mut Framer) -> Result<(Bhs, Vec<u8>), NoLogin> {
        let len = loop {
            let bytes = self.inbox.bytes();
            let len = framer.head_len(bytes);
            if bytes.len() >= len {
                break len;
            }
            self.more().await?;
        };
        let bhs = framer.head(&self.inbox.bytes()[..len], |_| 0);
        let bhs = bhs.map_err(|_| NoLogin::Garbage("a digest before the login".into()))?;
        self.inbox.consume(len);
        let mut data = Vec::new();
        loop {
            match framer.next() {
                Next::Head => return Ok((bhs, data)),
                Next::Data(left) if data.len() + left as usize > LOGIN_PART_LEN_MAX as usize => {
                    return Err(NoLogin::Garbage(format!("{left} bytes of data in a login")));
                }
                Next::Data(left) => {
                    let n = self.inbox.bytes().len().min(left as usize);
                    data.extend_from_slice(&self.inbox.bytes()[..n]);
                    self.inbox.consume(n);
                    if n > 0 { framer.data(n as u32) } else { self.more().await? }
                }
                Next::Tail(len) => match self.inbox.bytes().get(..len as usize) {
                    Some(bytes) => {
                        framer.tail(bytes, |_| 0);
                        self.inbox.consume(len as usize);
                    }
                    None => self.more().await?,
                },
            }
        }
    }

    async fn more(&mut self) -> Result<(), NoLogin> {
        let (result, payload) = self.stream.receive(self.inbox.prepare(None)).await;
        let n = result.map_err(|error| NoLogin::Stream(error.to_string()))?;
        self.inbox.finish(payload, n);
        if n == 0 {
            return Err(NoLogin::Stream("the peer ended the connection".into()));
        }
        Ok(())
    }

    fn pdu(&self, bhs: &Bhs, data: &[u8]) -> Result<Payload, NoLogin> {
        let len = BHS_LEN + data.len() + padding(data.len() as u32) as usize;
        let mut lease = self.node.core.lease(len as u32).ok_or(NoLogin::NoMemory)?;
        lease.fill(0);
        lease[..BHS_LEN].copy_from_slice(bhs);
        lease[BHS_LEN..][..data.len()].copy_from_slice(data);
        Ok(lease.into())
    }
}

/// A session's key, held for a connection; given back when dropped.
pub(crate) struct Reserved {
    node: Rc<Node>,
    pub(crate) key: SessionKey,
    pub(crate) tsih: u16,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.node.keys.borrow_mut().remove(&self.key);
        self.node.changed.changed();
    }
}

/// Makes room for the session of this applicant, or says why not.
async fn admit(node: &Rc<Node>, applicant: &Applicant) -> Result<Reserved, LoginStatus> {
    if node.is_stopping.get() {
        return Err(LoginStatus::ServiceUnavailable);
    }
    let key = SessionKey {
        initiator: applicant.initiator_name.as_str().to_owned(),
        isid: applicant.isid,
        portal_group: applicant.portal_group,
        is_discovery: applicant.target_name.is_none(),
    };
    if applicant.tsih != 0 {
        let is_known = node.connections(|c| c.key == key && c.tsih == applicant.tsih);
        return Err(match is_known.is_empty() {
            true => LoginStatus::SessionDoesNotExist,
            false => LoginStatus::TooManyConnections,
        });
    }
    let number = node.logins.replace(node.logins.get() + 1);
    loop {
        // A later login of the same initiator port wins over an earlier one that still waits.
        let before = node.keys.borrow().get(&key).copied();
        match before {
            None => break,
            Some(holder) if holder > number => return Err(LoginStatus::InitiatorError),
            Some(_) => {}
        }
        let is_free = || {
            node.connections(|c| c.key == key).iter().for_each(|c| c.kill());
            (node.faults.skips_drain || node.keys.borrow().get(&key).copied() != before)
                .then_some(())
        };
        node.changed.until(is_free).await;
        if node.faults.skips_drain {
            break;
        }
    }
    let tsih = node.next_tsih();
    node.keys.borrow_mut().insert(key.clone(), number);
    Ok(Reserved { node: Rc::clone(node), key, tsih })
}
