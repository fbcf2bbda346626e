#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quotas as an NFSv3 client sees them: NOSPC, DQUOT, FSSTAT; reload, restart, kill -9, a recount.

DFS_QUOTA_STORES="METADATA BLOCKS": only these; DFS_QUOTA_SETTINGS: the metadata store's settings, where it is
one that tests/attack/world.py does not know.
"""
import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
import rpc  # noqa: E402
from rpc import Conn, auth_sys, opaque, u32  # noqa: E402
from world import STORES, Server, check, done, note, share, wait_for  # noqa: E402

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

    server = Server(stores("128K"), start=False)
    found = server.check_quotas()
    check("%s: a recount makes no store where there is none" % name,
          found[0] == 1 and "no server has run" in found[1] and not os.path.exists(server.state), found)
    server.start()
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
    if metadata != "leveldb":
        return
    server.shares = [(s[0], s[1].replace("export-meta", "elsewhere"), *s[2:]) for s in server.shares]
    server.write_config()
    found = server.check_quotas()
    check("%s: a recount in a wrong place says so and makes nothing" % name,
          "none yet: no %s/elsewhere" % server.state in found[1] and not os.path.exists(server.state + "/elsewhere"), found)


def crowd(metadata, blocks):
    """Many clients of few users change the same few files; nothing drifts and no limit is passed."""
    name, threads, steps = "%s and %s" % (metadata, blocks), 6, 120
    server = Server([share("crowd", metadata, blocks, """quotas = {
        default_user = { bytes_hard = "512K"; files_hard = 5; }; groups = ( { id = 100; bytes_hard = "900K"; } ); };""")])
    admin = Conn(server.port)
    root = admin.mount(b"/crowd")
    setattr3(admin, root, mode=0o777)
    wrong, seen = [], {}

    def client(i):
        rng = random.Random(i)
        c = Conn(server.port, timeout=60, cred=auth_sys(1001 + i % 2, GROUP))
        boss = Conn(server.port, timeout=60)
        for _ in range(steps):
            file, what = b"f%d" % rng.randrange(12), rng.randrange(9)
            st, fh = c.lookup(root, file)
            if st:
                st = c.create(root, file)[0]
            elif what == 0:
                st = boss.remove(root, file)
            elif what == 1:
                st = boss.nfs(rpc.SETATTR, opaque(fh) + u32(0, 0, 0, 1, 0, rng.randrange(1 << 18), 0, 0, 0))[0]
            elif what == 2:
                st = c.commit(fh)[0]
            else:
                st = boss.nfs(rpc.SETATTR, opaque(fh) + sattr(mode=0o666) + u32(0))[0] or c.write(
                    fh, rng.randrange(1 << 18), b"q" * rng.randrange(1, 60000))[0]
            seen[st] = seen.get(st, 0) + 1
            left = fsstat(c, root)
            if left[0] != 512 * KIB or left[3] != 5:
                wrong.append(left)

    def run_client(i):
        try:
            client(i)
        except Exception as e:  # the main thread tells
            wrong.append(repr(e))

    crew = [threading.Thread(target=run_client, args=(i,)) for i in range(threads)]
    for t in crew:
        t.start()
    for t in crew:
        t.join()
    note("%s: statuses %s" % (name, seen))
    used = {}
    for file in admin.listing(root):
        attr = admin.getattr(admin.lookup(root, file)[1])[1] if file not in (b".", b"..") else None
        if attr:
            used[attr["uid"]] = used.get(attr["uid"], 0) + attr["used"]
    check("%s: clients side by side are refused at limits, and in no other way" % name,
          not wrong and DQUOT in seen and set(seen) <= {0, DQUOT, rpc.NOENT, rpc.EXIST, rpc.STALE, rpc.ACCES}, wrong[:5], seen)
    check("%s: and pass none" % name, all(v <= 512 * KIB for v in used.values()) and sum(used.values()) <= 900 * KIB, used)
    if metadata == "memory":
        server.stop()
        return
    server.kill()
    found = server.check_quotas()
    check("%s: after kill -9 a recount agrees" % name, found[0] == 0, found)
    server.start()
    server.stop()
    found = server.check_quotas()
    check("%s: and when the log is taken over, too" % name, found[0] == 0, found)


kinds = [("memory", "memory"), ("leveldb", "filesystem")]
if "DFS_QUOTA_STORES" in os.environ:
    kinds = [os.environ["DFS_QUOTA_STORES"].split()]
    STORES.setdefault(kinds[0][0], os.environ.get("DFS_QUOTA_SETTINGS", ""))
for pair in kinds:
    run(*pair)
    crowd(*pair)
done()
