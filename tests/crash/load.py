# SPDX-License-Identifier: MIT
"""Load on a share and a check of all of it: each worker has a folder, a connection and a model.

A worker stops when the server is gone; check() then takes what is there for the truth.  An answer
that does not come in 60 s, or a status that nothing explains, is an error.
"""
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
import rpc  # noqa: E402
from model import File, first_difference  # noqa: E402
from rpc import Conn, Gone, opaque, u32, u64  # noqa: E402

DEADLINE = 60
BORDERS = (4096, 65536, 4 << 20)
# How often a worker chooses what.
MIXED = dict(write=30, sync=8, commit=12, cut=8, create=8, remove=4, rename=5, read=6, stream=1)
BIG = dict(write=2, commit=2, cut=2, create=2, read=8, stream=20)
WRITES = dict(write=30, sync=8, commit=12, create=2)
KEEP = dict(write=30, sync=8, commit=12)
READS = dict(write=5, stream=1, create=2, read=30)
NAMES = dict(create=30, remove=20, rename=20, write=10, commit=5)
COMMITS = dict(write=20, commit=20, sync=5, create=1)


class Wrong(Exception):
    pass


class Stopped(Exception):
    """The worker shall end, and its request had been put off."""


def set_length(c, fh, length):
    return c.nfs(rpc.SETATTR, opaque(fh) + u32(0, 0, 0, 1) + u64(length) + u32(0, 0, 0))


def ask(what, call, stopping=lambda: False):
    """What call() answers, the status first; one that puts off is asked again."""
    end = time.monotonic() + DEADLINE
    while True:
        answer = call()
        if answer[0] == rpc.OK:
            return answer
        if answer[0] != rpc.JUKEBOX:
            raise Wrong("%s: status %d" % (what, answer[0]))
        if stopping():
            raise Stopped
        if time.monotonic() > end:
            raise Wrong("%s: JUKEBOX for %d s" % (what, DEADLINE))
        time.sleep(0.05)


def made(what, call, stopping=lambda: False):
    """The handle of what call() makes or finds."""
    fh = ask(what, call, stopping)[1]
    if fh is None:
        raise Wrong("%s: success without a handle" % (what,))
    return fh


class Worker(threading.Thread):
    """shape: weights of the steps; names: how many files at most; large: bytes of a large one at most."""

    def __init__(self, server, root, number, seed, shape=MIXED, names=10, large=12 << 20, spread=300000):
        super().__init__(daemon=True)
        self.server, self.rng, self.shape = server, random.Random(seed), shape
        self.names, self.large, self.spread, self.files, self.doing = names, large, spread, {}, None
        self.error, self.steps, self.verifier, self.stopping = None, 0, None, False
        c = Conn(server.port, DEADLINE)
        self.folder = b"w%d" % number

        def folder():
            st, fh = c.mkdir(root, self.folder)
            # A server died before it could tell.
            return c.lookup(root, self.folder) if st == rpc.EXIST else (st, fh)
        self.dir = made(("mkdir", self.folder), folder)
        c.close()

    def again(self):
        """The same worker for another life of the server."""
        other = object.__new__(Worker)
        threading.Thread.__init__(other, daemon=True)
        for key in ("server", "rng", "shape", "names", "large", "spread", "files", "doing", "folder", "dir"):
            setattr(other, key, getattr(self, key))
        other.error, other.steps, other.verifier, other.stopping = None, 0, self.verifier, False
        return other

    def run(self):
        try:
            self.c = Conn(self.server.port, DEADLINE)
            while not self.stopping:
                getattr(self, self.rng.choices(list(self.shape), self.shape.values())[0])()
                self.steps += 1
        except (Gone, ConnectionError, Stopped):
            pass
        except socket.timeout:
            self.error = "%s: no answer in %d s to %s" % (self.folder, DEADLINE, self.doing)
        except Wrong as e:
            self.error = "%s: %s" % (self.folder, e)
        except BaseException as e:
            self.error = "%s: %r during %s" % (self.folder, e, self.doing)

    def ask(self, what, call, how=ask):
        self.doing = what
        return how(what, call, lambda: self.stopping)

    def pick(self):
        if not self.files:
            self.create()
        return self.rng.choice(sorted(self.files))

    def offset(self):
        if self.rng.random() < 0.3:
            border = self.rng.choice(BORDERS) * self.rng.randint(0, 2)
            return max(0, border + self.rng.randint(-1, 1) * self.rng.choice((1, 100, 5000)))
        return self.rng.randrange(self.spread)

    def put(self, name, at, data, stable):
        file = self.files[name]
        change = file.asked(at, data)
        _, verifier = self.ask(("write", name, at, len(data), stable),
                               lambda: self.c.write(file.fh, at, data, stable))
        if self.verifier not in (None, verifier):
            raise Wrong("the verifier changed while the server ran")
        self.verifier = verifier
        file.answered(change, stable == rpc.FILE_SYNC)

    def write(self, stable=rpc.UNSTABLE):
        length = self.rng.choice((1, 100, 4096, 10000, 65536, 131072))
        if self.rng.random() < 0.5:
            length = self.rng.randint(1, length)
        self.put(self.pick(), self.offset(), self.rng.randbytes(length), stable)

    def sync(self):
        self.write(rpc.FILE_SYNC)

    def commit(self, name=None):
        name = name or self.pick()
        file = self.files[name]
        self.ask(("commit", name), lambda: self.c.commit(file.fh))
        file.committed()

    def cut(self):
        name = self.pick()
        file = self.files[name]
        length = self.offset() if self.rng.random() < 0.3 else self.rng.randint(0, len(file.now))
        change = file.asked(length, None)
        self.ask(("cut", name, length), lambda: set_length(self.c, file.fh, length))
        file.answered(change, True)

    def create(self):
        name = b"f%d" % self.rng.randrange(1 << 30)
        if len(self.files) >= self.names:
            return self.remove()
        fh = self.ask(("create", name), lambda: self.c.create(self.dir, name), made)
        self.files[name] = File()
        self.files[name].fh = fh

    def remove(self):
        name = self.pick()
        self.ask(("remove", name), lambda: (self.c.remove(self.dir, name),))
        del self.files[name]

    def rename(self):
        old = self.pick()
        new = self.pick() if self.rng.random() < 0.5 else b"r%d" % self.rng.randrange(1 << 30)
        if old != new:
            self.ask(("rename", old, new), lambda: (self.c.rename(self.dir, old, self.dir, new),))
            self.files[new] = self.files.pop(old)

    def read(self):
        """What is served while the server runs is what was written last."""
        name = self.pick()
        file = self.files[name]
        at = self.rng.randint(0, len(file.now))
        n = self.rng.choice((1, 4096, 300000))
        _, data = self.ask(("read", name, at, n), lambda: self.c.read(file.fh, at, n))
        want = bytes(file.now[at:at + n])
        if data != want[:len(data) or 1]:
            raise Wrong("%s: of %d bytes read at %d not all are what was written: %s" % (
                name, len(data), at, first_difference(data, want, at)))

    def stream(self):
        """A large file from its start on, committed."""
        name = self.pick()
        size = self.rng.randint(1, self.large)
        for at in range(0, size, 1 << 20):
            if name in self.files and not self.stopping:
                self.put(name, at, self.rng.randbytes(min(1 << 20, size - at)), rpc.UNSTABLE)
        self.commit(name)

    def whole(self, c, name):
        got = b""
        while True:
            data = ask("%s/%s: reading at %d" % (self.folder, name, len(got)),
                       lambda: c.read(self.files[name].fh, len(got), 1 << 20))[1]
            if not data:
                return got
            got += data

    def tree(self, c):
        """Compare names and content with the model, and adopt what is there."""
        try:
            names = set(c.listing(self.dir)) - {b".", b".."}
        except AssertionError as e:
            raise Wrong("%s: listing: status %s" % (self.folder, e)) from e
        kind, *rest = self.doing or (None,)
        if kind == "create" and rest[0] in names and rest[0] not in self.files:
            self.files[rest[0]] = File()
        if kind == "remove" and rest[0] not in names:
            self.files.pop(rest[0], None)
        if kind == "rename" and rest[0] in self.files and rest[0] not in names and rest[1] in names:
            self.files[rest[1]] = self.files.pop(rest[0])
        if names != set(self.files):
            raise Wrong("%s holds %s, should hold %s; %s was under way" % (
                self.folder, sorted(names), sorted(self.files), self.doing))
        for name, file in self.files.items():
            path = "%s/%s" % (self.folder, name)
            file.fh = made(path + ": looking it up", lambda: c.lookup(self.dir, name))
            got = self.whole(c, name)
            length = ask(path + ": its attributes", lambda: c.getattr(file.fh))[1]["size"]
            text = file.wrong(got)
            if text or length != len(got):
                raise Wrong("%s: %s; its size is %d, %d bytes are read; %s was under way" % (
                    path, text or "the bytes are right", length, len(got), self.doing))
            file.adopt(got)
        self.doing = None
