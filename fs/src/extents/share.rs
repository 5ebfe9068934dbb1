//! Clones: two files refer to the same blocks.

use super::change::nodes;
use super::steps::{set_flags, step};
use super::{SHARED, Step, UNWRITTEN, extent_tree, joins, part, run_of};
use crate::space::{count_of_inode, share_some};
use crate::store::{Op, Stop};
use crate::tree::Record;

/// Maps what one file has from `lblock` on in another one too, which has nothing there. Unwritten
/// blocks are left out: they are holes of the clone. A bounded step: [`Step::More`] tells where the
/// next one begins.
pub fn share_step(op: &mut Op<'_>, from: u64, to: u64, lblock: u64) -> Result<Step, Stop> {
    let clone = extent_tree(op, to)?;
    let geometry = *op.geometry();
    let mut mapped = 0;
    let outcome = step(op, from, lblock, u64::MAX, |op, tree, record, inside| {
        if record.flags & UNWRITTEN != 0 {
            return Ok(u64::from(inside.len));
        }
        let shared = share_some(op, run_of(&inside))?;
        let new = part(&inside, inside.key, inside.key + shared);
        let new = Record { flags: SHARED, ..new };
        if record.flags != SHARED {
            set_flags(op, from, tree, record, new)?;
        }
        clone.put(op, &mut nodes(to), new, |one, next| joins(&geometry, one, next))?;
        mapped += shared as i64;
        Ok(shared)
    })?;
    count_of_inode(op, to, mapped)?;
    Ok(outcome)
}
