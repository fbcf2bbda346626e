#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A log that is damaged, of another format, missing, somebody else's or not to be written: what is
said, what is served, and that nothing is lost by it."""
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/crash"))
import rpc  # noqa: E402
import wal  # noqa: E402
from rpc import Conn  # noqa: E402
from world import Server, check, done, hang, share, shim_env, wait_for  # noqa: E402

SMALL = 'wal = { size = "32M"; segment_size = "8M"; };'


def new(more=SMALL):
    return Server([share("export", "leveldb", "filesystem")], server=more, env=shim_env(), start=False)


def folder_of(server):
    return os.path.join(server.state, "wal")


def files(server, *names):
    """Files with 64 KiB each of their own pattern, committed to the log and no further."""
    hang(True)
    server.start()
    c = Conn(server.port, 60)
    root, made = c.mount(), {}
    for name in names:
        data = os.urandom(65536)
        fh = c.create(root, name, 0)[1]
        assert c.write(fh, 0, data)[0] == 0 and c.commit(fh)[0] == 0
        made[name] = data
    c.close()
    server.kill()
    return made


def all_there(server, made):
    server.start()
    c = Conn(server.port, 60)
    root = c.mount()
    wrong = c.wrong(root, made)
    c.close()
    return not wrong, wrong


# A byte of an acknowledged record.
server = new()
made = files(server, b"good", b"bad", b"other")
places = wal.find(folder_of(server), made[b"bad"][30000:30064])
check("the record is found once in the log", len(places) == 1, places)
wal.flip(*places[0])
server.start()
c = Conn(server.port, 60)
root = c.mount()
bad = c.lookup(root, b"bad")[1]
check("reading an acknowledged record that is damaged is an input/output error", c.read(bad, 0, 65536)[0] == rpc.IO)
check("all else is served", not c.wrong(root, {n: made[n] for n in (b"good", b"other")}))
text = server.text()
check("the log says which file and which bytes", "65536 acknowledged bytes at 0 are damaged" in text and "error" in text, text)
hang(False)
check("the other files reach the block store", wait_for(
    lambda: sum(len(f) for _, _, f in os.walk(os.path.join(server.state, "export-data"))) >= 3, 60), server.text()[-2000:])
data = os.urandom(65536)
check("writing it anew heals it", c.write(bad, 0, data)[0] == 0 and c.commit(bad)[0] == 0 and c.read_all(bad) == data)
made[b"bad"] = data
c.close()
check("it stops in order", server.stop() == 0, server.text()[-2000:])
check("and all is there", *all_there(server, made))
server.stop()

# A log of another format, or with a feature that is not known.
made = files(server, b"f1")
with open(os.path.join(folder_of(server), "SUPER"), "rb") as f:
    before = f.read()
for name, offset, value, words in (("another format", 8, struct.pack("<I", 2), ("format 2", "format 1")),
                                   ("a feature that is not known", 16, struct.pack("<Q", 4), ("features", "0x4"))):
    wal.change_super(folder_of(server), offset, value)
    check("a log of %s is refused and named" % name, *server.refused(folder_of(server), *words))
    with open(os.path.join(folder_of(server), "SUPER"), "wb") as f:
        f.write(before)

# Two servers on one log.
hang(False)
server.start()
second = new('wal = { path = "%s"; size = "32M"; segment_size = "8M"; };' % folder_of(server))
check("a second server on the same log is refused and told why", *second.refused(folder_of(server), "another process"))
server.kill()
check("the first lost nothing by it", *all_there(server, made))
server.stop()

# Parts of the log that are missing.
made.update(files(server, b"f2"))
os.rename(os.path.join(folder_of(server), "SUPER"), os.path.join(server.dir, "SUPER"))
check("segments without a superblock are no new log", *server.refused("SUPER is missing", folder_of(server)))
os.rename(os.path.join(server.dir, "SUPER"), os.path.join(folder_of(server), "SUPER"))
used = [i for i, s in enumerate(wal.Super(folder_of(server)).segments) if s[0]]
segment = os.path.join(folder_of(server), "seg-%02d.wal" % used[0])
os.rename(segment, segment + ".away")
check("a segment that is missing is named", *server.refused(segment, "missing"))
os.rename(segment + ".away", segment)
check("all is there when it is back", *all_there(server, made))
server.kill()

# The folder itself: gone, a file, or not the server's.
shutil.move(folder_of(server), server.dir + "/away")
noted = os.path.join(server.state, "wal-folder")
check("a log that is gone is not taken for a new one", *server.refused("no write-ahead log in " + folder_of(server), noted))
os.mkdir(folder_of(server), 0o700)
check("nor is the empty folder under a mount that failed", *server.refused("no write-ahead log in " + folder_of(server), noted))
os.rmdir(folder_of(server))
with open(folder_of(server), "w"):
    pass
check("a file in the place of the folder is told", *server.refused(folder_of(server), "directory"))
os.unlink(folder_of(server))
shutil.move(server.dir + "/away", folder_of(server))
hang(False)
check("all is there when the folder is back", *all_there(server, made))
check("it stops in order", server.stop() == 0, server.text()[-2000:])
shutil.rmtree(folder_of(server))
os.unlink(noted)
check("without the note it begins a new log", *all_there(server, made))
server.kill()
done()
