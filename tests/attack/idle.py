#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""10,000 connections that do nothing: each holds at most 2 KiB of the server's memory, and others
do not feel them.  DFS_ATTACK_IDLE sets another number."""
import os
import resource
import time

import rpc
from rpc import Conn, opaque
from world import Server, check, done, note, sanitized, skip_all, wait_for

N = int(os.environ.get("DFS_ATTACK_IDLE", "10000"))
need = N + 200
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard != resource.RLIM_INFINITY and hard < need + 2100:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need + 2100, need + 2100))
    except (ValueError, OSError):
        skip_all("at most %d descriptors may be open here" % hard)
elif soft < need:
    resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
server = Server(nfs="max_connections = %d;" % (N + 100))
first = Conn(server.port)
root = first.mount()
fh = first.create(root, b"f")[1]
# Pools and caches have their size before anything is counted.
warm = [Conn(server.port) for _ in range(200)]
for c in warm:
    c.mount(), c.getattr(root)
for c in warm:
    c.close()
time.sleep(0.2)
before, start = server.memory(), time.monotonic()
idle = []
for i in range(N):
    c = Conn(server.port)
    c.send(rpc.NFS, 3, rpc.GETATTR, opaque(root))
    idle.append(c)
check("each of %d is answered once" % N, all(c.receive() for c in idle))
took = time.monotonic() - start
each = (server.memory() - before) * 1024 / N
note("%d connections in %.2f s, %.0f bytes each" % (N, took, each))
if not sanitized():
    check("an idle connection holds at most 2 KiB", each <= 2048, "%.0f bytes" % each)
start = time.monotonic()
check("another is served meanwhile", all(first.getattr(root)[0] == 0 for _ in range(1000)))
note("GETATTR beside them: %.0f us" % ((time.monotonic() - start) * 1000))
for c in idle:
    c.send(rpc.NFS, 3, rpc.GETATTR, opaque(root))
check("each is answered again", all(c.receive() for c in idle))
if not sanitized():
    each = (server.memory() - before) * 1024 / N
    check("and holds no more after it", each <= 2048, "%.0f bytes" % each)
# A head of a call from each: a slow connection holds little more than it has sent.
for c in idle:
    c.raw(rpc.u32(0x80000000 | 200) + bytes(100))
check("others are served", first.getattr(root)[0] == 0)
if not sanitized():
    each = (server.memory() - before) * 1024 / N
    note("%.0f bytes each with 104 bytes of a call" % each)
    check("with a part of a call each holds little more", each <= 2304, "%.0f bytes" % each)
for c in idle:
    c.close()
check("the closed ones are gone", wait_for(lambda: server.descriptors() < 100, 20), server.descriptors())
check("it stops in order", server.stop() == 0, server.text())
done()
