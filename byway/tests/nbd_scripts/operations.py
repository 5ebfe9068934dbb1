"""Every command by libnbd: operations.py URI [ABILITY...]; the abilities must be offered."""

import errno
import sys

import nbd

uri, wanted = sys.argv[1], sys.argv[2:]
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri(uri)

MIB = 1 << 20
size = h.get_size()
assert size >= 4 * MIB, size
offered = {
    "structured": h.get_structured_replies_negotiated(),
    "df": h.can_df(),
    "flush": h.can_flush(),
    "fua": h.can_fua(),
    "trim": h.can_trim(),
    "zero": h.can_zero(),
    "fast-zero": h.can_fast_zero(),
    "cache": h.can_cache(),
    "multi-conn": h.can_multi_conn(),
    "allocation": h.can_meta_context(nbd.CONTEXT_BASE_ALLOCATION),
}
for ability in wanted:
    assert offered[ability], f"not offered: {ability}"

# What is written is read, in short and long requests, at both ends.
for offset, length in [(0, 4096), (MIB, 2 * MIB), (size - 4096, 4096)]:
    data = bytes((offset // 4096 + n) % 251 for n in range(length))
    h.pwrite(data, offset)
    assert h.pread(length, offset) == data, (offset, length)

if offered["fua"]:
    h.pwrite(b"durable!" * 512, 8192, nbd.CMD_FLAG_FUA)
    assert h.pread(4096, 8192) == b"durable!" * 512
if offered["flush"]:
    h.flush()

# The chunks of a structured read cover it once; with DF there is one.
if offered["structured"]:
    def pieces(flags):
        got = []

        def chunk(buffer, offset, status, error):
            assert error.value == 0, error.value
            got.append((offset, len(buffer), status))

        data = h.pread_structured(2 * MIB, MIB, chunk, flags)
        assert data == h.pread(2 * MIB, MIB)
        got.sort()
        at = MIB
        for offset, length, _ in got:
            assert offset == at, got
            at += length
        assert at == 3 * MIB, got
        return got

    pieces(0)
    if offered["df"]:
        assert len(pieces(nbd.CMD_FLAG_DF)) == 1

# Zeroes read as zeroes; with NO_HOLE as well. A fast zero is fast or not supported.
if offered["zero"]:
    for flags in [0, nbd.CMD_FLAG_NO_HOLE]:
        h.pwrite(b"x" * 65536, MIB)
        h.zero(65536, MIB, flags)
        assert not any(h.pread(65536, MIB)), flags
    assert any(h.pread(4096, MIB + 65536))
if offered["fast-zero"]:
    h.pwrite(b"y" * 65536, MIB)
    try:
        h.zero(65536, MIB, nbd.CMD_FLAG_FAST_ZERO)
        assert not any(h.pread(65536, MIB))
    except nbd.Error as error:
        assert error.errnum in (errno.ENOTSUP, errno.EOPNOTSUPP), error
        assert h.pread(4096, MIB) == b"y" * 4096
if offered["trim"]:
    h.trim(MIB, 2 * MIB)
    h.pread(MIB, 2 * MIB)
if offered["cache"]:
    h.cache(MIB, 0)

# Extents of base:allocation cover what was asked for, or its start.
if offered["allocation"]:
    seen = []

    def extents(context, offset, entries, error):
        assert context == nbd.CONTEXT_BASE_ALLOCATION and error.value == 0
        seen.append((offset, entries[0::2], entries[1::2]))

    h.block_status(size, 0, extents)
    assert len(seen) == 1 and seen[0][0] == 0, seen
    _, lengths, states = seen[0]
    assert 0 < sum(lengths) and all(lengths), lengths
    assert all(state & ~3 == 0 for state in states), states
    seen.clear()
    h.block_status(MIB, 0, extents, nbd.CMD_FLAG_REQ_ONE)
    assert len(seen[0][1]) == 1 and seen[0][1][0] <= MIB, seen

# Two connections see each other's writes, and a flush of one covers both.
if offered["multi-conn"]:
    other = nbd.NBD()
    other.connect_uri(uri)
    h.pwrite(b"one " * 1024, 0)
    other.flush()
    assert other.pread(4096, 0) == b"one " * 1024
    other.shutdown()

h.shutdown()
print("done", " ".join(name for name, has in offered.items() if has))
