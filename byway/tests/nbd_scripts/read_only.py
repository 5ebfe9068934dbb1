"""A read-only export refuses what would change it: read_only.py SOCKET EXPORT [strict]. The right
error is EPERM; QEMU 7.2 says EINVAL."""

import sys

from wire import Wire

wire = Wire(sys.argv[1])
wire.go(sys.argv[2])
for command, data in [(1, b"z" * 4096), (4, b""), (6, b"")]:
    wire.request(command, 0, 4096, data=data)
    refusals = (1,) if "strict" in sys.argv[3:] else (1, 22)
    assert wire.answer() in refusals, f"command {command} is not refused with EPERM"
wire.request(0, 0, 4096)
assert isinstance(wire.answer(4096), bytes)
print("done")
