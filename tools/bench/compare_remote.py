# SPDX-License-Identifier: MIT
"""Shares on an object store: reading cold, and what a store that does not answer changes.

The object store is faultd of the tests, which adds a fixed latency and goes silent on request.
Each figure stands beside what it is held against, measured in the same run.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import time
import urllib.request

import compare_servers as servers
from compare_rows import DFS_DISK
from compare_table import microseconds, ratio, scaled

LATENCY = 20  # ms, of each answer
STREAM = 50_000_000  # bytes/s of one download, where it is bounded
GETS = 16
BLOCK = 4 << 20
FILE_BYTES = 1 << 30
FAR, NEAR = "/far", "/near"
DRAIN_DEADLINE = 180

HEAD = """| row | load | figure | held against | there | here | ratio |
|---|---|---|---|---|---|---|"""


class Faultd(servers.Server):
    """An S3 server in memory with a bucket "bucket"."""

    def command(self, row):
        return [f"{self.build}/tests/s3/faultd/faultd", f"--port={self.port}", "--bucket=bucket",
                "--access-key=ak", "--secret-key=sk", f"--latency={LATENCY}"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def say(self, commands):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self.url + "/_faultd", commands.encode(), method="POST")
        opener.open(request, timeout=10).read()


class Both(servers.Dfs):
    """This server with a share on S3 and one on the disk; it is started again on its files."""

    endpoint = None

    def config(self):
        return ('metadata_stores = { m = { type = "leveldb"; path = "metadata"; }; };\n'
                'block_stores = { s3 = { type = "s3"; bucket = "bucket"; region = "us-east-1"; '
                f'endpoint = "{self.endpoint}"; access_key = "ak"; secret_key = "sk"; }};\n'
                'fs = { type = "filesystem"; path = "blocks"; }; };\n'
                'shares = { ' + self.share("far", FAR, "m", "s3")
                + self.share("near", NEAR, "m", "fs") + "};\n")

    def counter(self, name):
        """A counter's value, out of the dump that a signal asks for."""
        line = re.compile(rf"counter {name} (-?\d+)$", re.MULTILINE)
        log = self.folder / "output"
        before = len(line.findall(log.read_text(errors="replace")))
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = line.findall(log.read_text(errors="replace"))
            if len(found) > before:
                return int(found[-1])
            time.sleep(0.02)
        raise servers.Failed(f"{self.name} tells no {name}")

    def drained(self):
        """Wait until all that is dirty is in the stores."""
        deadline = time.monotonic() + DRAIN_DEADLINE
        while self.counter("dp_dirty_files") > 0:
            if time.monotonic() > deadline:
                raise servers.Failed(f"{self.name} has dirty files after {DRAIN_DEADLINE} s")
            time.sleep(0.2)

    def cold(self):
        """Start again with nothing in memory, of the server or of the kernel."""
        cpus = self.cpus
        self.end()
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("1\n")
        self.start(None, cpus)

    def peak(self):
        """The most memory that the process ever had, in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) << 10


def missing(build):
    for name in ("tests/s3/faultd/faultd", "tests/s3/bench-s3", "tools/dfs/dfs"):
        if not os.access(f"{build}/{name}", os.X_OK):
            return f"{name} is not built; it needs: make check TESTS="
    return None


class Remote:
    """The rows, on servers that are started for all of them together."""

    def __init__(self, o, folder, note):
        self.o, self.folder, self.note = o, folder / "remote", note
        self.cpus = sorted(os.sched_getaffinity(0))
        self.rounds = 1 if o.quick else o.rounds
        self.seconds = 0.5 if o.quick else o.seconds
        self.size = FILE_BYTES // 16 if o.quick else FILE_BYTES
        self.faultd = Faultd("faultd", 20150, self.folder / "faultd", o.build)
        self.dfs = Both(DFS_DISK, 20160, self.folder / "dfs", o.build)
        self.dfs.endpoint = self.faultd.url

    def rows(self):
        """The lines of the table."""
        lines = []
        try:
            self.faultd.start(None, self.cpus)
            self.dfs.start(None, self.cpus)
            for row in (self.cold_reads, self.store_down, self.beside, self.scattered):
                for line in row():
                    self.note(line)
                    lines.append(line)
        except servers.Failed as e:
            self.note(e)
            lines.append(f"| {e} | | | | | | |")
        finally:
            self.dfs.stop()
            self.faultd.stop()
        return lines

    def command(self, export, workload, *args):
        return [f"{self.o.build}/dfs-bench", "--json", f"--port={self.dfs.port}",
                f"--export={export}", f"--server-pid={self.dfs.process.pid}", "--verify=0", *args,
                "127.0.0.1", workload]

    def bench(self, export, workload, *args):
        done = subprocess.run(self.command(export, workload, *args), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=300)
        lines = done.stdout.decode().splitlines()
        if done.returncode or not lines:
            raise servers.Failed(f"{workload} on {export}: {done.stderr.decode().strip()}")
        return json.loads(lines[-1])

    def fill(self, export, run):
        """A file of self.size in the folder `run`, in order, and out of memory again."""
        self.bench(export, "read", "--connections=1", f"--file-size={self.size}", "--keep",
                   f"--run={run}", "--ops=1")
        self.dfs.drained()

    def read_cold(self, export, run, block, depth):
        self.dfs.cold()
        return self.bench(export, "read", "--connections=1", f"--depth={depth}", "--prepared",
                          f"--run={run}", "--keep", f"--file-size={self.size}",
                          f"--block={block}", "--pattern=sequential", "--seconds=0",
                          f"--ops={self.size // block}")

    def gets(self):
        """MB/s of 16 GETs of a block at a time."""
        seconds = max(1, round(self.seconds))
        done = subprocess.run([f"{self.o.build}/tests/s3/bench-s3", self.faultd.url, "get",
                               str(GETS), str(BLOCK), str(seconds)], stdout=subprocess.PIPE,
                              check=True, timeout=60)
        return float(re.search(r"([\d.]+) MB/s", done.stdout.decode()).group(1))

    def cold_reads(self):
        self.fill(FAR, "cold")
        for bound in (STREAM, 0):
            self.faultd.say(f"rule GET * -1 slow {bound}\n" if bound else "clear\n")
            for block, depth in ((128 << 10, 64), (1 << 20, 16)):
                there, here = [], []
                for _ in range(self.rounds):
                    there.append(self.gets())
                    here.append(self.read_cold(FAR, "cold", block, depth)["mb_per_s"])
                limit = f", {bound // 1_000_000} MB/s a stream" if bound else ""
                yield line(f"cold-read-{block >> 10}k", f"1x{depth}", "rate",
                           f"{GETS} GETs of 4 MiB{limit}", there, here,
                           lambda v: scaled(v, "bytes"))
        self.faultd.say("clear\n")

    def with_and_without(self, measure):
        """What measure() answers while S3 serves, and while it is silent with blocks on their way to
        it: whole ones, which go out at once."""
        results = {False: [], True: []}
        for _ in range(self.rounds):
            for down in (False, True):
                if down:
                    self.faultd.say("rule * * -1 stall\n")
                self.bench(FAR, "read", "--file-size=16M", "--keep", "--ops=1")
                results[down].append(measure())
            self.faultd.say("clear\n")
            self.dfs.drained()
        return results

    def store_down(self):
        """Durable writes while S3 is silent."""
        results = self.with_and_without(
            lambda: self.bench(FAR, "smallfile", f"--seconds={self.seconds}", "--keep",
                               f"--ops={self.size >> 12}"))
        yield from self.latencies("smallfile-s3-down", "4x16", "S3 serves", results)

    def beside(self):
        """A share on the disk, while another is written whose S3 is silent."""
        def measure():
            with subprocess.Popen(self.command(FAR, "syncwrite", "--connections=1", "--depth=4",
                                               "--keep", "--file-size=16M",
                                               f"--seconds={self.seconds + 2}"),
                                  stdout=subprocess.DEVNULL) as writer:
                time.sleep(1)
                result = self.bench(NEAR, "mixed", "--file-size=16M",
                                    f"--seconds={self.seconds}")
                writer.wait(timeout=60)
            return result

        results = self.with_and_without(measure)
        yield from self.latencies("mixed-beside-s3-down", "4x16", "its S3 serves", results)

    @staticmethod
    def latencies(name, load, against, results):
        def get(down, key):
            return [r["latency_us"][key] for r in results[down]]

        yield line(name, load, "rate", against, [r["ops_per_s"] for r in results[False]],
                   [r["ops_per_s"] for r in results[True]], lambda v: scaled(v, "ops"))
        for key in ("p50", "p99"):
            yield line(name, load, key, against, get(False, key), get(True, key),
                       lambda v: microseconds(v) + " us")

    def scattered(self):
        """32 KiB reads of a file, fresh and after random 4 KiB writes all over it."""
        fresh, after = [], []
        self.fill(NEAR, "scatter")
        for _ in range(self.rounds):
            fresh.append(self.read_cold(NEAR, "scatter", 32 << 10, 16))
        for _ in range(self.rounds):
            self.bench(NEAR, "write4k", "--connections=1", "--depth=64", "--prepared", "--keep",
                       "--run=scatter", f"--file-size={self.size}",
                       f"--ops={self.size // 4096 // 4}", "--seconds=0")
            self.dfs.drained()
            peak, budget = self.dfs.peak(), self.dfs.counter("dp_cache_budget_bytes")
            after.append(self.read_cold(NEAR, "scatter", 32 << 10, 16))
        yield line("read32k-scattered", "1x16", "rate", "the file as first written",
                   [r["mb_per_s"] for r in fresh], [r["mb_per_s"] for r in after],
                   lambda v: scaled(v, "bytes"))
        yield line("read32k-scattered", "1x16", "server CPU", "the file as first written",
                   [r["server_cpu_s_per_gb"] for r in fresh],
                   [r["server_cpu_s_per_gb"] for r in after], lambda v: f"{v:.3f} s/GB")
        yield line("write4k-scattered", "1x64", "memory", "the cache's budget", [budget], [peak],
                   lambda v: f"{v / 1e6:.0f} MB")


def line(name, load, figure, against, there, here, show):
    a, b = statistics.median(there), statistics.median(here)
    return (f"| {name} | {load} | {figure} | {against} | {show(a)} | {show(b)} "
            f"| {ratio(b, a)} |")
