use proptest::prelude::*;

use super::*;
use crate::block::ExtentKind;
use crate::block::wrap::{Slice, Verify};

/// The device under test, in sectors.
const SECTORS: u64 = 64;
const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
enum Step {
    Read,
    Write { value: u8 },
    WriteZeroes { unmap: bool },
    Discard,
    CompareAndWrite { value: u8, spoil: bool },
    BlockStatus,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Read),
        (1..=255u8).prop_map(|value| Step::Write { value }),
        any::<bool>().prop_map(|unmap| Step::WriteZeroes { unmap }),
        Just(Step::Discard),
        (1..=255u8, any::<bool>())
            .prop_map(|(value, spoil)| Step::CompareAndWrite { value, spoil }),
        Just(Step::BlockStatus),
    ]
}

fn place() -> impl Strategy<Value = (u64, u64)> {
    (0..SECTORS).prop_flat_map(|first| (Just(first), 1..=(SECTORS - first)))
}

/// What each sector must read as; nothing after a discard.
struct Model {
    lab: Lab,
    bytes: Vec<Option<u8>>,
}

impl Model {
    fn apply(&mut self, step: Step, offset: u64, len: u64) {
        let range = offset as usize..(offset + len) as usize;
        match step {
            Step::Read => self.check(offset, len),
            Step::Write { value } => {
                self.lab.write(offset, len as u32, value).unwrap();
                self.bytes[range].fill(Some(value));
            }
            Step::WriteZeroes { unmap } => {
                self.lab.run(Io::write_zeroes(offset, len, unmap)).result.unwrap();
                self.bytes[range].fill(Some(0));
            }
            Step::Discard => {
                self.lab.run(Io::discard(offset, len)).result.unwrap();
                self.bytes[range].fill(None);
            }
            Step::CompareAndWrite { value, spoil } => {
                self.compare_and_write(offset, len, value, spoil);
            }
            Step::BlockStatus => self.status(offset, len),
        }
    }

    fn check(&mut self, offset: u64, len: u64) {
        let seen = self.lab.read(offset, len as u32).unwrap();
        for (at, (byte, expected)) in seen.iter().zip(&self.bytes[offset as usize..]).enumerate() {
            assert!(expected.is_none_or(|e| e == *byte), "byte {at} of {len} at {offset}");
        }
    }

    fn compare_and_write(&mut self, offset: u64, len: u64, value: u8, spoil: bool) {
        let seen = self.lab.read(offset, len as u32).unwrap();
        let mut words = self.lab.lease(2 * len as u32, value);
        words[..len as usize].copy_from_slice(&seen);
        if spoil {
            words[len as usize - 1] ^= 1;
        }
        let result = self.lab.run(Io::compare_and_write(offset, words)).result;
        if spoil {
            assert_eq!(kind(&result), ErrorKind::Miscompare { at: len - 1 });
        } else {
            assert_eq!(result, Ok(Outcome::Done));
            self.bytes[offset as usize..(offset + len) as usize].fill(Some(value));
        }
    }

    /// Holes hold zeroes, and the extents cover the request without a gap.
    fn status(&mut self, offset: u64, len: u64) {
        let result = self.lab.run(Io::block_status(offset, len)).result;
        let Ok(Outcome::Extents(extents)) = result else { panic!("{result:?}") };
        let mut at = offset;
        for extent in *extents {
            assert_eq!(extent.offset, at);
            at += extent.len;
            let mut bytes = self.bytes[extent.offset as usize..at as usize].iter();
            let is_zero = bytes.all(|b| b.is_none_or(|b| b == 0));
            assert!(extent.kind == ExtentKind::Data || is_zero, "{extent:?} holds data");
        }
        assert_eq!(at, offset + len);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_verified_slice_is_a_vector_of_bytes(
        steps in prop::collection::vec((step(), place()), 1..60)
    ) {
        let disk = mem(SECTORS * SECTOR + (1 << 20));
        let slice = Slice::new(disk, 5 * SECTOR, SECTORS * SECTOR).unwrap();
        let verify = Verify::new(Arc::new(slice)).unwrap();
        let bytes = vec![Some(0); (SECTORS * SECTOR) as usize];
        let mut model = Model { lab: Lab::on(&verify), bytes };
        for (step, (first, sectors)) in steps {
            model.apply(step, first * SECTOR, sectors * SECTOR);
        }
        model.check(0, SECTORS * SECTOR);
        prop_assert_eq!(verify.handle().counts().mismatched, 0);
    }
}
