//! Logical units looked at as they are, on raw sessions: what they say of themselves, and whether a
//! cluster may use them. Start at [`facts`] and [`check`].

mod ask;
pub mod check;
pub mod facts;
