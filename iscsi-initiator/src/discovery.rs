//! Asking a portal which targets it knows (SendTargets, RFC 7143 appendix C).

use std::rc::Rc;

use byway_engine::SetupError;
use byway_engine::core::{Core, CoreConfig, within};
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
pub use byway_proto::iscsi::login::discovery::DiscoveredTarget;
use byway_proto::iscsi::login::discovery::{Discovery, DiscoveryConfig, SendTargets};
use byway_proto::iscsi::pdu::Itt;

use crate::config::IscsiConfig;
use crate::login::{self, Purpose, Refusal};

/// Asks `portal` for its targets; names, secrets and patience are those of `config`. The calling
/// thread waits.
///
/// # Errors
/// Where the portal does not answer, refuses the login, or answers nonsense.
pub fn discover(
    config: &IscsiConfig,
    portal: &Address,
) -> Result<Vec<DiscoveredTarget>, SetupError> {
    // Nobody else's work waits on this reactor.
    let reactor = Reactor::new(&CoreConfig { stall_ns: 0, ..CoreConfig::default() })?;
    let (config, portal) = (config.clone(), portal.clone());
    reactor.run(|core| async move {
        let found = discover_on(&core, &config, &portal).await;
        found.map_err(|refusal| {
            let remedy = "check the portal, and the target's list of initiators";
            SetupError::new(portal.to_string(), refusal.to_string(), remedy)
        })
    })
}

async fn discover_on(
    core: &Rc<Core>,
    config: &IscsiConfig,
    portal: &Address,
) -> Result<Vec<DiscoveredTarget>, Refusal> {
    let opened = login::open(core, config, portal, Purpose::Discovery, config.isid).await?;
    let deadline = core.now() + config.timeouts.login_ns;
    let asking = exchange(core, &opened);
    within(core, deadline, asking).await.unwrap_or(Err(Refusal::TimedOut))
}

async fn exchange(
    core: &Rc<Core>,
    opened: &login::Opened,
) -> Result<Vec<DiscoveredTarget>, Refusal> {
    let (stream, outcome) = (&opened.stream, &opened.outcome);
    let mut discovery = Discovery::new(DiscoveryConfig {
        what: SendTargets::All,
        itt: Itt(1),
        cmd_sn: outcome.cmd_sn,
        exp_stat_sn: outcome.exp_stat_sn,
        part_len: outcome.params.max_send_data_segment_len,
    });
    loop {
        while let Some((bhs, text)) = discovery.poll_transmit() {
            login::send_pdu(core, stream, &bhs, text).await?;
        }
        let (bhs, data) = login::receive_pdu(core, stream).await?;
        let taken = discovery.handle(&bhs, &data);
        taken.map_err(|error| Refusal::Other(format!("the list of targets: {error}")))?;
        if let Some(targets) = discovery.targets() {
            return Ok(targets.to_vec());
        }
    }
}
