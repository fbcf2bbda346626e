# SPDX-License-Identifier: MIT
"""Lives of one server on one state folder: load, death, start, check."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
import rpc  # noqa: E402
import world  # noqa: E402
from load import MIXED, Worker, Wrong, ask, made  # noqa: E402
from rpc import Conn, Gone  # noqa: E402
from wal import Super  # noqa: E402
from world import Server, share, wait_for  # noqa: E402

SMALL = 'cache_size = "16M"; wal = { size = "32M"; segment_size = "8M"; };'
# A machine may be so many times slower than the one on which the waits were chosen.
PATIENCE = 4
# What ends a test: a fact that is wrong, or a server that has died under a request of the checker.
FAILURES = (Wrong, Gone, OSError)


class Lives:
    def __init__(self, seed, workers=3, settings=SMALL, durability="power", env=None, **shape):
        self.env = env or {}
        self.server = Server(server=settings, start=False)
        self.durability(durability)
        self.workers, self.seed, self.count, self.shape = [], seed, workers, shape
        self.verifiers, self.steps = set(), 0

    def durability(self, level, more=""):
        """Sums of usage are kept, so that each restart can prove that they have not drifted."""
        self.server.shares = [share("export", "leveldb", "filesystem",
                                    'durability = "%s"; quotas = { }; %s' % (level, more))]
        self.server.write_config()

    @property
    def wal(self):
        return os.path.join(self.server.state, "wal")

    def data(self):
        """The paths of all objects."""
        base = os.path.join(self.server.state, "export-data")
        return [os.path.join(d, f) for d, _, files in os.walk(base) for f in files if f[0] != "."]

    def on_the_way(self):
        """The paths of what flushes have in temporary places."""
        files = glob.glob(os.path.join(glob.escape(self.server.state), "flush", "___flushed", "*"))
        return files + [path for path in self.data() if "/___temp/" in path]

    def launch(self, **env):
        """False: it died before it was ready."""
        self.server.env = dict(self.env, **env)
        self.server.launch()
        s = self.server
        for w in self.workers:
            w.verifier = None
        if not wait_for(lambda: os.path.exists(s.ready) or not s.alive(), 60) or not os.path.exists(s.ready):
            return False
        try:
            c = Conn(s.port, 60)
            self.root = c.mount()
            c.close()
            for i in range(len(self.workers), self.count):
                self.workers.append(Worker(s, self.root, i, self.seed * 100 + i, **self.shape))
        except (Gone, ConnectionError):
            return False
        return True

    def dead(self):
        """Ended by SIGKILL, and by nothing else."""
        return self.server.process.poll() == -9

    def load(self, until, seconds, shape=MIXED):
        """Run until the condition holds; False: it did not in so many seconds."""
        self.workers = [w.again() for w in self.workers]
        for w in self.workers:
            w.shape = shape
            w.start()
        good = wait_for(lambda: until() or not self.server.alive(), seconds * PATIENCE)
        return bool(good)

    def end_load(self):
        """Workers end by themselves once the server is gone; else at their next step."""
        for w in self.workers:
            w.stopping = True
        for w in self.workers:
            if w.ident:
                w.join(90)
        self.steps += sum(w.steps for w in self.workers)
        for w in self.workers:
            if w.is_alive():
                raise Wrong("%s does not end: %s" % (w.folder, w.doing))
            if w.error:
                raise Wrong(w.error)

    def verifier(self):
        """Another one than in all lives before."""
        c = Conn(self.server.port, 60)
        name = b"verifier"
        fh = made("CREATE for the verifier", lambda: c.create(self.root, name, 0))
        # Of no bytes: such a WRITE is not put off when the log is full, and its store away.
        v = ask("WRITE for the verifier", lambda: c.write(fh, 0, b"", rpc.UNSTABLE))[1]
        if v in self.verifiers:
            raise Wrong("the write verifier %x came back" % v)
        self.verifiers.add(v)
        for w in self.workers:
            w.verifier = v
        ask("REMOVE after the verifier", lambda: (c.remove(self.root, name),))
        c.close()

    def sums(self):
        if not os.path.exists(self.server.state):
            return
        status, text = self.server.check_quotas()
        if status:
            raise Wrong("the sums of usage have drifted (status %d): %s" % (status, text))

    def restart(self):
        self.sums()
        if not self.launch():
            raise Wrong("the server does not start again")
        self.check()

    def check(self):
        self.verifier()
        c = Conn(self.server.port, 60)
        for w in self.workers:
            w.tree(c)
        c.close()

    def kill(self):
        self.server.kill()
        self.end_load()

    def empty(self):
        """Remove all; what is left of log and objects must go, too.  The text of what does not."""
        c = Conn(self.server.port, 60)
        for w in self.workers:
            for name in list(w.files):
                ask("removing %s" % name, lambda: (c.remove(w.dir, name),))
                del w.files[name]
        c.close()
        if not wait_for(lambda: not self.data(), 40 * PATIENCE):
            return "objects are left of files that are gone: %s" % self.data()[:5]
        return None

    def stop(self):
        """In order; the text of what is wrong with that."""
        status = self.server.stop(seconds=90)
        if status != 0:
            return "exit status %s\n%s" % (status, self.server.text()[-2000:])
        s = Super(self.wal)
        if not s.clean or s.used > 1:
            return "the log is %sclean and %d of its segments are in use" % ("" if s.clean else "not ", s.used)
        return None
