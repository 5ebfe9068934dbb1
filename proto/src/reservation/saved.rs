//! Reservations on their way to and from a medium that survives power loss (APTPL, SPC-4 section
//! 5.13.5).
//!
//! The generation is not part of it: it starts at zero with each power on. A nexus is a string of
//! bytes whose meaning is the caller's. The encoding has a version, counts and lengths; integrity is
//! the business of whoever stores it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Held, Kind, Nexus, REGISTRANTS_MAX, Reservations};

/// Version of the encoding.
const VERSION: u8 = 1;
/// The holder's index where nobody in particular holds.
const NO_HOLDER: u16 = u16::MAX;
/// Longest name of a nexus in bytes.
pub(super) const NAME_LEN_MAX: usize = 1024;

/// Registrations and the reservation without anything of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    /// Names and keys.
    pub registrants: Vec<(Vec<u8>, u64)>,
    /// The kind of the reservation, and the index of a single holder.
    pub held: Option<(Kind, Option<u16>)>,
}

/// Why bytes are no saved reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SavedError {
    /// Written by a version that is not known here.
    Version(u8),
    /// Too short, too long, or with a length that leads out of them.
    Length,
    /// The parts contradict each other: a zero key, a name twice, a holder who is not there.
    Content,
}

impl Saved {
    /// The bytes: version, kind, holder (2), count (2), then for each registrant key (8), length of
    /// the name (2) and name. All numbers are big-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, holder) = match self.held {
            Some((kind, holder)) => (kind.to_type(), holder.unwrap_or(NO_HOLDER)),
            None => (0, NO_HOLDER),
        };
        let mut bytes = Vec::from([VERSION, kind]);
        bytes.extend(holder.to_be_bytes());
        bytes.extend((self.registrants.len() as u16).to_be_bytes());
        for (name, key) in &self.registrants {
            assert!(name.len() <= NAME_LEN_MAX, "names of nexuses are short");
            bytes.extend(key.to_be_bytes());
            bytes.extend((name.len() as u16).to_be_bytes());
            bytes.extend(name);
        }
        bytes
    }

    /// # Errors
    /// [`SavedError`]; any bytes are survived.
    pub fn decode(bytes: &[u8]) -> Result<Saved, SavedError> {
        let [version, kind, h0, h1, c0, c1, rest @ ..] = bytes else {
            return Err(SavedError::Length);
        };
        if *version != VERSION {
            return Err(SavedError::Version(*version));
        }
        let registrants = decode_registrants(rest, u16::from_be_bytes([*c0, *c1]))?;
        let holder = u16::from_be_bytes([*h0, *h1]);
        let held = match (Kind::from_type(*kind), holder) {
            (Some(kind), NO_HOLDER) => Some((kind, None)),
            (Some(kind), index) => Some((kind, Some(index))),
            (None, NO_HOLDER) if *kind == 0 => None,
            _ => return Err(SavedError::Content),
        };
        let saved = Saved { registrants, held };
        if saved.is_sound() { Ok(saved) } else { Err(SavedError::Content) }
    }

    fn is_sound(&self) -> bool {
        let keys_are_set = self.registrants.iter().all(|(_, key)| *key != 0);
        let neighbours_differ = self.registrants.windows(2).all(|pair| pair[0].0 != pair[1].0);
        let is_held_by_someone = match self.held {
            None => true,
            Some((kind, None)) => kind.is_all_registrants() && !self.registrants.is_empty(),
            Some((kind, Some(index))) => {
                !kind.is_all_registrants() && usize::from(index) < self.registrants.len()
            }
        };
        keys_are_set && neighbours_differ && is_held_by_someone
    }
}

fn decode_registrants(mut rest: &[u8], count: u16) -> Result<Vec<(Vec<u8>, u64)>, SavedError> {
    if usize::from(count) > REGISTRANTS_MAX {
        return Err(SavedError::Length);
    }
    let mut registrants = Vec::new();
    for _ in 0..count {
        let (key, behind) = rest.split_first_chunk().ok_or(SavedError::Length)?;
        let (len, behind) = behind.split_first_chunk().ok_or(SavedError::Length)?;
        let len = usize::from(u16::from_be_bytes(*len));
        if len > NAME_LEN_MAX || len > behind.len() {
            return Err(SavedError::Length);
        }
        let (name, behind) = behind.split_at(len);
        registrants.push((name.to_vec(), u64::from_be_bytes(*key)));
        rest = behind;
    }
    if rest.is_empty() { Ok(registrants) } else { Err(SavedError::Length) }
}

impl<N: Nexus> Reservations<N> {
    /// What has to survive a power loss: nothing where APTPL is not set.
    #[must_use]
    pub fn export(&self, name: impl Fn(&N) -> Vec<u8>) -> Saved {
        if !self.is_kept {
            return Saved::default();
        }
        let index = |holder: &N| {
            let index = self.registrants.keys().position(|nexus| nexus == holder);
            index.expect("a holder is registered") as u16
        };
        let held = self.held.as_ref();
        Saved {
            registrants: self.registrants.iter().map(|(nexus, key)| (name(nexus), *key)).collect(),
            held: held.map(|held| (held.kind, held.holder.as_ref().map(index))),
        }
    }

    /// The state after a power loss.
    ///
    /// # Errors
    /// [`SavedError::Content`] where a name means nothing to the caller, two names mean the same, or
    /// the parts contradict each other.
    pub fn import(saved: &Saved, nexus: impl Fn(&[u8]) -> Option<N>) -> Result<Self, SavedError> {
        if !saved.is_sound() {
            return Err(SavedError::Content);
        }
        let names = saved.registrants.iter().map(|(name, _)| nexus(name));
        let nexuses: Vec<N> = names.collect::<Option<_>>().ok_or(SavedError::Content)?;
        let keys = saved.registrants.iter().map(|(_, key)| *key);
        let registrants: BTreeMap<N, u64> = nexuses.iter().cloned().zip(keys).collect();
        if registrants.len() != nexuses.len() || registrants.len() > REGISTRANTS_MAX {
            return Err(SavedError::Content);
        }
        let held = saved.held.map(|(kind, holder)| Held {
            kind,
            holder: holder.map(|index| nexuses[usize::from(index)].clone()),
        });
        let is_kept = !registrants.is_empty();
        Ok(Reservations { registrants, held, generation: 0, is_kept })
    }
}
