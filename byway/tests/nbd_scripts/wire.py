"""NBD by hand on a Unix socket, for what no client library sends."""

import socket
import struct

OPTION_MAGIC = 0x49484156454F5054


class Wire:
    def __init__(self, path, flags=3):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(path)
        magic, option, self.server_flags = struct.unpack(">QQH", self.take(18))
        assert (magic, option) == (0x4E42444D41474943, OPTION_MAGIC)
        self.send(struct.pack(">I", flags))

    def send(self, data):
        self.socket.sendall(data)

    def take(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def option(self, option, data=b"", length=None):
        length = len(data) if length is None else length
        self.send(struct.pack(">QII", OPTION_MAGIC, option, length) + data)

    def reply(self):
        magic, option, kind, length = struct.unpack(">QIII", self.take(20))
        assert magic == 0x3E889045565A9, hex(magic)
        return option, kind, self.take(length)

    def go(self, name):
        """Opens an export with simple replies; its size."""
        name = name.encode()
        self.option(7, struct.pack(">I", len(name)) + name + struct.pack(">H", 0))
        size = None
        while True:
            _, kind, data = self.reply()
            if kind == 1:
                return size
            assert kind == 3, (hex(kind), data)
            if data[:2] == b"\0\0":
                size = struct.unpack(">Q", data[2:10])[0]

    def request(self, command, offset=0, length=0, flags=0, cookie=7, data=b""):
        head = struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length)
        self.send(head + data)

    def answer(self, length=0):
        """The error of a simple reply, or the data."""
        magic, error, cookie = struct.unpack(">IIQ", self.take(16))
        assert (magic, cookie) == (0x67446698, 7), hex(magic)
        return error or self.take(length)

    def is_gone(self):
        """Whether the server hangs up, whatever it says before."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
