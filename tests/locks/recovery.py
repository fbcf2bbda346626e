#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks over restarts, of the server, killed and stopped, and of clients: NLM and the status monitor together."""
import os
import sys

import nlm
from nlm import NLM, NSM, Client, Listener, own_network
from rpc import Conn, opaque, u32
from world import Server, check, done, same, share, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../protocol"))
from side import Udp  # noqa: E402

own_network()
HERE = "127.0.0.9"  # no address that a call would come from by itself
stores = [share("export", "leveldb", "filesystem"), share("other", "leveldb", "filesystem")]
server = Server(stores, server='lock_grace = "1h"', nfs='udp = "on";', listen=HERE)


def again(grace="1h"):
    server.server = 'lock_grace = "%s"' % grace
    server.write_config()
    server.start()


def client(name, address, state=1):
    return Client(server.port, name, address=address, to=HERE, state=state)


def clients():
    return client(b"alpha", "127.0.0.2"), client(b"beta", "127.0.0.3"), client(b"gamma", "127.0.0.4")


def remembered(*names):
    with open(os.path.join(server.state, "nsm"), "rb") as f:
        text = f.read()
    return all(b" %s\n" % name in text for name in names)


def notify(name, state, address):
    """SM_NOTIFY, by UDP from the client's address."""
    return Udp(address).call((HERE, server.port), NSM, 1, 6, opaque(name) + u32(state))


alpha = Listener("127.0.0.2")
nfs = Conn(server.port, address=HERE)
root, other_root = nfs.mount(), nfs.mount(b"/other")
fh, fh2 = nfs.create(root, b"f")[1], nfs.create(root, b"g")[1]
other = nfs.create(other_root, b"f")[1]

# A client that restarts tells so, and its locks go.
same("the lock manager answers by UDP", Udp("127.0.0.2").call((HERE, server.port), NLM, 4, 0)[0], 0)
a, b = client(b"alpha", "127.0.0.2", 5), client(b"beta", "127.0.0.3")
same("a lock is granted", a.lock(fh, 1, 0, 10), "GRANTED")
check("its client is remembered by then", remembered(b"alpha"))
same("another client is kept out", b.lock(fh, 2, 0, 10), "DENIED")
notify(b"alpha", 7, "127.0.0.3")
same("a notice from elsewhere drops nothing", b.lock(fh, 2, 0, 10), "DENIED")
notify(b"nobody", 7, "127.0.0.2")
same("nor one in another name", b.lock(fh, 2, 0, 10), "DENIED")
same("the client's own notice is taken", notify(b"alpha", 7, "127.0.0.2"), (0, b""))
same("and its locks are gone", b.lock(fh, 2, 0, 10), "GRANTED")
b.unlock(fh, 2)
a.state = 7
same("they are free for it, too, when the other has left", a.lock(fh, 1, 0, 10), "GRANTED")
notify(b"alpha", 7, "127.0.0.2")
same("the same notice again drops nothing", b.lock(fh, 2, 0, 10), "DENIED")

same("locks are taken", [b.lock(fh, 2, 10, 10), b.lock(fh2, 2, proc=nlm.NM_LOCK)], ["GRANTED"] * 2)
server.kill()
again()
peer, proc, _, rest = alpha.notices.get(timeout=30)
same("a server that was killed tells the client so, from the address that it knows", (peer, proc, rest), (HERE, 6, [3]))
a, b, c = clients()
same("after a kill nobody gets anything new", [a.lock(fh2, 1), b.lock(fh2, 2), c.lock(fh2, 3)], ["GRACE"] * 3)
same("nor a test", c.test(fh, 3), "GRACE")
same("nor a share mode", c.share(fh, 1, 0), "GRACE")
same("but on a share that nobody had locked anything of", c.lock(other, 3), "GRANTED")
same("unlocking is granted", c.unlock(fh, 3), "GRANTED")
same("a stranger reclaims nothing", c.lock(fh, 3, 50, 1, reclaim=True), "DENIED")
same("the same name from elsewhere does not either",
     client(b"alpha", "127.0.0.5").lock(fh, 1, 0, 10, reclaim=True), "DENIED")
same("a client reclaims", a.lock(fh, 1, 0, 10, reclaim=True), "GRANTED")
check("it is remembered again", remembered(b"alpha"))
same("not what another has", b.lock(fh, 2, 5, 10, reclaim=True), "DENIED")
same("when it asks for more it has all it had", a.lock(fh2, 1), "GRACE")
same("what it has is kept from others", c.lock(fh, 3, 5, 1), "GRACE")
same("the other one reclaims", b.lock(fh, 2, 10, 10, reclaim=True), "GRANTED")
same("and when all have, everybody is served", [b.lock(fh2, 2), c.lock(fh, 3, 30, 1), c.lock(fh, 3, 5, 1)],
     ["GRANTED", "GRANTED", "DENIED"])
same("a reclaim comes too late now", a.lock(fh, 1, 0, 10, reclaim=True), "DENIED")

# A stop in order remembers as well; unlocking is remembered.
b.unlock(fh, 2), b.unlock(fh2, 2), c.unlock(fh, 3), c.unlock(other, 3)
same("it stops in order", server.stop(), 0)
again()
a, b, c = clients()
same("who had unlocked has nothing to reclaim", b.lock(fh, 2, 10, 10, reclaim=True), "DENIED")
same("who had not has", a.lock(fh, 1, 0, 10, reclaim=True), "GRANTED")

# Who misses the grace period has lost its locks, also after the next restart.
server.kill()
again("1s")
a, b, c = clients()
check("the period ends", wait_for(lambda: c.lock(fh, 3) == "GRANTED", 30))
server.kill()
again()
a, b, c = clients()
same("who missed it reclaims nothing", a.lock(fh, 1, 0, 10, reclaim=True), "DENIED")
same("whoever came after it does", c.lock(fh, 3, reclaim=True), "GRANTED")
same("and ends the period alone", c.lock(fh2, 3), "GRANTED")


# Whoever waits for the locks of a client that restarts gets them; by TCP, too.
def notify_by_tcp(name, state, address):
    Conn(server.port, address=HERE, source=address).call(NSM, 1, 6, opaque(name) + u32(state))


beta = Listener("127.0.0.3")
same("another client waits", b.lock(fh, 2, block=True), "BLOCKED")
notify_by_tcp(b"gamma", 7, "127.0.0.6")
same("a notice from elsewhere changes nothing", a.lock(fh, 1), "DENIED")
notify_by_tcp(b"gamma", 7, "127.0.0.4")
g = nlm.granted_args(4, beta.expect(nlm.GRANTED)[1])
same("a client's notice frees its locks", (g["name"], g["svid"]), (b"beta", 2))
same("all of them", a.lock(fh2, 1), "GRANTED")

check("the file of the status monitor names who holds locks", remembered(b"alpha", b"beta"))
check("it stops in order", server.stop() == 0, server.text())
done()
