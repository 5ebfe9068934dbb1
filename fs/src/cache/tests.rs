//! Stories and a model of the cache.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn key(ino: u64, block: u64) -> BlockKey {
    BlockKey { file: ino, block }
}

fn cache() -> Cache {
    Cache::new(3 << 20).unwrap()
}

/// Reads a block through the cache; true for a hit.
fn read(cache: &mut Cache, key: BlockKey) -> bool {
    if let Some(bytes) = cache.get(key, 0) {
        assert_eq!(bytes[..8], key.block.to_le_bytes());
        return true;
    }
    cache.put(key, 0, |bytes| bytes[..8].copy_from_slice(&key.block.to_le_bytes()));
    false
}

fn read_all(cache: &mut Cache, ino: u64, blocks: Range<u64>) {
    for block in blocks {
        read(cache, key(ino, block));
    }
}

#[test]
fn a_cache_that_is_too_small_for_a_chunk_is_refused() {
    let refused = Cache::new(2 << 20).err().expect("the index needs room too");
    assert!(refused.to_string().contains("too small"));
}

#[test]
fn the_bound_holds_whatever_is_put_in() {
    let mut cache = cache();
    let bound = cache.counts().bound;
    assert!(bound <= 3 << 20);
    for block in 0..10_000 {
        read(&mut cache, key(block % 7, block));
        assert!(cache.counts().bytes <= 512 * BLOCK_LEN as u64);
    }
    assert_eq!(cache.counts().bytes, 512 * BLOCK_LEN as u64);
    assert_eq!(cache.counts().evictions, 10_000 - 512);
    let tables = cache.slots.len() * size_of::<Slot>() + 512 * (Links::LEN + Index::LEN);
    assert!(cache.counts().bytes + tables as u64 <= bound);
}

#[test]
fn a_scan_of_ten_times_the_cache_does_not_evict_the_hot_set() {
    let mut cache = cache();
    // A quarter of the cache is hot, and read often enough to be known as such.
    for _ in 0..4 {
        read_all(&mut cache, 1, 0..128);
    }
    let mut hits = 0;
    for scanned in 0..5120 {
        read(&mut cache, key(2, scanned));
        hits += u32::from(read(&mut cache, key(1, scanned % 128)));
    }
    assert!(hits >= 5100, "the hot set was hit {hits} times of 5120");
}

#[test]
fn a_scan_alone_leaves_what_was_hot_before_it() {
    let mut cache = cache();
    for _ in 0..4 {
        read_all(&mut cache, 1, 0..128);
    }
    // Enough of a stream to bring the hot blocks through the small queue, and then ten caches.
    read_all(&mut cache, 2, 0..5120);
    let hits = (0..128).filter(|block| read(&mut cache, key(1, *block))).count();
    assert_eq!(hits, 128);
}

#[test]
fn a_block_that_comes_back_soon_after_it_left_stays() {
    let mut cache = cache();
    read_all(&mut cache, 1, 0..600);
    assert!(!read(&mut cache, key(1, 0)), "it left first");
    read_all(&mut cache, 1, 600..5000);
    assert!(read(&mut cache, key(1, 0)), "the second coming went to the main queue");
}

#[test]
fn a_raised_stamp_makes_a_block_vanish() {
    let mut cache = cache();
    cache.put(key(1, 5), 7, |bytes| bytes.fill(1));
    assert!(cache.holds(key(1, 5), 7) && !cache.holds(key(1, 5), 8));
    assert_eq!(cache.get(key(1, 5), 8), None);
    assert_eq!(cache.get(key(1, 5), 7), None, "what was stale once is gone");
    assert_eq!((cache.counts().stale, cache.counts().misses), (1, 2));
}

#[derive(Clone, Debug)]
enum Step {
    Get(u64, u64),
    Put(u64, u64, u8),
    Write(u64),
    Invalidate(u64, Range<u64>),
    Forget(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    let (ino, block) = (1..4u64, 0..900u64);
    prop_oneof![
        4 => (ino.clone(), block.clone()).prop_map(|(i, b)| Step::Get(i, b)),
        6 => (ino.clone(), block.clone(), any::<u8>()).prop_map(|(i, b, v)| Step::Put(i, b, v)),
        1 => ino.clone().prop_map(Step::Write),
        1 => (ino.clone(), block, 0..2000u64).prop_map(|(i, b, n)| Step::Invalidate(i, b..b + n)),
        1 => ino.prop_map(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a map that never evicts: the cache may know less, and never something else.
    #[test]
    fn what_is_held_is_what_was_put_last(steps in prop::collection::vec(steps(), 1..3000)) {
        let mut cache = cache();
        let mut model: HashMap<(u64, u64), u8> = HashMap::new();
        let mut stamps = [0u64; 4];
        for step in steps {
            match step {
                Step::Get(ino, block) => {
                    if let Some(bytes) = cache.get(key(ino, block), stamps[ino as usize]) {
                        let expected = model.get(&(ino, block)).copied();
                        prop_assert_eq!(Some(bytes[0]), expected);
                        prop_assert!(bytes.iter().all(|byte| *byte == bytes[0]));
                    }
                }
                Step::Put(ino, block, value) => {
                    cache.put(key(ino, block), stamps[ino as usize], |bytes| bytes.fill(value));
                    model.insert((ino, block), value);
                    prop_assert!(cache.holds(key(ino, block), stamps[ino as usize]));
                }
                Step::Write(ino) => {
                    stamps[ino as usize] += 1;
                    model.retain(|(other, _), _| *other != ino);
                }
                Step::Invalidate(ino, blocks) => {
                    cache.invalidate(ino, blocks.clone());
                    model.retain(|(other, b), _| *other != ino || !blocks.contains(b));
                }
                Step::Forget(ino) => {
                    cache.forget(ino);
                    model.retain(|(other, _), _| *other != ino);
                }
            }
            let counts = cache.counts();
            prop_assert!(counts.bytes <= counts.bound);
            let queued = cache.small.len() + cache.main.len();
            prop_assert_eq!(queued as u64 * BLOCK_LEN as u64, counts.bytes);
            prop_assert_eq!(queued + cache.free.len(), cache.slots.len());
        }
    }
}
