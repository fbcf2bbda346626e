#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bytes that no client would send, and clients that do not play by the rules.  After each the
server still answers, and at the end it has given back what they made it hold."""
import random
import socket
import struct
import time

import rpc
from rpc import Conn, Gone, record, message, u32, u64, opaque
from world import Server, check, done, note, sanitized, wait_for

SEED = random.randrange(1 << 30)
rng = random.Random(SEED)
note("seed %d" % SEED)
server = Server(nfs='stall_timeout = "2s"; max_receiving = "16M"; max_queued = "4M";',
                server='cache_size = "256M"')
good = Conn(server.port)
root = good.mount()
big = good.create(root, b"big")[1]
for at in range(0, 8 << 20, 1 << 20):
    assert good.write(big, at, bytes(1 << 20))[0] == 0


def answers():
    c = Conn(server.port)
    try:
        return c.getattr(root)[0] == 0
    finally:
        c.close()


def each(what, payloads):
    """A connection for each; the server may close it or answer, and serves others."""
    for p in payloads:
        c = Conn(server.port)
        try:
            c.raw(p)
            c.s.shutdown(socket.SHUT_WR)
            c.closed_by_server()
        except (Gone, OSError):
            pass
        c.close()
    check(what, answers() and server.alive(), server.text())


fds = server.descriptors()
each("random bytes", [rng.randbytes(rng.randrange(1, 3000)) for _ in range(200)])
each("random bytes behind a record mark", [record(rng.randbytes(rng.randrange(0, 3000))) for _ in range(300)])
each("random arguments to every procedure", [
    record(message(rng.getrandbits(32), prog, 3, proc, rng.randbytes(rng.randrange(0, 400))))
    for prog, n in ((rpc.NFS, 24), (rpc.MOUNT, 8)) for proc in range(n) for _ in range(12)])
victim = good.create(root, b"victim")[1]
whole = {
    rpc.SETATTR: opaque(victim) + u32(0, 0, 0, 0, 0, 0, 0), rpc.LOOKUP: opaque(root) + opaque(b"big"),
    rpc.READ: opaque(big) + u64(0) + u32(4096), rpc.WRITE: rpc.write_args(victim, 0, bytes(5000)),
    rpc.CREATE: rpc.create_args(root, b"x", 0), rpc.RENAME: opaque(root) + opaque(b"x") + opaque(root) + opaque(b"y"),
    rpc.READDIRPLUS: opaque(root) + u64(0) + u64(0) + u32(4096, 4096),
}
each("records cut at every word", [
    record(message(1, rpc.NFS, 3, proc, args)[:n])
    for proc, args in whole.items() for n in range(0, min(len(args) + 90, 300), 4)])
each("streams cut at every word", [
    record(message(1, rpc.NFS, 3, proc, args))[:n]
    for proc, args in whole.items() for n in range(0, min(len(args) + 90, 300), 4)])
HUGE = [0xffffffff, 0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffd, 0x10000, 0x40000001]
each("huge lengths in every word of a call", [
    record(m[:at] + u32(n) + m[at + 4:])
    for m in (message(1, rpc.NFS, 3, proc, args) for proc, args in whole.items())
    for at in range(0, min(len(m), 280), 4) for n in (0xffffffff, 0x7ffffffd)])
each("huge record marks", [u32(n) + rng.randbytes(200) for n in HUGE])
each("other protocols", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
    b"\0\0\0\x90\xfeSMB" + rng.randbytes(140), b"SSH-2.0-OpenSSH_9.2\r\n"])
each("endless empty fragments", [u32(0) * 5000, (u32(1) + b"x") * 2000, u32(0) * 15 + u32(0x80000000)])
edge = good.create(root, b"edge")[1]
each("offsets at the ends of 64 bits", [
    record(message(1, rpc.NFS, 3, proc, opaque(edge) + u64(off) + tail))
    for off in ((1 << 64) - 1, (1 << 63) - 1, 1 << 63, (1 << 63) - 4096)
    for proc, tail in ((rpc.READ, u32(0xffffffff)), (rpc.READ, u32(1 << 20)), (rpc.COMMIT, u32(0xffffffff)),
                       (rpc.WRITE, u32(100, 0) + opaque(bytes(100))), (rpc.WRITE, u32(40000, 2) + opaque(bytes(40000))))])
st, attr = good.getattr(big)
check("none of that changed another file's length", attr and attr["size"] == 8 << 20, attr)

# A call whose bytes come one by one is answered.
c = Conn(server.port)
for b in record(message(77, rpc.NFS, 3, rpc.GETATTR, opaque(root))):
    c.raw(bytes([b]))
check("a call in pieces of one byte is answered", struct.unpack(">I", c.receive()[:4])[0] == 77)
# A call in fragments of one byte, too.
m = message(78, rpc.NFS, 3, rpc.GETATTR, opaque(root))
c.raw(b"".join(u32((0x80000000 if i == len(m) - 1 else 0) | 1) + m[i:i + 1] for i in range(len(m))))
check("a call in fragments of one byte is answered", struct.unpack(">I", c.receive()[:4])[0] == 78)
c.close()

# Calls that are never finished are paid for by those who sent them, for a while.
before = server.memory()
slow = [Conn(server.port) for _ in range(300)]
for i, c in enumerate(slow):
    head = message(1, rpc.NFS, 3, rpc.WRITE, rpc.write_args(big, 0, bytes(1 << 20)))
    try:
        c.raw(u32(0x80000000 | len(head)) + head[:4000] if i % 2 else u32(0x80000000 | (1 << 20)) + bytes(2000))
    except Gone:
        pass
check("others are answered meanwhile", answers())
grown = server.memory() - before
if not sanitized():
    check("300 unfinished writes of 1 MiB hold no more than max_receiving says", grown < 64 << 10, "%d KiB" % grown)
check("a write of another client goes through in time", Conn(server.port).write(big, 0, bytes(1 << 20))[0] in (0, rpc.JUKEBOX))
check("they are closed when nothing more comes", all(c.closed_by_server() for c in slow))

# Somebody who asks for much and takes nothing.
deaf = [Conn(server.port, rcvbuf=4096) for _ in range(20)]
before = server.memory()
for c in deaf:
    c.s.settimeout(0.2)
    try:
        for _ in range(400):
            c.send(rpc.NFS, 3, rpc.READ, opaque(big) + u64(0) + u32(1 << 20))
    except (socket.timeout, Gone):
        pass
check("others are answered while nobody takes 400 replies of 1 MiB", answers())
grown = server.memory() - before
if not sanitized():
    check("what is queued for them is bounded", grown < 150 << 10, "%d KiB" % grown)


def all_closed():
    return server.descriptors() <= fds + 2


check("who takes nothing is closed", wait_for(all_closed, 20), server.descriptors(), fds)

# Half a connection: the client says that it sends no more, and still gets its answers.
c = Conn(server.port)
xids = [c.send(rpc.NFS, 3, rpc.GETATTR, opaque(root)) for _ in range(200)]
c.s.shutdown(socket.SHUT_WR)
got = []
try:
    while True:
        got.append(struct.unpack(">I", c.receive()[:4])[0])
except Gone:
    pass
check("a client that only stopped sending gets every reply", got == xids, len(got))

# Resets in the middle of everything.
for _ in range(300):
    c = Conn(server.port)
    for _ in range(rng.randrange(1, 20)):
        c.send(rpc.NFS, 3, rng.choice(list(whole)), whole[rpc.WRITE])
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
check("connections reset with calls under way", answers() and server.alive(), server.text())

# Connects, as fast as this process can.
start, n = time.monotonic(), 0
while n < 10000 and time.monotonic() - start < 5:
    s = socket.socket()
    s.settimeout(10)
    s.connect(("127.0.0.1", server.port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    n += 1
took = time.monotonic() - start
note("%d connects in %.2f s: %.0f a second" % (n, took, n / took))
check("the connection from before is served after the storm", good.getattr(root)[0] == 0)
check("a new one is, too", answers())
check("no descriptor is left behind", wait_for(all_closed, 10), server.descriptors(), fds)
check("it stops in order", server.stop() == 0, server.text())
done()
