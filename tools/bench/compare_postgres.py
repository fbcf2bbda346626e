# SPDX-License-Identifier: MIT
"""A share whose names are in PostgreSQL, beside the database by itself: pgbench runs the very statements
that the store sends (plugins/metadata/postgres/show tells them), and a plain SELECT reads the rows that
READDIRPLUS lists.  The database is one of its own, with synchronous commits as they come.
"""

import json
import os
import pwd
import re
import shutil
import signal
import statistics
import subprocess
import time

import compare_servers as servers
from compare_rows import DFS_DISK, DFS_MEM
from compare_table import microseconds, ratio, scaled

ENTRIES = 100_000
PER_CALL = 300  # names in an answer of 64 KiB, about
IN_FLIGHT = 16
START_DEADLINE = 60
UUID = "'00000000-0000-0000-0000-000000000001'"

HEAD = """| row | load | figure | held against | there | here | ratio |
|---|---|---|---|---|---|---|"""


def binaries():
    """The folder of PostgreSQL's programs, or None."""
    found = shutil.which("postgres")
    return os.path.dirname(os.path.realpath(found)) if found else None


def missing(build):
    """Why the rows cannot run here, or None."""
    if not os.access(f"{build}/plugins/metadata/postgres/show", os.X_OK):
        return "plugins/metadata/postgres/show is not built; it needs: make check TESTS="
    if not (binaries() and shutil.which("pgbench") and shutil.which("setpriv")):
        return "PostgreSQL is not installed; it needs: apt-get install postgresql"
    return None


class Database:
    """A cluster in a folder of its own, on a Unix socket there; it ends with this process."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def user(self, *more):
        """PostgreSQL does not run as root."""
        if os.geteuid() != 0:
            return ["setpriv", *more]
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *more]

    def start(self):
        self.folder.mkdir(parents=True)
        data = self.folder / "data"
        data.mkdir()
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            for path in (self.folder, data):
                os.chown(path, postgres.pw_uid, postgres.pw_gid)
            # Both were made by this program, for root alone.
            for path in (self.folder.parent, self.folder.parent.parent):
                path.chmod(0o711)
        subprocess.run([*self.user(), f"{binaries()}/initdb", "-D", str(data), "-U", "postgres",
                        "--auth=trust", "--no-locale", "-E", "UTF8"],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        self.process = subprocess.Popen(
            [*self.user("--pdeathsig", "QUIT"), f"{binaries()}/postgres", "-D", str(data),
             "-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}",
             "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_DEADLINE
        while subprocess.run([f"{binaries()}/pg_isready", "-q", "-h", str(self.folder)],
                             check=False).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise servers.Failed("PostgreSQL does not start")
            time.sleep(0.05)
        self.sql("CREATE DATABASE dittofs", database="postgres")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, statement, database="dittofs"):
        return subprocess.run([f"{binaries()}/psql", "-XqAt", "-h", str(self.folder), "-U", "postgres",
                               "-d", database, "-c", statement], check=True, timeout=600,
                              stdout=subprocess.PIPE).stdout.decode()

    def pgbench(self, script, clients, *args):
        """pgbench's own output, with the settings of the store's sessions but for the commits."""
        options = ("-c search_path=dittofs -c plan_cache_mode=force_generic_plan "
                   "-c enable_seqscan=off -c enable_bitmapscan=off -c jit=off "
                   "-c synchronous_commit=on")
        path = self.folder / "script.sql"
        path.write_text(script)
        path.chmod(0o644)
        done = subprocess.run(["pgbench", "-h", str(self.folder), "-U", "postgres", "-n", "-M",
                               "prepared", "-c", str(clients), "-j", "2", "-f", str(path), *args,
                               "dittofs"], env=dict(os.environ, PGOPTIONS=options), check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        text = done.stdout.decode()
        if done.returncode:
            raise servers.Failed(f"pgbench: {text.strip()}")
        return text


class Dfs(servers.Dfs):
    """This server on that database."""

    database = None

    def config(self):
        self.export = "/export"
        return ('metadata_stores = { m = { type = "postgres"; '
                f'host = "{self.database.folder}"; user = "postgres"; dbname = "dittofs"; }}; }};\n'
                'block_stores = { b = { type = "filesystem"; path = "blocks"; }; };\n'
                "shares = { " + self.share("s", self.export, "m", "b") + "};\n")


def filled(text, values):
    """A statement with its parameters replaced."""
    return re.sub(r"\$(\d+)", lambda m: str(values[int(m.group(1)) - 1]), text)


class Postgres:
    """The rows, on one server and one database."""

    def __init__(self, o, folder, note):
        self.o, self.folder, self.note = o, folder / "postgres", note
        self.cpus = sorted(os.sched_getaffinity(0))
        self.rounds = 1 if o.quick else o.rounds
        self.seconds = 0.5 if o.quick else o.seconds
        self.entries = ENTRIES // 20 if o.quick else ENTRIES
        self.database = Database(self.folder / "database")
        self.dfs = Dfs(DFS_DISK, 20170, self.folder / "dfs", o.build)
        self.dfs.database = self.database
        self.memory = servers.Dfs(DFS_MEM, 20180, self.folder / "memory", o.build)
        self.statements = dict(line.split("\t", 1) for line in subprocess.run(
            [f"{o.build}/plugins/metadata/postgres/show"], check=True,
            stdout=subprocess.PIPE).stdout.decode().splitlines())

    def rows(self):
        """The lines of the table."""
        lines = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.database.start()
            self.dfs.start(None, self.cpus)
            self.memory.start(None, self.cpus)
            for row in (self.create, self.hot, self.list):
                for line in row():
                    self.note(line)
                    lines.append(line)
        except servers.Failed as e:
            self.note(e)
            lines.append(f"| {e} | | | | | | |")
        finally:
            self.memory.stop()
            self.dfs.stop()
            self.database.stop()
        return lines

    def bench(self, server, workload, *args):
        done = subprocess.run([f"{self.o.build}/dfs-bench", "--json", f"--port={server.port}",
                               f"--export={server.export}", f"--server-pid={server.process.pid}",
                               *args, "127.0.0.1", workload], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=600)
        lines = done.stdout.decode().splitlines()
        if done.returncode or not lines:
            raise servers.Failed(f"{workload}: {done.stderr.decode().strip()}")
        return json.loads(lines[-1])

    def script(self, pipeline):
        """What the store sends for one CREATE."""
        s = self.statements
        inode = [1, ":id", 7, 1, 420, 1, 0, 0, 0, 0, 0, 0, ":id", ":id", ":id", ":id", ":id", 2, 0, 0,
                 "'00000000-0000-0000-0000-000000000000'", 0, 0, 0]
        dirent = [99, 2, ":cookie", ":id", 1, 0, "'a name of 20 bytes..'"]
        inode[0] = 99
        lines = [s["begin"], filled(s["put_inode"], inode), filled(s["put_dirent"], dirent),
                 # Numbers at random here, so each may be below the one before.
                 filled(s["slot"], [UUID, ":client_id", ":id"]).replace("c.number <", "0 <"),
                 s["commit"]]
        return ("\\set id random(1000000, 1000000000000000)\n"
                "\\set cookie random(64, 9000000000000000000)\n"
                + ("\\startpipeline\n" if pipeline else "")
                + "".join(line + ";\n" for line in lines)
                + ("\\endpipeline\n" if pipeline else ""))

    def create(self):
        """CREATE with 16 in flight, and the same statements with 16 clients."""
        seconds = max(1, round(self.seconds))
        there, piped, here, spread = [], [], [], []
        for _ in range(self.rounds):
            for rates, pipeline in ((there, False), (piped, True)):
                text = self.database.pgbench(self.script(pipeline), IN_FLIGHT, "-T", str(seconds))
                rates.append(float(re.search(r"tps = ([\d.]+)", text).group(1)))
            for rates, folders in ((here, 1), (spread, 4)):
                rates.append(self.bench(self.dfs, "create", "--connections=1", f"--depth={IN_FLIGHT}",
                                        f"--folders={folders}", f"--seconds={self.seconds}",
                                        "--ops=1000000")["ops_per_s"])
        for row, rates in (("create-pg, one folder", here), ("create-pg, four", spread)):
            for name, against in (("pgbench, a statement at a time", there),
                                  ("pgbench, in a pipeline", piped)):
                yield line(row, f"1x{IN_FLIGHT}", "rate", name, against, rates,
                           lambda v: scaled(v, "ops"))

    def hot(self):
        """What the server's caches answer."""
        for workload in ("getattr", "lookup"):
            results = {self.memory: [], self.dfs: []}
            for _ in range(self.rounds):
                for server, list_ in results.items():
                    list_.append(self.bench(server, workload, f"--seconds={self.seconds}"))
            there, here = results.values()
            yield line(f"{workload}-pg", "4x16", "rate", "the memory store",
                       [r["ops_per_s"] for r in there], [r["ops_per_s"] for r in here],
                       lambda v: scaled(v, "ops"))
            yield line(f"{workload}-pg", "4x16", "p99", "the memory store",
                       [r["latency_us"]["p99"] for r in there],
                       [r["latency_us"]["p99"] for r in here],
                       lambda v: microseconds(v) + " us")

    def list(self):
        """READDIRPLUS of a folder that nothing knows yet, and a SELECT of the same rows."""
        self.bench(self.dfs, "readdirplus", "--connections=1", "--depth=1", "--keep",
                   f"--entries={self.entries}", "--run=list", "--ops=1", "--seconds=0")
        self.database.sql("VACUUM ANALYZE")
        directory = self.database.sql("SELECT dir FROM dittofs.dirents GROUP BY share, dir "
                                      "ORDER BY count(*) DESC LIMIT 1").strip()
        share = self.database.sql(f"SELECT share FROM dittofs.dirents WHERE dir = {directory} "
                                  "GROUP BY share ORDER BY count(*) DESC LIMIT 1").strip()
        select = filled(self.statements["listing"], [share, directory, 0, self.entries]) + ";\n"
        there, here = [], []
        for _ in range(self.rounds):
            text = self.database.pgbench(select, 1, "-t", "3")
            ms = float(re.search(r"latency average = ([\d.]+) ms", text).group(1))
            there.append(self.entries / ms * 1000)
            self.dfs.end()
            self.dfs.start(None, self.cpus)
            here.append(self.bench(self.dfs, "readdirplus", "--connections=1", "--depth=1", "--keep",
                                   "--prepared", "--run=list", f"--entries={self.entries}",
                                   "--warmup=0", f"--ops={self.entries // PER_CALL}", "--seconds=0"))
        yield line("readdirplus-pg", "1x1", "rate", "SELECT of the same rows", there,
                   [r["entries_per_s"] for r in here], lambda v: scaled(v, "entries"))


def line(name, load, figure, against, there, here, show):
    a, b = statistics.median(there), statistics.median(here)
    return (f"| {name} | {load} | {figure} | {against} | {show(a)} | {show(b)} "
            f"| {ratio(b, a)} |")
