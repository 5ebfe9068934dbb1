//! Connecting to a portal and logging in.

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::{Core, within};
use byway_engine::net::{Address, NetError, Stream};
use byway_proto::iscsi::chap::{Challenge, Credentials, Peer};
use byway_proto::iscsi::login::initiator::{Login, LoginConfig, LoginOutcome, LoginState, Proof};
use byway_proto::iscsi::login::{Host, LoginError, Redirect, RedirectTrail, TargetAddress};
use byway_proto::iscsi::negotiate::{DigestPolicy, Offer, Operational};
use byway_proto::iscsi::pdu::{BHS_LEN, Bhs, Isid, Itt, data_segment_len, padding};
use byway_proto::iscsi::text::IscsiName;
use byway_proto::serial::Serial;

use crate::config::{ChapConfig, IscsiConfig};

/// Data segments of this length and below are sent: each is one piece of a gathered send.
pub(crate) const SEND_LEN_MAX: u32 = 64 << 10;
/// The longest data segment of a login, with padding.
const LOGIN_DATA_LEN_MAX: u32 = 64 << 10;

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

/// What the session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// I/O with the target of the configuration.
    Normal,
    /// Asking which targets there are.
    Discovery,
}

/// Connects and logs in within the time that the configuration gives.
pub(crate) async fn open(
    core: &Rc<Core>,
    config: &IscsiConfig,
    portal: &Address,
    purpose: Purpose,
    isid: Isid,
) -> Result<Opened, Refusal> {
    let deadline = core.now() + config.timeouts.login_ns;
    let opening = follow(core, config, portal, purpose, isid);
    within(core, deadline, opening).await.unwrap_or(Err(Refusal::TimedOut))
}

/// Goes where redirects lead. None is remembered: a temporary one must not be (RFC 7143 section
/// 11.13.5), and a permanent one is followed again in no time.
async fn follow(
    core: &Rc<Core>,
    config: &IscsiConfig,
    portal: &Address,
    purpose: Purpose,
    isid: Isid,
) -> Result<Opened, Refusal> {
    let (mut portal, mut trail) = (portal.clone(), RedirectTrail::default());
    loop {
        let stream = Stream::connect(core, &portal).await?;
        let user_ms = (config.timeouts.command_ns / 1_000_000) as u32;
        stream.set_user_timeout(user_ms)?;
        let login = Login::new(login_config(core, config, purpose, isid)?)?;
        match exchange(core, &stream, login).await? {
            Ok(outcome) => return Ok(Opened { stream, outcome }),
            Err(redirect) => {
                trail.follow(&redirect)?;
                portal = address_of(&redirect.to)?;
            }
        }
    }
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
    purpose: Purpose,
    isid: Isid,
) -> Result<LoginConfig, Refusal> {
    let proof = match &config.chap {
        None => Proof::None,
        Some(chap) => proof(core, chap)?,
    };
    let initiator = name(&config.initiator_name)?;
    let mut offer = match purpose {
        Purpose::Normal => Offer::normal(initiator, name(&config.target_name)?),
        Purpose::Discovery => Offer::discovery(initiator),
    };
    offer.operational = operational(config);
    let (itt, cmd_sn) = (Itt(0), Serial(1));
    Ok(LoginConfig { offer, portal_group: None, isid, tsih: 0, cid: 0, proof, itt, cmd_sn })
}

fn name(text: &str) -> Result<IscsiName, Refusal> {
    IscsiName::new(text).map_err(|error| Refusal::Other(format!("the name '{text}': {error}")))
}

fn proof(core: &Core, chap: &ChapConfig) -> Result<Proof, Refusal> {
    let own = Credentials { name: chap.user.clone(), secret: chap.secret.clone() };
    let peer = match &chap.peer {
        None => None,
        Some(peer) => {
            let (mut id, mut random) = ([0], [0; 32]);
            let drawn = core.random(&mut id).and_then(|()| core.random(&mut random));
            drawn.map_err(|error| Refusal::Other(error.to_string()))?;
            let challenge = Challenge { id: id[0], random };
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
) -> Result<Result<LoginOutcome, Redirect>, Refusal> {
    loop {
        while let Some((bhs, text)) = login.poll_transmit() {
            send_pdu(core, stream, &bhs, text).await?;
        }
        let (bhs, data) = receive_pdu(core, stream).await?;
        login.handle(&bhs, &data)?;
        match login.state() {
            LoginState::Done(outcome) => return Ok(Ok(outcome.clone())),
            LoginState::Redirected(redirect) => return Ok(Err(redirect.clone())),
            LoginState::Negotiating(_) => {}
            LoginState::Failed => return Err(Refusal::Other("the login failed".into())),
        }
    }
}

fn no_memory() -> Refusal {
    Refusal::Other("the core's arena has no memory left; enlarge it".into())
}

/// Sends a PDU without digests.
pub(crate) async fn send_pdu(
    core: &Rc<Core>,
    stream: &Stream,
    bhs: &Bhs,
    text: &[u8],
) -> Result<(), Refusal> {
    let len = BHS_LEN + text.len() + padding(text.len() as u32) as usize;
    let mut lease = core.lease(len as u32).ok_or_else(no_memory)?;
    lease.fill(0);
    lease[..BHS_LEN].copy_from_slice(bhs);
    lease[BHS_LEN..BHS_LEN + text.len()].copy_from_slice(text);
    Ok(stream.send(Payload::from(lease)).await.0?)
}

/// Receives a PDU without digests.
pub(crate) async fn receive_pdu(
    core: &Rc<Core>,
    stream: &Stream,
) -> Result<(Bhs, Vec<u8>), Refusal> {
    let mut bhs: Bhs = [0; BHS_LEN];
    bhs.copy_from_slice(&receive(core, stream, BHS_LEN as u32).await?);
    let len = data_segment_len(&bhs);
    if len > LOGIN_DATA_LEN_MAX {
        return Err(Refusal::Other(format!("a response of {len} bytes of text is too long")));
    }
    let mut data = receive(core, stream, len + padding(len)).await?;
    data.truncate(len as usize);
    Ok((bhs, data))
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
