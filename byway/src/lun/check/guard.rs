//! What surrounds the checks: nobody else is registered, what is written to is saved and restored,
//! and no registration stays behind.

use byway_engine::SetupError;
use byway_iscsi_initiator::RawEnd;

use super::lab::{Lab, end_of};
use super::script::{Act, End, Node, Step, is_own_key};
use super::wire;

/// How often registrations are removed, on new sessions where some ended.
const ATTEMPTS: usize = 2;

/// Refuses to go on where somebody is registered that no check left behind; else removes what is
/// registered.
pub(super) async fn check_registrations(lab: &mut Lab, force: bool) -> Result<(), SetupError> {
    let keys = keys(lab).await?;
    if keys.is_empty() {
        return Ok(());
    }
    if force || keys.iter().all(|key| is_own_key(*key)) {
        return clear(lab).await;
    }
    let words: Vec<_> =
        keys.iter().filter(|key| !is_own_key(**key)).map(|key| format!("{key:#018x}")).collect();
    let problem = format!("others are registered with the keys {}", words.join(", "));
    let remedy = "stop who uses the LUN, or take their registrations away with --force";
    Err(lab.wrong(&problem, remedy))
}

async fn keys(lab: &Lab) -> Result<Vec<u64>, SetupError> {
    let remedy = "use a target with persistent reservations";
    let read = wire::command(Node::Victim, Act::ReadKeys, lab.scratch()).expect("it is a command");
    match end_of(Act::ReadKeys, lab.send(Node::Victim, &read).await) {
        End::Keys(keys) => Ok(keys),
        other => Err(lab.wrong(&format!("READ KEYS: {}", other.words()), remedy)),
    }
}

/// The content of the scratch range.
pub(super) async fn save(lab: &Lab) -> Result<Vec<Vec<u8>>, SetupError> {
    let mut saved = Vec::new();
    for (lba, blocks) in lab.scratch().pieces() {
        let read = wire::read(lba, blocks, lab.scratch());
        match lab.send(Node::Victim, &read).await {
            RawEnd::Good(bytes) if bytes.len() == lab.scratch().bytes(blocks) => saved.push(bytes),
            other => {
                let problem = format!("block {lba} cannot be read: {}", words(other));
                return Err(lab.wrong(&problem, "name another range with --scratch-lba"));
            }
        }
    }
    Ok(saved)
}

fn words(end: RawEnd) -> String {
    end_of(Act::Read, end).words()
}

/// Removes all registrations, on new sessions where that takes some.
pub(super) async fn clear(lab: &mut Lab) -> Result<(), SetupError> {
    let _settled =
        lab.perform(Step { node: Node::Victim, act: Act::Settle, prepares: false }).await;
    for _ in 0..ATTEMPTS {
        lab.wake().await;
        for node in [Node::Victim, Node::Fencer, Node::Rival] {
            for act in [Act::Register { keep: false }, Act::Clear] {
                lab.perform(Step { node, act, prepares: false }).await;
            }
            if keys(lab).await.is_ok_and(|keys| keys.is_empty()) {
                return Ok(());
            }
        }
    }
    let problem = "a registration of the check may be left";
    Err(lab.wrong(problem, "run the check again, or clear it at the target"))
}

/// Puts back what was there.
pub(super) async fn restore(lab: &mut Lab, saved: &[Vec<u8>]) -> Result<(), SetupError> {
    let scratch = *lab.scratch();
    for ((lba, _), bytes) in scratch.pieces().zip(saved) {
        let write = wire::write_bytes(lba, bytes.clone(), &scratch);
        let mut end = lab.send(Node::Victim, &write).await;
        if !matches!(end, RawEnd::Good(_)) && lab.log_in(Node::Victim).await.is_ok() {
            end = lab.send(Node::Victim, &write).await;
        }
        if !matches!(end, RawEnd::Good(_)) {
            let problem =
                format!("the content from block {lba} on is not restored: {}", words(end));
            return Err(lab.wrong(&problem, "restore these blocks from a copy"));
        }
    }
    Ok(())
}
