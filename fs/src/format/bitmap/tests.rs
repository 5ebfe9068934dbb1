//! The bits of a block behave as a list of booleans does.

use proptest::prelude::*;

use super::*;

const END: u32 = BITS_PER_BLOCK as u32;

fn model(runs: &[(u32, u32, bool)]) -> (Block, Vec<bool>) {
    let (mut block, mut list) = (Block::zeroed(), vec![false; END as usize]);
    for (at, len, value) in runs {
        let len = (*len).min(END - at);
        let range = *at as usize..(at + len) as usize;
        let differ = list[range.clone()].iter().filter(|bit| **bit != *value).count();
        let bits = Bits::of_mut(&mut block);
        let changed = if *value { bits.set(*at, len) } else { bits.clear(*at, len) };
        assert_eq!(changed as usize, differ);
        list[range].fill(*value);
    }
    (block, list)
}

proptest! {
    #[test]
    fn bits_are_a_list_of_booleans(
        runs in prop::collection::vec((0..END, 0..3000u32, any::<bool>()), 0..20),
        from in 0..END,
    ) {
        let (block, list) = model(&runs);
        let bits = Bits::of(&block);
        let position = |value| {
            let tail = &list[from as usize..];
            tail.iter().position(|bit| *bit == value).map(|at| at as u32 + from)
        };
        prop_assert_eq!(bits.get(from), list[from as usize]);
        prop_assert_eq!(bits.next_set(from, END), position(true));
        prop_assert_eq!(bits.next_clear(from, END), position(false));
        let set = list[from as usize..].iter().filter(|bit| **bit).count();
        prop_assert_eq!(bits.count(from, END - from) as usize, set);
        let clear: u32 = bits.runs(from, END).map(|(_, len)| len).sum();
        prop_assert_eq!((END - from - clear) as usize, set);
        let longest = list.split(|bit| *bit).map(<[bool]>::len).max().unwrap();
        prop_assert_eq!(bits.longest_run(END) as usize, longest);
    }
}

#[test]
fn the_first_bit_is_the_lowest_of_the_first_byte() {
    let mut block = Block::zeroed();
    Bits::of_mut(&mut block).set(0, 1);
    Bits::of_mut(&mut block).set(END - 1, 1);
    assert_eq!((block.bytes()[96], block.bytes()[4095]), (1, 0x80));
    assert_eq!(Bits::of(&block).next_run(0, END), Some((1, END - 2)));
    assert_eq!(Bits::of(&block).next_run(5, 7), Some((5, 2)), "a run is cut at the end");
}

#[test]
fn a_block_of_bits_is_judged() {
    let mut block = Block::zeroed();
    let head = BitmapHead::of_mut(&mut block);
    (head.free, head.bits, head.largest_run) = (9.into(), 10.into(), 9.into());
    Bits::of_mut(&mut block).set(0, 1);
    let judge = |block: &Block| check_bits(block, 5, bitmap_want(0), 10);
    assert_eq!(judge(&block), Ok(()));
    let fails = |name, spoil: &dyn Fn(&mut Block)| {
        let mut spoilt = block.clone();
        spoil(&mut spoilt);
        assert_eq!(judge(&spoilt), Err(Damage::field(5, bitmap_want(0), name)));
    };
    fails("bits", &|block| BitmapHead::of_mut(block).bits = 11.into());
    fails("free", &|block| BitmapHead::of_mut(block).free = 8.into());
    fails("hint", &|block| BitmapHead::of_mut(block).first_free = 11.into());
    fails("bit after the last", &|block| _ = Bits::of_mut(block).set(10, 1));
}
