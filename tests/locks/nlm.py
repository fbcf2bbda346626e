# SPDX-License-Identifier: MIT
"""NLM by hand: a client's calls, and a client's side of call-backs (its rpcbind, lock manager, status monitor).

own_network() puts the test into a network of its own, where a client's rpcbind may have port 111.
"""
import os
import queue
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../attack"))
import rpc
from rpc import opaque, u32, u64
from world import skip_all

NLM, PMAP, NSM = 100021, 100000, 100024
TEST, LOCK, CANCEL, UNLOCK, GRANTED = 1, 2, 3, 4, 5
TEST_MSG, LOCK_MSG, CANCEL_MSG, UNLOCK_MSG, GRANTED_MSG = 6, 7, 8, 9, 10
TEST_RES, LOCK_RES, CANCEL_RES, UNLOCK_RES, GRANTED_RES = 11, 12, 13, 14, 15
SHARE, UNSHARE, NM_LOCK, FREE_ALL = 20, 21, 22, 23
STATS = ["GRANTED", "DENIED", "NOLOCKS", "BLOCKED", "GRACE", "DEADLCK", "ROFS", "STALE_FH", "FBIG", "FAILED"]


def own_network():
    if os.environ.get("DFS_OWN_NETWORK"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        skip_all("no network namespace can be made: a client's rpcbind needs port 111")
    os.environ["DFS_OWN_NETWORK"] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, os.path.abspath(sys.argv[0])])


class Client:
    """A host's lock manager as a caller, under one name from one address; state: its status monitor's."""

    def __init__(self, port, name=b"alpha", version=4, address="127.0.0.2", cred=rpc.ROOT, to="127.0.0.1", state=1):
        self.name, self.version, self.address, self.state = name, version, address, state
        self.conn = rpc.Conn(port, address=to, source=address, cred=cred)
        self.cookies = 0
        self.holder = None

    def cookie(self):
        self.cookies += 1
        return b"cookie-%d" % self.cookies

    def offset(self, value):
        return u64(value) if self.version >= 4 else u32(value)

    def alock(self, fh, svid, start, length, oh):
        return (opaque(self.name) + opaque(fh) + opaque(oh) + u32(svid) + self.offset(start) + self.offset(length))

    def answer(self, reply, cookie):
        got = reply.opaque()
        assert got == cookie, "the cookie came back as %r" % got
        return STATS[reply.u32()]

    def call(self, proc, body, cookie=None):
        cookie = self.cookie() if cookie is None else cookie
        reply = self.conn.call(NLM, self.version, proc, opaque(cookie) + body)
        return self.answer(reply, cookie), reply

    def lock(self, fh, svid=1, start=0, length=0, exclusive=True, block=False, reclaim=False, oh=b"oh", proc=LOCK,
             cookie=None):
        return self.call(proc, u32(block, exclusive) + self.alock(fh, svid, start, length, oh) +
                         u32(reclaim, self.state), cookie)[0]

    def test(self, fh, svid=1, start=0, length=0, exclusive=True, oh=b"oh"):
        stat, r = self.call(TEST, u32(exclusive) + self.alock(fh, svid, start, length, oh))
        if stat == "DENIED":
            get = r.u64 if self.version >= 4 else r.u32
            self.holder = (bool(r.u32()), r.u32(), r.opaque(), get(), get())
        return stat

    def unlock(self, fh, svid=1, start=0, length=0, oh=b"oh"):
        return self.call(UNLOCK, self.alock(fh, svid, start, length, oh))[0]

    def cancel(self, fh, svid=1, start=0, length=0, exclusive=True, block=True, oh=b"oh"):
        return self.call(CANCEL, u32(block, exclusive) + self.alock(fh, svid, start, length, oh))[0]

    def share(self, fh, access, deny, oh=b"oh", reclaim=False, proc=SHARE):
        return self.call(proc, opaque(self.name) + opaque(fh) + opaque(oh) + u32(deny, access, reclaim))[0]

    def unshare(self, fh, oh=b"oh"):
        return self.share(fh, 0, 0, oh, proc=UNSHARE)

    def free_all(self, name=None):
        self.conn.call(NLM, self.version, FREE_ALL, opaque(name or self.name) + u32(3))

    def message(self, proc, body):
        cookie = self.cookie()
        self.conn.call(NLM, self.version, proc, opaque(cookie) + body)
        return cookie


class Listener:
    """What a host answers: its rpcbind on port 111 by TCP and UDP, its lock manager by TCP and its status monitor by UDP.

    Each call to the lock manager is put into calls as (version, procedure, body); reply(version, procedure, body)
    makes the result, None: there is no answer.  Each to the status monitor is put into notices as (address that it
    came from, procedure, name, words behind it).
    """

    def __init__(self, address="127.0.0.2", reply=None):
        self.calls, self.notices = queue.Queue(), queue.Queue()
        self.reply = reply or (lambda version, proc, body: granted(body))
        self.address = address
        self.nlm = self.listen(0, self.serve_nlm)
        self.nsm = self.receive(0, self.serve_nsm)
        self.rpcbind = self.listen(111, self.serve_rpcbind), self.receive(111, self.serve_rpcbind)

    def socket(self, kind, port):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.address, port))
        return s

    def listen(self, port, serve):
        s = self.socket(socket.SOCK_STREAM, port)
        s.listen(16)

        def accept():
            while True:
                try:
                    c, peer = s.accept()
                except OSError:
                    return
                threading.Thread(target=self.converse, args=(c, peer, serve), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return s

    def receive(self, port, serve):
        s = self.socket(socket.SOCK_DGRAM, port)

        def answer():
            while True:
                data, peer = s.recvfrom(65536)
                result = self.answer(data, peer, serve)
                if result:
                    s.sendto(result, peer)
        threading.Thread(target=answer, daemon=True).start()
        return s

    @staticmethod
    def take(c, n):
        data = b""
        while len(data) < n:
            more = c.recv(n - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    @staticmethod
    def answer(data, peer, serve):
        xid, _, _, prog, vers, proc = struct.unpack_from(">6I", data)
        at = 24
        for _ in range(2):  # credential and verifier
            n = struct.unpack_from(">I", data, at + 4)[0]
            at += 8 + ((n + 3) & ~3)
        result = serve(peer, prog, vers, proc, data[at:])
        return None if result is None else u32(xid, 1, 0, 0, 0, 0) + result

    def converse(self, c, peer, serve):
        try:
            while True:
                mark = struct.unpack(">I", self.take(c, 4))[0]
                result = self.answer(self.take(c, mark & 0x7fffffff), peer, serve)
                if result:
                    c.sendall(rpc.record(result))
        except OSError:
            pass

    def serve_rpcbind(self, peer, prog, vers, proc, body):
        assert (prog, vers, proc) == (PMAP, 2, 3), (prog, vers, proc)
        want, _, protocol = struct.unpack_from(">3I", body)
        here = {(NLM, socket.IPPROTO_TCP): self.nlm, (NSM, socket.IPPROTO_UDP): self.nsm}.get((want, protocol))
        return u32(here.getsockname()[1] if here else 0)

    def serve_nlm(self, peer, prog, vers, proc, body):
        if proc == 0:
            return b""
        self.calls.put((vers, proc, body))
        return self.reply(vers, proc, body)

    def serve_nsm(self, peer, prog, vers, proc, body):
        r = rpc.Reply(body)
        name = r.opaque()
        self.notices.put((peer[0], proc, name, list(struct.unpack(">%dI" % (len(r.data[r.at:]) // 4), r.data[r.at:]))))
        return b""

    def expect(self, proc, seconds=30):
        """The next call, which must be of this procedure: its version, a cursor over its body."""
        vers, got, body = self.calls.get(timeout=seconds)
        assert got == proc, "procedure %d came" % got
        return vers, rpc.Reply(body)


def granted(body, stat=0):
    """An answer with the cookie of the call."""
    n = struct.unpack_from(">I", body)[0]
    return body[:4 + ((n + 3) & ~3)] + u32(stat)


def granted_args(version, r):
    """GRANTED's arguments as a dictionary."""
    get = r.u64 if version >= 4 else r.u32
    return dict(cookie=r.opaque(), exclusive=bool(r.u32()), name=r.opaque(), fh=r.opaque(), oh=r.opaque(), svid=r.u32(),
                start=get(), length=get())
