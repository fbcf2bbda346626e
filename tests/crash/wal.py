# SPDX-License-Identifier: MIT
"""The log's folder as a test sees it (core/payload/wal/format.h)."""
import os
import struct

PAGE = 4096


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Super:
    """The superblock that counts."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "SUPER")
        with open(self.path, "rb") as f:
            slots = [f.read(PAGE), f.read(PAGE)]
        self.slots = [s for s in slots if len(s) == PAGE and s[:8] == b"DFSWAL\r\n" and
                      struct.unpack_from("<I", s, PAGE - 4)[0] == crc32c(s[:PAGE - 4])]
        best = max(self.slots, key=lambda s: struct.unpack_from("<Q", s, 24)[0])
        self.format, _, self.incompat, self.generation = struct.unpack_from("<IIQQ", best, 8)
        self.segment_size, self.next_epoch, self.durable, self.last, self.flags = struct.unpack_from("<5Q", best, 64)
        self.segments = [struct.unpack_from("<QQQII", best, 1024 + 32 * i) for i in range(64)]

    @property
    def used(self):
        return sum(1 for s in self.segments if s[0])

    @property
    def clean(self):
        return bool(self.flags & 1)


def change_super(folder, offset, data):
    """Both slots, with sound checksums."""
    with open(os.path.join(folder, "SUPER"), "r+b") as f:
        for slot in (0, PAGE):
            f.seek(slot)
            page = bytearray(f.read(PAGE))
            page[offset:offset + len(data)] = data
            page[PAGE - 4:] = struct.pack("<I", crc32c(page[:PAGE - 4]))
            f.seek(slot)
            f.write(page)


def find(folder, data):
    """(file, offset) of each place in the segments that holds the bytes."""
    found = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("seg-"):
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                content = f.read()
            at = content.find(data)
            while at >= 0:
                found.append((path, at))
                at = content.find(data, at + 1)
    return found


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 0x40]))
