#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A share whose block store is away: COMMIT goes on at the log's pace and writes go on until the
log's quota, then clients are asked to come back later; another share notices nothing; when the store
is back everything drains.  And a log whose own disk is full, or read-only.

The folders are tmpfs mounts in the server's own mount namespace, reached through /proc.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/crash"))
import rpc  # noqa: E402
import wal  # noqa: E402
from rpc import Conn  # noqa: E402
from world import Mounted, check, done, hang, note, share, shim_env, wait_for  # noqa: E402

MIB = 1 << 20


def put(c, fh, at, data, seconds=60):
    """Write and commit; the statuses on the way."""
    seen = set()
    for call in (lambda: c.write(fh, at, data)[0], lambda: c.commit(fh)[0]):
        end = time.monotonic() + seconds
        while True:
            st = call()
            seen.add(st)
            if st != rpc.JUKEBOX or time.monotonic() > end:
                break
            time.sleep(0.05)
    return seen


# The log and the block store of the first share are on file systems of their own.
server = Mounted([share("away", "leveldb", "filesystem"), share("near", "leveldb", "filesystem")],
                 {"wal": "256M", "away-data": "256M"}, env=shim_env("*away-data/.tmp*"),
                 server='cache_size = "32M"; drain = "3s"; wal = { size = "64M"; segment_size = "8M"; };')
c = Conn(server.port, 60)
away, near = c.mount(b"/away"), c.mount(b"/near")
kept = {}
hang(True)
statuses = []
for i in range(96):
    name, data = b"f%d" % i, bytes([i]) * MIB
    st, fh = c.create(away, name, 0)
    st = st or c.write(fh, 0, data)[0]
    st = st or c.commit(fh)[0]
    statuses.append(st)
    if st == 0:
        kept[name] = data
    else:
        break
note("%d MiB were taken; then %s" % (len(kept), statuses[-1]))
check("writes and COMMITs go on without the store until the log's quota", len(kept) >= 24, statuses, server.text()[-2000:])
check("then the client is asked to come back later", statuses[-1] == rpc.JUKEBOX, statuses)
fh = c.create(near, b"n", 0)[1]
seen = set()
for i in range(64):
    seen |= put(c, fh, i * MIB, bytes([i]) * MIB)
check("the other share takes more than its memory and the log, meanwhile", seen == {0}, seen, server.text()[-2000:])
check("what the log has is read", not c.wrong(away, kept))
server.kill()
server.start()
c = Conn(server.port, 60)
check("after kill -9, the store still away, it is all there",
      not c.wrong(away, kept), server.text()[-2000:])
hang(False)
fh = c.create(away, b"back", 0)[1]
seen = set()
for i in range(48):
    seen |= put(c, fh, i * MIB, b"back" * (MIB // 4))
check("the store is back, and more is taken than the log has room for", seen <= {0, rpc.JUKEBOX} and 0 in seen,
      seen, server.text()[-2000:])
c.close()
check("it stops in order", server.stop() == 0, server.text()[-2000:])
s = wal.Super(server.inside("wal"))
check("and the log's space has come back", s.clean and s.used <= 1, s.used)
server.start()
c = Conn(server.port, 60)
away = c.mount(b"/away")
check("all is there, from the store", not c.wrong(away, kept))

# The log's own disk has no room.
with open(server.inside("wal") + "/filler", "wb", buffering=0) as f:
    try:
        while True:
            f.write(bytes(MIB))
    except OSError:
        pass
fh = c.create(away, b"full", 0)[1]
seen = set()
for i in range(96):
    seen |= put(c, fh, i * MIB, bytes([i + 1]) * MIB)
check("with no room for another segment the log goes on with those it has", seen <= {0, rpc.JUKEBOX} and 0 in seen, seen)
check("and what was written is there", all(c.read(fh, i * MIB, 10)[1] == bytes([i + 1]) * 10 for i in range(96)))
os.unlink(server.inside("wal") + "/filler")

# It is turned read-only: what is open for writing forbids that, as on a real disk that is in use.
c.close()
check("it stops in order, again", server.stop() == 0, server.text()[-2000:])
check("the log's file system can be turned read-only", server.remount("wal", "ro"))
check("a log that cannot be written is refused, and told", *server.refused(server.parts["wal"], "ead-only"))
check("it is made writable", server.remount("wal", "rw"))
server.start()
c = Conn(server.port, 60)
away = c.mount(b"/away")
check("nothing is lost", not c.wrong(away, kept) and
      c.getattr(c.lookup(away, b"full")[1])[1]["size"] == 96 * MIB)
check("it stops in order at the end", server.stop() == 0, server.text()[-2000:])
server.end()
done()
