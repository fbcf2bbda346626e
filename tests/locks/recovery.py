#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks over restarts: of the server, killed and stopped, and of clients."""
import os
import signal

import nlm
from nlm import NSM, Client, Listener, own_network
from rpc import Conn, opaque, u32
from world import Server, check, done, share, wait_for

own_network()
stores = [share("export", "leveldb", "filesystem"), share("other", "leveldb", "filesystem")]
server = Server(stores, server='lock_grace = "1h"')


def same(name, got, want):
    check(name, got == want, "got %r, want %r" % (got, want))


def kill():
    server.send(signal.SIGKILL)
    server.process.wait()


def again(grace="1h"):
    server.server = 'lock_grace = "%s"' % grace
    server.write_config()
    server.start()


def clients():
    return (Client(server.port, b"alpha"), Client(server.port, b"beta", address="127.0.0.3"),
            Client(server.port, b"gamma", address="127.0.0.4"))


nfs = Conn(server.port)
root, other_root = nfs.mount(), nfs.mount(b"/other")
fh, fh2 = nfs.create(root, b"f")[1], nfs.create(root, b"g")[1]
other = nfs.create(other_root, b"f")[1]
a, b, c = clients()
same("locks are taken", [a.lock(fh, 1, 0, 10), b.lock(fh, 2, 10, 10), b.lock(fh2, 2, proc=nlm.NM_LOCK)], ["GRANTED"] * 3)
kill()
again()
a, b, c = clients()
same("after a kill nobody gets anything new", [a.lock(fh2, 1), b.lock(fh2, 2), c.lock(fh2, 3)], ["GRACE"] * 3)
same("nor a test", c.test(fh, 3), "GRACE")
same("nor a share mode", c.share(fh, 1, 0), "GRACE")
same("but on a share that nobody had locked anything of", c.lock(other, 3), "GRANTED")
same("unlocking is granted", c.unlock(fh, 3), "GRANTED")
same("a stranger reclaims nothing", c.lock(fh, 3, 50, 1, reclaim=True), "DENIED")
same("the same name from elsewhere does not either",
     Client(server.port, b"alpha", address="127.0.0.5").lock(fh, 1, 0, 10, reclaim=True), "DENIED")
same("a client reclaims", a.lock(fh, 1, 0, 10, reclaim=True), "GRANTED")
same("not what another has", b.lock(fh, 2, 5, 10, reclaim=True), "DENIED")
same("when it asks for more it has all it had", a.lock(fh2, 1), "GRACE")
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
kill()
again("1s")
a, b, c = clients()
check("the period ends", wait_for(lambda: c.lock(fh, 3) == "GRANTED", 30))
kill()
again()
a, b, c = clients()
same("who missed it reclaims nothing", a.lock(fh, 1, 0, 10, reclaim=True), "DENIED")
same("whoever came after it does", c.lock(fh, 3, reclaim=True), "GRANTED")
same("and ends the period alone", c.lock(fh2, 3), "GRANTED")


# A client that restarts tells so, and its locks go; whoever waits for them gets them.
def notify(name, state, address):
    """SM_NOTIFY, by TCP from the client's address."""
    conn = Conn(server.port, source=address)
    conn.call(NSM, 1, 6, opaque(name) + u32(state))


host = Listener("127.0.0.3")
same("another client waits", b.lock(fh, 2, block=True), "BLOCKED")
notify(b"gamma", 7, "127.0.0.6")
same("a notice from elsewhere changes nothing", a.lock(fh, 1), "DENIED")
notify(b"gamma", 7, "127.0.0.4")
g = nlm.granted_args(4, host.expect(nlm.GRANTED)[1])
same("a client's notice frees its locks", (g["name"], g["svid"]), (b"beta", 2))
same("all of them", a.lock(fh2, 1), "GRANTED")

check("the file of the status monitor names who holds locks",
      all(n in open(os.path.join(server.state, "nsm"), "rb").read() for n in (b"alpha", b"beta")))
check("it stops in order", server.stop() == 0, server.text())
done()
