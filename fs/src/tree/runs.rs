//! Trees whose records are runs of keys that never overlap: putting runs in and cutting them out.

use super::{Nodes, Record, Tree};
use crate::store::{Op, Stop};

impl Tree {
    /// Adds a run that no record overlaps; neighbours that `join` it become one record with it.
    pub fn put(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        record: Record,
        join: impl Fn(&Record, &Record) -> bool,
    ) -> Result<(), Stop> {
        let (before, after) = self.around(op, record)?;
        let before = before.filter(|before| join(before, &record));
        let after = after.filter(|after| join(&record, after));
        let len = record.len + after.map_or(0, |after| after.len);
        match (before, after) {
            (Some(before), after) => {
                if let Some(after) = after {
                    self.remove(op, nodes, after.key)?;
                }
                self.replace(op, Record { len: before.len + len, ..before }).map(drop)
            }
            (None, Some(after)) => self.rekey(op, nodes, after.key, Record { len, ..record }),
            (None, None) => self.insert(op, nodes, record),
        }
    }

    /// Takes the keys `from..to` out of a record; `part` says what is left of it on either side.
    pub fn cut(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        record: Record,
        from: u64,
        to: u64,
        part: impl Fn(&Record, u64, u64) -> Record,
    ) -> Result<(), Stop> {
        assert!(record.key <= from && from < to && to <= record.end(), "a part of the record");
        let rest = (to < record.end()).then(|| part(&record, to, record.end()));
        if record.key < from {
            self.replace(op, part(&record, record.key, from))?;
            return rest.map_or(Ok(()), |rest| self.insert(op, nodes, rest));
        }
        match rest {
            Some(rest) => self.rekey(op, nodes, record.key, rest),
            None => self.remove(op, nodes, record.key).map(drop),
        }
    }

    /// Puts `record` in the place of the one at the same key that is as long.
    pub fn restate(
        &self,
        op: &mut Op<'_>,
        nodes: &mut impl Nodes,
        record: Record,
        join: impl Fn(&Record, &Record) -> bool,
    ) -> Result<(), Stop> {
        let (before, after) = self.around(op, record)?;
        let joins = before.is_some_and(|before| join(&before, &record))
            || after.is_some_and(|after| join(&record, &after));
        if !joins {
            return self.replace(op, record).map(drop);
        }
        self.remove(op, nodes, record.key)?;
        self.put(op, nodes, record, join)
    }

    /// The record that ends where this one begins, and the one that begins where it ends.
    fn around(
        &self,
        op: &Op<'_>,
        record: Record,
    ) -> Result<(Option<Record>, Option<Record>), Stop> {
        let before = match record.key.checked_sub(1) {
            Some(key) => self.covering(op, key)?,
            None => None,
        };
        Ok((before, self.get(op, record.end())?))
    }
}
