#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The built-in portmapper as clients find it, and calls by UDP, in a private network."""
import socket
import subprocess
import time

import side
from side import HERE, MOUNT, NFS, NSM, PMAP, TCP, THERE, UDP, Udp, opaque, registered, tool, u32, words

side.inside("rpcinfo", "showmount", "nfs-cat", "ip", "unshare")
import rpc  # noqa: E402
from world import Server, check, done  # noqa: E402

PORTMAP = (HERE, 111)
server = Server(nfs="portmap = true;", listen="0.0.0.0")
# Whoever is admitted: the client of these tests is not on loopback.
server.shares[0] = tuple(x.replace("127.0.0.0/8", "0.0.0.0/0") for x in server.shares[0])
server.write_config()
server.send(1)
port = server.port

rows = registered()
check("rpcinfo lists NFS by TCP alone", rows.get((NFS, 3, "tcp")) == port and (NFS, 3, "udp") not in rows, rows)
check("rpcinfo lists MOUNT, the status monitor and the portmapper",
      all(rows.get((MOUNT, 3, p)) == port and rows.get((NSM, 1, p)) == port and
          all(rows.get((PMAP, v, p)) == 111 for v in (2, 3, 4)) for p in ("tcp", "udp")), rows)
text = tool("rpcinfo", "-s", "127.0.0.1")
check("rpcinfo -s lists them too", "nfs" in text and "status" in text and "mountd" in text, text)
for name, command in {
        "NFS by TCP": ("-t", HERE, str(NFS), "3"), "MOUNT by UDP": ("-u", HERE, str(MOUNT), "3"),
        "the status monitor by UDP": ("-u", HERE, str(NSM), "1"),
        "the portmapper, by RPCBIND": ("-T", "tcp", HERE, str(PMAP), "4")}.items():
    text = tool("rpcinfo", *command)
    check("rpcinfo reaches " + name, "ready and waiting" in text, text)
text = tool("showmount", "-e", HERE)
check("showmount finds the export", "/export" in text, text)

c = rpc.Conn(port, address=HERE, source=THERE)
root = c.mount()
f = c.create(root, b"hello")[1]
c.write(f, 0, b"found by portmap\n", rpc.FILE_SYNC)
text = tool("timeout", "20", "nfs-cat", "nfs://%s/export/hello" % HERE)
check("a client that is told no port mounts and reads", text == "found by portmap\n", text)

u = Udp()
stat, data = u.call(PORTMAP, PMAP, 2, 3, u32(NFS, 3, TCP, 0))
check("GETPORT is answered by UDP, from the address that was asked", stat == 0 and words(data) == [port], data)
stat, data = u.call(PORTMAP, PMAP, 2, 3, u32(NFS, 3, UDP, 0))
check("NFS has no UDP port", stat == 0 and words(data) == [0], data)
stat, data = u.call((HERE, port), NFS, 3, 0)
check("NFS by UDP is refused", stat == 1, stat)
stat, data = u.call((HERE, port), PMAP, 2, 0)
check("the portmapper is not at NFS's port", stat == 1, stat)
stat, data = u.call(PORTMAP, NSM, 1, 0)
check("nothing else is at the portmapper's port", stat == 1, stat)
p = rpc.Conn(111, address=HERE)
p.send(NFS, 3, 0)
check("nor by TCP", words(p.receive())[5] == 1)
stat, data = u.call(PORTMAP, PMAP, 2, 4)
check("a list that is longer than its question is refused by UDP", stat == 5, stat)
stat, data = Udp("127.0.0.1").call(("127.0.0.1", 111), PMAP, 2, 4)
check("but not to this host itself", stat == 0 and len(data) > 100, stat)
stat, data = u.call((HERE, port), MOUNT, 3, 5)
check("so are the exports, or they are short", stat == 5 or len(data) + 24 <= 3 * 40, stat, data)
stat, data = u.call((HERE, port), MOUNT, 3, 1, opaque(b"/export"))
check("MNT works by UDP", stat == 0 and words(data)[0] == 0 and data[8:8 + len(root)] == root, stat, data)
for proc, name in ((5, "CALLIT"), (6, "a procedure that there is not")):
    stat, data = u.call(PORTMAP, PMAP, 2, proc, u32(NFS, 3, 0) + opaque(b""))
    check("%s is unavailable" % name, stat == 3, stat)
stat, data = u.call(PORTMAP, PMAP, 2, 1, u32(NFS, 3, TCP, 999))
check("SET is refused", stat == 0 and words(data) == [0], stat, data)
stat, data = u.call(PORTMAP, PMAP, 5, 0)
check("other versions are told which there are", stat == 2 and words(data) == [2, 4], stat, data)

for junk in (b"", b"x", bytes(39), b"\xff" * 3000, bytes(9000), rpc.message(1, PMAP, 2, 3, b"\0")):
    u.s.sendto(junk, PORTMAP)
    u.s.sendto(junk, (HERE, port))
stat, data = u.call(PORTMAP, PMAP, 2, 0)
check("junk by UDP harms nobody", stat == 0 and server.alive(), stat)

# The budget of an address is 400 at once and 200 in a second; another's is not touched.
flood, other = Udp(HERE, timeout=1), Udp(THERE, timeout=1)
began = time.monotonic()
for i in range(3000):
    flood.send(PORTMAP, PMAP, 2, 0)
# What the kernel's queue had no room for is asked again, as clients do.
served = any(other.call(PORTMAP, PMAP, 2, 3, u32(NFS, 3, TCP, 0))[0] == 0 for _ in range(10))
got = 0
try:
    while True:
        flood.s.recv(100)
        got += 1
except socket.timeout:
    pass
most = 401 + 200 * (time.monotonic() - began)
check("an address that floods is answered up to its budget", 0 < got <= most, "%d of %d" % (got, most))
check("while others are served", served)
check("dropped calls are counted", (server.counter("nfs_udp_dropped") or 0) > 0)

taken = Server(nfs="portmap = true;", listen=HERE, start=False)
good, text = taken.refused("portmapper's port 111 is taken", "register_rpcbind")
check("a second portmapper on the host is refused with a hint", good, text)
check("the server stops in order", server.stop() == 0, server.text())

server = Server()
closed = subprocess.run(["rpcinfo", "-p", "127.0.0.1"], capture_output=True).returncode != 0
check("without the option there is no portmapper", closed)
probe = Udp("127.0.0.1")
probe.s.connect(("127.0.0.1", server.port))
try:
    probe.s.send(rpc.message(1, MOUNT, 3, 0))
    probe.s.recv(100)
    refused = False
except (ConnectionRefusedError, socket.timeout) as e:
    refused = isinstance(e, ConnectionRefusedError)
check("and nothing by UDP", refused)
both = Server(nfs="portmap = true; register_rpcbind = true;", start=False)
good, text = both.refused("one portmapper", status=2)
check("portmap and register_rpcbind exclude each other", good, text)
done()
