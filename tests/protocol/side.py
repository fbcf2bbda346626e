# SPDX-License-Identifier: MIT
"""For tests of what stands beside NFS at port 111: a private network, the real rpcbind, calls by UDP.

inside() runs the script again in namespaces of its own: loopback and two more addresses on it, HERE
for the server and THERE for a client that is not on the server's host as far as addresses tell, and an
empty /run, so that no rpcbind but the one started here is to be seen.
"""
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../attack"))
from rpc import AUTH_NONE, Reply, message, opaque, u32  # noqa: E402
from world import BUILD, folder, skip_all, wait_for  # noqa: E402,F401

HERE, THERE = "10.77.0.1", "10.77.0.2"
PMAP, MOUNT, NFS, NSM, NLM = 100000, 100005, 100003, 100024, 100021
UDP, TCP = 17, 6
SETUP = """set -e
ip link set lo up
ip addr add %s/32 dev lo
ip addr add %s/32 dev lo
ip -6 addr show dev lo | grep -q ::1
mount -t tmpfs tmpfs /run
printf '127.0.0.1 localhost\\n%s server.test server\\n%s client.test client\\n' >/run/hosts
mount --bind /run/hosts /etc/hosts
exec "$@" """ % (HERE, THERE, HERE, THERE)


def inside(*programs):
    if os.environ.get("DFS_TEST_INSIDE"):
        return
    for p in programs:
        if subprocess.run(["sh", "-c", "command -v " + p], capture_output=True).returncode:
            skip_all("the program %s is not installed" % p)
    probe = ["unshare", "-n", "-m", "sh", "-c", SETUP, "sh", "true"]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True).returncode != 0:
        skip_all("no network namespace with IPv6, or no mount namespace, can be made")
    os.environ["DFS_TEST_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-n", "-m", "sh", "-c", SETUP, "sh", sys.executable, *sys.argv])


def tool(*command, seconds=30):
    """What it prints, errors included."""
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, text=True)
    return p.stdout


class Daemon:
    """A process that is ended by end(), or when the namespace's first process ends."""

    def __init__(self, *command):
        self.log = os.path.join(folder(), os.path.basename(command[0]) + ".log")
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def answers(port, address="127.0.0.1"):
    s = socket.socket()
    try:
        s.connect((address, port))
        return True
    except OSError:
        return False
    finally:
        s.close()


def start_rpcbind():
    os.makedirs("/run/rpcbind", exist_ok=True)
    d = Daemon("rpcbind", "-f", "-w")
    if not wait_for(lambda: os.path.exists("/run/rpcbind.sock") and answers(111)):
        skip_all("rpcbind does not start here")
    return d


class Udp:
    """Calls by UDP from an address and, if it is not 0, a port."""
    xid = 0x77000000

    def __init__(self, source=THERE, port=0, timeout=10):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((source, port))
        self.s.settimeout(timeout)

    def send(self, to, prog, vers, proc, args=b"", cred=AUTH_NONE):
        Udp.xid += 1
        self.s.sendto(message(Udp.xid, prog, vers, proc, args, cred), to)
        return Udp.xid

    def call(self, to, prog, vers, proc, args=b"", cred=AUTH_NONE):
        """(accept_stat, results), (None, None) when nothing comes; the answer must come from whom it was
        asked of."""
        want = self.send(to, prog, vers, proc, args, cred)
        try:
            while True:
                data, whence = self.s.recvfrom(65536)
                xid, kind, denied, _, _, accept = struct.unpack(">6I", data[:24])
                if xid == want:
                    assert kind == 1 and denied == 0 and whence == to, (kind, denied, whence)
                    return accept, data[24:]
        except socket.timeout:
            return None, None


def words(data):
    return list(struct.unpack(">%dI" % (len(data) // 4), data[:len(data) // 4 * 4]))


def pmap_set(prog, vers, prot, port, proc=1):
    """SET, or UNSET (2), with the rpcbind of this network."""
    for source in range(1010, 900, -1):
        try:
            u = Udp("127.0.0.1", source)
        except OSError:
            continue
        stat, data = u.call(("127.0.0.1", 111), PMAP, 2, proc, u32(prog, vers, prot, port))
        u.s.close()
        return stat == 0 and words(data) == [1]
    return False


class Statd:
    """A status monitor of ours, registered with this network's rpcbind."""

    def __init__(self, protocol=UDP, program=NSM, version=1, address=THERE):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM)
        self.s.bind((address, 0))
        self.s.settimeout(30)
        if protocol == TCP:
            self.s.listen(5)
        self.port = self.s.getsockname()[1]
        self.what = program, version, protocol
        assert pmap_set(*self.what, self.port)

    def next(self, reply=True, skip=()):
        """(who, procedure, name, words behind it) of the next call by UDP that is not one of skip's xids."""
        while True:
            data, peer = self.s.recvfrom(65536)
            xid, kind, vers, prog, pvers, proc, _, cred = struct.unpack(">8I", data[:32])
            if xid in skip:
                continue
            assert (kind, vers, prog, pvers) == (0, 2, *self.what[:2])
            r = Reply(data[32 + cred + 8:])
            name = r.opaque()
            if reply:
                self.s.sendto(u32(xid, 1, 0, 0, 0, 0), peer)
            self.xid = xid
            return peer, proc, name.decode(), r.data[r.at:]

    def end(self):
        pmap_set(*self.what, self.port, proc=2)
        self.s.close()


def registered():
    """{(program, version, "tcp"): port} of rpcinfo -p."""
    rows = [line.split() for line in tool("rpcinfo", "-p", "127.0.0.1").splitlines()[1:]]
    return {(int(r[0]), int(r[1]), r[2]): int(r[3]) for r in rows if len(r) >= 4 and r[0].isdigit()}
