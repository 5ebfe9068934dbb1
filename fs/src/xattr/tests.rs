//! Stories of extended attributes, told to a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::format::InodeCore;
use crate::inode::{Finish, finish_step, inline_put, inline_truncate};
use crate::names::lab::Lab;
use crate::names::{New, create, unlink};
use crate::store::Want;

const NEW: New = New { mode: 0o644, uid: 1, gid: 2 };

impl Lab {
    fn file(&mut self, name: &[u8]) -> InodeRef {
        let root = self.root;
        self.run(|op| create(op, root, name, NEW, false)).unwrap().at
    }

    fn set(
        &mut self,
        at: InodeRef,
        name: &str,
        value: &[u8],
        mode: SetMode,
    ) -> Result<(), FsError> {
        self.run(|op| set(op, at, name.as_bytes(), value, mode))
    }

    fn get(&mut self, at: InodeRef, name: &str) -> Option<Vec<u8>> {
        self.run(|op| get(op, at, name.as_bytes())).unwrap()
    }

    fn core_of(&mut self, at: InodeRef) -> InodeCore {
        self.run(|op| Ok(*inode::read(op, at)?.core())).unwrap()
    }
}

#[derive(Clone, Debug)]
enum Act {
    Set(u8, usize, SetMode),
    Remove(u8),
    Write(usize),
    Truncate(usize),
    Name(u8),
    Forget,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let mode = prop::sample::select(vec![SetMode::Any, SetMode::Create, SetMode::Replace]);
    let len = prop_oneof![
        4 => 0usize..100, 2 => 100usize..1_100, 1 => 1_100usize..9_000, 1 => 60_000usize..65_537,
    ];
    let act = prop_oneof![
        8 => (0u8..12, len, mode).prop_map(|(name, len, mode)| Act::Set(name, len, mode)),
        4 => (0u8..12).prop_map(Act::Remove),
        1 => (0usize..4_000).prop_map(Act::Write),
        1 => (0usize..3_000).prop_map(Act::Truncate),
        2 => (0u8..100).prop_map(Act::Name),
        1 => Just(Act::Forget),
    ];
    prop::collection::vec(act, 1..120)
}

fn name(number: u8) -> String {
    let (_, prefix) = XATTR_PREFIXES[usize::from(number) % 4];
    format!("{prefix}{number}-{}", "n".repeat(usize::from(number) * 21 % 240))
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + seed) as u8).collect()
}

/// What one attribute's setting answers, and the model after it.
fn model_set(
    model: &mut BTreeMap<String, Vec<u8>>,
    (name, value): (String, Vec<u8>),
    mode: SetMode,
) -> Result<(), FsError> {
    match (model.contains_key(&name), mode) {
        (true, SetMode::Create) => Err(FsError::Exists),
        (false, SetMode::Replace) => Err(FsError::NotFound),
        _ => {
            model.insert(name, value);
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn attributes_are_a_map(
        acts in acts(),
        directory in any::<bool>(),
        mask in prop::sample::select(vec![u64::MAX, 0, 1]),
    ) {
        let mut lab = Lab::new();
        lab.memory.store().set_hash_mask(mask);
        let at = if directory { lab.root } else { lab.file(b"file") };
        let mut model = BTreeMap::new();
        let (mut data, mut names) = (Vec::new(), 0);
        for (nth, act) in acts.into_iter().enumerate() {
            match act {
                Act::Set(number, len, mode) => {
                    let (name, value) = (name(number), bytes(len, nth));
                    let done = lab.set(at, &name, &value, mode);
                    prop_assert_eq!(done, model_set(&mut model, (name, value), mode));
                }
                Act::Remove(number) => {
                    let done = lab.run(|op| remove(op, at, name(number).as_bytes()));
                    let before = model.remove(&name(number));
                    prop_assert_eq!(done, before.map(drop).ok_or(FsError::NotFound));
                }
                Act::Write(len) if !directory => {
                    let part = bytes(len, nth);
                    if lab.run(|op| inline_put(op, at, 0, &part)).unwrap() {
                        data.resize(data.len().max(len), 0);
                        data[..len].copy_from_slice(&part);
                    }
                }
                Act::Truncate(len) if !directory => {
                    let fits = lab.run(|op| inline_truncate(op, at, len as u64)).unwrap();
                    data.resize(if fits { len } else { data.len() }, 0);
                }
                Act::Name(number) if directory => {
                    lab.file(format!("file-{number}").as_bytes());
                    names += 1;
                }
                Act::Forget => lab.memory.commit(),
                _ => {}
            }
            let core = lab.core_of(at);
            prop_assert_eq!(core.check(at.ino), Ok(()));
        }
        lab.memory.commit();
        for (name, value) in &model {
            let found = lab.get(at, name);
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        let mut listed = lab.run(|op| list(op, at)).unwrap();
        listed.sort();
        prop_assert!(listed.iter().eq(model.keys().map(|name| name.as_bytes())));
        if !directory {
            let kept = lab.run(|op| {
                let inode = inode::read(op, at)?;
                Ok(inode::inline_bytes(&inode).unwrap_or_default().to_vec())
            });
            prop_assert_eq!(kept.unwrap(), data);
        }
        let before = lab.core_of(at);
        for name in model.keys() {
            lab.run(|op| remove(op, at, name.as_bytes())).unwrap();
        }
        let core = lab.core_of(at);
        prop_assert_eq!((core.xattr_root.get(), core.xattr_inline_len.get()), (0, 0));
        prop_assert!(core.blocks.get() <= before.blocks.get());
        prop_assert!(directory && names > 0 || core.blocks.get() == 1);
    }
}

#[test]
fn a_file_with_big_attributes_is_freed_in_steps() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.file(b"file");
    for number in 0..20 {
        let value = bytes(if number % 2 == 0 { 65_536 } else { 3_000 }, number);
        lab.set(file, &format!("user.{number}"), &value, SetMode::Create).unwrap();
        lab.memory.commit();
    }
    assert!(lab.core_of(file).blocks.get() > 10 * 17);
    assert!(lab.run(|op| unlink(op, root, b"file")).unwrap().orphan);
    let mut steps = 0;
    while lab.run(|op| finish_step(op, 0, file)).unwrap() == Finish::More {
        steps += 1;
    }
    assert!(steps >= 10);
    assert_eq!(lab.run(|op| inode::next_orphan(op, 0, 0)), Ok(None));
}

#[test]
fn names_and_values_that_cannot_be() {
    let mut lab = Lab::new();
    let at = lab.file(b"file");
    let mut set = |name: &str, len| lab.set(at, name, &vec![1; len], SetMode::Any);
    assert_eq!(set("other.x", 1), Err(FsError::Invalid("namespace of an attribute")));
    assert_eq!(set("user.", 1), Err(FsError::Invalid("name of an attribute")));
    assert_eq!(set("user.a\0b", 1), Err(FsError::Invalid("name of an attribute")));
    assert_eq!(set(&format!("user.{}", "x".repeat(256)), 1), Err(FsError::NameTooLong));
    assert_eq!(set("user.x", 65_537), Err(FsError::Range));
    assert_eq!(set("user.x", 65_536), Ok(()));
    assert_eq!(lab.get(at, "user.y"), None);
}

#[test]
fn a_chain_that_is_cut_is_damage() {
    let mut lab = Lab::new();
    let at = lab.file(b"file");
    lab.set(at, "user.big", &[9; 20_000], SetMode::Any).unwrap();
    let first = lab.run(|op| {
        let inode = inode::read(op, at)?;
        let name = Name::parse(b"user.big")?;
        Ok(chain::find(op, &inode, name)?.expect("it is in blocks").first)
    });
    let (first, want) = (first.unwrap(), Want::new(crate::format::Kind::XattrValue, at.ino));
    // The first 8 bytes after the header lead to the next block.
    let cut = |op: &mut Op<'_>| {
        op.edit(first, want)?.bytes_mut()[64..72].fill(0);
        Ok(())
    };
    lab.run(cut).unwrap();
    let damage = crate::store::Damage::field(first, want, "next part");
    assert_eq!(lab.run(|op| get(op, at, b"user.big")), Err(FsError::Damaged(damage)));
}
