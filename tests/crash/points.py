#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The server dies at each fail point, under a load that reaches it; after a restart all is as it was
acknowledged.  A point that is never reached fails.

DFS_CRASH_ROUNDS: how often each (1), at other passings.  DFS_CRASH_POINT: only those that begin so.
DFS_CRASH_SEED repeats the same choices.
"""
import glob
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/locks"))
from life import FAILURES, PATIENCE, SMALL, Lives, wait_for  # noqa: E402
from load import BIG, COMMITS, KEEP, MIXED, NAMES, READS, WRITES, Wrong  # noqa: E402
from nlm import Client  # noqa: E402
from rpc import Conn, Gone  # noqa: E402
from world import check, done, hang, note, shim_env, skip_all  # noqa: E402

with open(os.path.join(os.environ["DFS_BUILDDIR"], "Makefile")) as f:
    if "-DDFS_FAILPOINTS" not in f.read():
        skip_all("configured without fail points (--enable-failpoints)")
rounds = int(os.environ.get("DFS_CRASH_ROUNDS", 1))
only = os.environ.get("DFS_CRASH_POINT", "")
seed = int(os.environ.get("DFS_CRASH_SEED", 0)) or int.from_bytes(os.urandom(3), "big") + 1
note("DFS_CRASH_SEED=%d" % seed)
rng = random.Random(seed)

# Under load: the point, how many passings come before the fatal one at most, and the load.
RUN = [
    ("write-logged", 200, MIXED), ("write-cached", 200, MIXED),
    ("wal-built", 60, COMMITS), ("wal-torn", 60, COMMITS), ("wal-torn", 10, BIG), ("wal-written", 60, COMMITS),
    ("wal-synced", 60, COMMITS), ("reply-half", 300, MIXED), ("reply-sent", 300, MIXED),
    ("segment-opened", 3, BIG), ("segment-recycled", 6, BIG), ("segment-freed", 3, BIG),
    ("super-torn", 7, BIG), ("super-written", 7, BIG), ("super-synced", 7, BIG),
    ("blocks-put", 8, BIG), ("blocks-synced", 8, BIG), ("flush-committed", 8, BIG), ("flush-settled", 8, BIG),
    ("log-unpin", 8, BIG), ("object-erased", 4, BIG),
    ("truncate-logged", 10, MIXED), ("truncate-committed", 10, MIXED),
    ("create-committed", 20, NAMES), ("rename-committed", 10, NAMES), ("remove-committed", 10, NAMES),
    ("names-written", 20, NAMES), ("names-synced", 20, NAMES), ("ids-leased", 1, NAMES),
    ("orphan-reclaimed", 3, NAMES), ("reclaim-objects", 2, BIG), ("reclaim-rows", 2, BIG),
]
# On a detour to the block store: the flush strategy.
WAYS = [("local-written", 8, "local_flush_move"), ("temporary-put", 8, "direct_flush_temp"),
        ("temporary-copied", 8, "direct_flush_temp"), ("local-written", 4, "hybrid")]
# While the block store hangs.
STUCK = [("spill-logged", 10, WRITES), ("spill-out", 20, BIG), ("spill-read", 3, READS)]
# Calls of the block store itself.
STORE = [("writev", 4), ("renameat", 4), ("renameat+", 4), ("sync", 2)]
# In the first start on an empty folder.
FRESH = [("segment-allocated", 1), ("segment-allocated", 2), ("segment-made", 1), ("segment-made", 2), ("super-torn", 1), ("super-torn", 2),
         ("super-written", 1), ("super-synced", 2), ("recover-end", 1), ("recovered", 1),
         ("usage-cleared", 1), ("usage-kept", 1)]
# In the first load of an empty folder.
GROW = [("segment-allocated", 3), ("segment-made", 3), ("segment-made", 4)]
# In a start that finds a full log.
START = ["recover-end", "super-torn", "super-written", "recovered"]
PARTS = [("recover-record", 0.1), ("recover-record", 0.5), ("recover-record", 0.9),
         ("replay-slice", 0.1), ("replay-slice", 0.5), ("replay-slice", 0.9)]
# When it remembers who holds locks, and forgets who has not reclaimed any.
LOCKS = ["lock-client-put", "lock-clients-erased"]
# In a stop in order, with load before or without.
STOP = [("drain", 1, MIXED), ("drained", 1, MIXED), ("log-close", 1, MIXED), ("log-closed", 1, MIXED),
        ("super-torn", 2, None), ("super-written", 2, None), ("super-synced", 2, None)]

lives, shim = None, shim_env()


def fresh():
    global lives
    if lives:
        lives.server.kill()
    lives = Lives(rng.randrange(1 << 24), env=shim, names=6, large=5 << 20, spread=1 << 20)


def dies(shape, **env):
    """Run under load until what the environment asks for ends it."""
    if lives.launch(**env):
        lives.load(lambda: False, 40, shape)
        lives.end_load()
    if not lives.dead():
        raise Wrong("not reached in %d s under load (%s)" % (40 * PATIENCE, env))


def under_load(shape, **env):
    dies(shape, **env)
    hang(False)
    lives.restart()
    lives.kill()


def at_start(name, passing):
    if lives.launch(DFS_CRASH="%s:%d" % (name, passing)):
        wait_for(lambda: not lives.server.alive(), 20 * PATIENCE)
    if not lives.dead():
        raise Wrong("not reached at a start (passing %d)" % passing)


def point(name, work):
    """work(): the text of what is wrong, or one of FAILURES.  What follows a failure begins on an empty folder."""
    if not name.startswith(only):
        return
    try:
        begin = time.monotonic()
        text = work()
        note("%.1f s" % (time.monotonic() - begin))
        check(name, not text, text)
    except FAILURES as e:
        check(name, False, "%s: %s" % (type(e).__name__, e), lives.server.text()[-3000:])
        hang(False)
        fresh()


def passing(most):
    return rng.randint(max(1, most // 2), most)


def full_log():
    """A log full of slices, and no block store to take them."""
    hang(True)
    if not lives.launch():
        raise Wrong("the server does not start")
    lives.load(lambda: sum(w.steps for w in lives.workers) > 150, 30, KEEP)
    lives.kill()
    before = len(lives.server.text())
    lives.restart()
    lives.kill()
    found = re.search(r"(\d+) records, \d+ bytes", lives.server.text()[before:])
    return int(found.group(1)) if found else 0


def stop_at(name, n, shape):
    if not lives.launch(DFS_CRASH="%s:%d" % (name, n)):
        raise Wrong("it died at its start")
    if shape:
        lives.load(lambda: sum(w.steps for w in lives.workers) > 100, 30, shape)
        lives.end_load()
    lives.server.stop(seconds=90)
    if not lives.dead():
        raise Wrong("not reached by a stop in order")
    lives.restart()
    lives.kill()


def first_start(name, n):
    fresh()
    at_start(name, n)
    lives.restart()
    lives.load(lambda: sum(w.steps for w in lives.workers) > 20, 30, COMMITS)
    lives.kill()
    lives.restart()
    lives.kill()


def part(name, share):
    fresh()
    n = full_log()
    at_start(name, max(1, int(n * share)))
    hang(False)
    lives.restart()
    lives.kill()


def start(name):
    full_log()
    at_start(name, 1)
    hang(False)
    lives.restart()
    lives.kill()


def stuck(name, most, shape):
    fresh()
    hang(True)
    run(name, most, shape)


def run(name, most, shape):
    under_load(shape, DFS_CRASH="%s:%d" % (name, passing(most)))


def store(call, most):
    under_load(BIG, SLOW_DIE="%s:%d" % (call, passing(most)), SLOW_PATH="*-data/*")


def unnamed():
    """A COMMIT puts an object; the server dies before a row names it, and before the log is written."""
    lives.durability("remote")
    dies(COMMITS, DFS_CRASH="blocks-put")
    if not lives.data():
        raise Wrong("no object was put")
    return nothing_left()


def way(name, most, strategy):
    """What lies on the way when the server dies is gone after the next start."""
    fresh()
    lives.durability("power", 'flush_strategy = "%s"; size_threshold_mb = 1;' % strategy)
    dies(BIG, DFS_CRASH="%s:%d" % (name, passing(most)))
    if not lives.on_the_way():
        raise Wrong("nothing lies on the way")
    return nothing_left() or lives.on_the_way()


def locker(name):
    return Client(lives.server.port, name, address="127.0.0.2" if name == b"alpha" else "127.0.0.3")


def asks(client, fh):
    try:
        return client.lock(fh)
    except Gone:
        return "Gone"


def at_lock(name):
    """Who had a lock, or nearly, does not keep it from others when the time of grace is over."""
    fresh()
    lives.server.server = SMALL + ' lock_grace = "2s";'
    lives.server.write_config()
    early = name == "lock-client-put"
    lives.launch(**({"DFS_CRASH": name} if early else {}))
    fh = Conn(lives.server.port, 60).create(lives.root, b"locked", 0)[1]
    if asks(locker(b"alpha"), fh) != ("Gone" if early else "GRANTED"):
        return "the first lock is not granted"
    if not early:
        lives.kill()
        if lives.launch(DFS_CRASH=name):
            wait_for(lambda: asks(locker(b"beta"), fh) == "Gone", 30 * PATIENCE)
    # The connection may end before the process.
    if not wait_for(lives.dead, 10 * PATIENCE):
        return "not reached"
    lives.launch()
    beta = locker(b"beta")
    said = wait_for(lambda: beta.lock(fh) == "GRANTED", 30 * PATIENCE)
    lives.kill()
    return "" if said else "another client gets no lock: %s" % beta.lock(fh)


def nothing_left():
    lives.restart()
    return lives.empty() or lives.stop()


def all_known():
    """The points of the source and of the tables."""
    there = set()
    for path in glob.glob(os.environ["DFS_SRCDIR"] + "/core/**/*.c", recursive=True):
        with open(path) as f:
            there |= set(re.findall(r'DFS_FAILPOINT(?:_DUE)?\("([^"]+)"\)', f.read()))
    here = {p[0] for t in (RUN, WAYS, STUCK, FRESH, PARTS, STOP) for p in t} | set(START + LOCKS)
    return sorted(there ^ here)


check("every fail point has a row here", not all_known(), all_known())
for _ in range(rounds):
    fresh()
    for name, n in FRESH:
        point("%s, passing %d of the first start" % (name, n), lambda: first_start(name, n))
    for name, n in GROW:
        fresh()
        point("%s, passing %d, under the first load" % (name, n),
              lambda: under_load(BIG, DFS_CRASH="%s:%d" % (name, n)))
    fresh()
    point("an object that no row names goes with its file, though that seems empty", unnamed)
    fresh()
    for name, most, shape in RUN:
        point("%s under load" % name, lambda: run(name, most, shape))
    for name, most, strategy in WAYS:
        point("%s, %s" % (name, strategy), lambda: way(name, most, strategy))
    for name, most, shape in STUCK:
        point("%s, the block store hanging" % name, lambda: stuck(name, most, shape))
    for call, most in STORE:
        point("the block store at %s" % call, lambda: store(call, most))
    for name in START:
        point("%s at a start" % name, lambda: start(name))
    for name in LOCKS:
        point(name, lambda: at_lock(name))
    fresh()
    for name, share in PARTS:
        point("%s at a start, at %d %%" % (name, 100 * share), lambda: part(name, share))
    for name, n, shape in STOP:
        point("%s at a stop" % name, lambda: stop_at(name, n, shape))
    point("nothing is left when all is removed", nothing_left)
done()
