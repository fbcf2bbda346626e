#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""In a guest: locks of the kernel's client on files that another guest locks, too.

contend.py count FILE TIMES     lock all of FILE, read a number from it, write the next one, unlock; with fcntl
                                and flock by turns
contend.py hold FILE SAY WAIT   lock FILE, make the file SAY, hold until the file WAIT is there
contend.py try FILE             0: locked and unlocked again; 1: another has it
"""
import fcntl
import os
import sys
import time


def wait_for(path):
    while not os.path.exists(path):
        os.listdir(os.path.dirname(path) or ".")  # asks the server anew
        time.sleep(0.05)


what, name = sys.argv[1:3]
f = open(name, "r+b", buffering=0)
if what == "count":
    for i in range(int(sys.argv[3])):
        lock = fcntl.lockf if i % 2 else fcntl.flock
        lock(f, fcntl.LOCK_EX)
        value = int(os.pread(f.fileno(), 32, 0) or b"0")
        os.pwrite(f.fileno(), b"%020d\n" % (value + 1), 0)
        lock(f, fcntl.LOCK_UN)
elif what == "hold":
    fcntl.lockf(f, fcntl.LOCK_EX)
    open(sys.argv[3], "w").close()
    wait_for(sys.argv[4])
elif what == "try":
    try:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(1)
