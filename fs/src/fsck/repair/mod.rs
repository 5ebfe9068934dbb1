//! What a repair does with ordinary operations, on the overlay, once bitmaps can be believed.
//!
//! Trees that were damaged are made anew from what could be read; what they were made of before is
//! nobody's afterwards, and the next pass frees it. Counts that change on the way are set right by
//! the next pass too.

mod bench;

use super::check::Check;
use super::finding::Code;
use super::reader::Gone;
use super::work::{Named, Work};
use crate::dir;
use crate::format::{
    BODY_AT, FORM_EXTENTS, FORM_INLINE_DIR, InodeCore, Kind, MODE_DIRECTORY, SLOT_ORPHANS_AT,
    SLOT_ORPHANS_LEN,
};
use crate::inode::{self, InodeRef};
use crate::names;
use crate::space::{self, InodeNodes, OwnedNodes};
use crate::store::{FsError, Op, Run, Stop, Want};
use crate::tree::{Record, RootArea, Tree};
use bench::Bench;

/// Where inodes without a name get one.
const LOST_AND_FOUND: &[u8] = b"lost+found";
/// The file type of a directory in an entry.
const DIRECTORY_TYPE: u8 = (MODE_DIRECTORY >> 12) as u8;

/// Does all work of a pass.
pub(super) async fn run(c: &mut Check) -> Result<(), Gone> {
    let work = std::mem::take(&mut c.work);
    let mut bench = Bench::new(c);
    for one in work {
        let done = do_one(c, &mut bench, &one).await?;
        if let Err(error) = done {
            let text = format!("a repair did not succeed: {error}");
            c.note(code_of(&one), None, text);
        }
        bench.put_back(c);
    }
    Ok(())
}

fn code_of(work: &Work) -> Code {
    match work {
        Work::Extents { .. } => Code::ExtentNode,
        Work::Names { .. } => Code::DirLeaf,
        Work::Rescue { .. } => Code::Unreachable,
        Work::Orphans { .. } => Code::OrphanTree,
        Work::Refcounts { .. } => Code::Refcount,
    }
}

type Done = Result<Result<(), FsError>, Gone>;

async fn do_one(c: &mut Check, bench: &mut Bench, work: &Work) -> Done {
    match work {
        Work::Extents { ino, records } => extents(c, bench, *ino, records).await,
        Work::Names { ino, names } => names_anew(c, bench, *ino, names).await,
        Work::Rescue { ino, generation, file_type } => {
            let at = InodeRef { ino: *ino, generation: *generation };
            rescue(c, bench, at, *file_type).await
        }
        Work::Orphans { slot, orphans } => orphans_anew(c, bench, *slot, orphans).await,
        Work::Refcounts { group, runs } => refcounts(c, bench, *group, runs).await,
    }
}

/// Ends with the failure of an operation.
macro_rules! run {
    ($c:expr, $bench:expr, $op:expr) => {
        match $bench.run($c, $op).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        }
    };
}

async fn extents(c: &mut Check, bench: &mut Bench, ino: u64, records: &[Record]) -> Done {
    run!(c, bench, |op| clear_body(op, ino, FORM_EXTENTS));
    for record in records {
        run!(c, bench, |op| insert_extent(op, ino, *record));
    }
    Ok(Ok(()))
}

fn clear_body(op: &mut Op<'_>, ino: u64, form: u8) -> Result<(), Stop> {
    let block = op.edit(ino, Want::new(Kind::Inode, ino))?;
    let len = InodeCore::of(block).body_len();
    InodeCore::of_mut(block).form = form;
    block.bytes_mut()[BODY_AT..BODY_AT + len].fill(0);
    Ok(())
}

fn insert_extent(op: &mut Op<'_>, ino: u64, record: Record) -> Result<(), Stop> {
    let tree = inode::read_number(op, ino)?.body_tree(Kind::ExtentNode);
    tree.insert(op, &mut InodeNodes { ino, kind: Kind::ExtentNode }, record)
}

async fn names_anew(c: &mut Check, bench: &mut Bench, ino: u64, names: &[Named]) -> Done {
    run!(c, bench, |op| {
        clear_body(op, ino, FORM_INLINE_DIR)?;
        let block = op.edit(ino, Want::new(Kind::Inode, ino))?;
        InodeCore::of_mut(block).entries = 0.into();
        Ok(())
    });
    for name in names {
        let target = InodeRef { ino: name.ino, generation: name.generation };
        run!(c, bench, |op| {
            let directory = inode::read_number(op, ino)?;
            match dir::insert(op, &directory, &name.name, (target, name.file_type)) {
                // The same name twice: the first one stays, the other is nobody's.
                Err(Stop::Fail(FsError::Exists)) => Ok(()),
                other => other,
            }
        });
    }
    Ok(Ok(()))
}

async fn rescue(c: &mut Check, bench: &mut Bench, lost: InodeRef, file_type: u8) -> Done {
    let root = InodeRef { ino: c.superblock.root_ino, generation: c.superblock.root_generation };
    let shelter = run!(c, bench, |op| shelter(op, root));
    let name = format!("#{}", lost.ino);
    run!(c, bench, |op| {
        let directory = inode::read(op, shelter)?;
        match dir::insert(op, &directory, name.as_bytes(), (lost, file_type)) {
            Err(Stop::Fail(FsError::Exists)) => Ok(()),
            other => other,
        }
    });
    Ok(Ok(()))
}

/// The directory lost+found, made where it is not there.
fn shelter(op: &mut Op<'_>, root: InodeRef) -> Result<InodeRef, Stop> {
    match names::lookup(op, root, LOST_AND_FOUND) {
        Ok(entry) if entry.file_type == DIRECTORY_TYPE => Ok(entry.target),
        // Somebody's file has the name: the root itself is the shelter.
        Ok(_) => Ok(root),
        Err(Stop::Fail(FsError::NotFound)) => {
            names::mkdir(op, root, LOST_AND_FOUND, names::New { mode: 0o700, ..Default::default() })
        }
        Err(stop) => Err(stop),
    }
}

async fn orphans_anew(c: &mut Check, bench: &mut Bench, slot: u16, orphans: &[(u64, u64)]) -> Done {
    let (bno, want) = (c.geometry().slot_block(slot), Want::new(Kind::Slot, slot.into()));
    run!(c, bench, |op| {
        let area = SLOT_ORPHANS_AT..SLOT_ORPHANS_AT + SLOT_ORPHANS_LEN;
        op.edit(bno, want)?.bytes_mut()[area].fill(0);
        Ok(())
    });
    let root = RootArea { bno, want, at: SLOT_ORPHANS_AT, len: SLOT_ORPHANS_LEN };
    let tree = Tree::new(root, Kind::OrphanNode, slot.into());
    for (ino, generation) in orphans {
        let record = Record { key: *ino, value: *generation, len: 1, flags: 0 };
        let node = Want::new(Kind::OrphanNode, slot.into());
        run!(c, bench, |op| tree.insert(op, &mut OwnedNodes { want: node }, record));
    }
    Ok(Ok(()))
}

async fn refcounts(c: &mut Check, bench: &mut Bench, group: u32, runs: &[(u32, u32, u32)]) -> Done {
    let start = c.geometry().group_start(group);
    for (first, len, users) in runs {
        for _ in 1..*users {
            let mut run = Run { start: start + u64::from(*first), len: (*len).into() };
            while run.len > 0 {
                let done = run!(c, bench, |op| space::share_some(op, run));
                run = Run { start: run.start + done, len: run.len - done };
            }
        }
    }
    Ok(Ok(()))
}
