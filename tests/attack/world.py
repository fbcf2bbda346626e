# SPDX-License-Identifier: MIT
"""What the attack scripts share: TAP, a server in a folder of its own, and looks at its process.

Server() writes a configuration, starts dfs and waits until it is ready; what is started or made
goes at exit.  A point is check(NAME, CONDITION, TEXT...); the plan comes from done().
"""
import atexit
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD, SOURCE = os.environ.get("DFS_BUILDDIR"), os.environ.get("DFS_SRCDIR")
points = failures = 0
work = None


def skip_all(why):
    print("1..0 # SKIP " + why)
    sys.exit(0)


def check(name, good, *text):
    global points, failures
    points += 1
    if not good:
        failures += 1
    print("%sok %d - %s" % ("" if good else "not ", points, name), flush=True)
    if not good:
        for t in text:
            for line in str(t).splitlines()[-40:]:
                print("# " + line)
    return good


def same(name, got, want):
    return check(name, got == want, "got %r, want %r" % (got, want))


def note(text):
    print("# " + text, flush=True)


def done():
    print("1..%d" % points)
    sys.exit(1 if failures else 0)


def folder():
    global work
    if not work:
        work = tempfile.mkdtemp(prefix="dittofs-attack.")
        atexit.register(shutil.rmtree, work, True)
    return work


def wait_for(condition, seconds=20):
    """What condition() answers as soon as it is true, or the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def free_port():
    return int(subprocess.check_output([os.path.join(SOURCE, "tests/free-port")]))


def sanitized():
    """Memory figures of an instrumented build say nothing."""
    with open(os.path.join(BUILD, "config.log"), errors="replace") as f:
        return "--enable-sanitizer" in f.read(20000)


def hang_switch():
    return os.path.join(folder(), "hang")


def hang(on):
    """Whether the disks hang that shim_env() names."""
    if on:
        open(hang_switch(), "w").close()
    elif os.path.exists(hang_switch()):
        os.unlink(hang_switch())


def shim_env(path="*-data/.tmp*", **more):
    """The environment of a server on the shim of slow.c: calls that reach a path like this hang on hang(True)."""
    shim = os.path.join(BUILD, "tests/attack/.libs/slow.so")
    if not os.path.exists(shim):
        skip_all("there is no shim that makes a disk slow")
    before = os.environ.get("LD_PRELOAD")
    return dict({"LD_PRELOAD": before + ":" + shim if before else shim, "SLOW_PATH": path, "SLOW_SWITCH": hang_switch(),
                 "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}, **more)


STORES = {
    "leveldb": 'type = "leveldb"; path = "%s-meta";',
    "memory": 'type = "memory";',
    "filesystem": 'type = "filesystem"; path = "%s-data";',
}


def share(name, metadata="memory", blocks="memory", more="", access="rw"):
    """A share at /NAME with stores of its own."""
    volatile = "memory" in (metadata, blocks)
    return (name,
            "%s-m = { %s };" % (name, STORES[metadata] % name if "%" in STORES[metadata] else STORES[metadata]),
            "%s-b = { %s };" % (name, STORES[blocks] % name if "%" in STORES[blocks] else STORES[blocks]),
            '%s = { path = "/%s"; metadata = "%s-m"; blocks = "%s-b"; %s %s clients = ( { match = "127.0.0.0/8"; '
            'access = "%s"; squash = "none"; } ); };' % (
                name, name, name, name, 'durability = "none";' if volatile else "", more, access))


class Server:
    def __init__(self, shares=None, server="", nfs="", state=None, limits=(), env=None, start=True,
                 listen="127.0.0.1"):
        self.dir = tempfile.mkdtemp(dir=folder())
        self.state = state or os.path.join(self.dir, "state")
        self.conf = os.path.join(self.dir, "dfs.conf")
        self.ready = os.path.join(self.dir, "ready")
        self.log = os.path.join(self.dir, "log")
        self.port = free_port()
        self.shares, self.server, self.nfs = shares or [share("export")], server, nfs
        self.limits, self.env, self.process, self.listen = limits, env or {}, None, listen
        self.write_config()
        atexit.register(self.kill)
        if start:
            self.start()

    def write_config(self):
        with open(self.conf + ".new", "w") as f:
            f.write('server = { state_dir = "%s"; %s };\n' % (self.state, self.server))
            f.write("metadata_stores = { %s };\n" % " ".join(s[1] for s in self.shares))
            f.write("block_stores = { %s };\n" % " ".join(s[2] for s in self.shares))
            f.write("shares = { %s };\n" % "\n".join(s[3] for s in self.shares))
            f.write('adapters = { nfs = { listen = "%s"; port = %d; %s }; };\n' % (
                self.listen, self.port, self.nfs))
        os.rename(self.conf + ".new", self.conf)

    def launch(self):
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        env = dict(os.environ, DFS_PLUGIN_PATH=os.path.join(BUILD, ".plugins"))
        env.update(self.env)
        command = [os.path.join(BUILD, "tools/dfs/dfs"), "-c", self.conf, "--ready-file=" + self.ready]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(list(self.limits) + command, stderr=log, env=env)

    def start(self):
        self.launch()
        wait_for(lambda: os.path.exists(self.ready) or self.process.poll() is not None, 60)
        if not os.path.exists(self.ready):
            note("the server did not start:")
            check("the server starts", False, self.text())
            done()

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=60):
        """The exit status; None: it did not end in time."""
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def check_quotas(self):
        """Exit status and output of a recount of the stores, the server being down."""
        env = dict(os.environ, DFS_PLUGIN_PATH=os.path.join(BUILD, ".plugins"))
        run = subprocess.run([os.path.join(BUILD, "tools/dfs/dfs"), "-c", self.conf, "--check-quotas"],
                             env=env, capture_output=True, text=True, timeout=120)
        return run.returncode, run.stdout + run.stderr

    def refused(self, *words, status=1):
        """Whether it ends by itself with this status and a line that has all the words; and what it says."""
        before = len(self.text()) if os.path.exists(self.log) else 0
        self.launch()
        ended = wait_for(lambda: self.process.poll() is not None, 60) and self.process.returncode
        self.kill()
        text = self.text()[before:]
        good = ended == status and any(all(w in line for w in words) for line in text.splitlines())
        return good, "status %s\n%s" % (ended, text)

    def memory(self):
        """KiB of private memory: what it would give back by ending."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def counter(self, name):
        before = len(self.text())
        self.send(signal.SIGUSR1)

        def find():
            return re.search(r"counter %s (-?\d+)" % name, self.text()[before:])
        m = wait_for(find, 10)
        return int(m.group(1)) if m else None


def can_mount():
    """Whether this test can make a mount namespace."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


class Mounted(Server):
    """Parts of its state folder ("": all of it) are tmpfs mounts in a namespace that outlives the server.

    A holder keeps the namespace until end(); inside() is the way in from here.
    """

    def __init__(self, shares, sizes, **more):
        if not can_mount():
            skip_all("no mount namespace can be made")
        super().__init__(shares, start=False, **more)
        self.parts = {part: os.path.join(self.state, part).rstrip("/") for part in sizes}
        for path in (self.state, *self.parts.values()):
            os.makedirs(path, 0o700, exist_ok=True)
        mounts = ["mount -t tmpfs -o mode=700,size=%s tmpfs %s" % (sizes[p], shlex.quote(self.parts[p])) for p in sizes]
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", " && ".join(mounts + ["echo up", "exec cat"])],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            skip_all("no tmpfs can be mounted here")
        self.limits = ["nsenter", "-m", "-t", str(self.holder.pid), "--"]
        self.start()

    def inside(self, part=""):
        return "/proc/%d/root%s" % (self.holder.pid, self.parts[part])

    def remount(self, part, how):
        run = [*self.limits, "mount", "-o", "remount," + how, self.parts[part]]
        return wait_for(lambda: subprocess.run(run, capture_output=True).returncode == 0, 10)

    def end(self):
        self.kill()
        self.holder.kill()
        self.holder.wait()
