#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stop while the disks of some shares hang, of one that has a request and one that has none: it ends, and
loses nothing of a share whose disk is good."""
import rpc
from rpc import Conn, opaque
from world import Server, check, done, hang, share, shim_env

NONE = 'durability = "none";'
server = Server([share(s, "leveldb", "filesystem", NONE) for s in ("good", "stuck1")]
                + [share("stuck2", "leveldb", "filesystem")],
                server='drain = "1s"; write_out = "10s"', env=shim_env("*stuck*"))
c = Conn(server.port)
files = {}
for s in "good", "stuck1", "stuck2":
    root = c.mount(b"/" + s.encode())
    files[s] = [(c.create(root, b"f%d" % i)[1], b"%s %d " % (s.encode(), i) * 5000) for i in range(50)]
hang(True)
for s in "stuck1", "good":
    for fh, data in files[s]:
        assert c.write(fh, 0, data)[0] == 0
waiting = Conn(server.port)
waiting.send(rpc.NFS, 3, rpc.WRITE, opaque(files["stuck2"][0][0]) + rpc.u64(0) + rpc.u32(3) + rpc.u32(rpc.FILE_SYNC)
             + opaque(b"abc"))
check("it ends, and not as if all were well", server.stop(seconds=90) == 1, server.text()[-3000:])
hang(False)
server.kill()
server.start()
c = Conn(server.port)
check("what the share with the good disk had is there",
      all(c.read_all(fh) == data for fh, data in files["good"]), server.text()[-3000:])
check("it stops in order", server.stop(seconds=60) == 0, server.text()[-3000:])
done()
