//! The document of the format and the structs say the same: every table of
//! `docs/on-disk-format.md` is compared with the struct that it is named after.

use std::mem::offset_of;

use byway_fs::format::*;

const DOCUMENT: &str = include_str!("../../docs/on-disk-format.md");

/// A field: where it begins in its block or entry, its bytes, its name.
type Field = (usize, usize, &'static str);

/// A struct: its name, where it begins, its bytes, its fields.
type Table = (&'static str, usize, usize, Vec<Field>);

macro_rules! table {
    ($table:ident, $base:expr, $($field:ident),+) => {
        (stringify!($table), $base, size_of::<$table>(), vec![$(
            ($base + offset_of!($table, $field), len_of(|t: &$table| &t.$field), stringify!($field)),
        )+])
    };
}

/// Bytes of the field that `get` gives.
fn len_of<T, F>(_get: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

fn tables() -> Vec<Table> {
    vec![
        table!(
            Header, 0, magic, crc, uuid, bno, owner, version, kind, level, epoch, slot, reserved
        ),
        table!(
            SuperCore,
            64,
            format_level,
            tuning,
            compat,
            ro_compat,
            incompat,
            blocks,
            group_blocks,
            journal_blocks,
            journals,
            slots,
            sector_len,
            lun_verdict,
            root_ino,
            root_generation,
            reserved_a,
            created,
            label,
            dir_hash_key,
            cluster_key,
            reserved_b
        ),
        table!(
            SlotCore,
            64,
            state,
            journal_blocks,
            journal_start,
            incarnation,
            clock,
            blocks_used,
            inodes,
            reserved
        ),
        table!(
            GroupCore,
            64,
            group,
            blocks,
            free,
            bitmap_blocks,
            inode_hint,
            data_hint,
            pending_blocks,
            reserved
        ),
        table!(BitmapHead, 64, free, largest_run, first_free, bits, reserved),
        table!(
            InodeCore,
            64,
            generation,
            mode,
            uid,
            gid,
            nlink,
            flags,
            size,
            blocks,
            atime,
            mtime,
            ctime,
            btime,
            parent,
            open_epoch,
            xattr_root,
            entries,
            rdev,
            form,
            reserved_a,
            xattr_inline_len,
            reserved_b
        ),
        table!(Timestamp, 0, sec, nsec, reserved),
        table!(TreeHead, 0, count, level, reserved),
        table!(TreeRecord, 0, key, value, len, flags, reserved),
        table!(TreeChild, 0, key, child),
        table!(LeafHead, 0, count, used, reserved, first_cookie),
        table!(EntryHead, 0, cookie, ino, generation, name_len, file_type, reserved),
        table!(XattrHead, 0, name_index, name_len, value_len, reserved),
        table!(XattrValueHead, 64, next, value_len, part_len, name_index, name_len, reserved),
        table!(JournalHeadCore, 64, seq, incarnation, tail_pos, tail_seq, clock, state, reserved),
        table!(
            DescHead,
            64,
            seq,
            incarnation,
            start,
            entries,
            images,
            count,
            descs,
            index,
            reserved
        ),
        table!(DescEntry, 0, bno, owner, version, kind, flags, crc),
        table!(CommitCore, 64, seq, incarnation, start, clock, blocks, crc),
        table!(
            HeartbeatCore,
            64,
            state,
            interval_ms,
            seq,
            incarnation,
            oldest,
            clock,
            reach,
            wall,
            host,
            seen,
            reserved
        ),
    ]
}

/// The cells of the first table after the line that begins with `start`; its heads are left out.
fn rows_after(start: &str) -> Vec<Vec<&'static str>> {
    let mut lines = DOCUMENT.lines().skip_while(|line| !line.starts_with(start)).skip(1);
    let rows = lines.by_ref().skip_while(|line| !line.starts_with('|')).skip(2);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn number(cell: &str) -> usize {
    cell.parse().unwrap_or_else(|_| panic!("{cell:?} is no number"))
}

#[test]
fn every_table_of_the_document_is_the_struct() {
    for (name, base, len, fields) in tables() {
        let rows = rows_after(&format!("`{name}`"));
        let drawn: Vec<Field> = rows
            .iter()
            .map(|row| (number(row[0]), number(row[1]), row[3].trim_matches('`')))
            .collect();
        assert_eq!(drawn, fields, "{name}");
        let end = fields.iter().fold(base, |at, (start, len, field)| {
            assert_eq!(at, *start, "{name}.{field} follows what is before it");
            at + len
        });
        assert_eq!(end, base + len, "{name} is drawn to its end");
    }
}

#[test]
fn every_kind_is_in_the_document() {
    let rows = rows_after("`kind`, `owner`, reserved bytes.");
    let drawn: Vec<(usize, &str)> = rows.iter().map(|row| (number(row[0]), row[1])).collect();
    let kinds: Vec<(usize, &str)> =
        KINDS.iter().map(|kind| (kind.code().into(), kind.name())).collect();
    assert_eq!(drawn, kinds);
}

#[test]
fn places_are_where_the_document_says() {
    let rows = rows_after("## Where things lie");
    let places: Vec<(u64, u64)> =
        rows.iter().map(|row| (number(row[0]) as u64, number(row[1]) as u64)).collect();
    let slots = u64::from(SLOTS);
    let known = [
        (0, SUPER_AT),
        (SUPER_AT, 1),
        (VIEWS_AT, 2),
        (HEARTBEATS_AT, slots),
        (MAIL_AT, slots),
        (SLOTS_AT, slots),
        (GROUP_MAP_AT, GROUP_MAP_BLOCKS),
        (STATIC_BLOCKS, 1),
    ];
    assert_eq!(places, known);
    let copies = BACKUPS_AT.map(|bno| bno.to_string());
    assert!(copies.iter().all(|bno| DOCUMENT.contains(bno)), "{copies:?}");
}

#[test]
fn areas_are_where_the_document_says() {
    let areas = [
        (SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN, "tree of orphans is bytes"),
        (GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, "Bytes"),
        (GROUP_PENDING_AT, GROUP_PENDING_LEN, "root area of the refcounts, bytes"),
        (BODY_AT, BODY_LEN, "The body is bytes"),
        (BITS_AT, BLOCK_LEN - BITS_AT, "Bits are bytes"),
    ];
    for (at, len, words) in areas {
        let sentence = format!("{words} {at} to {}", at + len - 1);
        assert!(DOCUMENT.contains(&sentence), "{sentence}");
    }
    let nodes = (tree_entries_max(NODE_LEN, 0), tree_entries_max(NODE_LEN, 1));
    assert!(DOCUMENT.contains(&format!("({} records or {} children)", nodes.0, nodes.1)));
}
