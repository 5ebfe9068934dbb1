//! Logical unit numbers as eight bytes on the wire (SAM-5 section 4.7).
//!
//! The bytes are kept as they are, read as one big-endian number: equal values are equal bytes. What
//! they mean is asked with [`Lun::number`], which knows peripheral, flat and extended flat
//! addressing of a single level and answers nothing for the rest.

use core::fmt;

/// Largest number that flat addressing can carry (14 bits).
const FLAT_MAX: u16 = 0x3fff;
/// Bits below the first level of addressing: none may be set in a single-level LUN.
const LOWER_LEVELS: u64 = 0x0000_ffff_ffff_ffff;
/// Bits below an extended flat address of 24 bits.
const BELOW_EXTENDED: u64 = 0x0000_0000_ffff_ffff;
/// The first byte of an extended flat address of 24 bits: method 3, length 1, extension 2.
const EXTENDED_FLAT: u64 = 0xd2;

/// A logical unit number in its eight-byte form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lun(pub u64);

impl Lun {
    /// Logical unit 0, which every target has.
    pub const ZERO: Lun = Lun(0);
    /// The well-known logical unit REPORT LUNS (SPC-4 section 8.2).
    pub const REPORT_LUNS: Lun = Lun(0xc101_0000_0000_0000);

    /// The logical unit of that number: peripheral addressing below 256, as every initiator
    /// understands it, flat addressing from there on.
    ///
    /// # Panics
    /// Above 16383, which flat addressing cannot carry.
    #[must_use]
    pub fn flat(number: u16) -> Lun {
        assert!(number <= FLAT_MAX, "flat addressing has 14 bits");
        match number {
            0..=0xff => Lun(u64::from(number) << 48),
            _ => Lun(u64::from(0x4000 | number) << 48),
        }
    }

    /// The number, where the address has a single level on bus 0.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        let first = self.0 >> 56;
        if first == EXTENDED_FLAT && self.0 & BELOW_EXTENDED == 0 {
            return Some((self.0 >> 32) as u32 & 0x00ff_ffff);
        }
        if self.0 & LOWER_LEVELS != 0 {
            return None;
        }
        match first >> 6 {
            0 if first == 0 => Some((self.0 >> 48) as u32),
            1 => Some((self.0 >> 48) as u32 & u32::from(FLAT_MAX)),
            _ => None,
        }
    }

    /// The eight bytes of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// From the eight bytes of the wire.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Lun {
        Lun(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{number}"),
            None => write!(f, "{:#018x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_are_peripheral_and_large_ones_flat() {
        assert_eq!(Lun::flat(0), Lun::ZERO);
        assert_eq!(Lun::flat(5).to_bytes(), [0, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Lun::flat(300).to_bytes(), [0x41, 0x2c, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn every_single_level_form_has_a_number() {
        assert_eq!(Lun(0x4005 << 48).number(), Some(5));
        assert_eq!(Lun(0xd201_0000 << 32).number(), Some(0x01_0000));
    }

    #[test]
    fn other_forms_have_none_and_print_as_bytes() {
        for lun in [Lun(0x0105 << 48), Lun(0x0005_0001 << 32), Lun::REPORT_LUNS, Lun(u64::MAX)] {
            assert_eq!(lun.number(), None);
        }
        assert_eq!(Lun::REPORT_LUNS.to_string(), "0xc101000000000000");
        assert_eq!(Lun::flat(300).to_string(), "300");
    }

    proptest! {
        #[test]
        fn a_number_survives(number in 0..=FLAT_MAX) {
            let lun = Lun::from_bytes(Lun::flat(number).to_bytes());
            prop_assert_eq!(lun.number(), Some(u32::from(number)));
        }

        #[test]
        fn any_bytes_have_a_meaning_or_none(raw: u64) {
            let _ = Lun(raw).to_string();
        }
    }
}
