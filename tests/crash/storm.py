#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 every 50 to 500 ms under load, at several durability levels; all is checked after each.

DFS_CRASH_SECONDS: how long in all (20).  DFS_CRASH_SEED repeats the same choices.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from life import FAILURES, SMALL, Lives, wait_for  # noqa: E402
from load import BIG, COMMITS, MIXED, NAMES, WRITES  # noqa: E402
from world import check, done, note  # noqa: E402

LEVELS = ("power", "process", "remote")
seconds = float(os.environ.get("DFS_CRASH_SECONDS", 20))
seed = int(os.environ.get("DFS_CRASH_SEED", 0)) or int.from_bytes(os.urandom(3), "big") + 1
note("DFS_CRASH_SEED=%d" % seed)
rng = random.Random(seed)


def storm(level, settings, name):
    lives = Lives(rng.randrange(1 << 24), workers=4, settings=settings, durability=level, large=4 << 20)
    end, rounds = time.monotonic() + seconds / (len(LEVELS) + 1), 0
    try:
        while time.monotonic() < end or rounds < 3:
            lives.restart()
            moment = time.monotonic() + rng.uniform(0.05, 0.5)
            lives.load(lambda: time.monotonic() > moment, 10, rng.choice((MIXED, MIXED, BIG, COMMITS, NAMES, WRITES)))
            lives.kill()
            rounds += 1
        lives.restart()
        check("%s: after each of %d kills all is there that was acknowledged" % (name, rounds), True)
        text = lives.empty() or lives.stop()
        check("%s: when all is removed nothing is left of it" % name, not text, text)
    except FAILURES as e:
        check("%s: after each kill all is there that was acknowledged" % name, False,
              "kill %d: %s: %s" % (rounds, type(e).__name__, e), lives.server.text()[-3000:])
    lives.server.kill()
    note("%s: %d steps" % (name, lives.steps))


for level in LEVELS:
    storm(level, SMALL, level)
storm("process", SMALL.replace("wal = {", 'wal = { persister = "mmap";'), "process, log in mmap")
done()
