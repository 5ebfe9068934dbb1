//! The tables of blocks as values: everything is shown as it is, nothing is judged.

use super::{Map, Node};
use crate::format::HEADER_LEN;
use crate::format::view::table;
use crate::format::{
    BITS_PER_BLOCK, BODY_AT, BitmapHead, Bits, CommitCore, DescEntry, DescHead, FORM_INDEXED_DIR,
    FORM_INLINE, FORM_INLINE_DIR, GROUP_PENDING_AT, GROUP_PENDING_LEN, GROUP_REFCOUNTS_AT,
    GROUP_REFCOUNTS_LEN, GroupCore, HeartbeatCore, InodeCore, JournalHeadCore, Kind,
    SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN, SlotCore, SuperCore, Timestamp, XATTR_VALUE_AT,
    XattrValueHead,
};
use crate::store::Block;

use super::parts::{attributes, names, tree};

/// Runs of a bitmap that are listed.
const RUNS_MAX: usize = 256;
/// Bytes of unknown blocks and of inline data that are shown.
const BYTES_MAX: usize = 256;

pub(super) fn superblock(block: &Block) -> Map {
    let core = SuperCore::of(block);
    let features = Map::new()
        .put("compat", core.compat)
        .put("ro_compat", core.ro_compat)
        .put("incompat", core.incompat);
    Map::new()
        .put("format_level", core.format_level)
        .put("tuning", core.tuning)
        .put("features", features)
        .put("blocks", core.blocks)
        .put("group_blocks", core.group_blocks)
        .put("journal_blocks", core.journal_blocks)
        .put("journals", core.journals)
        .put("slots", core.slots)
        .put("sector_len", core.sector_len)
        .put("lun_verdict", core.lun_verdict)
        .put("root_ino", core.root_ino)
        .put("root_generation", core.root_generation)
        .put("created", moment(&core.created))
        .put("label", text(&core.label))
        .put("dir_hash_key", Node::hex(&core.dir_hash_key))
}

pub(super) fn slot(block: &Block) -> Map {
    let core = SlotCore::of(block);
    Map::new()
        .put("state", core.state)
        .put("journal_start", core.journal_start)
        .put("journal_blocks", core.journal_blocks)
        .put("incarnation", core.incarnation)
        .put("clock", core.clock)
        .put("blocks_used", core.blocks_used)
        .put("inodes", core.inodes)
        .put("orphans", tree(&block.bytes()[SLOT_ORPHANS_AT..][..SLOT_ORPHANS_LEN]))
}

pub(super) fn group(block: &Block) -> Map {
    let core = GroupCore::of(block);
    let area = |at: usize, len: usize| tree(&block.bytes()[at..][..len]);
    Map::new()
        .put("group", core.group)
        .put("blocks", core.blocks)
        .put("free", core.free)
        .put("bitmap_blocks", core.bitmap_blocks)
        .put("inode_hint", core.inode_hint)
        .put("data_hint", core.data_hint)
        .put("pending_blocks", core.pending_blocks)
        .put("refcounts", area(GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN))
        .put("pending", area(GROUP_PENDING_AT, GROUP_PENDING_LEN))
}

/// The counts of a block of bits, and its clear runs as far as they are listed.
pub(super) fn bits(block: &Block) -> Map {
    let (head, map) = (BitmapHead::of(block), Bits::of(block));
    let end = head.bits.get().min(BITS_PER_BLOCK as u32);
    let run = |(start, len): (u32, u32)| Map::new().put("start", start).put("len", len).into();
    let runs: Vec<Node> = map.runs(0, end).take(RUNS_MAX + 1).map(run).collect();
    let listed = runs.len().min(RUNS_MAX);
    Map::new()
        .put("bits", head.bits)
        .put("free", head.free)
        .put("largest_run", head.largest_run)
        .put("first_free", head.first_free)
        .put("set", map.count(0, end))
        .put("clear_runs", runs[..listed].to_vec())
        .put("is_cut", runs.len() > RUNS_MAX)
}

pub(super) fn inode(block: &Block) -> Map {
    let core = InodeCore::of(block);
    let body = &block.bytes()[BODY_AT..];
    let (main, tail) = body.split_at(core.body_len());
    let map = Map::new()
        .put("generation", core.generation)
        .put("mode", format!("{:#o}", core.mode.get()))
        .put("uid", core.uid)
        .put("gid", core.gid)
        .put("nlink", core.nlink)
        .put("flags", format!("{:#x}", core.flags.get()))
        .put("size", core.size)
        .put("blocks", core.blocks)
        .put("atime", moment(&core.atime))
        .put("mtime", moment(&core.mtime))
        .put("ctime", moment(&core.ctime))
        .put("btime", moment(&core.btime))
        .put("parent", core.parent)
        .put("open_epoch", core.open_epoch)
        .put("xattr_root", core.xattr_root)
        .put("entries", core.entries)
        .put("rdev", core.rdev)
        .put("form", core.form);
    let len = usize::try_from(core.size.get()).unwrap_or(usize::MAX).min(main.len());
    let map = match core.form {
        FORM_INLINE => map.put("data", bytes(&main[..len])),
        FORM_INLINE_DIR => map.put("names", names(main)),
        FORM_INDEXED_DIR => map.put("index", tree(main)),
        _ => map.put("extents", tree(main)),
    };
    map.put("attributes", attributes(tail))
}

pub(super) fn heartbeat(block: &Block) -> Map {
    let core = HeartbeatCore::of(block);
    Map::new()
        .put("state", core.state)
        .put("interval_ms", core.interval_ms)
        .put("seq", core.seq)
        .put("incarnation", core.incarnation)
        .put("oldest", core.oldest)
        .put("clock", core.clock)
        .put("reach", format!("{:#x}", core.reach.get()))
        .put("wall", core.wall)
        .put("host", core.host_name())
}

pub(super) fn journal_head(block: &Block) -> Map {
    let core = JournalHeadCore::of(block);
    Map::new()
        .put("seq", core.seq)
        .put("incarnation", core.incarnation)
        .put("tail_pos", core.tail_pos)
        .put("tail_seq", core.tail_seq)
        .put("clock", core.clock)
        .put("state", core.state)
}

pub(super) fn desc(block: &Block) -> Map {
    let head = DescHead::of(block);
    let entry = |entry: &DescEntry| {
        Map::new()
            .put("bno", entry.bno)
            .put("kind", kind_name(entry.kind.get()))
            .put("owner", entry.owner)
            .put("version", entry.version)
            .put("flags", entry.flags)
            .put("crc", format!("{:08x}", entry.crc.get()))
            .into()
    };
    let entries = DescEntry::all(block).iter().take(head.count.get().into());
    Map::new()
        .put("seq", head.seq)
        .put("incarnation", head.incarnation)
        .put("start", head.start)
        .put("entries", head.entries)
        .put("images", head.images)
        .put("descs", head.descs)
        .put("index", head.index)
        .put("here", entries.map(entry).collect::<Vec<Node>>())
}

pub(super) fn commit(block: &Block) -> Map {
    let core = CommitCore::of(block);
    Map::new()
        .put("seq", core.seq)
        .put("incarnation", core.incarnation)
        .put("start", core.start)
        .put("clock", core.clock)
        .put("blocks", core.blocks)
        .put("crc", format!("{:08x}", core.crc.get()))
}

pub(super) fn xattr_value(block: &Block) -> Map {
    let head: &XattrValueHead = table(block, HEADER_LEN);
    let room = &block.bytes()[XATTR_VALUE_AT..];
    let len = usize::from(head.part_len.get()).min(room.len());
    Map::new()
        .put("next", head.next)
        .put("value_len", head.value_len)
        .put("name_index", head.name_index)
        .put("name_len", head.name_len)
        .put("bytes", bytes(&room[..len]))
}

/// The first of some bytes, in hexadecimal.
pub(super) fn bytes(all: &[u8]) -> Node {
    Node::hex(&all[..all.len().min(BYTES_MAX)])
}

/// The name of a kind by its number.
pub(super) fn kind_name(code: u16) -> String {
    Kind::from_code(code).map_or_else(|| format!("unknown kind {code}"), |kind| kind.name().into())
}

fn moment(stamp: &Timestamp) -> Map {
    Map::new().put("sec", stamp.sec).put("nsec", stamp.nsec)
}

fn text(field: &[u8]) -> Node {
    let len = field.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&field[..len]).into_owned().into()
}
