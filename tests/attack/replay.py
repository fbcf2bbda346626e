#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Requests that come twice, handles that are not ours or not any more, names of any byte."""
import os
import random
import select

import rpc
from rpc import Conn, create_args, opaque, u32, u64
from world import Server, check, done, note, share

SEED = random.randrange(1 << 30)
rng = random.Random(SEED)
note("seed %d" % SEED)
shares = [share("export", "leveldb", "filesystem"), share("other")]
server = Server(shares)
stranger = Server([share("export")])
c, again = Conn(server.port), Conn(server.port)
root = c.mount()

# The same bytes again, over the same connection and over a new one.
def twice(name, proc, args, xid):
    first = c.call(rpc.NFS, 3, proc, args, xid).data
    check("%s again gets the first reply" % name, c.call(rpc.NFS, 3, proc, args, xid).data == first)
    check("%s again after a reconnect, too" % name, again.call(rpc.NFS, 3, proc, args, xid).data == first)
    return first


twice("a guarded CREATE", rpc.CREATE, create_args(root, b"file"), 1000)
check("and a later one with another xid is refused", c.create(root, b"file")[0] == rpc.EXIST)
twice("a MKDIR", rpc.MKDIR, opaque(root) + opaque(b"dir") + u32(0, 0, 0, 0, 0, 0), 1001)
twice("a RENAME", rpc.RENAME, opaque(root) + opaque(b"file") + opaque(root) + opaque(b"moved"), 1002)
twice("a REMOVE", rpc.REMOVE, opaque(root) + opaque(b"moved"), 1003)
twice("a RMDIR", rpc.RMDIR, opaque(root) + opaque(b"dir"), 1004)
check("the same xid with other arguments is another request", c.create(root, b"second", xid=1000)[0] == 0)
verifier = os.urandom(8)
first = c.create(root, b"excl", verifier)
check("an exclusive CREATE is the same file for the same verifier", c.create(root, b"excl", verifier) == first)
check("and taken for another", c.create(root, b"excl", os.urandom(8))[0] == rpc.EXIST)

# A burst of one request: exactly one is run, the others are dropped or answered alike.
for i in range(30):
    conns = [Conn(server.port) for _ in range(4)]
    for k in conns:
        k.send(rpc.NFS, 3, rpc.CREATE, create_args(root, b"burst%d" % i), xid=5000 + i)
    ready = select.select([k.s for k in conns], [], [], 20)[0]
    bodies = {k.receive() for k in conns if k.s in ready}
    for k in conns:
        k.close()
    if len(bodies) != 1 or next(iter(bodies))[24:28] != u32(0):
        check("a burst of one request runs once", False, bodies)
        break
else:
    check("a burst of one request runs once", True)

# Far more requests than the cache holds entries.
for i in range(6000):
    c.send(rpc.NFS, 3, rpc.REMOVE, opaque(root) + opaque(b"none"), xid=100000 + i)
    if i % 50 == 49:
        for _ in range(50):
            c.receive()
check("a busy client turns its reply cache over", c.getattr(root)[0] == 0)

# Handles.
fh = c.create(root, b"handle")[1]
bad = (rpc.STALE, rpc.BADHANDLE)
foreign = Conn(stranger.port).mount()
check("a handle of another server is refused", c.getattr(foreign)[0] in bad)
check("every handle with one bit wrong is refused", all(
    c.getattr(fh[:i] + bytes([fh[i] ^ 1 << b]) + fh[i + 1:])[0] in bad for i in range(len(fh)) for b in range(8)))
check("handles of every length are refused", all(
    c.getattr((fh + fh + fh)[:n])[0] in bad for n in range(65) if n != len(fh)))
r = c.call(rpc.NFS, 3, rpc.GETATTR, opaque(fh)).u32()
c.send(rpc.NFS, 3, rpc.GETATTR, opaque(bytes(65)))
check("one that is longer than the protocol allows is garbage", c.receive()[20:24] == u32(4))
check("random handles are refused", all(c.getattr(rng.randbytes(len(fh)))[0] in bad for _ in range(500)))
check("the file is removed", c.remove(root, b"handle") == 0)
for name, proc, args in (
        ("GETATTR", rpc.GETATTR, b""), ("READ", rpc.READ, u64(0) + u32(10)), ("ACCESS", rpc.ACCESS, u32(63)),
        ("WRITE", rpc.WRITE, u64(0) + u32(4, 2) + opaque(b"data")), ("COMMIT", rpc.COMMIT, u64(0) + u32(0)),
        ("SETATTR", rpc.SETATTR, u32(1, 0o600, 0, 0, 0, 0, 0, 0)), ("LINK", rpc.LINK, opaque(root) + opaque(b"l"))):
    st = c.nfs(proc, opaque(fh) + args)[0]
    check("%s of a deleted file's handle is stale" % name, st == rpc.STALE, st)
gone = c.mkdir(root, b"gone")[1]
assert c.rmdir(root, b"gone") == 0
check("CREATE in a removed folder is stale", c.create(gone, b"x")[0] == rpc.STALE)
check("RENAME into a removed folder is stale", c.rename(root, b"second", gone, b"x") == rpc.STALE)
other = Conn(server.port)
other_root = other.mount(b"/other")
st = c.rename(root, b"second", other_root, b"x")
check("RENAME into another share is refused", st == 18, st)
st = c.nfs(rpc.LINK, opaque(c.lookup(root, b"second")[1]) + opaque(other_root) + opaque(b"x"))[0]
check("LINK into another share is refused", st == 18, st)

# Names.
names = [bytes([b]) for b in range(256) if b not in (0, 47)]
names += [b"a" + bytes([b]) + b"z" for b in range(256) if b not in (0, 47)]
names += [bytes(range(1, 47)) + bytes(range(48, 256)), b"\xff" * 255, b"..." , b" ", b".. ", b"\xc3\x28", b"CON", b"\\", b"a\nb"]
names = [n for n in dict.fromkeys(names) if n not in (b".", b"..")]
d = c.mkdir(root, b"names")[1]
for shared, top in (("LevelDB", d), ("memory", other_root)):
    made = {n: c.create(top, n) for n in names}
    check("names of every byte are made, " + shared, all(st == 0 for st, _ in made.values()),
          [n for n, (st, _) in made.items() if st])
    check("found, " + shared, all(c.lookup(top, n) == (0, made[n][1]) for n in names))
    check("listed as they are, " + shared, sorted(set(c.listing(top)) - {b".", b".."}) == sorted(names))
    check("listed with attributes, " + shared, sorted(set(c.listing(top, True, 4096)) - {b".", b".."}) == sorted(names))
for name, want in ((b"", 22), (b"a/b", 22), (b"/", 22), (b"a\0b", 22), (b"\0", 22), (b"x" * 256, 63), (b"x" * 4000, 63),
                   (b".", 17), (b"..", 17)):
    st = c.create(d, name)[0]
    check("CREATE of %r is refused" % name[:8], st in (want, rpc.INVAL, rpc.ACCES, rpc.EXIST), st)
for proc in (rpc.REMOVE, rpc.RMDIR):
    check("neither . nor .. is removed (%d)" % proc,
          all(c.nfs(proc, opaque(d) + opaque(n))[0] != 0 for n in (b".", b"..", b"", b"names/../second")))
server.kill()
server.start()
c = Conn(server.port)
check("the handles hold after kill -9", all(c.lookup(d, n)[0] == 0 for n in names))
check("names and their order, too", sorted(set(c.listing(d)) - {b".", b".."}) == sorted(names))
check("it stops in order", server.stop() == 0 and stranger.stop() == 0, server.text())
done()
