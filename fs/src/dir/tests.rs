//! Stories of directories, told to a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::*;
use crate::format::{EntryHead, LeafHead};
use crate::names::lab::Lab;

const FILE: u8 = 8;

fn target(number: u64) -> InodeRef {
    InodeRef { ino: 1 + number, generation: number as u32 }
}

impl Lab {
    fn put(&mut self, name: &[u8], to: InodeRef) -> Result<(), FsError> {
        let root = self.root;
        self.run(|op| {
            let dir = inode::read(op, root)?;
            insert(op, &dir, name, (to, FILE))
        })
    }

    fn take(&mut self, name: &[u8]) -> Result<InodeRef, FsError> {
        let root = self.root;
        self.run(|op| {
            let dir = inode::read(op, root)?;
            remove(op, &dir, name).map(|entry| entry.target)
        })
    }

    fn find(&mut self, name: &[u8]) -> Option<InodeRef> {
        let root = self.root;
        let found = self.run(|op| {
            let dir = inode::read(op, root)?;
            lookup(op, &dir, name)
        });
        found.unwrap().map(|entry| entry.target)
    }

    fn part(&mut self, after: u64, limit: usize) -> Result<Listing, FsError> {
        let root = self.root;
        self.run(|op| {
            let dir = inode::read(op, root)?;
            list(op, &dir, after, limit)
        })
    }

    /// All names, listed in parts.
    fn all(&mut self, limit: usize) -> BTreeMap<Vec<u8>, InodeRef> {
        let mut seen = BTreeMap::new();
        let mut after = 0;
        loop {
            let part = self.part(after, limit).unwrap();
            for listed in part.iter() {
                assert!(listed.entry.cookie > after, "cookies ascend");
                after = listed.entry.cookie;
                let twice = seen.insert(listed.name.to_vec(), listed.entry.target);
                assert_eq!(twice, None, "a name is listed once");
            }
            if part.len() < limit {
                return seen;
            }
        }
    }

    fn root_core(&mut self) -> crate::format::InodeCore {
        let root = self.root;
        self.run(|op| Ok(*inode::read(op, root)?.core())).unwrap()
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(u16),
    Take(u16),
    Find(u16),
    List(usize),
    Forget,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0u16..400).prop_map(Act::Put),
        5 => (0u16..400).prop_map(Act::Take),
        2 => (0u16..400).prop_map(Act::Find),
        1 => (1usize..50).prop_map(Act::List),
        1 => Just(Act::Forget),
    ];
    prop::collection::vec(act, 1..600)
}

/// Names of many lengths.
fn name(number: u16) -> Vec<u8> {
    let mut name = format!("n{number}").into_bytes();
    name.resize(name.len() + usize::from(number) * 7 % 240, b'x');
    name
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_directory_is_a_map(
        acts in acts(),
        mask in prop::sample::select(vec![u64::MAX, 0, 1, 0xf << 40]),
    ) {
        let mut lab = Lab::new();
        lab.memory.store().set_hash_mask(mask);
        let mut model = BTreeMap::new();
        for act in acts {
            match act {
                Act::Put(number) => {
                    let put = lab.put(&name(number), target(u64::from(number)));
                    let before = model.insert(name(number), target(u64::from(number)));
                    prop_assert_eq!(put, before.map_or(Ok(()), |_| Err(FsError::Exists)));
                }
                Act::Take(number) => {
                    let taken = lab.take(&name(number));
                    let before = model.remove(&name(number));
                    prop_assert_eq!(taken, before.ok_or(FsError::NotFound));
                }
                Act::Find(number) => {
                    prop_assert_eq!(lab.find(&name(number)), model.get(&name(number)).copied());
                }
                Act::List(limit) => prop_assert_eq!(&lab.all(limit), &model),
                Act::Forget => lab.memory.commit(),
            }
        }
        prop_assert_eq!(&lab.all(64), &model);
        let core = lab.root_core();
        prop_assert_eq!(core.entries.get(), model.len() as u64);
        for (name, to) in model {
            prop_assert_eq!(lab.take(&name), Ok(to));
        }
        let core = lab.root_core();
        prop_assert_eq!((core.form, core.blocks.get(), core.size.get()), (FORM_INLINE_DIR, 1, 0));
    }

    #[test]
    fn no_bytes_make_a_run_panic(
        mut area in prop::collection::vec(any::<u8>(), 16..300),
        used in 0u16..300,
        count in 0u16..5,
    ) {
        let head = LeafHead {
            count: count.into(), used: used.into(), reserved: 0.into(), first_cookie: 0.into(),
        };
        area[..16].copy_from_slice(head.as_bytes());
        if let Ok(page) = Page::of(&area) {
            let sound = page.names().all(|name| name.is_ok_and(|name| name.judge().is_ok()));
            prop_assert!(!sound || page.names().count() == page.count());
            let _ = page.median();
            let _ = Search::new(b"name", 7).over(page);
        }
    }
}

#[test]
fn a_hundred_thousand_names_come_and_go() {
    let mut lab = Lab::new();
    let name = |number: u64| format!("file-{number:06}").into_bytes();
    for number in 0..100_000 {
        lab.put(&name(number), target(number)).unwrap();
        if number % 10_000 == 0 {
            lab.memory.commit();
        }
    }
    assert_eq!(lab.find(&name(77_777)), Some(target(77_777)));
    assert_eq!(lab.put(&name(5), target(5)), Err(FsError::Exists));
    assert_eq!(lab.all(1000).len(), 100_000);
    let core = lab.root_core();
    assert_eq!(core.entries.get(), 100_000);
    assert!(core.blocks.get() < 2_000, "leaves are more than half full");
    for number in 0..100_000 {
        assert_eq!(
            lab.take(&name(number * 77_773 % 100_000)),
            Ok(target(number * 77_773 % 100_000))
        );
    }
    let core = lab.root_core();
    assert_eq!((core.form, core.blocks.get(), core.size.get()), (FORM_INLINE_DIR, 1, 0));
}

#[test]
fn a_listing_goes_on_while_names_come_and_go() {
    let mut lab = Lab::new();
    for number in 0..2_000 {
        lab.put(format!("stays-{number}").as_bytes(), target(number)).unwrap();
    }
    let (mut after, mut stayed, mut round) = (0, 0, 0);
    loop {
        let part = lab.part(after, 17).unwrap();
        stayed += part.iter().filter(|listed| listed.name.starts_with(b"stays")).count();
        let Some(cookie) = part.last_cookie() else { break };
        after = cookie;
        for number in 0..20 {
            lab.put(format!("new-{round}-{number}").as_bytes(), target(1)).unwrap();
        }
        for number in 0..10 {
            lab.take(format!("new-{round}-{number}").as_bytes()).unwrap();
        }
        round += 1;
    }
    assert_eq!(stayed, 2_000);
}

#[test]
fn names_that_cannot_be() {
    let mut lab = Lab::new();
    for wrong in [&b""[..], b".", b"..", b"a/b", b"a\0"] {
        assert_eq!(lab.put(wrong, target(1)), Err(FsError::Invalid("name")));
    }
    assert_eq!(lab.put(&[b'n'; 256], target(1)), Err(FsError::NameTooLong));
    assert_eq!(lab.put(&[b'n'; 255], target(1)), Ok(()));
}

/// A story of one wrong field: what the listing says of it.
fn after_breaking(change: impl Fn(&mut EntryHead, &mut [u8])) -> Result<Listing, FsError> {
    let mut lab = Lab::new();
    lab.put(b"name-one", target(1)).unwrap();
    let root = lab.root;
    lab.run(|op| {
        let body = edit_body(op, root.ino)?;
        let (head, name) = body[16..].split_at_mut(24);
        change(zerocopy::FromBytes::mut_from_bytes(head).unwrap(), name);
        Ok(())
    })
    .unwrap();
    lab.part(0, 10)
}

#[test]
fn a_wrong_field_is_named() {
    let root = Lab::new().root.ino;
    let named = |field| Err(FsError::Damaged(Damage::field(root, want(root), field)));
    assert_eq!(after_breaking(|head, _| head.cookie = 3.into()), named("cookie"));
    assert_eq!(after_breaking(|head, _| head.cookie = u64::MAX.into()), named("cookie"));
    assert_eq!(after_breaking(|head, _| head.name_len = 0), named("name length"));
    assert_eq!(after_breaking(|head, _| head.name_len = 200), named("entry length"));
    assert_eq!(after_breaking(|head, _| head.ino = 0.into()), named("entry inode"));
    assert_eq!(after_breaking(|head, _| head.reserved = 1.into()), named("entry reserve"));
    assert_eq!(after_breaking(|_, name| name[2] = b'/'), named("name"));
    assert_eq!(after_breaking(|_, name| name[2] = 0), named("name"));
}

#[test]
fn an_index_that_leads_to_the_wrong_leaf_is_damage() {
    let mut lab = Lab::new();
    for number in 0..500 {
        lab.put(format!("name-{number}").as_bytes(), target(number)).unwrap();
    }
    let root = lab.root;
    let second = lab.run(|op| {
        let dir = inode::read(op, root)?;
        let second = leaf::next(op, &dir, 0)?.expect("there are several leaves");
        page_head(edit_leaf(op, root.ino, second.bno)?).first_cookie = 99.into();
        Ok(second)
    });
    let second = second.unwrap();
    assert_eq!(
        lab.part(second.key, 10),
        Err(FsError::Damaged(Damage::field(second.bno, leaf_want(root.ino), "first cookie")))
    );
}

fn page_head(area: &mut [u8]) -> &mut LeafHead {
    zerocopy::FromBytes::mut_from_prefix(area).unwrap().0
}
