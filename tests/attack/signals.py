#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SIGHUP over and over while rules change, a share that leaves while it is in use, SIGTERM in the
middle of everything."""
import os
import signal
import threading
import time

import rpc
from rpc import Conn, Gone, opaque
from world import Server, check, done, note, share, wait_for


class Load(threading.Thread):
    """Creates, writes, commits and removes until told to stop; counts statuses."""

    def __init__(self, port, path, number):
        super().__init__(daemon=True)
        self.port, self.path, self.number = port, path, number
        self.statuses, self.error, self.halt, self.committed, self.started = {}, None, False, {}, threading.Event()
        self.start()

    def count(self, st):
        self.statuses[st] = self.statuses.get(st, 0) + 1
        return st

    def run(self):
        try:
            c = Conn(self.port, timeout=30)
            root = c.mount(self.path)
            self.started.set()
            i = 0
            while not self.halt:
                i += 1
                name = b"w%d-%d" % (self.number, i % 40)
                st, fh = c.create(root, name, 0)
                if self.count(st) or not fh:
                    continue
                data = b"%d" % i * 1000
                self.committed.pop(name, None)
                if self.count(c.write(fh, 0, data)[0]) == 0 and self.count(c.commit(fh)[0]) == 0:
                    self.committed[name] = data
                if i % 7 == 0 and self.count(c.remove(root, name)) == 0:
                    self.committed.pop(name, None)
        except Gone:
            pass
        except Exception as e:  # of any kind: it is the test's to report
            self.error = repr(e)
        self.started.set()

    def end(self):
        self.halt = True
        self.join(60)
        return not self.is_alive()


def loads(server, paths):
    all = [Load(server.port, p, i) for i, p in enumerate(paths)]
    for l in all:
        l.started.wait(20)
    return all


home, temp, third = share("home", "leveldb", "filesystem"), share("temp"), share("third", "leveldb", "filesystem")
server = Server([home, temp, third], server='drain = "5s"')
busy = loads(server, [b"/home"] * 3 + [b"/temp"] * 3)
i, end = 0, time.monotonic() + 60
while i < 150 or (time.monotonic() < end and not all(l.statuses.get(0, 0) > 50 for l in busy)):
    ro = "ro" if i % 3 == 1 else "rw"
    server.shares = [share("home", "leveldb", "filesystem", access=ro), temp] + ([third] if i % 2 else [])
    if i % 10 == 9:
        with open(server.conf, "w") as f:
            f.write("shares = nonsense")
    else:
        server.write_config()
    server.send(signal.SIGHUP)
    time.sleep(0.01)
    i += 1
server.shares = [home, temp]
server.write_config()
before = server.text().count("reloaded")
server.send(signal.SIGHUP)
check("after a storm of SIGHUP the last file holds", wait_for(lambda: server.text().count("reloaded") > before, 60),
      server.text()[-2000:])
check("the load ends", all(l.end() for l in busy))
errors = [l.error for l in busy if l.error]
check("no client saw anything odd", not errors, errors)
statuses = {s for l in busy for s in l.statuses}
note("statuses: %s" % sorted(statuses))
check("every answer was success or that the rules forbid it", statuses <= {0, rpc.ROFS, rpc.ACCES, rpc.NOENT, rpc.STALE}, statuses)
check("changes went on", all(l.statuses.get(0, 0) > 50 for l in busy), [l.statuses for l in busy])
# What was counted may have been an earlier file's.
check("a share that left is not found",
      wait_for(lambda: Conn(server.port).call(rpc.MOUNT, 3, 1, opaque(b"/third")).u32() != 0, 60))

# A share leaves in the middle of its use.
server.shares = [home, temp, third]
server.write_config()
before = server.text().count("reloaded")
server.send(signal.SIGHUP)
assert wait_for(lambda: server.text().count("reloaded") > before, 30), server.text()
busy = loads(server, [b"/third"] * 4)
time.sleep(0.3)
server.shares = [home, temp]
server.write_config()
start = time.monotonic()
server.send(signal.SIGHUP)
check("a share that is in use leaves", wait_for(lambda: server.text().count("reloaded") > before + 1, 60), server.text()[-2000:])
note("it took %.2f s" % (time.monotonic() - start))
wait_for(lambda: all(rpc.STALE in l.statuses or l.error for l in busy), 30)
check("the load ends", all(l.end() for l in busy))
check("its clients are told that their handles are stale", all(not l.error and rpc.STALE in l.statuses for l in busy),
      [(l.error, l.statuses) for l in busy])
kept = [l.committed for l in busy]
server.shares = [home, temp, third]
server.write_config()
before = server.text().count("reloaded")
server.send(signal.SIGHUP)
assert wait_for(lambda: server.text().count("reloaded") > before, 30), server.text()


def whole(server, path, kept):
    c = Conn(server.port)
    root = c.mount(path)
    wrong = []
    for files in kept:
        for name, data in files.items():
            st, fh = c.lookup(root, name)
            if st or c.read_all(fh)[:len(data)] != data:
                wrong.append((name, st))
    return wrong


wrong = whole(server, b"/third", kept)
check("what was committed is there when the share comes back", not wrong, wrong)

# SIGTERM in the middle of work; then all that was committed is there.
for i in range(3):
    busy = loads(server, [b"/home"] * 4)
    time.sleep(0.3)
    start = time.monotonic()
    status = server.stop(seconds=30)
    took = time.monotonic() - start
    note("stopped in %.2f s" % took)
    check("SIGTERM under load ends it in order and in time", status == 0 and took < 20, status, took, server.text()[-2000:])
    for l in busy:
        l.end()
    server.start()
    wrong = whole(server, b"/home", [l.committed for l in busy])
    check("what was committed is there", not wrong, wrong)

# SIGTERM with clients that neither read nor send: the drain's time is the bound.
deaf = [Conn(server.port, rcvbuf=4096) for _ in range(5)]
fh = Conn(server.port)
root = fh.mount(b"/home")
big = fh.create(root, b"big", 0)[1]
for at in range(0, 4 << 20, 1 << 20):
    fh.write(big, at, bytes(1 << 20))
for c in deaf:
    for _ in range(30):
        c.send(rpc.NFS, 3, rpc.READ, rpc.opaque(big) + rpc.u64(0) + rpc.u32(1 << 20))
start = time.monotonic()
status = server.stop(seconds=40)
took = time.monotonic() - start
note("stopped in %.2f s" % took)
check("SIGTERM with clients that take nothing ends it within its drain", status == 0 and took < 20, status, took, server.text()[-2000:])
done()
