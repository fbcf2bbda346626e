# SPDX-License-Identifier: MIT
"""The Markdown that compare writes."""

import os
import platform
import statistics
import subprocess

from compare_rows import ECHO, RIVAL


def median(results, get):
    values = [v for v in map(get, results) if v is not None]
    return statistics.median(values) if values else None


def scaled(rate, kind):
    if kind == "bytes":
        return f"{rate:.0f} MB/s"
    unit = "entries/s" if kind == "entries" else "/s"
    if rate >= 1e6:
        return f"{rate / 1e6:.2f} M{unit}" if unit == "/s" else f"{rate / 1e6:.2f} M {unit}"
    if rate >= 1e3:
        return f"{rate / 1e3:.1f} k{unit}" if unit == "/s" else f"{rate / 1e3:.1f} k {unit}"
    return f"{rate:.0f} {unit}"


def microseconds(v):
    return f"{v:.1f}" if v < 100 else f"{v:.0f}"


def server_cpu(row, results):
    if row.kind == "bytes":
        v = median(results, lambda r: r.get("server_cpu_s_per_gb"))
        return "" if v is None else f"{v:.3f} s/GB"
    if row.kind == "entries":
        v = median(results, lambda r: r.get("server_cpu_us_per_entry"))
        return "" if v is None else f"{v:.3f} us/entry"
    v = median(results, lambda r: r.get("server_cpu_us_per_op"))
    return "" if v is None else f"{v:.2f} us"


def ratio(mine, other):
    if not mine or not other:
        return ""
    return f"{mine / other:.2f}" if mine / other < 9.95 else f"{mine / other:.1f}"


def to_rival(row, server, rates):
    rival = RIVAL.get(server)
    if rival not in rates or server not in rates:
        return ""
    if row.durability(server) != row.durability(rival):
        return "(other class)"
    return ratio(rates[server], rates[rival])


def lines_of_row(row, by_server, notes):
    """by_server: server name to the list of its results."""
    rates = {s: median(r, row.rate) for s, r in by_server.items() if r}
    out = []
    for server in row.servers:
        results = by_server.get(server) or []
        if not results:
            reason = notes.get((row.name, server))
            if reason:
                out.append(f"| {row.name} | {row.load()} | {server} | {row.durability(server)} "
                           f"| {reason} | | | | | |")
            continue
        all_rates = [row.rate(r) for r in results]
        rate = scaled(rates[server], row.kind)
        if max(all_rates) > 1.2 * min(all_rates):
            rate += f" ({scaled(min(all_rates), row.kind)} to {scaled(max(all_rates), row.kind)})"
        if any(r["disturbed"] for r in results):
            rate += " \\*"
        if any(r["errors"] for r in results):
            rate += " ERRORS"
        p50 = median(results, lambda r: r["latency_us"]["p50"])
        p99 = median(results, lambda r: r["latency_us"]["p99"])
        echo = "" if server == ECHO else ratio(rates[server], rates.get(ECHO))
        out.append(f"| {row.name} | {row.load()} | {server} | {row.durability(server)} | {rate} "
                   f"| {microseconds(p50)} | {microseconds(p99)} | {server_cpu(row, results)} "
                   f"| {echo} | {to_rival(row, server, rates)} |")
    return out


HEAD = """| row | load | server | durability | rate | p50 us | p99 us | server CPU | / echo | / ganesha |
|---|---|---|---|---|---|---|---|---|---|"""

IDLE_HEAD = """| server | idle connections held | resident before | bytes each |
|---|---|---|---|"""

LIMIT_HEAD = """| limit | op/s | MB/s | p50 us | CPU us/op |
|---|---|---|---|---|"""


def limit_line(r):
    mb = f"{r['mb_per_s']:.0f}" if r["bytes"] else ""
    cpu = f"{r['client_cpu_s'] * 1e6 / r['ops']:.2f}" if r["ops"] else ""
    return (f"| {r['workload'].split(':')[1]} | {r['ops_per_s']:.0f} | {mb} "
            f"| {microseconds(r['latency_us']['p50'])} | {cpu} |")


def output(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=20, check=False)
        return done.stdout.decode(errors="replace").strip()
    except OSError:
        return ""


def first_field(path, key):
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
    return "?"


def machine(state_dir):
    memory = int(first_field("/proc/meminfo", "MemTotal").split()[0]) / 1048576
    disk = output("findmnt", "-no", "SOURCE,FSTYPE", "-T", state_dir).replace("  ", " ")
    return (f"{os.cpu_count()} CPUs, {first_field('/proc/cpuinfo', 'model name')}; "
            f"{memory:.0f} GiB; Linux {platform.release()}; state on {disk or '?'}")


def versions(build, source):
    found = [output(f"{build}/dfs-bench", "--version")]
    commit = output("git", "-C", source, "describe", "--always", "--dirty")
    if commit:
        found.append(f"commit {commit}")
    ganesha = output("dpkg-query", "-W", "-f", "${Version}", "nfs-ganesha")
    if ganesha:
        found.append(f"nfs-ganesha {ganesha}")
    return ", ".join(v for v in found if v)
