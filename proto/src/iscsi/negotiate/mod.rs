//! Operational keys, negotiated the same way on both sides (RFC 7143 sections 6.2 and 13).
//!
//! Each side has wishes ([`Operational`]); a [`Negotiation`] reads the peer's keys, answers them and
//! ends in [`SessionParams`]. Both sides combine by the same rules, so they end with the same values;
//! what nobody offered, or a peer refused, has the default of the RFC.

mod boolean;
mod declared;
mod digest;
mod error;
mod full_feature;
mod key;
mod machine;
mod number;
mod offer;
mod params;
mod reporting;
mod rule;
#[cfg(test)]
mod tests;

pub use digest::DigestPolicy;
pub use error::NegotiationError;
pub use full_feature::redeclare;
pub use key::{Key, Phase, Sender, is_security_key};
pub use machine::{Negotiation, Refusal};
pub use offer::{Limits, Offer, Operational};
pub use params::{SessionParams, SessionType};
pub use reporting::TaskReporting;
