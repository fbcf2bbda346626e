# SPDX-License-Identifier: MIT
"""The rows of the comparison: which workload, on which servers, and how durable each server's
answer to it is.

A server's figure is set against nfs-ganesha's only where both answers mean the same:
  volatile    in memory; a restart of the server loses it
  page-cache  with the kernel; a power failure loses it
  durable     on the disk before the answer (for unstable writes: before COMMIT's)
  -           nothing was changed
"""

READ, VOLATILE, CACHE, DURABLE = "-", "volatile", "page-cache", "durable"

ECHO = "echo"
DFS_MEM, DFS_DISK = "dfs-mem", "dfs-disk"
GANESHA_MEM, GANESHA_VFS = "ganesha-mem", "ganesha-vfs"
SERVERS = [ECHO, DFS_MEM, GANESHA_MEM, DFS_DISK, GANESHA_VFS]
RIVAL = {DFS_MEM: GANESHA_MEM, DFS_DISK: GANESHA_VFS}

MEMORY = [ECHO, DFS_MEM, GANESHA_MEM]
DISK = [ECHO, DFS_DISK, GANESHA_VFS]
ALL = SERVERS

MEM_FILE = 2 << 20  # the largest file that ganesha's MEM keeps data of
COPIES = {"bytes": "mb_per_s", "entries": "entries_per_s", "ops": "ops_per_s"}


class Row:
    """One workload at one load.  kind: bytes, entries or ops, the unit of its rate; names: it
    makes names, which need a bound and a fresh folder; disk: what a server on disk promises of it,
    by server."""

    def __init__(self, name, workload, servers, conns=4, depth=16, kind="ops", args=(), inode=0,
                 names=False, changes=False, disk=None, seconds=None):
        self.name, self.workload, self.servers = name, workload, servers
        self.conns, self.depth, self.kind, self.args = conns, depth, kind, list(args)
        self.inode, self.names, self.changes = inode, names, changes
        self.disk = disk or {}
        self.seconds = seconds

    def durability(self, server):
        if server == ECHO or not self.changes:
            return READ
        return VOLATILE if server in MEMORY else self.disk[server]

    def rate(self, result):
        return result[COPIES[self.kind]]

    def load(self):
        return f"{self.conns}x{self.depth}"


# ganesha's VFS leaves names to the kernel; its COMMIT and its stable WRITE sync the file.
NAMES = {DFS_DISK: DURABLE, GANESHA_VFS: CACHE}
SYNCED = {DFS_DISK: DURABLE, GANESHA_VFS: DURABLE}

SMALL = [f"--file-size={MEM_FILE}"]


def _data(name, workload, conns=4, depth=16, kind="bytes", changes=False):
    """A row in memory with files that ganesha's MEM can hold, and one on disk with large ones."""
    return [
        Row(name, workload, MEMORY, conns, depth, kind, SMALL, MEM_FILE, changes=changes),
        Row(name + "-disk", workload, DISK, conns, depth, kind, changes=changes, disk=SYNCED),
    ]


def _names(name, workload, conns=4, depth=16, args=(), inode=0, disk=None):
    return [
        Row(name, workload, MEMORY, conns, depth, args=args, inode=inode, names=True, changes=True),
        Row(name + "-disk", workload, DISK, conns, depth, args=args, names=True, changes=True,
            disk=disk or NAMES),
    ]


ROWS = [
    Row("null", "null", ALL),
    Row("getattr", "getattr", ALL),
    Row("access", "access", ALL),
    Row("lookup", "lookup", ALL),
    Row("getattr-1x1", "getattr", ALL, 1, 1),
    *_data("read4k", "read4k"),
    *_data("read64k", "read64k"),
    *_data("read1m", "read1m"),
    Row("read1m-64m", "read1m", [ECHO, DFS_MEM], kind="bytes"),
    *_data("write4k", "write4k", changes=True),
    *_data("write64k", "write64k", changes=True),
    *_data("write1m", "write1m", changes=True),
    Row("write1m-64m", "write1m", [ECHO, DFS_MEM], kind="bytes", changes=True),
    *_data("syncwrite", "syncwrite", kind="ops", changes=True),
    *_data("syncwrite-1x1", "syncwrite", 1, 1, kind="ops", changes=True),
    *_names("create", "create"),
    *_names("create-1x1", "create", 1, 1),
    *_names("mkdir", "mkdir"),
    *_names("rename", "rename"),
    *_names("remove", "remove"),
    *_names("smallfile", "smallfile", inode=4096, disk=SYNCED),
    *_names("smallfile-1x1", "smallfile", 1, 1, inode=4096, disk=SYNCED),
    Row("readdirplus", "readdirplus", ALL, 1, 4, "entries", ["--entries=100000"], seconds=2),
    *_data("mixed", "mixed", kind="ops", changes=True),
    *_data("mixed-16x8", "mixed", 16, 8, kind="ops", changes=True),
]

# The rows of --rows=default.
DEFAULT = ("getattr access lookup getattr-1x1 read4k read1m read1m-disk write1m write1m-disk "
           "syncwrite-disk create create-disk create-1x1-disk mkdir rename remove smallfile "
           "smallfile-disk readdirplus mixed").split()

LIMITS = ["memcpy", "memcpy-64k", "pread-1m", "pwrite-1m", "fdatasync", "direct-fdatasync",
          "direct-1m", "commit", "create", "create-fsync"]


def select(text):
    """The rows that --rows names, in the table's order."""
    if text == "all":
        return ROWS
    wanted = DEFAULT if text == "default" else text.split(",")
    known = {row.name for row in ROWS}
    for name in wanted:
        if name not in known:
            raise SystemExit(f"compare: there is no row \"{name}\"; rows: "
                             + ", ".join(row.name for row in ROWS))
    return [row for row in ROWS if row.name in wanted]
