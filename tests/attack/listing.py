#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A folder of more files than the inode cache holds, listed with attributes in bounded memory, on
LevelDB and on the memory store (whose records are in memory by their nature).

DFS_ATTACK_FILES=1000000 is the full size; the default is what a test run has time for.
"""
import os
import sys
import time

import rpc
from rpc import Conn, create_args
from world import Server, check, done, note, sanitized, share

N = int(os.environ.get("DFS_ATTACK_FILES", "20000"))
CACHE = int(os.environ.get("DFS_ATTACK_CACHE", "4096"))
DEPTH = 128


def fill(c, dir, n):
    """n files, DEPTH requests under way."""
    sent = done = 0
    bad = 0
    while done < n:
        while sent < n and sent - done < DEPTH:
            c.send(rpc.NFS, 3, rpc.CREATE, create_args(dir, b"file-%08d" % sent))
            sent += 1
        xid, r = c.body(c.receive())
        bad += r.u32() != 0
        done += 1
    return bad


def run(what, stores):
    server = Server([stores], server='inode_cache = %d; cache_size = "256M"' % CACHE)
    c = Conn(server.port, timeout=60)
    dir = c.mkdir(c.mount(), b"d")[1]
    empty, start = server.memory(), time.monotonic()
    bad = fill(c, dir, N)
    check("%d files are made, %s" % (N, what), bad == 0, bad)
    note("%s: made in %.1f s; memory %d KiB before, %d KiB after" % (
        what, time.monotonic() - start, empty, server.memory()))
    if what == "LevelDB":
        assert server.stop() == 0, server.text()
        server.start()
        c = Conn(server.port, timeout=60)
        root = c.mount()
        dir = c.lookup(root, b"d")[1]
    before, start, n, peak, seen = server.memory(), time.monotonic(), 0, 0, bytearray(N)
    for name in c.listing(dir, True, 1 << 16):
        if name not in (b".", b".."):
            seen[int(name[5:])] += 1
            n += 1
        if n % 50000 == 0:
            peak = max(peak, server.memory())
    after = server.memory()
    peak = max(peak, after)
    note("%s: %d entries with attributes in %.2f s; memory %d KiB before, at most %d KiB, %d KiB after" % (
        what, n, time.monotonic() - start, before, peak, after))
    check("each is listed once, %s" % what, n == N and max(seen) == 1, n)
    if not sanitized():
        # The inode cache, and what LevelDB may keep: 8 MiB of blocks, buffers of 4 MiB, compactions.
        bound = CACHE // 2 + (48 << 10)
        check("listing takes a bounded amount of memory, %s" % what, peak - before < bound,
              "%d KiB, %d allowed" % (peak - before, bound))
    check("a name in the middle is found, %s" % what, c.lookup(dir, b"file-%08d" % (N // 2))[0] == 0)
    check("it stops in order, %s" % what, server.stop() == 0, server.text())


run("memory", share("export"))
name, metadata, blocks, rest = share("export", "leveldb", "filesystem")
metadata = metadata.replace("path", 'cache_size = "8M"; write_buffer_size = "4M"; overlay_size = "8M"; path')
run("LevelDB", (name, metadata, blocks, rest))
done()
