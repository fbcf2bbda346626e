#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many clients ask for much more than the server has buffers for and take nothing: who does take
replies is served meanwhile."""
import rpc
from rpc import Conn, message, opaque, record, u32, u64
from world import Server, check, done, note, sanitized

server = Server(server='cache_size = "128M"')
c = Conn(server.port, timeout=120)
root = c.mount()
names = [b"n%04d" % i + b"x" * 200 for i in range(1000)]
check("a folder of long names", all(c.create(root, n)[0] == 0 for n in names))
big = c.create(root, b"big")[1]
for at in range(0, 4 << 20, 1 << 20):
    assert c.write(big, at, bytes(1 << 20))[0] == 0
before = server.memory()
wanted = {"READDIRPLUS": (rpc.READDIRPLUS, opaque(root) + u64(0) + u64(0) + u32(1 << 20, 1 << 20)),
          "READ": (rpc.READ, opaque(big) + u64(0) + u32(1 << 20))}
for name, (proc, args) in wanted.items():
    calls = record(message(1, rpc.NFS, 3, proc, args)) * 128
    deaf = []
    for _ in range(300):
        d = Conn(server.port, rcvbuf=4096)
        d.s.setblocking(False)
        try:
            d.s.send(calls)
        except BlockingIOError:
            pass
        deaf.append(d)
    for work, call in (
            ("attributes are read", lambda: c.getattr(root)[0] == 0),
            ("1 MiB is written", lambda: c.write(big, 0, bytes(1 << 20))[0] == 0),
            ("1 MiB is read", lambda: len(c.read(big, 0, 1 << 20)[1]) == 1 << 20),
            ("the folder is listed", lambda: len(list(c.listing(root, True))) == len(names) + 3),
            ("a new connection is served", lambda: Conn(server.port).mount() == root)):
        try:
            good = call()
        except OSError as e:
            good = repr(e)
        check("beside 300 clients that take no %s replies %s" % (name, work), good is True, good)
    for d in deaf:
        d.close()
if not sanitized():
    grown = server.memory() - before
    note("%d KiB more than before" % grown)
    check("memory stays within the buffers' limit", grown < 160 << 10, "%d KiB" % grown)
check("it stops in order", server.stop() == 0, server.text())
done()
