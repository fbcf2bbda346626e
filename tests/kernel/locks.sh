#!/bin/bash
# SPDX-License-Identifier: MIT
# Two real Linux kernel clients contend for locks (NLM): fcntl and flock, waiting and not, over a
# server that dies meanwhile.
. "$DFS_SRCDIR/tests/kernel/lib.sh"
requires rpcbind rpc.statd python3
guest_memory=256M guest_seconds=240 guest_locks=1
contend=$DFS_SRCDIR/tests/kernel/contend.py
port=2049 listen=0.0.0.0 server_settings='lock_grace = "30s";' nfs_settings='portmap = true;'
make_config "$work/dfs.conf" leveldb filesystem
start_server
tap 2 || skip_all "no second tap device can be made here"
times=${DFS_KERNEL_LOCKS:-15}

# both COMMAND...: in two guests at once; both must succeed.
both() {
	guest 1 "$@" >"$work/one" 2>&1 &
	one=$!
	guest 2 "$@" >"$work/two" 2>&1
	two_status=$?
	wait "$one" && [ "$two_status" = 0 ]
}
ok "two clients count up in one file" both sh -c \
	'touch n && exec "$0" count n "$1"' "$contend" "$times"
sed 's/^/# /' "$work/one" "$work/two"
is "no turn was lost" "$(guest 1 cat n | tr -cd '0-9' | sed 's/^0*//')" "$((2 * times))"

# One holds while the server is killed and starts anew, the other tries.
guest 1 sh -c 'touch h && exec "$0" hold h held done' "$contend" >"$work/one" 2>&1 &
one=$!
guest 2 sh -c 'until ls | grep -qx held; do sleep 0.2; done; python3 "$0" try h; echo "before $?"
	touch tried; until ls | grep -qx restarted; do sleep 0.2; done; python3 "$0" try h; echo "after $?"
	touch done; until python3 "$0" try h; do sleep 0.2; done; echo "in the end $?"' "$contend" >"$work/two" 2>&1 &
two=$!
client() { # a look at the share from this host
	DFS_BUILDDIR=$DFS_BUILDDIR python3 - "$@" <<'PY'
import sys, os
sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
from rpc import Conn
c = Conn(2049, address="10.77.1.1")
root = c.mount()
if sys.argv[1] == "there":
    sys.exit(c.lookup(root, sys.argv[2].encode())[0] != 0)
sys.exit(c.create(root, sys.argv[2].encode())[0] != 0)
PY
}
ok "one client holds a lock, the other has tried" wait_for 120 client there tried
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
start_server
ok "the server is killed and starts anew" client make restarted
wait "$one"
is "the client that held the lock has ended well" $? 0
wait "$two"
is "and so has the other" $? 0
sed 's/^/# /' "$work/one" "$work/two"
is "the lock was held before and after, and free in the end" "$(tr -d '\r' <"$work/two" | grep -E '^(before|after|in)' | tr '\n' ' ')" \
	"before 1 after 1 in the end 0 "
stop_server
finish
