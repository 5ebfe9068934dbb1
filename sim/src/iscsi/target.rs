//! The target of a run: its wishes, its mischief, its lives.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_engine::net::Address;
use byway_engine::sim::{PPM, Rng};
use byway_export::iscsi::{Faults, Lie, LunConfig, PortalConfig, Target, TargetConfig};
use byway_proto::iscsi::login::target::Pace;
use byway_proto::iscsi::negotiate::Operational;

use crate::lab::Lab;

pub(super) const NAME: &str = "iqn.2026-11.org.byway:sim";
const MS: u64 = 1_000_000;
/// How often a target looks whether it is to stop, in nanoseconds.
const LOOK_NS: u64 = 20 * MS;

/// What every life of the target has in common.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) portals: Vec<PortalConfig>,
    pub(super) operational: Operational,
    pub(super) faults: Faults,
    pub(super) tasks_max: u16,
}

impl Setup {
    /// A target with a portal at each address.
    pub(super) fn draw(addresses: Vec<Address>, rng: &mut Rng) -> Setup {
        let is_one_group = rng.chance(PPM / 2);
        let portal = |(n, address)| PortalConfig {
            group: if is_one_group { 1 } else { n as u16 + 1 },
            ..PortalConfig::new(address)
        };
        Setup {
            portals: addresses.into_iter().enumerate().map(portal).collect(),
            operational: wishes(rng),
            faults: faults(rng),
            tasks_max: rng.pick(&[2, 8, 32, 128]),
        }
    }

    /// The same target without mischief.
    pub(super) fn tamed(&self) -> Setup {
        Setup { faults: Faults::default(), ..self.clone() }
    }

    /// One life of the host: the target stops and starts again where it is asked to.
    pub(super) async fn serve(self, core: Rc<Core>, lab: Rc<Lab>, mut rng: Rng) {
        loop {
            let mut setup = self.clone();
            setup.faults.seed = rng.next_u64();
            let target = match setup.start(&core, &lab, rng.fork()) {
                Ok(target) => target,
                Err(words) => return lab.fail(words),
            };
            while !lab.asks_to_stop.take() {
                core.sleep(LOOK_NS).await;
            }
            target.stop().await;
        }
    }

    fn start(
        self,
        core: &Rc<Core>,
        lab: &Rc<Lab>,
        rng: Rng,
    ) -> Result<byway_export::iscsi::TargetHandle, String> {
        let rng = std::cell::RefCell::new(rng);
        let entropy = Rc::new(move |bytes: &mut [u8]| {
            bytes.iter_mut().for_each(|byte| *byte = rng.borrow_mut().next_u64() as u8);
        });
        let mut config = TargetConfig::new(NAME, entropy).map_err(|error| error.to_string())?;
        config.portals = self.portals;
        config.units.push(LunConfig::new(0, Arc::new(lab.witness.clone()), "S1"));
        config.operational = self.operational;
        config.faults = self.faults;
        config.limits.tasks_max = self.tasks_max;
        config.limits.login_ns = 2_000 * MS;
        config.limits.keepalive_ns = Some(1_000 * MS);
        config.limits.silence_ns = 1_000 * MS;
        config.limits.logout_ns = 300 * MS;
        Target::start(core, config).map_err(|error| error.to_string())
    }
}

/// What the target asks for in negotiations.
fn wishes(rng: &mut Rng) -> Operational {
    let burst = rng.pick(&[512, 4096, 16 << 10, 1 << 20]);
    Operational {
        initial_r2t: rng.chance(PPM / 3),
        immediate_data: rng.chance(PPM * 2 / 3),
        max_recv_data_segment_len: rng.pick(&[512, 8192, 256 << 10]),
        max_burst_len: burst,
        first_burst_len: rng.pick(&[512, burst]),
        max_outstanding_r2t: rng.pick(&[1, 4, 16]),
        ..Operational::default()
    }
}

fn faults(rng: &mut Rng) -> Faults {
    let mut some = |ppm: &[u32]| rng.pick(ppm);
    let mut faults = Faults {
        cut_ppm: some(&[0, PPM / 2000, PPM / 200]),
        delay_ppm: some(&[0, PPM / 50, PPM / 5]),
        flip_header_ppm: some(&[0, 0, PPM / 2000]),
        flip_data_ppm: some(&[0, 0, PPM / 500]),
        busy_ppm: some(&[0, PPM / 50, PPM / 5]),
        task_set_full_ppm: some(&[0, PPM / 50, PPM / 10]),
        attention_ppm: some(&[0, 0, PPM / 100]),
        lie_ppm: some(&[0, 0, PPM / 1000]),
        ..Faults::default()
    };
    faults.delay_ns = rng.pick(&[MS, 50 * MS, 2_500 * MS]);
    faults.window_max = rng.pick(&[None, None, Some(1), Some(2), Some(8)]);
    faults.lie = Some(rng.pick(&[
        Lie::StatSn,
        Lie::DataSn,
        Lie::DataOffset,
        Lie::R2tSn,
        Lie::R2tOffset,
        Lie::R2tLength,
        Lie::TaskTag,
        Lie::MaxCmdSn,
    ]));
    let pace = Pace { part_len: rng.pick(&[17, 64, 200]), held_rounds: rng.pick(&[0, 2]) };
    faults.pace = rng.chance(PPM / 3).then_some(pace);
    faults
}
