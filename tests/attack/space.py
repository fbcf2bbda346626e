#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A full disk: clear errors, nothing lost that was acknowledged, and on it goes when there is room.

The state folder is a small tmpfs in the server's own mount namespace, reached through /proc.
"""
import errno
import itertools
import os

import rpc
from rpc import Conn
from world import Mounted, check, done, note, share, wait_for

stores = share("export", "leveldb", "filesystem")
# On 64 MiB the reserves are 4 MiB for names and 8 MiB of data's space for them.
stores = (stores[0], stores[1].replace("path", 'write_buffer_size = "1M"; path'), stores[2], stores[3])
FULL = (rpc.NOSPC, rpc.JUKEBOX)


class Small(Mounted):
    def __init__(self, size):
        super().__init__([stores], {"": size}, server='cache_size = "64M"; wal = { size = "32M"; segment_size = "8M"; };')
        self.filler = self.inside() + "/filler"

    def fill(self, leave=0):
        """A file of somebody else takes what is left, and what the server has freed since it last did."""
        with open(self.filler, "ab", buffering=0) as f:
            try:
                while leave == 0 or os.statvfs(self.inside()).f_bavail * 4096 > leave:
                    f.write(bytes(1 << 16))
            except OSError as e:
                assert e.errno == errno.ENOSPC
            try:
                while leave == 0:
                    f.write(bytes(1))
            except OSError as e:
                assert e.errno == errno.ENOSPC

    def free(self):
        os.unlink(self.filler)


def put(c, root, name, data, kept):
    """A file, committed; the first status that is not success."""
    st, fh = c.create(root, name, 0)
    if st:
        return st
    kept.setdefault(name, None)
    for at in range(0, len(data), 1 << 20):
        st = c.write(fh, at, data[at:at + (1 << 20)])[0]
        if st:
            return st
    st = c.commit(fh)[0]
    if st == 0:
        kept[name] = data
    return st


# Clients fill the disk.
server = Small("64M")
c = Conn(server.port, timeout=60)
root, kept, statuses = c.mount(), {}, []
for i in range(60):
    statuses.append(put(c, root, b"file%d" % i, bytes([i]) * (2 << 20), kept))
note("statuses of 60 files of 2 MiB on 64 MiB: %s" % statuses)
check("a disk that clients fill is told as such", statuses[0] == 0 and set(statuses) <= {0, *FULL} and statuses[-1] != 0)
check("what was committed is readable", not c.wrong(root, kept))
check("names can be looked up, and attributes are served", c.getattr(root)[0] == 0 and c.lookup(root, b"file0")[0] == 0)
gone = [b"file%d" % i for i in range(10, 60)]
st = [c.remove(root, name) for name in gone]
check("files can be removed when it is full", set(st) <= {0, rpc.NOENT}, st)
for name in gone:
    kept.pop(name, None)


def again():
    return put(c, root, b"again", b"again" * 10000, kept) == 0


check("there is room again, and new files are taken", wait_for(again, 30), server.text()[-3000:])
check("what was committed is still there", not c.wrong(root, kept), c.wrong(root, kept))
status = server.stop()
check("it stops in order", status == 0, server.text()[-3000:])
server.start()
c = Conn(server.port, timeout=60)
root = c.mount()
check("all is there after a restart", not c.wrong(root, kept), c.wrong(root, kept))

# Somebody else takes all but a little: no more names either, until it is free.
names = itertools.count()


def refused():
    """A name that is new each time: one that is there already needs no room."""
    server.fill(leave=3 << 20)
    return c.create(root, b"n%d" % next(names), 0)[0] == rpc.NOSPC


check("near the end of the disk new names are refused for lack of space", wait_for(refused, 20), server.text()[-3000:])
check("removing goes on", c.remove(root, b"again") == 0)
kept.pop(b"again")


def full():
    server.fill(leave=3 << 20)
    return put(c, root, b"file1", b"x" * (3 << 20), {}) == rpc.NOSPC


check("and writing to a file is refused for lack of space", wait_for(full, 20))
server.free()
check("new names and data are taken when there is room", wait_for(again, 20), server.text()[-3000:])
check("nothing is lost", not c.wrong(root, {k: v for k, v in kept.items() if k != b"file1"}))

# All of it is gone at once: what cannot be made durable is not acknowledged.
server.fill()
statuses, before = [], dict(kept)
for i in range(3000):
    st = c.create(root, b"late%d" % i)[0]
    statuses.append(st)
    if st == 0:
        kept[b"late%d" % i] = None
note("3000 creates on a disk without a byte: %s" % {s: statuses.count(s) for s in set(statuses)})
check("creates on a disk without a byte are refused or good", set(statuses) <= {0, rpc.IO, *FULL}, set(statuses))
check("reading goes on", not c.wrong(root, {k: v for k, v in before.items() if k != b"file1"}))
server.free()
server.kill()
server.start()
c = Conn(server.port, timeout=60)
root = c.mount()
check("what was acknowledged is there after kill -9", not c.wrong(root, {k: v for k, v in kept.items() if k != b"file1"}),
      c.wrong(root, kept))
check("and new files are taken", wait_for(again, 20), server.text()[-3000:])
check("it stops in order", server.stop() == 0, server.text()[-3000:])
server.end()
done()
