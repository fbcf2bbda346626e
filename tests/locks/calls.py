#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each NLM procedure in each version, over the wire; what is refused, and how."""
import signal

import nlm
import rpc
from nlm import Client
from rpc import Conn, opaque, u32
from world import Server, check, done, same, share, wait_for

server = Server([share("export", "leveldb", "filesystem"), share("ro", access="ro")])
nfs = Conn(server.port)
root = nfs.mount()
fh = nfs.create(root, b"f")[1]


for version in (1, 3, 4):
    a = Client(server.port, b"alpha", version)
    b = Client(server.port, b"beta", version)
    a.conn.call(nlm.NLM, version, 0)
    v = "version %d: " % version
    same(v + "a free range is granted", a.lock(fh, 7, 10, 10), "GRANTED")
    same(v + "once more is granted", a.lock(fh, 7, 10, 10), "GRANTED")
    same(v + "another is denied", b.lock(fh, 7, 15, 10), "DENIED")
    same(v + "another process of the client is denied", a.lock(fh, 8, 15, 10), "DENIED")
    same(v + "another owner handle is denied", a.lock(fh, 7, 15, 10, oh=b"other"), "DENIED")
    same(v + "TEST is denied", b.test(fh, 9, 0, 0), "DENIED")
    same(v + "TEST tells the holder", b.holder, (True, 7, b"oh", 10, 10))
    same(v + "TEST beside it is granted", b.test(fh, 9, 0, 10), "GRANTED")
    same(v + "TEST by the holder is granted", a.test(fh, 7, 0, 0), "GRANTED")
    same(v + "CANCEL of nothing is denied", a.cancel(fh, 7, 10, 10), "DENIED")
    same(v + "UNLOCK in the middle is granted", a.unlock(fh, 7, 12, 2), "GRANTED")
    same(v + "what was unlocked is free", b.lock(fh, 7, 12, 2), "GRANTED")
    same(v + "what was not is held", b.lock(fh, 7, 14, 1), "DENIED")
    same(v + "UNLOCK of nothing is granted", b.unlock(fh, 77), "GRANTED")
    same(v + "length 0 reaches the end", a.lock(fh, 7, 100, 0), "GRANTED")
    same(v + "beyond the end is held", b.lock(fh, 7, 0xfffffff0, 1), "DENIED")
    b.test(fh, 9, 200, 1)
    same(v + "the holder's length is 0", b.holder, (True, 7, b"oh", 100, 0))
    same(v + "shared beside shared", [c.lock(fh, 5, 50, 1, exclusive=False) for c in (a, b)], ["GRANTED"] * 2)
    a.unlock(fh, 7), b.unlock(fh, 7), a.unlock(fh, 5), b.unlock(fh, 5)
    same(v + "all is free again", b.test(fh, 9), "GRANTED")
    same(v + "an empty cookie comes back", a.lock(fh, 7, cookie=b""), "GRANTED")
    same(v + "one of 1024 bytes comes back", a.lock(fh, 7, cookie=b"c" * 1024), "GRANTED")
    same(v + "a handle of nonsense", a.lock(b"nonsense", 7), "STALE_FH" if version == 4 else "NOLOCKS")
    same(v + "UNLOCK with one", a.unlock(b"nonsense", 7), "GRANTED")
    same(v + "a directory", a.lock(root, 7), "FAILED" if version == 4 else "NOLOCKS")
    same(v + "GRANTED is not for a server", a.call(nlm.GRANTED, u32(1) + a.alock(fh, 1, 0, 0, b""))[0], "DENIED")
    for proc in (nlm.TEST_RES, nlm.LOCK_RES, nlm.CANCEL_RES, nlm.UNLOCK_RES, nlm.GRANTED_RES):
        reply = a.conn.call(nlm.NLM, version, proc, opaque(b"x") + u32(0))
        same(v + "procedure %d is taken note of" % proc, len(reply.data), 0)
    a.unlock(fh, 7)
    if version == 1:
        continue
    same(v + "SHARE is granted", a.share(fh, 1, 2), "GRANTED")
    same(v + "SHARE against its deny is denied", b.share(fh, 2, 0), "DENIED")
    same(v + "SHARE beside it is granted", b.share(fh, 1, 0), "GRANTED")
    same(v + "SHARE that denies what is used is denied", b.share(fh, 1, 1), "DENIED")
    same(v + "UNSHARE is granted", [a.unshare(fh), a.unshare(fh)], ["GRANTED"] * 2)
    same(v + "and makes room", b.share(fh, 2, 0), "GRANTED")
    b.unshare(fh)
    same(v + "NM_LOCK is granted", a.lock(fh, 7, proc=nlm.NM_LOCK), "GRANTED")
    same(v + "and holds", b.lock(fh, 7), "DENIED")
    other = Client(server.port, b"alpha", version, address="127.0.0.3")
    other.free_all()
    same(v + "FREE_ALL from elsewhere frees nothing", b.lock(fh, 7), "DENIED")
    a.share(fh, 1, 3)
    a.free_all()
    same(v + "FREE_ALL frees locks", b.lock(fh, 7), "GRANTED")
    same(v + "and share modes", b.share(fh, 1, 0), "GRANTED")
    b.unlock(fh, 7), b.unshare(fh)

# What only 64 bits can say.
a, b = Client(server.port, b"alpha"), Client(server.port, b"beta")
top = (1 << 64) - 1
same("the last byte of 64 bits", a.lock(fh, 7, top, 1), "GRANTED")
same("more than 64 bits", a.lock(fh, 7, top, 2), "FBIG")
same("FBIG of UNLOCK", a.unlock(fh, 7, top, 2), "FBIG")
b.test(fh, 9, 0, 0)
same("it ends where the file can", b.holder, (True, 7, b"oh", top, 0))
narrow = Client(server.port, b"narrow", 3)
narrow.test(fh, 9, 0, 0)
same("a narrow client sees it cut off", narrow.holder, (True, 7, b"oh", 0xffffffff, 0))
a.unlock(fh, 7)
same("a narrow range that overflows reaches the end", narrow.lock(fh, 7, 0xffffffff, 0xffffffff), "GRANTED")
same("so the last byte is held", b.lock(fh, 7, top, 1), "DENIED")
narrow.unlock(fh, 7)

# Rules: a read-only share, a foreign user, a squashed one.
ro_root = nfs.mount(b"/ro")
same("a share that is not there for locking files", a.lock(ro_root, 7), "FAILED")
st, _ = nfs.nfs(rpc.SETATTR, opaque(fh) + u32(1, 0o600, 0, 0, 0, 0, 0, 0))
assert st == 0
alice = Client(server.port, b"alpha", cred=rpc.auth_sys(1000, 1000))
same("who may not read may not lock", alice.lock(fh, 9), "FAILED")
same("nor test", alice.test(fh, 9), "FAILED")
same("UNLOCK in a share that is not there is granted", a.unlock(ro_root, 7), "GRANTED")
same("AUTH_NONE is nobody", Client(server.port, b"alpha", cred=rpc.AUTH_NONE).lock(fh, 9), "FAILED")
nfs.remove(root, b"f")
same("a removed file is stale", a.lock(fh, 7), "STALE_FH")
same("UNLOCK of it is granted", a.unlock(fh, 7), "GRANTED")

# Versions and procedures that are not there.
for version, proc, want in ((2, 0, 2), (5, 0, 2), (1, 20, 3), (4, 16, 3), (4, 24, 3)):
    c = Conn(server.port)
    c.send(nlm.NLM, version, proc)
    reply = c.receive()
    same("version %d, procedure %d is refused" % (version, proc), reply[20:24], u32(want))
    if want == 2:
        same("with the versions that there are", reply[24:32], u32(1, 4))
for body in (b"", u32(2000) + bytes(2000), opaque(b"c") + u32(2, 1)):
    c = Conn(server.port)
    c.send(nlm.NLM, 4, nlm.LOCK, body)
    same("arguments of nonsense are garbage", c.receive()[20:24], u32(4))
check("it stops in order", server.stop() == 0, server.text())

# Limits, and no locks at all.
server = Server([share("export")], server="max_client_locks = 5; max_locks = 8")
nfs = Conn(server.port)
fh = nfs.create(nfs.mount(), b"f")[1]
a, b = Client(server.port, b"alpha"), Client(server.port, b"beta")
same("as many locks as allowed", {a.lock(fh, 7, 2 * i, 1) for i in range(5)}, {"GRANTED"})
same("one more is too many", a.lock(fh, 7, 100, 1), "NOLOCKS")
same("what it has it has", a.lock(fh, 7, 0, 1), "GRANTED")
same("another client has room", [b.lock(fh, 7, 200 + 2 * i, 1) for i in range(4)], ["GRANTED"] * 3 + ["NOLOCKS"])
a.unlock(fh, 7)
same("and more when there is less", b.lock(fh, 7, 300, 1), "GRANTED")
check("it stops in order", server.stop() == 0, server.text())

# A client whose rule goes while it holds a lock.
server = Server([share("export")])
nfs = Conn(server.port)
fh = nfs.create(nfs.mount(), b"f")[1]
a, b = (Client(server.port, n, address=addr) for n, addr in ((b"alpha", "127.0.0.2"), (b"beta", "127.0.0.3")))
same("a client has a lock", a.lock(fh, 7), "GRANTED")
server.shares = [tuple(part.replace('"127.0.0.0/8"', '"127.0.0.3"') for part in server.shares[0])]
server.write_config()
server.send(signal.SIGHUP)
check("its rule goes", wait_for(lambda: "reloaded" in server.text(), 30), server.text())
same("it gets no lock any more", a.lock(fh, 8), "FAILED")
same("what it has it can give back", a.unlock(fh, 7), "GRANTED")
same("and others can have that", b.lock(fh, 9), "GRANTED")
check("it stops in order", server.stop() == 0, server.text())
server = Server([share("export")], nfs="locks = false")
c = Conn(server.port)
c.send(nlm.NLM, 4, 0)
same("without locks there is no such program", c.receive()[20:24], u32(1))
check("it stops in order", server.stop() == 0, server.text())
done()
