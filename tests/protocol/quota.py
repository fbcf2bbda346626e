#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quotas as an NFSv3 client sees them: NOSPC, DQUOT, FSSTAT; reload, restart, kill -9, a recount."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
import rpc  # noqa: E402
from rpc import Conn, auth_sys, opaque, u32  # noqa: E402
from world import Server, check, done, share, wait_for  # noqa: E402

DQUOT, KIB, USER, GROUP = 69, 1024, 1000, 100
LIMITS = """quotas = {
    share = { bytes_hard = "1M"; files_hard = 12; };
    default_user = { bytes_hard = "300K"; };
    users = ( { id = 1000; bytes_hard = "%s"; files_hard = 4; } );
    groups = ( { id = 100; bytes_hard = "500K"; } );
};"""


def sattr(mode=None, uid=None):
    def field(v):
        return u32(0) if v is None else u32(1, v)
    return field(mode) + field(uid) + field(None) + u32(0, 0, 0)


def setattr3(c, fh, **what):
    return c.nfs(rpc.SETATTR, opaque(fh) + sattr(**what) + u32(0))[0]


def fsstat(c, fh):
    st, r = c.nfs(rpc.FSSTAT, opaque(fh))
    assert st == 0, st
    r.post_attr()
    return [r.u64() for _ in range(6)]


def fill(c, fh, offset, kib):
    """Status of writes of 64 KiB and a rest; the first that is not success."""
    while kib > 0:
        n = min(kib, 64)
        st = c.write(fh, offset, b"q" * (n * KIB), rpc.UNSTABLE)[0]
        if st:
            return st
        offset += n * KIB
        kib -= n
    return 0


def run(metadata, blocks):
    name = "%s and %s" % (metadata, blocks)

    def stores(limit):
        return [share("export", metadata, blocks, LIMITS % limit)]

    server = Server(stores("128K"))
    admin = Conn(server.port)
    root = admin.mount()
    setattr3(admin, root, mode=0o777)
    user = Conn(server.port, cred=auth_sys(USER, GROUP))
    st, fh = user.create(root, b"mine")
    before = fsstat(user, root)
    check("%s: FSSTAT tells a user of his limit" % name, before[:3] == [128 * KIB] * 3 and before[3] == 4 and before[4] == 3,
          before)
    st = fill(user, fh, 0, 100)
    check("%s: a user writes below his limit" % name, st == 0, st)
    st = user.write(fh, 100 * KIB, b"q" * (32 * KIB))[0]
    attr = user.getattr(fh)[1]
    check("%s: a WRITE that would pass it is refused as DQUOT, whole" % name,
          st == DQUOT and attr["size"] == 100 * KIB and attr["used"] == 100 * KIB, st, attr)
    st = user.write(fh, 0, b"r" * (100 * KIB), rpc.FILE_SYNC)[0]
    check("%s: at the limit what is there is written over" % name, fill(user, fh, 100 * KIB, 28) == 0 and st == 0, st)
    left = fsstat(user, root)
    check("%s: FSSTAT tells that nothing is left" % name, left[0] == 128 * KIB and left[1] == left[2] == 0, left)
    st = [user.create(root, b"more%d" % i)[0] for i in range(4)]
    check("%s: so many files and no more, DQUOT" % name, st == [0, 0, 0, DQUOT], st)
    st = user.mkdir(root, b"dir")[0], user.create(root, b"mine", 0)[0]
    check("%s: nor directories; what there is may be opened" % name, st == (DQUOT, 0), st)
    other = Conn(server.port, cred=auth_sys(2000, 200))
    theirs = other.create(root, b"theirs")[1]
    st = fill(other, theirs, 0, 400)
    check("%s: who has no limit of his own has the default" % name, st == DQUOT, st)
    st = setattr3(admin, theirs, uid=USER)
    check("%s: root may give a file away beyond a limit" % name, st == 0 and fsstat(other, root)[2] == 300 * KIB,
          st, fsstat(other, root))
    user.remove(root, b"mine")
    check("%s: what moved counts for its new owner" % name, fsstat(user, root)[2] == 0, fsstat(user, root))
    setattr3(admin, theirs, uid=2000)
    big = admin.create(root, b"big")[1]
    st = fill(admin, big, 0, 1024)
    check("%s: the share's limit binds root too, NOSPC" % name, st == rpc.NOSPC, st)
    st = [admin.create(root, b"n%d" % i)[0] for i in range(12)]
    check("%s: and its limit of files" % name, 0 in st and st[-1] == rpc.NOSPC and set(st) == {0, rpc.NOSPC}, st)
    admin.remove(root, b"big")
    more = user.lookup(root, b"more0")[1]
    check("%s: what is removed is free at once" % name, fill(user, more, 0, 128) == 0 and
          user.write(more, 128 * KIB, b"q")[0] == DQUOT)

    server.shares = stores("256K")
    server.write_config()
    server.send(signal.SIGHUP)
    check("%s: another limit holds after SIGHUP" % name,
          wait_for(lambda: user.write(more, 128 * KIB, b"q" * (32 * KIB))[0] == 0) and fsstat(user, root)[0] == 256 * KIB,
          fsstat(user, root), server.text()[-2000:])
    usage = fsstat(user, root)
    if metadata == "memory":
        check("%s: it stops in order" % name, server.stop() == 0, server.text()[-2000:])
        return
    check("%s: a recount is refused while the server runs" % name, server.check_quotas()[0] == 1, server.check_quotas())
    for how in ("a stop", "kill -9"):
        if how == "a stop":
            check("%s: it stops in order" % name, server.stop() == 0, server.text()[-2000:])
        else:
            user.commit(more)
            server.kill()
        found = server.check_quotas()
        check("%s: after %s a recount agrees with the sums" % (name, how), found[0] == 0 and "all sums agree" in found[1], found)
        server.start()
        user = Conn(server.port, cred=auth_sys(USER, GROUP))
        root = user.mount()
        check("%s: after %s usage is what it was" % (name, how), fsstat(user, root) == usage, usage, fsstat(user, root))
        more = user.lookup(root, b"more0")[1]
        st = user.write(more, 1 << 20, b"q" * (128 * KIB))[0]
        check("%s: and the limit holds" % name, st == DQUOT, st)
    # Taken out and put in again: counted anew.
    server.stop()
    server.shares = [share("export", metadata, blocks)]
    server.write_config()
    server.start()
    user = Conn(server.port, cred=auth_sys(USER, GROUP))
    root = user.mount()
    st = fill(user, user.lookup(root, b"more0")[1], 0, 400)
    check("%s: without the group nothing is limited" % name, st == 0, st)
    server.stop()
    server.shares = stores("256K")
    server.write_config()
    server.start()
    user = Conn(server.port, cred=auth_sys(USER, GROUP))
    root = user.mount()
    left = fsstat(user, root)
    check("%s: and with it again all is counted" % name, left[0] == 256 * KIB and left[2] == 0 and
          user.write(user.lookup(root, b"more0")[1], 1 << 20, b"q")[0] == DQUOT, left)
    server.stop()
    found = server.check_quotas()
    check("%s: and agrees" % name, found[0] == 0, found)


for kinds in (("memory", "memory"), ("leveldb", "filesystem")):
    run(*kinds)
done()
