#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that gets less than it wants: descriptors, plugins, a writable folder, a folder of its own."""
import os
import shutil
import time

import rpc
from rpc import Conn, Gone
from world import BUILD, Server, can_mount, check, done, folder, note, share, wait_for

def served(s):
    try:
        c = Conn(s.port, timeout=30)
        c.null()
        c.close()
        return True
    except (OSError, Gone):
        return False


# Few descriptors: connections wait, nobody who is in is thrown out, and all goes on afterwards.
server = Server([share("export", "leveldb", "filesystem")], limits=["prlimit", "--nofile=96:96", "--"])
first = Conn(server.port)
root = first.mount()
conns = [Conn(server.port) for _ in range(200)]
check("with 96 descriptors and 200 connects those who are in are served", first.getattr(root)[0] == 0)
fhs = [first.create(root, b"f%d" % i) for i in range(20)]
check("files are made", all(st == 0 for st, _ in fhs), [st for st, _ in fhs])
st = [first.write(fh, 0, bytes(100000))[0] for _, fh in fhs if fh]
check("writing is answered, if need be with an error", all(s in (0, rpc.IO, rpc.JUKEBOX, rpc.NOSPC) for s in st), st)
st = [first.commit(fh)[0] for _, fh in fhs if fh]
note("COMMIT without a free descriptor: %s" % sorted(set(st)))
check("committing is answered, if need be with an error", all(s in (0, rpc.IO, rpc.JUKEBOX) for s in st), st)
check("the log says what is short", "descriptor" in server.text(), server.text())
for c in conns:
    c.close()
check("new connections are served when descriptors are free", wait_for(lambda: served(server), 20), server.text())


def committed():
    return all(first.commit(fh)[0] == 0 for _, fh in fhs if fh)


check("and what could not be committed can be now", wait_for(committed, 20), server.text()[-2000:])
check("content is whole", all(first.read_all(fh) == bytes(100000) for _, fh in fhs if fh))
check("it stops in order", server.stop() == 0, server.text())


def refused(name, server, *words, status=1):
    check(name, *server.refused(*words, status=status))


# Plugins that are not there or are something else.
plugins = os.path.join(folder(), "plugins")
shutil.copytree(os.path.join(BUILD, ".plugins"), plugins)
env = {"DFS_PLUGIN_PATH": plugins}
leveldb = os.path.join(plugins, "metadata_leveldb.so")
with open(leveldb, "rb") as f:
    image = f.read()
os.unlink(leveldb)
refused("a missing plugin is named",
        Server([share("export", "leveldb", "filesystem")], env=env, start=False), "leveldb", status=2)
for n in (0, 3, 64, 4096, len(image) // 2, len(image) - 100):
    with open(leveldb, "wb") as f:
        f.write(image[:n])
    os.chmod(leveldb, 0o644)
    refused("a plugin cut at %d bytes is named" % n,
            Server([share("export", "leveldb", "filesystem")], env=env, start=False), "leveldb", status=2)

# One folder, two servers; the second leaves the first alone.
one = Server([share("export", "leveldb", "filesystem")])
refused("a second server on the same folder is refused", Server([share("export", "leveldb", "filesystem")], state=one.state, start=False),
        "in use by another server", str(one.pid))
c = Conn(one.port)
check("the first goes on", c.create(c.mount(), b"x")[0] == 0)
# Two state folders, one store: by absolute path.
stolen = share("export", "leveldb", "filesystem")
stolen = (stolen[0], stolen[1].replace("export-meta", one.state + "/export-meta"), stolen[2], stolen[3])
refused("a second server on the same metadata store is refused", Server([stolen], start=False), "export-meta")
one.kill()
one.start()
check("kill -9 leaves no lock behind", served(one))
assert one.stop() == 0

# A folder that cannot be written.
if not can_mount():
    note("no mount namespace can be made: read-only folders are not tried")
    done()


def read_only(path):
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "-m", "sh", "-c", script, path]


refused("a state folder on a read-only mount is named",
        Server([share("export", "leveldb", "filesystem")], state=one.state, limits=read_only(one.state), start=False), one.state)
parent = os.path.join(folder(), "ro")
os.mkdir(parent)
refused("one that cannot be made there is named",
        Server(state=os.path.join(parent, "state"), limits=read_only(parent), start=False), parent)
one = Server([share("export", "leveldb", "filesystem")], state=one.state)
check("the folder is as good as before where it can be written", Conn(one.port).lookup(Conn(one.port).mount(), b"x")[0] == 0)
check("it stops in order", one.stop() == 0, one.text())
done()
