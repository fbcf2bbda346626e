# SPDX-License-Identifier: MIT
"""proxy.py LISTEN TARGET MODE-FILE: a TCP proxy on loopback that harms what goes through.

The file has a mode and a number, and is read for each piece that the database sends:
pass; lose P: with this probability the piece and the connection are gone, so that what was asked is done and
not answered; half P: the first half of the piece comes, and then nothing; talk: whoever connects is sent noise;
silent: and nothing at all.
"""
import random
import socket
import sys
import threading

listen, target, mode_file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def mode():
    try:
        with open(mode_file) as f:
            words = f.read().split()
        return words[0], float(words[1]) if len(words) > 1 else 0
    except (OSError, IndexError):
        return "pass", 0


def end(*sockets):
    for s in sockets:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def pump(source, sink, harmful):
    try:
        while data := source.recv(65536):
            what, chance = mode() if harmful else ("pass", 0)
            hit = random.random() < chance
            if what == "lose" and hit:
                break
            if what == "half" and hit:
                sink.sendall(data[:len(data) // 2])
                while source.recv(65536):
                    pass
                break
            sink.sendall(data)
    except OSError:
        pass
    end(source, sink)


server = socket.create_server(("127.0.0.1", listen), backlog=100)
kept = []
while True:
    client, _ = server.accept()
    kept.append(client)
    what = mode()[0]
    if what == "silent":
        continue
    if what == "talk":
        client.sendall(bytes(range(256)))
        end(client)
        continue
    database = socket.create_connection(("127.0.0.1", target))
    for s in (client, database):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(client, database, False), daemon=True).start()
    threading.Thread(target=pump, args=(database, client, True), daemon=True).start()
