#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks over restarts, of the client and of the server: NLM and the status monitor together, in a private
network in which the client has a real rpcbind."""
import os
import signal

import side
from side import HERE, NLM, NSM, THERE, Udp, opaque, u32, words

side.inside("rpcbind", "rpcinfo", "ip", "unshare")
import rpc  # noqa: E402
from rpc import u64  # noqa: E402
from world import Server, check, done, share  # noqa: E402

GRANTED, DENIED, GRACE = 0, 1, 4

rpcbind = side.start_rpcbind()
statd = side.Statd()
server = Server([share("export", "leveldb", "filesystem")], nfs='udp = "on";', listen=HERE, start=False)
server.shares[0] = tuple(x.replace("127.0.0.0/8", "0.0.0.0/0") for x in server.shares[0])
server.write_config()
server.start()
check("the lock manager answers by UDP", Udp(THERE).call((HERE, server.port), NLM, 4, 0)[0] == 0)


def connect(source):
    return rpc.Conn(server.port, address=HERE, source=source)


def lock(conn, fh, name, state=5, reclaim=0):
    alock = opaque(name) + opaque(fh) + opaque(b"owner") + u32(7) + u64(0) + u64(10)
    r = conn.call(NLM, 4, 2, opaque(b"c") + u32(0, 1) + alock + u32(reclaim, state))
    assert r.opaque() == b"c"
    return r.u32()


def unlock(conn, fh, name):
    r = conn.call(NLM, 4, 4, opaque(b"c") + opaque(name) + opaque(fh) + opaque(b"owner") + u32(7) + u64(0) + u64(10))
    r.opaque()
    return r.u32()


def notify(source, name, state):
    return Udp(source).call((HERE, server.port), NSM, 1, 6, opaque(name) + u32(state))[0]


def remembered(name):
    with open(os.path.join(server.state, "nsm")) as f:
        return " %s\n" % name in f.read()


client, other = connect(THERE), connect(HERE)
root = client.mount()
fh = client.create(root, b"file")[1]
check("a lock is granted", lock(client, fh, b"client") == GRANTED)
check("its client is remembered by then", remembered("client"))
check("another client is kept out", lock(other, fh, b"other") == DENIED)
notify(HERE, b"client", 7)
check("a notice from elsewhere drops nothing", lock(other, fh, b"other") == DENIED)
notify(THERE, b"nobody", 7)
check("nor one in another name", lock(other, fh, b"other") == DENIED)
check("the client's own notice is taken", notify(THERE, b"client", 7) == 0)
check("and its locks are gone", lock(other, fh, b"other") == GRANTED)
check("they are free for it, too, when the other has left",
      unlock(other, fh, b"other") == GRANTED and lock(client, fh, b"client", 7) == GRANTED)
notify(THERE, b"client", 7)
check("the same notice again drops nothing", lock(other, fh, b"other") == DENIED)

server.kill()
server.start()
peer, proc, _, rest = statd.next()
check("a server that was killed tells the client so", proc == 6 and peer[0] == HERE and words(rest) == [3], rest)
client, other = connect(THERE), connect(HERE)
check("new locks have to wait", lock(other, fh, b"other") == GRACE)
check("what was held is reclaimed", lock(client, fh, b"client", 7, reclaim=1) == GRANTED)
check("and kept from others", lock(other, fh, b"other") in (GRACE, DENIED))
check("the client is remembered again", remembered("client"))
check("the server stops in order", server.stop(signal.SIGTERM) == 0, server.text())
statd.end()
rpcbind.end()
done()
