//! The same work by others, in turns with ours: programs of their own, on the same cores.
//!
//! Rounds go A B C, C B A, A B C, so that a machine that gets slower or faster treats everyone
//! alike. A ratio is taken within a round; its interval is a bootstrap over the rounds, and a
//! target is met when the interval's lower end meets it. Where a peer has a choice that depends on
//! the machine (how many requests a system call takes), short trials choose its best.

mod contender;
mod fio;
mod libiscsi;
mod meter;
mod server;
mod verdict;

pub use contender::{Contender, Figures, from_byway, from_ceiling, program_version};
pub use fio::{Engine, fio_contenders, fio_nbd_contender};
pub use libiscsi::{LIBISCSI_NAME, Unit, libiscsi_contender};
pub use server::Server;
pub use verdict::{
    CEILING_NAME, Measure, PeerRow, PeersResult, ROUNDS_MIN, SOCKET_NAME, Target, peers_table,
    target,
};

use byway_engine::SetupError;

use crate::machine::Machine;

/// What may be chosen for a contender: every candidate does the same work.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The contender's name.
    pub name: String,
    /// Its command lines; the fastest of a trial is taken.
    pub candidates: Vec<Contender>,
}

/// Measures `ours` and every one of `peers` in `rounds` rounds. `tell` is told what runs.
///
/// # Errors
/// Where a program cannot be run, fails, or prints what cannot be read.
pub fn measure(
    ours: Contender,
    peers: Vec<Choice>,
    rounds: u32,
    tell: &dyn Fn(&str),
) -> Result<PeersResult, SetupError> {
    let chosen = peers.into_iter().map(|choice| choose(choice, tell));
    let mut all = vec![ours];
    all.extend(chosen.collect::<Result<Vec<_>, _>>()?);
    for contender in all.iter_mut().filter(|contender| contender.server.is_some()) {
        tell(&format!("system calls: {}", contender.name));
        contender.count_calls()?;
    }
    let mut figures: Vec<Vec<Figures>> = vec![Vec::new(); all.len()];
    for round in 0..rounds {
        for turn in 0..all.len() {
            let place = if round % 2 == 0 { turn } else { all.len() - 1 - turn };
            tell(&format!("round {} of {rounds}: {}", round + 1, all[place].name));
            figures[place].push(all[place].run()?);
        }
    }
    Ok(PeersResult::of(&all, &figures, Machine::record()))
}

/// The fastest candidate of one short trial each.
fn choose(choice: Choice, tell: &dyn Fn(&str)) -> Result<Contender, SetupError> {
    let mut best: Option<(f64, Contender)> = None;
    let single = choice.candidates.len() == 1;
    for candidate in choice.candidates {
        if single {
            return Ok(candidate);
        }
        tell(&format!("trial: {}", candidate.command()));
        let iops = candidate.trial()?.iops;
        if best.as_ref().is_none_or(|(most, _)| iops > *most) {
            best = Some((iops, candidate));
        }
    }
    best.map(|(_, contender)| contender)
        .ok_or_else(|| SetupError::new(choice.name, "no command line to try", "report this"))
}

#[cfg(test)]
mod tests;
