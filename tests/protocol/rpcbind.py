#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Registration with a real rpcbind, in a private network."""
import os
import signal
import socket

import side
from side import MOUNT, NFS, NSM, TCP, pmap_set, registered, start_rpcbind, tool, wait_for

side.inside("rpcbind", "rpcinfo", "ip", "unshare")
import rpc  # noqa: E402
from world import Server, check, done  # noqa: E402


def ours(rows, port):
    return (rows.get((NFS, 3, "tcp")) == port and rows.get((MOUNT, 3, "tcp")) == port and
            rows.get((MOUNT, 3, "udp")) == port and rows.get((NSM, 1, "udp")) == port and
            rows.get((NSM, 1, "tcp")) == port)


def gone(rows):
    return not any(p in (NFS, MOUNT, NSM) for p, _, _ in rows)


server = Server(nfs="register_rpcbind = true;", listen="0.0.0.0")
check("without an rpcbind the server serves and says what to do",
      "there is no rpcbind to register with" in server.text(), server.text())
rpc.Conn(server.port).null()
daemon = start_rpcbind()
server.send(signal.SIGHUP)
check("a reload registers", wait_for(lambda: ours(registered(), server.port)), server.text())
text = tool("rpcinfo", "-t", "127.0.0.1", str(NFS), "3")
check("clients are led here", "ready and waiting" in text, text)
text = tool("rpcinfo", "-s", "127.0.0.1")
check("for IPv4 alone, as it listens", "udp6" not in text.split("status")[0].splitlines()[-1], text)
check("a stop takes it out", server.stop() == 0 and gone(registered()), registered())

server = Server(nfs="register_rpcbind = true;", listen="0.0.0.0")
check("a start registers", ours(registered(), server.port), server.text())
server.kill()
check("a killed server leaves it", ours(registered(), server.port))
server.start()
check("the next start takes that over", ours(registered(), server.port) and
      "left as it is" not in server.text(), server.text())
check("and a stop takes it out", server.stop() == 0 and gone(registered()), registered())

check("another MOUNT service registers", pmap_set(MOUNT, 3, TCP, 999))
server = Server(nfs="register_rpcbind = true;", listen="0.0.0.0")
rows = registered()
check("somebody else's registration is left", rows.get((MOUNT, 3, "tcp")) == 999, rows)
check("the others are made", rows.get((MOUNT, 3, "udp")) == server.port and rows.get((NFS, 3, "tcp")) == server.port, rows)
check("and it is said", "program 100005 version 3 at tcp port 999" in server.text(), server.text())
server.stop()
rows = registered()
check("nor does a stop take it out", rows.get((MOUNT, 3, "tcp")) == 999 and (NFS, 3, "tcp") not in rows, rows)
pmap_set(MOUNT, 3, TCP, 999, proc=2)

check("another status monitor registers", pmap_set(NSM, 1, side.UDP, 998))
server = Server(nfs="register_rpcbind = true;", listen="0.0.0.0")
check("a second status monitor is said to keep clients' notices to itself",
      "another status monitor" in server.text() and "rpc-statd.service" in server.text(), server.text())
server.stop()
pmap_set(NSM, 1, side.UDP, 998, proc=2)

server = Server(nfs="register_rpcbind = true;", listen="::1")
text = tool("rpcinfo", "-s", "127.0.0.1")
check("IPv6 is registered by its own networks", "tcp6" in text.split("nfs")[0].splitlines()[-1], text)
server.stop()
daemon.end()

# A silent one: nothing more than a moment is lost to it.
hole = socket.socket(socket.AF_UNIX)
if os.path.exists("/run/rpcbind.sock"):
    os.unlink("/run/rpcbind.sock")
hole.bind("/run/rpcbind.sock")
hole.listen(5)
server = Server(nfs="register_rpcbind = true;", listen="0.0.0.0")
rpc.Conn(server.port).null()
check("an rpcbind that hangs keeps nobody", "rpcbind does not answer" in server.text(), server.text())
check("the server stops in order", server.stop() == 0)
done()
