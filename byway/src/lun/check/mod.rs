//! Is a LUN fit for a cluster? Tried out, with four initiator ports and a scratch range.
//!
//! The safety of a cluster rests on what a target does when one node shuts another one out. Targets
//! differ, so nothing is believed: `checks` are scripts with judgements, `lab` performs them,
//! [`verdict`] makes one word of what was found. Scripts, judgements and verdict are pure; the tests
//! run them against a logical unit in memory, faultless and with the faults of known targets.

mod checks;
pub mod finding;
mod guard;
mod lab;
pub mod scratch;
pub mod script;
#[cfg(test)]
mod tests;
pub mod verdict;
mod wire;

use std::rc::Rc;

use byway_engine::SetupError;
use byway_engine::core::Core;
use byway_iscsi_initiator::IscsiConfig;

pub use finding::{Finding, Holds, Subject};
pub use scratch::Scratch;
pub use verdict::{Verdict, Word};

use lab::Lab;

/// Told before each check: its number, how many there are, and its name.
pub type Progress = Box<dyn FnMut(usize, usize, &str)>;

/// What a user may say about a check.
pub struct CheckOptions {
    /// The name of the second initiator.
    pub second_name: String,
    /// Where to write, as [`plan`] has told it.
    pub scratch: Scratch,
    /// Check although others are registered; they lose their registrations.
    pub force: bool,
    /// Told how far the check is.
    pub progress: Progress,
    /// True where the check is to end early.
    pub is_stopped: Box<dyn Fn() -> bool>,
}

/// What a check has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One finding for each check.
    pub findings: Vec<Finding>,
    /// What they mean.
    pub verdict: Verdict,
}

/// Where a check will write: at the end of the LUN, or from `wanted` on. Nothing is written yet.
///
/// # Errors
/// Where the target does not answer, or there is no room.
pub fn plan(config: &IscsiConfig, wanted: Option<u64>) -> Result<Scratch, SetupError> {
    let reactor = crate::lun::reactor()?;
    let config = config.clone();
    reactor.run(|core| async move { lab::plan(&core, &config, wanted).await })
}

/// Checks a LUN. The calling thread waits. Whatever happens, registrations are removed and the
/// content of the scratch range is restored before this returns, as far as the target answers.
///
/// # Errors
/// Where the LUN cannot be checked; a LUN that fails the check is no error.
pub fn run(config: &IscsiConfig, options: CheckOptions) -> Result<Report, SetupError> {
    let reactor = crate::lun::reactor()?;
    let config = config.clone();
    reactor.run(|core| async move { run_on(&core, config, options).await })
}

async fn run_on(
    core: &Rc<Core>,
    config: IscsiConfig,
    options: CheckOptions,
) -> Result<Report, SetupError> {
    let mut lab = Lab::open(core, config, &options.second_name, options.scratch).await?;
    guard::check_registrations(&mut lab, options.force).await?;
    let saved = guard::save(&lab).await?;
    let found = findings(&mut lab, options.progress, options.is_stopped).await;
    // The two that clean up are both tried before anything is said.
    let cleared = guard::clear(&mut lab).await;
    let restored = guard::restore(&mut lab, &saved).await;
    lab.leave().await;
    restored?;
    cleared?;
    let findings = found?;
    let verdict = verdict::judge(&findings);
    Ok(Report { findings, verdict })
}

async fn findings(
    lab: &mut Lab,
    mut progress: Progress,
    is_stopped: Box<dyn Fn() -> bool>,
) -> Result<Vec<Finding>, SetupError> {
    let checks = checks::all();
    let (mut findings, count) = (Vec::with_capacity(checks.len()), checks.len());
    for (index, check) in checks.into_iter().enumerate() {
        progress(index + 1, count, &check.subject.name());
        lab.wake().await;
        let mut answers = Vec::with_capacity(check.steps.len());
        for step in &check.steps {
            if is_stopped() {
                return Err(lab.wrong("the check was interrupted", "run it again"));
            }
            answers.push(lab.perform(*step).await);
        }
        findings.push(check.judge(&answers));
    }
    Ok(findings)
}
