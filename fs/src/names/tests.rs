//! Stories of names, and any story told to a model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::audit::{audit, orphans};
use super::lab::Lab;
use super::*;
use crate::format::{FLAG_IMMUTABLE, MODE_FIFO};
use crate::inode::{Finish, SetAttributes, attributes, finish_step, set_attributes};

const NEW: New = New { mode: 0o644, uid: 1, gid: 2 };

impl Lab {
    fn create(&mut self, dir: InodeRef, name: &str) -> InodeRef {
        self.run(|op| create(op, dir, name.as_bytes(), NEW, true)).unwrap().at
    }

    fn mkdir(&mut self, dir: InodeRef, name: &str) -> InodeRef {
        self.run(|op| mkdir(op, dir, name.as_bytes(), NEW)).unwrap()
    }

    fn unlink(&mut self, dir: InodeRef, name: &str) -> Result<Removed, FsError> {
        self.run(|op| unlink(op, dir, name.as_bytes()))
    }

    fn rename(
        &mut self,
        (from, old): (InodeRef, &str),
        (to, new): (InodeRef, &str),
        mode: RenameMode,
    ) -> Result<Renamed, FsError> {
        self.run(|op| rename(op, from, old.as_bytes(), to, new.as_bytes(), mode))
    }

    fn set_links(&mut self, at: InodeRef, links: u32) {
        let set = |op: &mut Op<'_>| {
            edit(op, at.ino)?.nlink = links.into();
            Ok(())
        };
        self.run(set).unwrap();
    }

    fn finish(&mut self) {
        let mut after = 0;
        while let Some(at) = self.run(|op| inode::next_orphan(op, 0, after)).unwrap() {
            while self.run(|op| finish_step(op, 0, at)) == Ok(Finish::More) {}
            after = at.ino;
        }
    }

    fn audit(&mut self) -> BTreeMap<InodeRef, u64> {
        let root = self.root;
        self.run(|op| audit(op, root)).unwrap()
    }

    fn path(&mut self, path: &str) -> Result<InodeRef, FsError> {
        let root = self.root;
        self.run(|op| resolve(op, root, root, path.as_bytes(), true))
    }
}

#[test]
fn a_file_is_made_found_and_gone() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.create(root, "file");
    assert_eq!(lab.run(|op| lookup(op, root, b"file")).unwrap().target, file);
    let again = lab.run(|op| create(op, root, b"file", NEW, false)).unwrap();
    assert_eq!(again, Created { at: file, file_type: 8, new: false });
    assert_eq!(lab.run(|op| create(op, root, b"file", NEW, true)), Err(FsError::Exists));
    let seen = lab.run(|op| attributes(op, file)).unwrap();
    assert_eq!((seen.mode, seen.uid, seen.gid, seen.nlink), (0o100_644, 1, 2, 1));
    assert_eq!(lab.unlink(root, "file"), Ok(Removed { at: file, orphan: false }));
    assert_eq!(lab.run(|op| lookup(op, root, b"file")), Err(FsError::NotFound));
    assert_eq!(lab.unlink(root, "file"), Err(FsError::NotFound));
    lab.audit();
}

#[test]
fn an_open_file_stays_until_it_is_closed() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.create(root, "file");
    lab.memory.store().open_inode(file.ino);
    assert_eq!(lab.unlink(root, "file"), Ok(Removed { at: file, orphan: true }));
    assert_eq!(lab.run(|op| finish_step(op, 0, file)), Ok(Finish::Open));
    assert_eq!(lab.run(|op| attributes(op, file)).unwrap().nlink, 0);
    assert_eq!(lab.run(|op| link(op, file, root, b"back")), Err(FsError::NotFound));
    assert!(lab.memory.store().close_inode(file.ino));
    assert_eq!(lab.run(|op| finish_step(op, 0, file)), Ok(Finish::Done));
    assert_eq!(lab.run(|op| orphans(op, 0)), Ok(vec![]));
}

#[test]
fn a_removed_directory_that_is_open_takes_no_names() {
    let mut lab = Lab::new();
    let root = lab.root;
    let dir = lab.mkdir(root, "dir");
    lab.memory.store().open_inode(dir.ino);
    assert!(lab.run(|op| rmdir(op, root, b"dir")).unwrap().orphan);
    assert_eq!(lab.run(|op| create(op, dir, b"file", NEW, true)), Err(FsError::NotFound));
    assert!(lab.run(|op| readdir(op, dir, 0, 10)).unwrap().is_empty());
    assert!(lab.memory.store().close_inode(dir.ino));
    lab.finish();
    assert_eq!(lab.run(|op| orphans(op, 0)), Ok(vec![]));
    lab.audit();
}

#[test]
fn a_file_without_a_name_gets_one() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.run(|op| create_orphan(op, root, NEW)).unwrap();
    assert_eq!(lab.run(|op| orphans(op, 0)), Ok(vec![file]));
    assert_eq!(lab.run(|op| publish(op, file, root, b"file")), Ok(()));
    assert_eq!(lab.run(|op| orphans(op, 0)), Ok(vec![]));
    assert!(lab.audit().contains_key(&file));
}

#[test]
fn renames_of_every_kind() {
    let mut lab = Lab::new();
    let root = lab.root;
    let (a, b) = (lab.mkdir(root, "a"), lab.mkdir(root, "b"));
    let (one, two) = (lab.create(a, "one"), lab.create(b, "two"));
    let exists = lab.rename((a, "one"), (b, "two"), RenameMode::NoReplace);
    assert_eq!(exists, Err(FsError::Exists));
    let missing = lab.rename((a, "one"), (b, "three"), RenameMode::Exchange);
    assert_eq!(missing, Err(FsError::NotFound));
    lab.rename((a, "one"), (b, "two"), RenameMode::Exchange).unwrap();
    assert_eq!(lab.path("/a/one"), Ok(two));
    assert_eq!(lab.path("/b/two"), Ok(one));
    let done = lab.rename((a, "one"), (b, "two"), RenameMode::Replace).unwrap();
    assert_eq!(done.replaced, Some(Removed { at: one, orphan: false }));
    assert_eq!(lab.path("/b/two"), Ok(two));
    lab.rename((root, "a"), (b, "deep"), RenameMode::Replace).unwrap();
    assert_eq!(lab.path("/b/deep"), Ok(a));
    assert_eq!(lab.path("/b/deep/../two"), Ok(two));
    let below = lab.rename((root, "b"), (a, "loop"), RenameMode::Replace);
    assert_eq!(below, Err(FsError::Invalid("a directory cannot move below itself")));
    let swap = lab.rename((b, "deep"), (root, "b"), RenameMode::Exchange);
    assert_eq!(swap, Err(FsError::Invalid("a directory cannot move below itself")));
    lab.audit();
}

#[test]
fn what_may_replace_what() {
    let mut lab = Lab::new();
    let root = lab.root;
    let (full, empty) = (lab.mkdir(root, "full"), lab.mkdir(root, "empty"));
    lab.create(full, "inside");
    lab.create(root, "file");
    let mut over = |old, new| lab.rename((root, old), (root, new), RenameMode::Replace);
    assert_eq!(over("file", "empty"), Err(FsError::IsDirectory));
    assert_eq!(over("empty", "file"), Err(FsError::NotDirectory));
    assert_eq!(over("empty", "full"), Err(FsError::NotEmpty));
    assert_eq!(over("full", "full").map(|done| done.moved), Ok(full));
    let gone = over("full", "empty").unwrap();
    assert_eq!(gone.replaced.map(|removed| removed.at), Some(empty));
    assert_eq!(lab.path("/empty"), Ok(full));
    assert_eq!(lab.run(|op| rmdir(op, root, b"empty")), Err(FsError::NotEmpty));
    assert_eq!(lab.run(|op| rmdir(op, root, b"file")), Err(FsError::NotDirectory));
    assert_eq!(lab.unlink(root, "empty"), Err(FsError::IsDirectory));
    lab.audit();
}

#[test]
fn two_names_of_one_file_are_not_renamed_over_each_other() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.create(root, "one");
    lab.run(|op| link(op, file, root, b"two")).unwrap();
    let done = lab.rename((root, "one"), (root, "two"), RenameMode::Replace).unwrap();
    assert_eq!(done, Renamed { moved: file, replaced: None });
    assert_eq!((lab.path("/one"), lab.path("/two")), (Ok(file), Ok(file)));
    lab.unlink(root, "one").unwrap();
    lab.audit();
}

#[test]
fn links_lead_on_and_not_in_circles() {
    let mut lab = Lab::new();
    let root = lab.root;
    let dir = lab.mkdir(root, "dir");
    let file = lab.create(dir, "file");
    let mut symlink =
        |name: &str, target: &[u8]| lab.run(|op| symlink(op, root, name.as_bytes(), target, NEW));
    symlink("to-dir", b"dir").unwrap();
    symlink("to-file", b"/to-dir/./file").unwrap();
    symlink("circle", b"circle").unwrap();
    symlink("longest", &[b'x'; TARGET_LEN_MAX]).unwrap();
    assert_eq!(symlink("longer", &[b'x'; TARGET_LEN_MAX + 1]), Err(FsError::NameTooLong));
    assert_eq!(symlink("empty", b""), Err(FsError::Invalid("target of a link")));
    assert_eq!(lab.path("/to-file"), Ok(file));
    assert_eq!(lab.path("to-dir/"), Ok(dir));
    assert_eq!(lab.path("to-file/"), Err(FsError::NotDirectory));
    assert_eq!(lab.path("dir/file/x"), Err(FsError::NotDirectory));
    assert!(matches!(lab.path("circle"), Err(FsError::Invalid(_))));
    let link = lab.run(|op| resolve(op, root, root, b"longest", false)).unwrap();
    assert_eq!(lab.run(|op| readlink(op, link)), Ok(vec![b'x'; TARGET_LEN_MAX]));
    assert_eq!(lab.run(|op| attributes(op, link)).unwrap().size, TARGET_LEN_MAX as u64);
}

#[test]
fn limits_and_flags() {
    let mut lab = Lab::new();
    let root = lab.root;
    let file = lab.create(root, "file");
    lab.set_links(file, LINKS_MAX);
    assert_eq!(lab.run(|op| link(op, file, root, b"more")), Err(FsError::TooManyLinks));
    assert_eq!(lab.run(|op| lookup(op, root, b"more")), Err(FsError::NotFound));
    lab.set_links(file, 1);
    let frozen = SetAttributes { flags: Some(FLAG_IMMUTABLE), ..SetAttributes::default() };
    lab.run(|op| set_attributes(op, file, frozen)).unwrap();
    assert_eq!(lab.unlink(root, "file"), Err(FsError::Immutable));
    let thawed = SetAttributes { flags: Some(0), ..SetAttributes::default() };
    lab.run(|op| set_attributes(op, file, thawed)).unwrap();
    lab.unlink(root, "file").unwrap();
    let stale = InodeRef { generation: root.generation ^ 1, ..root };
    assert_eq!(lab.run(|op| lookup(op, stale, b"x")), Err(FsError::Stale));
}

#[test]
fn special_files_groups_and_times() {
    let mut lab = Lab::new();
    let root = lab.root;
    let dir = lab.run(|op| mkdir(op, root, b"dir", New { mode: 0o2755, uid: 5, gid: 6 })).unwrap();
    let below = lab.mkdir(dir, "below");
    let seen = lab.run(|op| attributes(op, below)).unwrap();
    assert_eq!((seen.mode, seen.gid), (0o42_644, 6), "the group and its bit are handed down");
    lab.memory.set_now(-5_000_000_001);
    let pipe = New { mode: MODE_FIFO | 0o600, ..NEW };
    let pipe = lab.run(|op| mknod(op, dir, b"pipe", pipe, 7)).unwrap();
    let seen = lab.run(|op| attributes(op, pipe)).unwrap();
    assert_eq!((seen.mode, seen.rdev, seen.btime), (0o10_600, 0, -5_000_000_001));
    let above = lab.run(|op| attributes(op, dir)).unwrap();
    assert_eq!((above.mtime, above.ctime), (-5_000_000_001, -5_000_000_001));
    assert!(above.atime > 0);
}

/// A directory of the model: names to inodes of the model.
#[derive(Clone, Debug, Default)]
struct Model {
    dirs: BTreeMap<usize, BTreeMap<u8, usize>>,
    parents: BTreeMap<usize, usize>,
    links: BTreeMap<usize, u32>,
    ids: Vec<InodeRef>,
}

#[derive(Clone, Debug)]
enum Act {
    Create(usize, u8),
    Mkdir(usize, u8),
    Link(usize, u8, usize, u8),
    Unlink(usize, u8),
    Rmdir(usize, u8),
    Rename(usize, u8, usize, u8, RenameMode),
    Forget,
}

impl Model {
    fn new(root: InodeRef) -> Model {
        let mut model = Model { ids: vec![root], ..Model::default() };
        model.dirs.insert(0, BTreeMap::new());
        model.parents.insert(0, 0);
        model
    }

    fn dir(&self, nth: usize) -> usize {
        *self.dirs.keys().nth(nth % self.dirs.len()).unwrap()
    }

    fn get(&self, dir: usize, name: u8) -> Option<usize> {
        self.dirs[&dir].get(&name).copied()
    }

    fn put(&mut self, dir: usize, name: u8, id: usize) {
        self.dirs.get_mut(&dir).unwrap().insert(name, id);
        if self.dirs.contains_key(&id) {
            self.parents.insert(id, dir);
        }
    }

    fn add(&mut self, dir: usize, name: u8, at: InodeRef, is_dir: bool) {
        let id = self.ids.len();
        self.ids.push(at);
        match is_dir {
            true => drop(self.dirs.insert(id, BTreeMap::new())),
            false => drop(self.links.insert(id, 1)),
        }
        self.put(dir, name, id);
    }

    fn drop_name(&mut self, id: usize) {
        if self.dirs.remove(&id).is_some() {
            self.parents.remove(&id);
            return;
        }
        *self.links.get_mut(&id).unwrap() -= 1;
        self.links.retain(|_, links| *links > 0);
    }

    fn is_below(&self, id: usize, above: usize) -> bool {
        let mut at = id;
        while at != above {
            match self.parents[&at] {
                parent if parent == at => return false,
                parent => at = parent,
            }
        }
        true
    }

    fn unlink(&mut self, dir: usize, name: u8, want_dir: bool) -> Result<(), FsError> {
        let id = self.get(dir, name).ok_or(FsError::NotFound)?;
        match (self.dirs.get(&id), want_dir) {
            (Some(_), false) => return Err(FsError::IsDirectory),
            (None, true) => return Err(FsError::NotDirectory),
            (Some(names), true) if !names.is_empty() => return Err(FsError::NotEmpty),
            _ => {}
        }
        self.dirs.get_mut(&dir).unwrap().remove(&name);
        self.drop_name(id);
        Ok(())
    }

    fn rename(
        &mut self,
        (from, old): (usize, u8),
        (to, new): (usize, u8),
        mode: RenameMode,
    ) -> Result<(), FsError> {
        let loops = FsError::Invalid("a directory cannot move below itself");
        let id = self.get(from, old).ok_or(FsError::NotFound)?;
        let is_dir = |model: &Model, id| model.dirs.contains_key(&id);
        if is_dir(self, id) && from != to && self.is_below(to, id) {
            return Err(loops);
        }
        let other = self.get(to, new);
        match (other, mode) {
            (Some(_), RenameMode::NoReplace) => return Err(FsError::Exists),
            (None, RenameMode::Exchange) => return Err(FsError::NotFound),
            (Some(other), _) if other == id => return Ok(()),
            (Some(other), RenameMode::Exchange) => {
                if is_dir(self, other) && from != to && self.is_below(from, other) {
                    return Err(loops);
                }
                self.put(from, old, other);
                self.put(to, new, id);
                return Ok(());
            }
            (Some(other), RenameMode::Replace) => match (is_dir(self, id), self.dirs.get(&other)) {
                (true, None) => return Err(FsError::NotDirectory),
                (true, Some(names)) if !names.is_empty() => return Err(FsError::NotEmpty),
                (false, Some(_)) => return Err(FsError::IsDirectory),
                _ => {}
            },
            (None, _) => {}
        }
        self.dirs.get_mut(&from).unwrap().remove(&old);
        self.put(to, new, id);
        if let Some(other) = other {
            self.drop_name(other);
        }
        Ok(())
    }
}

/// Does one thing to both; they answer alike.
fn act(lab: &mut Lab, model: &mut Model, act: Act) {
    let name = |number: u8| format!("name-{number}-{}", "x".repeat(usize::from(number) * 5));
    match act {
        Act::Forget => lab.memory.commit(),
        Act::Create(dir, number) | Act::Mkdir(dir, number) => {
            let is_dir = matches!(act, Act::Mkdir(..));
            let dir = model.dir(dir);
            let (at, text) = (model.ids[dir], name(number));
            let made = lab.run(|op| match is_dir {
                true => mkdir(op, at, text.as_bytes(), NEW),
                false => create(op, at, text.as_bytes(), NEW, true).map(|created| created.at),
            });
            match model.get(dir, number) {
                Some(_) => assert_eq!(made, Err(FsError::Exists)),
                None => model.add(dir, number, made.unwrap(), is_dir),
            }
        }
        Act::Link(from, old, to, new) => {
            let (from, to) = (model.dir(from), model.dir(to));
            let Some(id) = model.get(from, old) else { return };
            let linked = lab.run(|op| link(op, model.ids[id], model.ids[to], name(new).as_bytes()));
            if model.dirs.contains_key(&id) {
                assert_eq!(linked, Err(FsError::IsDirectory));
            } else if model.get(to, new).is_some() {
                assert_eq!(linked, Err(FsError::Exists));
            } else {
                linked.unwrap();
                model.put(to, new, id);
                *model.links.get_mut(&id).unwrap() += 1;
            }
        }
        Act::Unlink(dir, number) | Act::Rmdir(dir, number) => {
            let is_dir = matches!(act, Act::Rmdir(..));
            let dir = model.dir(dir);
            let (at, text) = (model.ids[dir], name(number));
            let gone = lab.run(|op| match is_dir {
                true => rmdir(op, at, text.as_bytes()),
                false => unlink(op, at, text.as_bytes()),
            });
            assert_eq!(gone.map(drop), model.unlink(dir, number, is_dir));
        }
        Act::Rename(from, old, to, new, mode) => {
            let (from, to) = (model.dir(from), model.dir(to));
            let (a, b) = (model.ids[from], model.ids[to]);
            let done = lab.rename((a, &name(old)), (b, &name(new)), mode);
            assert_eq!(done.map(drop), model.rename((from, old), (to, new), mode));
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (dir, name) = (0usize..20, 0u8..40);
    let mode = prop::sample::select(vec![
        RenameMode::Replace,
        RenameMode::NoReplace,
        RenameMode::Exchange,
    ]);
    let act = prop_oneof![
        6 => (dir.clone(), name.clone()).prop_map(|(d, n)| Act::Create(d, n)),
        3 => (dir.clone(), name.clone()).prop_map(|(d, n)| Act::Mkdir(d, n)),
        2 => (dir.clone(), name.clone(), dir.clone(), name.clone())
            .prop_map(|(d, n, e, m)| Act::Link(d, n, e, m)),
        3 => (dir.clone(), name.clone()).prop_map(|(d, n)| Act::Unlink(d, n)),
        2 => (dir.clone(), name.clone()).prop_map(|(d, n)| Act::Rmdir(d, n)),
        6 => (dir.clone(), name.clone(), dir, name, mode)
            .prop_map(|(d, n, e, m, mode)| Act::Rename(d, n, e, m, mode)),
        1 => Just(Act::Forget),
    ];
    prop::collection::vec(act, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn names_are_what_the_model_says(story in acts()) {
        let mut lab = Lab::new();
        let mut model = Model::new(lab.root);
        for (nth, step) in story.into_iter().enumerate() {
            act(&mut lab, &mut model, step);
            if nth % 50 == 49 {
                lab.audit();
            }
        }
        let audited = lab.audit();
        prop_assert_eq!(lab.run(|op| orphans(op, 0)), Ok(vec![]));
        prop_assert_eq!(audited.len(), model.dirs.len() + model.links.len());
        for (id, names) in &model.dirs {
            let dir = model.ids[*id];
            let listed = lab.run(|op| readdir(op, dir, 0, usize::MAX)).unwrap();
            let listed: BTreeMap<InodeRef, usize> = listed.iter().fold(
                BTreeMap::new(),
                |mut seen, listed| {
                    *seen.entry(listed.entry.target).or_default() += 1;
                    seen
                },
            );
            let mut wanted: BTreeMap<InodeRef, usize> = BTreeMap::new();
            names.values().for_each(|id| *wanted.entry(model.ids[*id]).or_default() += 1);
            prop_assert_eq!(listed, wanted);
        }
    }
}
