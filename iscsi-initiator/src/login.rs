//! Connecting to a portal and logging in.

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::{Core, within};
use byway_engine::net::{Address, NetError, Stream};
use byway_proto::iscsi::chap::{CHALLENGE_LEN, Challenge, Credentials, Peer};
use byway_proto::iscsi::login::initiator::{
    Login, LoginConfig, LoginOutcome, LoginState, Proof, Purpose,
};
use byway_proto::iscsi::login::{Host, LoginError, TargetAddress};
use byway_proto::iscsi::negotiate::{DigestPolicy, Operational};
use byway_proto::iscsi::pdu::{BHS_LEN, Bhs, Isid, Itt, data_segment_len, padding};
use byway_proto::serial::Serial;

use crate::config::{ChapConfig, IscsiConfig};

/// Data segments of this length and below are sent: each is one piece of a gathered send.
pub(crate) const SEND_LEN_MAX: u32 = 64 << 10;
/// The longest data segment of a login, with padding.
const LOGIN_DATA_LEN_MAX: u32 = 64 << 10;
/// Redirects in a row.
const REDIRECTS_MAX: u32 = 4;

/// A connection at the start of full-feature phase.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) outcome: LoginOutcome,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No connection.
    Net(NetError),
    /// No login.
    Login(LoginError),
    /// No answer in time.
    TimedOut,
    /// Anything else, in words.
    Other(String),
}

impl Refusal {
    /// True where another attempt without a change of the configuration is of no use.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, Refusal::Login(error) if error.is_permanent())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Net(error) => error.fmt(f),
            Refusal::Login(error) => error.fmt(f),
            Refusal::TimedOut => f.write_str("the login timed out; check that the target is up"),
            Refusal::Other(words) => f.write_str(words),
        }
    }
}

impl From<NetError> for Refusal {
    fn from(error: NetError) -> Refusal {
        Refusal::Net(error)
    }
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Refusal {
        Refusal::Login(error)
    }
}

/// The operational keys that this initiator asks for.
pub(crate) fn operational(config: &IscsiConfig) -> Operational {
    let policy = |wanted| if wanted { DigestPolicy::Prefer } else { DigestPolicy::Allow };
    Operational {
        header_digest: policy(config.digests.header),
        data_digest: policy(config.digests.data),
        ..Operational::default()
    }
}

/// Connects and logs in within the time that the configuration gives.
pub(crate) async fn open(
    core: &Rc<Core>,
    config: &IscsiConfig,
    portal: &Address,
    purpose: &Purpose,
    isid: Isid,
) -> Result<Opened, Refusal> {
    let deadline = core.now() + config.timeouts.login_ns;
    let opening = follow(core, config, portal, purpose, isid);
    within(core, deadline, opening).await.unwrap_or(Err(Refusal::TimedOut))
}

/// Goes where redirects lead. A temporary one is followed and forgotten (RFC 7143 section 11.13.5).
async fn follow(
    core: &Rc<Core>,
    config: &IscsiConfig,
    portal: &Address,
    purpose: &Purpose,
    isid: Isid,
) -> Result<Opened, Refusal> {
    let mut portal = portal.clone();
    for _ in 0..REDIRECTS_MAX {
        let stream = Stream::connect(core, &portal).await?;
        let user_ms = (config.timeouts.command_ns / 1_000_000) as u32;
        stream.set_user_timeout(user_ms)?;
        let login = Login::new(login_config(core, config, purpose, isid)?)?;
        match exchange(core, &stream, login).await? {
            Ok(outcome) => return Ok(Opened { stream, outcome }),
            Err(address) => portal = address_of(&address)?,
        }
    }
    Err(Refusal::Other("the target redirects in circles; correct its configuration".into()))
}

/// A redirect to a name is not followed: looking names up blocks.
fn address_of(to: &TargetAddress) -> Result<Address, Refusal> {
    match &to.host {
        Host::Ip(ip) => Ok(Address::Tcp((*ip, to.port).into())),
        Host::Name(name) => {
            Err(Refusal::Other(format!("the target redirects to the name {name}; use that portal")))
        }
    }
}

fn login_config(
    core: &Core,
    config: &IscsiConfig,
    purpose: &Purpose,
    isid: Isid,
) -> Result<LoginConfig, Refusal> {
    let proof = match &config.chap {
        None => Proof::None,
        Some(chap) => proof(core, chap)?,
    };
    Ok(LoginConfig {
        initiator_name: config.initiator_name.clone(),
        initiator_alias: None,
        purpose: purpose.clone(),
        isid,
        tsih: 0,
        cid: 0,
        proof,
        operational: operational(config),
        itt: Itt(0),
        cmd_sn: Serial(1),
    })
}

fn proof(core: &Core, chap: &ChapConfig) -> Result<Proof, Refusal> {
    let own = Credentials { name: chap.user.clone(), secret: chap.secret.clone() };
    let peer = match &chap.peer {
        None => None,
        Some(peer) => {
            let mut bytes = [0; CHALLENGE_LEN + 1];
            core.random(&mut bytes).map_err(|error| Refusal::Other(error.to_string()))?;
            let challenge = Challenge::new(bytes[0], &bytes[1..]);
            let known = Peer { name: peer.user.clone(), secret: peer.secret.clone() };
            Some((known, challenge))
        }
    };
    Ok(Proof::Chap { own, peer, algorithms: chap.algorithms.clone() })
}

/// Sends and receives until the login has come to its end.
async fn exchange(
    core: &Rc<Core>,
    stream: &Stream,
    mut login: Login,
) -> Result<Result<LoginOutcome, TargetAddress>, Refusal> {
    loop {
        while let Some((bhs, text)) = login.poll_transmit() {
            let mut bytes = bhs.to_vec();
            bytes.extend_from_slice(text);
            bytes.resize(bytes.len() + padding(text.len() as u32) as usize, 0);
            send(core, stream, &bytes).await?;
        }
        let mut bhs: Bhs = [0; BHS_LEN];
        bhs.copy_from_slice(&receive(core, stream, BHS_LEN as u32).await?);
        let len = data_segment_len(&bhs);
        if len > LOGIN_DATA_LEN_MAX {
            return Err(Refusal::Other(format!("a login response of {len} bytes is too long")));
        }
        let mut data = receive(core, stream, len + padding(len)).await?;
        data.truncate(len as usize);
        login.handle(&bhs, &data)?;
        match login.state() {
            LoginState::Done(outcome) => return Ok(Ok(outcome.clone())),
            LoginState::Redirected(redirect) => return Ok(Err(redirect.address.clone())),
            LoginState::Negotiating(_) => {}
            LoginState::Failed => return Err(Refusal::Other("the login failed".into())),
        }
    }
}

fn no_memory() -> Refusal {
    Refusal::Other("the core's arena has no memory left; enlarge it".into())
}

async fn send(core: &Rc<Core>, stream: &Stream, bytes: &[u8]) -> Result<(), Refusal> {
    let mut lease = core.lease(bytes.len() as u32).ok_or_else(no_memory)?;
    lease.copy_from_slice(bytes);
    Ok(stream.send(Payload::from(lease)).await.0?)
}

async fn receive(core: &Rc<Core>, stream: &Stream, len: u32) -> Result<Vec<u8>, Refusal> {
    if len == 0 {
        return Ok(Vec::new());
    }
    let lease = core.lease(len).ok_or_else(no_memory)?;
    let (result, payload) = stream.receive_exact(Payload::from(lease)).await;
    result?;
    let mut bytes = vec![0; len as usize];
    payload.copy_to(0, &mut bytes);
    Ok(bytes)
}
