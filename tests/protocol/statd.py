#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The status monitor among others of its kind: whom it tells of a restart, what the system's own sm-notify tells
it, and what of it outlives a kill.  In a private network with a real rpcbind, or with the built-in one."""
import os
import signal
import socket
import struct
import subprocess

import side
from side import HERE, NLM, NSM, TCP, THERE, UDP, Statd, Udp, opaque, pmap_set, start_rpcbind, tool, u32, wait_for, words

side.inside("rpcbind", "sm-notify", "rpc.statd", "ip", "unshare")
import rpc  # noqa: E402
from world import Server, check, done, folder  # noqa: E402

BOOT = open("/proc/sys/kernel/random/boot_id").read().strip()
LOG = 'log = { level = "debug"; };'


def nsm_file(server):
    with open(os.path.join(server.state, "nsm")) as f:
        return f.read()


def write_nsm(server, *lines, state=7, boot=BOOT):
    """As a server has left it that was killed while clients held locks."""
    os.makedirs(server.state, 0o700, exist_ok=True)
    text = ["dittofs-nsm 1", "state %d %s" % (state, boot), *lines]
    with open(os.path.join(server.state, "nsm"), "w") as f:
        f.write("\n".join(text + ["end %d\n" % len(text)]))


def told(server):
    return wait_for(lambda: "every client that held locks has been told" in server.text(), 60)


rpcbind = start_rpcbind()
statd = Statd()
server = Server(server=LOG, listen="0.0.0.0", start=False)
write_nsm(server, "peer %s %s 5 client" % (THERE, HERE))
server.start()
peer, proc, name, rest = statd.next()
check("a client of the life before gets SM_NOTIFY", proc == 6)
check("from the address that it knows the server by", peer[0] == HERE, peer)
check("from a privileged port", peer[1] < 1024, peer)
check("in the host's name", name == socket.gethostname(), name)
check("with the next odd state", words(rest) == [9], words(rest))
check("once it has answered it is forgotten", told(server) and wait_for(lambda: "peer" not in nsm_file(server)), nsm_file(server))
server.stop()

server = Server(server=LOG, listen="0.0.0.0", start=False)
write_nsm(server, "peer %s %s 5 client" % (THERE, HERE))
server.start()
statd.next(reply=False)
lost = statd.xid
server.kill()
server.start()
peer, _, _, rest = statd.next(skip=(lost,))
check("a server that dies while it tells goes on in its next life", peer[0] == HERE and words(rest) == [11], words(rest))
server.stop()

server = Server(server=LOG, listen="0.0.0.0", start=False)
write_nsm(server, *["peer 10.77.9.%d - 5 gone-%d" % (i, i) for i in range(1, 200)], "peer %s - 5 client" % THERE)
server.start()
_, proc, _, _ = statd.next()
check("clients that cannot be reached do not keep the others",
      proc == 6 and wait_for(lambda: "client (%s) has been told" % THERE in server.text()), server.text())
check("and are kept for another try", nsm_file(server).count("gone-") == 199)
check("a stop does not wait for them", server.stop() == 0, server.text())
server.start()
check("the next life tries them too", "telling 199 clients" in server.text(), server.text())
server.kill()
statd.end()

statd = Statd(protocol=TCP)
server = Server(server=LOG, listen="0.0.0.0", start=False)
write_nsm(server, "peer %s %s 5 client" % (THERE, HERE))
server.start()
s, _ = statd.s.accept()
s.settimeout(30)
mark = struct.unpack(">I", s.recv(4, socket.MSG_WAITALL))[0]
data = s.recv(mark & 0x7fffffff, socket.MSG_WAITALL)
s.sendall(rpc.record(data[:4] + u32(1, 0, 0, 0, 0)))
check("a monitor that has TCP alone is told by TCP", told(server), server.text())
server.stop()
statd.end()

os.makedirs("/run/statd/sm"), os.makedirs("/run/statd/sm.bak")
real = side.Daemon("rpc.statd", "-F", "--no-notify", "-P", "/run/statd")
if check("the system's rpc.statd starts", wait_for(lambda: (NSM, 1, "udp") in side.registered()),
         open(real.log).read()):
    server = Server(server=LOG, listen="0.0.0.0", start=False)
    write_nsm(server, "peer %s %s 5 client" % (THERE, HERE), "peer ::1 - 5 client6")
    server.start()
    check("it takes our notices, over IPv6 too", told(server), server.text())
    server.stop()
    server = Server(server=LOG, nfs="register_rpcbind = true;", listen="0.0.0.0")
    check("beside it the server says who gets clients' notices", "another status monitor" in server.text(), server.text())
    server.stop()
real.end()
for protocol in (UDP, TCP):
    pmap_set(NSM, 1, protocol, 0, proc=2)

# What programs of this host ask: SM_MON from a privileged port of loopback.  Its lock manager is not ours.
server = Server(server=LOG, nfs="register_rpcbind = true; locks = false;", listen="0.0.0.0")
me = opaque(b"here") + u32(NLM, 4, 16)
mon = opaque(b"elsewhere") + me + bytes(range(16))


def local(proc, args, source="127.0.0.1", privileged=True):
    port = next(p for p in range(1010, 600, -1) if can_bind(source, p)) if privileged else 0
    u = Udp(source, port)
    answer = u.call((HERE if source != "127.0.0.1" else source, server.port), NSM, 1, proc, args)
    u.s.close()
    return answer[0], words(answer[1] or b"")


def can_bind(address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.bind((address, port))
        return True
    except OSError:
        return False
    finally:
        s.close()


check("SM_MON is refused to others", local(2, mon, source=THERE) == (0, [1, 1]))
check("and to unprivileged programs", local(2, mon, privileged=False) == (0, [1, 1]))
check("SM_MON is taken from this host", local(2, mon) == (0, [0, 1]))
server.kill()
server.start()
check("it outlives a kill of the server", "watch %d 4 16 %s here elsewhere" % (NLM, bytes(range(16)).hex())
      in nsm_file(server), nsm_file(server))
lockd = Statd(program=NLM, version=4, address="127.0.0.1")
notice = opaque(b"elsewhere.example.net") + u32(5)
stat, data = Udp(THERE).call((HERE, server.port), NSM, 1, 6, notice)
check("a notice is answered", (stat, data) == (0, b""), stat)
peer, proc, name, rest = lockd.next()
check("and passed on to the program that asked", (proc, name, rest) == (16, "elsewhere", u32(5) + bytes(range(16))), rest)
check("over loopback", peer[0] == "127.0.0.1" and peer[1] < 1024, peer)
check("SM_UNMON_ALL ends that", local(4, me) == (0, [3]))
check("SM_STAT tells the state", local(1, opaque(b"x")) == (0, [0, 3]))
check("SM_SIMU_CRASH advances it", local(5, b"") == (0, []) and local(1, opaque(b"x")) == (0, [0, 5]))
check("the server stops in order", server.stop() == 0, server.text())
lockd.end()

# The host itself has restarted: whom its programs had asked to watch is told.
statd = Statd()
server = Server(server=LOG, listen="0.0.0.0", start=False)
write_nsm(server, "watch %d 4 16 %s here %s" % (NLM, "00" * 16, THERE), boot="another-boot")
server.start()
peer, proc, name, rest = statd.next()
check("after a restart of the host watched hosts are told", proc == 6 and words(rest) == [9], words(rest))
check("and watched no more", told(server) and wait_for(lambda: "watch" not in nsm_file(server) and "lapsed" not in nsm_file(server)), nsm_file(server))
server.stop()
statd.end()
rpcbind.end()

# The system's sm-notify finds us through the built-in portmapper and tells by UDP.
server = Server(server=LOG, nfs="portmap = true;", listen="0.0.0.0")
os.makedirs("/run/client/sm"), os.makedirs("/run/client/sm.bak")
with open("/run/client/sm/" + HERE, "w") as f:
    f.write("0100007f %08x 00000003 00000010 %s %s client\n" % (NLM, "00" * 16, HERE))
with open("/run/client/state", "wb") as f:
    f.write(struct.pack("=i", 21))
text = tool("timeout", "30", "sm-notify", "-f", "-d", "-m", "1", "-p", "900", "-v", "client", "-P", "/run/client", seconds=60)
check("sm-notify of the system is heard", wait_for(lambda: "%s says that" % THERE in server.text()), text, server.text())
check("and content", not os.listdir("/run/client/sm.bak"), text)
check("the server stops in order", server.stop() == 0, server.text())
done()
