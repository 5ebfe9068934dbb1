//! How far the data of a command missed its expected length (RFC 7143 section 11.4.5).

/// What was left over, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Residual {
    /// All of the expected data were moved, or the peer does not say.
    #[default]
    None,
    /// That many bytes were not moved because the expected length was too small.
    Overflow(u32),
    /// That many bytes fewer than expected were moved.
    Underflow(u32),
}

impl Residual {
    /// From the O and U bits; nothing where both are set, which is a protocol error.
    #[inline]
    pub(super) fn from_wire(overflow: bool, underflow: bool, count: u32) -> Option<Residual> {
        match (overflow, underflow) {
            (false, false) => Some(Residual::None),
            (true, false) => Some(Residual::Overflow(count)),
            (false, true) => Some(Residual::Underflow(count)),
            (true, true) => None,
        }
    }

    /// The flag to set, given the bits for overflow and underflow.
    #[inline]
    pub(super) fn flag(self, overflow: u8, underflow: u8) -> u8 {
        match self {
            Residual::None => 0,
            Residual::Overflow(_) => overflow,
            Residual::Underflow(_) => underflow,
        }
    }

    /// The residual count; 0 where there is none.
    #[must_use]
    #[inline]
    pub fn count(self) -> u32 {
        match self {
            Residual::None => 0,
            Residual::Overflow(count) | Residual::Underflow(count) => count,
        }
    }
}
