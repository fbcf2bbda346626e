#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two shares whose disks hang hold up nobody else: workers, dirty memory and flushing of the
others go on, and what the hung ones had taken is there when their disks come back."""
import time

import rpc
from rpc import Conn, opaque
from world import Server, check, done, hang, note, share, shim_env

good, stuck = share("good", "leveldb", "filesystem"), ["stuck1", "stuck2", "stuck3"]
server = Server([good, share("memory")] + [share(s, "leveldb", "filesystem") for s in stuck],
                server='cache_size = "128M"; workers = 8; drain = "3s"',
                env=shim_env("*stuck*-data*"))


LIMIT = 60  # s; what waits for a disk that hangs waits for ever


def timed(name, work):
    start = time.monotonic()
    result = work()
    took = time.monotonic() - start
    note("%s: %.2f s" % (name, took))
    check(name, result and took < LIMIT, result, "%.2f s" % took)


c = Conn(server.port, timeout=90)
roots = {s: c.mount(b"/" + s.encode()) for s in ["good", "memory"] + stuck}
cold = c.create(roots["good"], b"cold")[1]
assert c.write(cold, 0, b"cold" * 1000, rpc.FILE_SYNC)[0] == 0

# Each hung share: more files than a flush picks from, COMMITs that take every worker they can get,
# and unstable writes until nothing more is taken.
files = {}
for s in stuck:
    names = [b"f%d" % i for i in range(400)] + [b"big"]
    files[s] = [c.create(roots[s], name)[1] for name in names]
hang(True)
waiting, kept = [], []
for s in stuck:
    w = Conn(server.port)
    for i, fh in enumerate(files[s][:-1]):
        data = b"%d " % i * 100
        assert w.write(fh, 0, data)[0] == 0
        kept.append((fh, data))
    for fh in files[s][:24]:
        waiting.append(Conn(server.port, timeout=60))
        waiting[-1].send(rpc.NFS, 3, rpc.COMMIT, opaque(fh) + rpc.u64(0) + rpc.u32(0))
    w.s.settimeout(0.5)
    try:
        for i in range(200):
            w.write(files[s][-1], i << 20, bytes(1 << 20))
    except OSError:
        pass
    note("%s took %d MiB" % (s, i))
note("%d requests wait for disks that hang" % len(waiting))

timed("a share with a good disk: GETATTR", lambda: c.getattr(cold)[0] == 0)
timed("200 files made", lambda: all(c.create(roots["good"], b"g%d" % i)[0] == 0 for i in range(200)))
fhs = [c.lookup(roots["good"], b"g%d" % i)[1] for i in range(200)]
timed("written and committed", lambda: all(
    c.write(fh, 0, bytes(10000))[0] == 0 and c.commit(fh)[0] == 0 for fh in fhs))
timed("written with FILE_SYNC", lambda: c.write(fhs[0], 0, bytes(1 << 20), rpc.FILE_SYNC)[0] == 0)


def stream():
    """More unstable data than dirty memory: it has to be flushed behind."""
    fh = c.create(roots["good"], b"stream", 0)[1]
    for i in range(160):
        while True:
            st = c.write(fh, i << 20, bytes([i]) * (1 << 20))[0]
            if st != rpc.JUKEBOX:
                break
        if st != 0:
            return False
    return c.commit(fh)[0] == 0 and c.read(fh, 5 << 20, 10)[1] == bytes([5]) * 10


timed("160 MiB written to it and committed", stream)
timed("a memory share, too", lambda: c.write(c.create(roots["memory"], b"m")[1], 0, bytes(1 << 20))[0] == 0)
timed("what a hung share has in memory is served", lambda: c.read(files["stuck1"][5], 0, 10)[1] == b"5 5 5 5 5 ")
timed("a new connection is", lambda: Conn(server.port).mount(b"/good") == roots["good"])

hang(False)
timed("the disks are back: all that waited is answered",
      lambda: all(k.receive() for k in waiting))
timed("what they had taken is there", lambda: all(c.commit(fh)[0] == 0 and c.read_all(fh) == d for fh, d in kept))
check("it stops in order", server.stop(seconds=60) == 0, server.text()[-3000:])
done()
