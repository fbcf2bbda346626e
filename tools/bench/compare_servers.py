# SPDX-License-Identifier: MIT
"""Starting and stopping the servers of the comparison, each on a fixed port of the private network
namespace.  Every process is started here, known by its pid, and ended by it."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from compare_rows import (DFS_DISK, DFS_MEM, ECHO, GANESHA_MEM, GANESHA_VFS)

START_DEADLINE = 30
STOP_DEADLINE = 20
GANESHA_PACKAGES = "nfs-ganesha nfs-ganesha-mem nfs-ganesha-vfs rpcbind"
GANESHA_PLUGINS = "/usr/lib/x86_64-linux-gnu/ganesha"


class Failed(Exception):
    """A server did not start; the text says why."""


def tail(path, lines=8):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


class Server:
    """One process that listens.  A subclass says what to run in command()."""

    mount_port = None
    export = None

    def __init__(self, name, port, folder, build):
        self.name, self.port, self.build = name, port, build
        self.folder = pathlib.Path(folder)
        self.process = None
        self.cpus = None

    def command(self, row):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self, row, cpus):
        """Start for a row, bound to these processors from the first instruction on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cpus = cpus
        log = self.folder / "output"
        with open(log, "ab") as out:
            self.process = subprocess.Popen(self.command(row), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, cwd=self.folder,
                                            env=self.environment(),
                                            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        deadline = time.monotonic() + START_DEADLINE
        while not self.listens():
            if self.process.poll() is not None:
                raise Failed(f"{self.name} exited at once:\n{tail(log)}\n{self.more()}")
            if time.monotonic() > deadline:
                self.stop()
                raise Failed(f"{self.name} does not listen on port {self.port}:\n{tail(log)}")
            time.sleep(0.02)

    def more(self):
        return ""

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self):
        """End the process; its files stay."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def stop(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        """Seconds of CPU that the process has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Echo(Server):
    def command(self, row):
        return [f"{self.build}/dfs-bench", "--serve-echo", f"--port={self.port}"]


class Dfs(Server):
    """This server, out of the build tree."""

    def command(self, row):
        config = self.folder / "dfs.conf"
        config.write_text(
            f'server = {{ state_dir = "{self.folder}/state"; threads = {len(self.cpus)}; '
            'log = { level = "info"; }; };\n' + self.config() +
            f'adapters = {{ nfs = {{ listen = "127.0.0.1"; port = {self.port}; }}; }};\n')
        (self.folder / "state").mkdir(exist_ok=True)
        return [f"{self.build}/tools/dfs/dfs", "-c", str(config)]

    @staticmethod
    def share(name, path, metadata, blocks, more=""):
        return (f'{name} = {{ path = "{path}"; metadata = "{metadata}"; blocks = "{blocks}"; {more}'
                'clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); };\n')

    def config(self):
        """Stores and shares."""
        memory = self.name == DFS_MEM
        self.export = "/temp" if memory else "/export"
        stores = ('metadata_stores = { m = { type = "memory"; }; };\n'
                  'block_stores = { b = { type = "memory"; }; };\n') if memory else (
                      'metadata_stores = { m = { type = "leveldb"; path = "metadata"; }; };\n'
                      'block_stores = { b = { type = "filesystem"; path = "blocks"; }; };\n')
        return (stores + "shares = { "
                + self.share("s", self.export, "m", "b", 'durability = "none"; ' if memory else "")
                + "};\n")

    def environment(self):
        return dict(os.environ, DFS_PLUGIN_PATH=f"{self.build}/.plugins")


class Ganesha(Server):
    """nfs-ganesha with its defaults; NFSv3 over TCP, no NLM."""

    def __init__(self, *args):
        super().__init__(*args)
        self.mount_port = self.port + 1
        self.export = "/export"

    def command(self, row):
        tree = self.folder / "tree"
        for sub in (tree, self.folder / "recovery"):
            sub.mkdir()
        memory = self.name == GANESHA_MEM
        # One folder each in the tree; the folders of runs spread over the disk's block groups,
        # because ext4 is slow to create names where many were removed.
        if not memory:
            self.export = str(tree)
            (tree / "dfs-bench").mkdir()
            subprocess.run(["chattr", "+T", str(tree / "dfs-bench")], check=False,
                           stderr=subprocess.DEVNULL)
        config = self.folder / "ganesha.conf"
        config.write_text(f"""
NFS_CORE_PARAM {{
    Bind_addr = 127.0.0.1; NFS_Port = {self.port}; MNT_Port = {self.mount_port};
    NFS_Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
    Plugins_Dir = {GANESHA_PLUGINS};
}}
NFSv4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {self.folder}/recovery; }}
NFS_KRB5 {{ Active_krb5 = false; }}
{"MEM { Inode_Size = %d; }" % row.inode if memory else ""}
EXPORT {{
    Export_Id = 1; Path = {self.export}; Pseudo = /export; Protocols = 3; Transports = TCP;
    Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
    FSAL {{ Name = {"MEM" if memory else "VFS"}; }}
}}
LOG {{ Default_Log_Level = EVENT; }}
""")
        return ["ganesha.nfsd", "-F", "-f", str(config), "-L", str(self.folder / "log"),
                "-p", str(self.folder / "pid")]

    def more(self):
        return tail(self.folder / "log")


CLASSES = {ECHO: Echo, DFS_MEM: Dfs, DFS_DISK: Dfs, GANESHA_MEM: Ganesha, GANESHA_VFS: Ganesha}


def missing(name, build):
    """Why a server cannot run here, or None."""
    if name in (DFS_MEM, DFS_DISK) and not os.access(f"{build}/tools/dfs/dfs", os.X_OK):
        return f"{build}/tools/dfs/dfs is not built"
    if CLASSES[name] is Ganesha:
        plugin = "libfsalmem.so" if name == GANESHA_MEM else "libfsalvfs.so"
        if not (shutil.which("ganesha.nfsd") and shutil.which("rpcbind")
                and os.path.exists(f"{GANESHA_PLUGINS}/{plugin}")):
            return f"nfs-ganesha is not installed; it needs: apt-get install {GANESHA_PACKAGES}"
    return None


def make(name, index, folder, build):
    return CLASSES[name](name, 20049 + 10 * index, folder, build)
