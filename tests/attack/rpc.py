# SPDX-License-Identifier: MIT
"""ONC RPC, MOUNT and NFSv3 by hand over a raw socket, for tests that send what no client would.

Conn.call() waits for its reply; Conn.send() and Conn.receive() let a test pipeline or never read.
Every socket has a timeout: a server that does not answer fails the test instead of hanging it.
"""
import os
import socket
import struct

NFS, MOUNT = 100003, 100005
(NULL, GETATTR, SETATTR, LOOKUP, ACCESS, READLINK, READ, WRITE, CREATE, MKDIR, SYMLINK, MKNOD, REMOVE,
 RMDIR, RENAME, LINK, READDIR, READDIRPLUS, FSSTAT, FSINFO, PATHCONF, COMMIT) = range(22)
OK, NOENT, IO, ACCES, EXIST, INVAL, NOSPC, ROFS, STALE, BADHANDLE, JUKEBOX = (
    0, 2, 5, 13, 17, 22, 28, 30, 70, 10001, 10008)
UNSTABLE, FILE_SYNC = 0, 2


class Gone(Exception):
    """The server closed the connection."""


def u32(*values):
    return struct.pack(">%dI" % len(values), *values)


def u64(value):
    return struct.pack(">Q", value)


def opaque(data):
    return u32(len(data)) + data + b"\0" * (-len(data) % 4)


def auth_sys(uid=0, gid=0):
    return u32(1) + opaque(u32(0) + opaque(b"attacker") + u32(uid, gid, 0)) + u32(0, 0)


AUTH_NONE = u32(0, 0, 0, 0)
ROOT = auth_sys()


def record(payload):
    return u32(0x80000000 | len(payload)) + payload


def message(xid, prog, vers, proc, args=b"", cred=ROOT):
    return u32(xid, 0, 2, prog, vers, proc) + cred + args


class Reply:
    """The body of an accepted, successful reply; a cursor over its words."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def u32(self):
        self.at += 4
        return struct.unpack_from(">I", self.data, self.at - 4)[0]

    def u64(self):
        self.at += 8
        return struct.unpack_from(">Q", self.data, self.at - 8)[0]

    def opaque(self):
        n = self.u32()
        data = self.data[self.at:self.at + n]
        self.at += (n + 3) & ~3
        return data

    def attr(self):
        """fattr3: a dictionary."""
        kind, mode, nlink, uid, gid = struct.unpack_from(">5I", self.data, self.at)
        size, used = struct.unpack_from(">2Q", self.data, self.at + 20)
        self.at += 84
        return dict(type=kind, mode=mode, nlink=nlink, uid=uid, gid=gid, size=size, used=used)

    def post_attr(self):
        return self.attr() if self.u32() else None

    def wcc(self):
        if self.u32():
            self.at += 24
        return self.post_attr()


class Conn:
    xid = int.from_bytes(os.urandom(3), "big") << 8

    def __init__(self, port, timeout=20, rcvbuf=None, cred=ROOT, address="127.0.0.1", source=None):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.s.settimeout(timeout)
        if source:
            self.s.bind((source, 0))
        self.s.connect((address, port))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cred = cred
        self.buffer = b""

    def close(self):
        self.s.close()

    def raw(self, data):
        try:
            self.s.sendall(data)
        except (ConnectionError, BrokenPipeError) as e:
            raise Gone(str(e)) from e

    def _take(self, n):
        while len(self.buffer) < n:
            try:
                data = self.s.recv(1 << 20)
            except ConnectionError as e:
                raise Gone(str(e)) from e
            if not data:
                raise Gone("end of stream")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def receive(self):
        """The next record, all fragments of it."""
        whole = b""
        while True:
            mark = struct.unpack(">I", self._take(4))[0]
            whole += self._take(mark & 0x7fffffff)
            if mark & 0x80000000:
                return whole

    def closed_by_server(self):
        try:
            while True:
                self.receive()
        except Gone:
            return True
        except socket.timeout:
            return False

    def send(self, prog, vers, proc, args=b"", xid=None):
        if xid is None:
            Conn.xid = (Conn.xid + 1) & 0xffffffff
            xid = Conn.xid
        self.raw(record(message(xid, prog, vers, proc, args, self.cred)))
        return xid

    def body(self, data):
        xid, kind, denied, _, verf_len, accept = struct.unpack(">6I", data[:24])
        assert kind == 1 and denied == 0 and verf_len == 0, data[:24]
        assert accept == 0, "accept_stat %d" % accept
        return xid, Reply(data[24:])

    def call(self, prog, vers, proc, args=b"", xid=None):
        want = self.send(prog, vers, proc, args, xid)
        while True:
            xid, reply = self.body(self.receive())
            if xid == want:
                return reply

    def null(self):
        self.call(NFS, 3, NULL)

    def mount(self, path=b"/export"):
        r = self.call(MOUNT, 3, 1, opaque(path))
        status = r.u32()
        assert status == 0, "MNT of %r: %d" % (path, status)
        return r.opaque()

    def nfs(self, proc, args, xid=None):
        r = self.call(NFS, 3, proc, args, xid)
        return r.u32(), r

    def getattr(self, fh):
        st, r = self.nfs(GETATTR, opaque(fh))
        return st, r.attr() if st == OK else None

    def lookup(self, dir, name):
        st, r = self.nfs(LOOKUP, opaque(dir) + opaque(name))
        return st, r.opaque() if st == OK else None

    def create(self, dir, name, how=1, xid=None):
        st, r = self.nfs(CREATE, create_args(dir, name, how), xid)
        return st, r.opaque() if st == OK and r.u32() else None

    def mkdir(self, dir, name):
        st, r = self.nfs(MKDIR, opaque(dir) + opaque(name) + u32(0, 0, 0, 0, 0, 0))
        return st, r.opaque() if st == OK and r.u32() else None

    def remove(self, dir, name, xid=None):
        return self.nfs(REMOVE, opaque(dir) + opaque(name), xid)[0]

    def rmdir(self, dir, name):
        return self.nfs(RMDIR, opaque(dir) + opaque(name))[0]

    def rename(self, dir, name, dir2, name2):
        return self.nfs(RENAME, opaque(dir) + opaque(name) + opaque(dir2) + opaque(name2))[0]

    def write(self, fh, offset, data, stable=UNSTABLE):
        """Status, and the write verifier."""
        st, r = self.nfs(WRITE, write_args(fh, offset, data, stable))
        r.wcc()
        if st != OK:
            return st, None
        count = r.u32()
        assert count == len(data), count
        assert r.u32() >= stable
        return st, r.u64()

    def commit(self, fh):
        st, r = self.nfs(COMMIT, opaque(fh) + u64(0) + u32(0))
        r.wcc()
        return st, r.u64() if st == OK else None

    def read(self, fh, offset, count):
        st, r = self.nfs(READ, opaque(fh) + u64(offset) + u32(count))
        r.post_attr()
        if st != OK:
            return st, None
        r.u32(), r.u32()
        return st, r.opaque()

    def read_all(self, fh):
        whole = b""
        while True:
            st, data = self.read(fh, len(whole), 1 << 20)
            assert st == OK, st
            if not data:
                return whole
            whole += data

    def wrong(self, dir, files):
        """Those of {name: content} that are not there like that, each with LOOKUP's status.  None: any content."""
        bad = []
        for name, data in files.items():
            st, fh = self.lookup(dir, name)
            if st or (data is not None and self.read_all(fh) != data):
                bad.append((name, st))
        return bad

    def listing(self, dir, plus=False, maxcount=1 << 20):
        """Every name, in batches; a generator."""
        cookie, verf = 0, 0
        while True:
            args = opaque(dir) + u64(cookie) + u64(verf)
            st, r = self.nfs(READDIRPLUS if plus else READDIR,
                             args + (u32(maxcount, maxcount) if plus else u32(maxcount)))
            assert st == OK, st
            r.post_attr()
            verf = r.u64()
            while r.u32():
                r.u64()
                name = r.opaque()
                cookie = r.u64()
                if plus:
                    r.post_attr()
                    if r.u32():
                        r.opaque()
                yield name
            if r.u32():
                return


def create_args(dir, name, how=1):
    """how: 0 unchecked, 1 guarded, bytes: the verifier of an exclusive one."""
    if isinstance(how, bytes):
        return opaque(dir) + opaque(name) + u32(2) + how
    return opaque(dir) + opaque(name) + u32(how) + u32(1, 0o644, 0, 0, 0, 0, 0)


def write_args(fh, offset, data, stable=UNSTABLE):
    return opaque(fh) + u64(offset) + u32(len(data), stable) + opaque(data)
