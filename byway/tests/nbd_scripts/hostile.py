"""Requests against the rules: hostile.py SOCKET EXPORT [strict]. Whoever sends them gets the
protocol's error or is dropped, and the next request or connection works. `strict` asks for what
the protocol only recommends."""

import struct
import sys

from wire import Wire

path, export, strict = sys.argv[1], sys.argv[2], "strict" in sys.argv[3:]
EPERM, EIO, EINVAL, ENOSPC, ENOTSUP, EOVERFLOW = 1, 5, 22, 28, 95, 75


def opened():
    wire = Wire(path)
    return wire, wire.go(export)


def works(wire):
    wire.request(0, 0, 4096)
    answer = wire.answer(4096)
    assert isinstance(answer, bytes), answer


wire, size = opened()
works(wire)

# Beyond the end: reads, writes with their payload, trims; and where the sum overflows.
block = b"z" * 4096
for offset in [size, size - 2048, 1 << 62, (1 << 64) - 4096]:
    wire.request(0, offset, 4096)
    assert wire.answer(4096) == EINVAL, offset
    works(wire)
    wire.request(1, offset, 4096, data=block)
    assert wire.answer() in (EINVAL, ENOSPC), offset
    works(wire)
    for command in (4, 6):
        wire.request(command, offset, 4096)
        assert wire.answer() in (EINVAL, ENOSPC, ENOTSUP), (command, offset)
        works(wire)

# No such command, and flags that nobody knows.
for command in (9, 77, 0xFFFF):
    wire.request(command)
    assert wire.answer() == EINVAL, command
    works(wire)
wire.request(0, 0, 4096, flags=0x8000)
answer = wire.answer(4096)
assert answer == EINVAL or not strict, "an unknown flag"
works(wire)

# A command of what was not negotiated: block status.
wire.request(7, 0, 4096)
assert wire.answer() in (EINVAL, ENOTSUP)
works(wire)

# A read longer than anybody needs.
wire.request(0, 0, 0xFFFFFFFF)
try:
    assert wire.answer() in (EINVAL, EOVERFLOW)
    works(wire)
except EOFError:
    pass

# The wrong magic is the end of the connection, and of this one alone.
wire, _ = opened()
other, _ = opened()
wire.send(b"\xff" * 28)
assert wire.is_gone(), "after a request with the wrong magic"
works(other)

# So it is with a client that goes away in the middle of a write, or of a request.
for part in (28 + 100, 11):
    wire, _ = opened()
    head = struct.pack(">IHHQQI", 0x25609513, 0, 1, 7, 0, 1 << 20)
    wire.send((head + bytes(200))[:part])
    wire.socket.close()
    works(other)

# Options: unknown ones are refused and the next is heard; one of a gigabyte is not waited for.
wire = Wire(path)
wire.option(0x1234, b"what")
option, kind, _ = wire.reply()
assert (option, kind) == (0x1234, 0x80000001), (option, hex(kind))
assert wire.go(export) == size
works(wire)
wire = Wire(path)
wire.option(7, b"", length=1 << 30)
try:
    wire.send(bytes(1 << 20))
    _, kind, _ = wire.reply()
    assert kind & 0x80000000, hex(kind)
except (EOFError, ConnectionError):
    pass
except TimeoutError:
    assert not strict, "a server that waits for a gigabyte of option"
wire.socket.close()

# An option whose inner lengths do not fit, and a name that is not there.
for data in (b"", b"\xff\xff\xff\xff", struct.pack(">IH", 5, 0), struct.pack(">I4sH", 4, b"none", 9)):
    wire = Wire(path)
    wire.option(7, data)
    try:
        _, kind, _ = wire.reply()
        assert kind & 0x80000000, hex(kind)
    except (EOFError, ConnectionError):
        pass
wire = Wire(path)
wire.option(2)
try:
    _, kind, _ = wire.reply()
    assert kind == 1, "ABORT is acknowledged"
except (EOFError, ConnectionError):
    pass

works(other)
print("done")
