//! Stories of single inodes.

use super::*;
use crate::extents;
use crate::format::{FLAG_CACHE_READ, FLAG_TRUNCATING, SLOTS_AT, SlotCore};
use crate::names::lab::Lab;
use crate::names::{New, create as create_file, unlink};
use crate::space;

const NEW: New = New { mode: 0o644, uid: 1, gid: 2 };

impl Lab {
    fn new_file(&mut self, name: &str) -> InodeRef {
        let root = self.root;
        self.run(|op| create_file(op, root, name.as_bytes(), NEW, true)).unwrap().at
    }

    fn inodes(&mut self) -> i64 {
        let want = Want::new(Kind::Slot, 0);
        self.run(|op| Ok(SlotCore::of(&*op.read(SLOTS_AT, want)?).inodes.get())).unwrap()
    }

    fn bytes(&mut self, at: InodeRef) -> Vec<u8> {
        let read = |op: &mut Op<'_>| Ok(inline_bytes(&read(op, at)?).unwrap_or_default().to_vec());
        self.run(read).unwrap()
    }
}

#[test]
fn another_life_of_a_number_is_stale() {
    let mut lab = Lab::new();
    let file = lab.new_file("file");
    let other = InodeRef { generation: file.generation.wrapping_add(1), ..file };
    assert_eq!(lab.run(|op| attributes(op, other)), Err(FsError::Stale));
    assert_ne!(lab.new_file("next").generation, file.generation);
}

#[test]
fn the_slot_counts_inodes() {
    let mut lab = Lab::new();
    let (root, before) = (lab.root, lab.inodes());
    lab.new_file("one");
    lab.new_file("two");
    assert_eq!(lab.inodes(), before + 2);
    lab.run(|op| unlink(op, root, b"one")).unwrap();
    assert_eq!(lab.inodes(), before + 1);
}

#[test]
fn attributes_change_and_the_rest_stays() {
    let mut lab = Lab::new();
    let file = lab.new_file("file");
    lab.memory.set_now(4_000_000_000_000_000_007);
    let far = 1i128 << 90;
    let set = SetAttributes {
        mode: Some(0o170_000 | 0o4711),
        uid: Some(77),
        flags: Some(FLAG_CACHE_READ | FLAG_TRUNCATING),
        mtime: Some(-1),
        atime: Some(far),
        ..SetAttributes::default()
    };
    lab.run(|op| set_attributes(op, file, set)).unwrap();
    let seen = lab.run(|op| attributes(op, file)).unwrap();
    assert_eq!((seen.mode, seen.uid, seen.gid), (0o104_711, 77, 2), "the type stays");
    assert_eq!(seen.flags, FLAG_CACHE_READ, "the file system's own flags are its own");
    assert_eq!((seen.mtime, seen.atime, seen.ctime), (-1, far, 4_000_000_000_000_000_007));
    let unknown = SetAttributes { flags: Some(1 << 30), ..SetAttributes::default() };
    let refused = lab.run(|op| set_attributes(op, file, unknown));
    assert_eq!(refused, Err(FsError::Invalid("flags")));
}

#[test]
fn a_small_file_lies_in_its_dinode() {
    let mut lab = Lab::new();
    let file = lab.new_file("file");
    assert_eq!(lab.run(|op| inline_put(op, file, 10, b"hello")), Ok(true));
    assert_eq!(lab.bytes(file), b"\0\0\0\0\0\0\0\0\0\0hello");
    assert_eq!(lab.run(|op| inline_truncate(op, file, 12)), Ok(true));
    assert_eq!(lab.run(|op| inline_truncate(op, file, 14)), Ok(true));
    assert_eq!(lab.bytes(file), b"\0\0\0\0\0\0\0\0\0\0he\0\0");
    let whole = vec![7; 3584];
    assert_eq!(lab.run(|op| inline_put(op, file, 0, &whole)), Ok(true));
    assert_eq!(lab.run(|op| inline_put(op, file, 3584, b"x")), Ok(false));
    assert_eq!(lab.run(|op| inline_put(op, file, u64::MAX, b"x")), Err(FsError::Range));
    assert_eq!(lab.bytes(file), whole);
    assert_eq!(lab.run(|op| inline_evict(op, file)), Ok(whole));
    assert_eq!(lab.run(|op| attributes(op, file)).unwrap().size, 3584);
    assert_eq!(lab.run(|op| inline_put(op, file, 0, b"x")), Ok(false), "it has extents");
}

#[test]
fn many_orphans_are_kept_and_finished() {
    let mut lab = Lab::new();
    let root = lab.root;
    let files: Vec<InodeRef> = (0..600).map(|nth| lab.new_file(&format!("{nth}"))).collect();
    for (nth, file) in files.iter().enumerate() {
        lab.memory.store().open_inode(file.ino);
        assert!(lab.run(|op| unlink(op, root, nth.to_string().as_bytes())).unwrap().orphan);
    }
    lab.memory.commit();
    let (mut after, mut found) = (0, Vec::new());
    while let Some(at) = lab.run(|op| next_orphan(op, 0, after)).unwrap() {
        after = at.ino;
        found.push(at);
    }
    let mut wanted = files.clone();
    wanted.sort();
    assert_eq!(found, wanted);
    for file in files {
        assert!(lab.memory.store().close_inode(file.ino));
        assert_eq!(lab.run(|op| finish_step(op, 0, file)), Ok(Finish::Done));
    }
    assert_eq!(lab.run(|op| next_orphan(op, 0, 0)), Ok(None));
}

#[test]
fn a_truncation_that_was_left_is_ended() {
    let mut lab = Lab::new();
    let file = lab.new_file("file");
    lab.run(|op| {
        edit(op, file.ino)?.flags = FLAG_TRUNCATING.into();
        orphan_add(op, file)?;
        orphan_add(op, file)
    })
    .unwrap();
    assert_eq!(lab.run(|op| finish_step(op, 0, file)), Ok(Finish::Done));
    assert_eq!(lab.run(|op| attributes(op, file)).unwrap().flags, 0);
    assert_eq!(lab.run(|op| next_orphan(op, 0, 0)), Ok(None));
}

/// Gives a file so many extents of one block each, with holes between.
fn scatter(lab: &mut Lab, file: InodeRef, extents: u64) {
    for nth in 0..extents {
        let goal = space::Goal { near: file.ino, len_min: 1, len_max: 1, align: 1 };
        lab.run(|op| {
            let run = space::alloc_data(op, goal)?;
            extents::insert(op, file.ino, 2 * nth, run, 0)
        })
        .unwrap();
        if nth % 100 == 0 {
            lab.memory.commit();
        }
    }
}

#[test]
fn a_file_in_few_extents_goes_with_its_name_and_one_in_many_in_steps() {
    let mut lab = Lab::new();
    let (root, before) = (lab.root, lab.run(|op| space::usage(op)).unwrap());
    let few = lab.new_file("few");
    scatter(&mut lab, few, 5);
    assert!(!lab.run(|op| unlink(op, root, b"few")).unwrap().orphan);
    let many = lab.new_file("many");
    scatter(&mut lab, many, 5_000);
    lab.run(|op| {
        edit(op, many.ino)?.size = (8_000 * 4096).into();
        edit(op, many.ino)?.flags = FLAG_TRUNCATING.into();
        orphan_add(op, many)
    })
    .unwrap();
    while lab.run(|op| finish_step(op, 0, many)).unwrap() == Finish::More {}
    let kept = lab.run(|op| extents::next_data(op, many.ino, 7_999)).unwrap();
    assert_eq!(kept, None, "what is beyond the size is gone");
    assert_eq!(lab.run(|op| extents::next_data(op, many.ino, 7_997)), Ok(Some(7_998)));
    assert!(lab.run(|op| unlink(op, root, b"many")).unwrap().orphan);
    while lab.run(|op| finish_step(op, 0, many)).unwrap() == Finish::More {}
    lab.memory.commit();
    assert_eq!(lab.run(|op| space::usage(op)), Ok(before), "every block came back");
}
