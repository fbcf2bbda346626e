#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOCKs that block: the order of grants, the call-back, and what clients answer to it."""
import itertools
import struct
import threading

import nlm
from nlm import Client, Listener, granted, granted_args, own_network
from rpc import Conn, opaque, u32
from world import Server, check, done, same, share, wait_for

own_network()
server = Server([share("export", "leveldb", "filesystem")])
nfs = Conn(server.port)
root = nfs.mount()
fhs = [nfs.create(root, b"f%d" % i)[1] for i in range(20)]
files = iter(fhs[:-1])
sentinel, sentinels = fhs[-1], itertools.count(1000)


def no_other_call(name):
    """Whether the next call to the host is that of a grant that is made now: one by mistake comes before."""
    svid = next(sentinels)
    holder.lock(sentinel, 1)
    waiter.lock(sentinel, svid, block=True)
    holder.unlock(sentinel, 1)
    version, r = host.expect(nlm.GRANTED)
    same(name, granted_args(version, r)["svid"], svid)
    waiter.unlock(sentinel, svid)


def free(fh, svid=99):
    """Whether nobody holds the file, soon."""
    return wait_for(lambda: probe.test(fh, svid) == "GRANTED", 30)


probe = Client(server.port, b"probe", address="127.0.0.9")
holder = Client(server.port, b"holder", address="127.0.0.3")
answers = {}


def reply(version, proc, body):
    """By default a grant is accepted; answers maps a process to another answer, or a list of them."""
    if proc != nlm.GRANTED:
        return b""
    svid = granted_args(version, nlm.rpc.Reply(body))["svid"]
    answer = answers.get(svid, 0)
    if isinstance(answer, list):
        answer = answer.pop(0) if answer else 0
    return None if answer is None else granted(body, answer)


host = Listener("127.0.0.2", reply)
waiter = Client(server.port, b"waiter")

for version in (1, 3, 4):
    v = "version %d: " % version
    fh = next(files)
    a = Client(server.port, b"alpha", version)
    same(v + "the lock is held", holder.lock(fh, 1, 0, 0), "GRANTED")
    same(v + "a request that may wait does", a.lock(fh, 5, 10, 20, block=True), "BLOCKED")
    same(v + "the same request again waits, too", a.lock(fh, 5, 10, 20, block=True), "BLOCKED")
    no_other_call(v + "nobody is called meanwhile")
    holder.unlock(fh, 1)
    got, r = host.expect(nlm.GRANTED)
    g = granted_args(version, r)
    same(v + "the grant is told in the request's version", got, version)
    same(v + "with what was asked for", (g["name"], g["fh"], g["oh"], g["svid"], g["start"], g["length"], g["exclusive"]),
         (b"alpha", fh, b"oh", 5, 10, 20, True))
    same(v + "and it holds", holder.lock(fh, 1, 12, 1), "DENIED")
    same(v + "asked again it is granted", a.lock(fh, 5, 10, 20, block=True), "GRANTED")
    a.unlock(fh, 5)

# Two wait; each has its turn.
fh = next(files)
a, b = Client(server.port, b"alpha"), Client(server.port, b"beta")
holder.lock(fh, 1)
same("the first waits", a.lock(fh, 11, block=True), "BLOCKED")
same("the second waits", b.lock(fh, 12, block=True), "BLOCKED")
holder.unlock(fh, 1)
same("the first has its turn", granted_args(4, host.expect(nlm.GRANTED)[1])["svid"], 11)
no_other_call("the second has not")
a.unlock(fh, 11)
same("then the second", granted_args(4, host.expect(nlm.GRANTED)[1])["svid"], 12)
b.unlock(fh, 12)

# CANCEL, before and after the grant.
fh = next(files)
holder.lock(fh, 1)
a.lock(fh, 13, block=True)
same("CANCEL of other bytes is denied", a.cancel(fh, 13, 0, 5), "DENIED")
same("CANCEL of another kind is denied", a.cancel(fh, 13, exclusive=False), "DENIED")
same("CANCEL ends the wait", a.cancel(fh, 13), "GRANTED")
holder.unlock(fh, 1)
check("so it is free", free(fh))
no_other_call("and nobody is told")
answers[14] = [None, None]  # it never answers, so that the grant stays on its way
holder.lock(fh, 1)
a.lock(fh, 14, block=True)
holder.unlock(fh, 1)
host.expect(nlm.GRANTED)
same("CANCEL that meets the grant on its way", a.cancel(fh, 14), "GRANTED")
check("gives the lock back", free(fh))
same("and a second CANCEL finds nothing", a.cancel(fh, 14), "DENIED")
holder.lock(fh, 1)
a.lock(fh, 15, block=True)
same("UNLOCK ends the wait, too", a.unlock(fh, 15), "GRANTED")
holder.unlock(fh, 1)
check("so it is free", free(fh))
no_other_call("and nobody is told")

# What the client answers.
fh = next(files)
answers[16] = 1
holder.lock(fh, 1)
a.lock(fh, 16, block=True)
holder.unlock(fh, 1)
host.expect(nlm.GRANTED)
check("a client that denies has given up", free(fh))
answers[17] = [4, 0]
holder.lock(fh, 1)
a.lock(fh, 17, block=True)
holder.unlock(fh, 1)
host.expect(nlm.GRANTED)
host.expect(nlm.GRANTED)
check("a client in its grace period is told again", wait_for(lambda: probe.test(fh, 99) == "DENIED"))
a.unlock(fh, 17)
answers[18] = [None, 1]
fh = next(files)
holder.lock(fh, 1)
a.lock(fh, 18, block=True)
holder.unlock(fh, 1)
host.expect(nlm.GRANTED)
host.expect(nlm.GRANTED)
# Answers come over one connection: when the first of these calls has come, the denial was sent; when the second
# was made, it had been taken in.
no_other_call("a client that denies a grant is not told again")
no_other_call("nor later")
same("what it may have accepted before is kept", probe.test(fh, 99), "DENIED")
same("until it unlocks", a.unlock(fh, 18), "GRANTED")
check("then it is free", free(fh))

# A client without a lock manager that could be called: the grant is kept for who asks again.
far = Client(server.port, b"far", address="127.0.0.7")
holder.lock(fh, 1)
same("one that cannot be called waits, too", far.lock(fh, 19, block=True), "BLOCKED")
holder.unlock(fh, 1)
check("its turn comes", wait_for(lambda: probe.test(fh, 99) == "DENIED" and probe.holder[1] == 19))
same("and it learns so by asking again", far.lock(fh, 19, block=True), "GRANTED")
far.unlock(fh, 19)

# Deadlock: by two hosts and two files.
one, two = next(files), next(files)
a.lock(one, 21), b.lock(two, 22)
same("waiting is fine", a.lock(two, 21, block=True), "BLOCKED")
same("waiting for oneself is not", b.lock(one, 22, block=True), "DEADLCK")
b.unlock(two, 22)
same("the first goes on", granted_args(4, host.expect(nlm.GRANTED)[1])["svid"], 21)
a.unlock(one, 21), a.unlock(two, 21)

# Messages: every answer is a call.
fh = next(files)
for version in (3, 4):
    v = "version %d: " % version
    m = Client(server.port, b"messages", version)

    def answer(proc):
        r = host.expect(proc)[1]
        return r.opaque(), nlm.STATS[r.u32()]
    cookie = m.message(nlm.LOCK_MSG, u32(0, 1) + m.alock(fh, 31, 0, 0, b"oh") + u32(0, 1))
    same(v + "LOCK_MSG is answered by LOCK_RES", answer(nlm.LOCK_RES), (cookie, "GRANTED"))
    cookie = m.message(nlm.TEST_MSG, u32(1) + m.alock(fh, 32, 0, 0, b"oh"))
    same(v + "TEST_MSG by TEST_RES", answer(nlm.TEST_RES), (cookie, "DENIED"))
    cookie = m.message(nlm.LOCK_MSG, u32(1, 1) + m.alock(fh, 32, 0, 0, b"oh") + u32(0, 1))
    same(v + "LOCK_MSG that blocks", answer(nlm.LOCK_RES), (cookie, "BLOCKED"))
    cookie = m.message(nlm.UNLOCK_MSG, m.alock(fh, 31, 0, 0, b"oh"))
    # The two come in any order.
    seen = {}
    for _ in range(2):
        vers, proc, body = host.calls.get(timeout=30)
        seen[proc] = nlm.rpc.Reply(body)
    same(v + "UNLOCK_MSG by UNLOCK_RES", (seen[nlm.UNLOCK_RES].opaque(), seen[nlm.UNLOCK_RES].u32()), (cookie, 0))
    g = granted_args(version, seen[nlm.GRANTED_MSG])
    same(v + "the grant is GRANTED_MSG", g["svid"], 32)
    m.conn.call(nlm.NLM, version, nlm.GRANTED_RES, opaque(g["cookie"]) + u32(1))
    check(v + "GRANTED_RES may refuse it", free(fh))
    holder.lock(fh, 1)
    cookie = m.message(nlm.LOCK_MSG, u32(1, 1) + m.alock(fh, 33, 0, 0, b"oh") + u32(0, 1))
    answer(nlm.LOCK_RES)
    cookie = m.message(nlm.CANCEL_MSG, u32(1, 1) + m.alock(fh, 33, 0, 0, b"oh"))
    same(v + "CANCEL_MSG by CANCEL_RES", answer(nlm.CANCEL_RES), (cookie, "GRANTED"))
    holder.unlock(fh, 1)

# A file that loses its name while it is waited for.
holder.lock(fhs[0], 1)
a.lock(fhs[0], 41, block=True)
nfs.remove(root, b"f0")
same("a locked file outlives its name", nfs.getattr(fhs[0])[0], 0)
holder.unlock(fhs[0], 1)
same("and whoever waits gets it", granted_args(4, host.expect(nlm.GRANTED)[1])["svid"], 41)
a.unlock(fhs[0], 41)
check("with the last lock it goes", wait_for(lambda: nfs.getattr(fhs[0])[0] == nlm.rpc.STALE))

# Many hosts fight for one file; each counts up in it, by a read and a write, while it holds the lock.
fh = next(files)
HOSTS, ROUNDS = 4, 15


def counted(conn):
    return int.from_bytes(conn.read(fh, 0, 8)[1], "big")


def fight(n):
    c = Client(server.port, b"fighter", address="127.0.1.%d" % n)
    ear = Listener("127.0.1.%d" % n)
    for _ in range(ROUNDS):
        stat = c.lock(fh, n, block=True)
        if stat == "BLOCKED":
            ear.expect(nlm.GRANTED, 60)
        else:
            assert stat == "GRANTED", stat
        c.conn.write(fh, 0, struct.pack(">Q", counted(c.conn) + 1))
        c.unlock(fh, n)


threads = [threading.Thread(target=fight, args=(n + 1,)) for n in range(HOSTS)]
for t in threads:
    t.start()
for t in threads:
    t.join()
same("hosts that fight for a lock have it one at a time", counted(nfs), HOSTS * ROUNDS)
# Somebody still waits when the server is stopped.
holder.lock(fh, 1)
a.lock(fh, 51, block=True)
check("it stops in order", server.stop() == 0, server.text())
done()
