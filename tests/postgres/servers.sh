#!/bin/bash
# SPDX-License-Identifier: MIT
# Two servers on one database and one object store: shares of their own, and one that the one writes and
# the other follows, or takes over.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
. "$DFS_SRCDIR/tests/s3/lib.sh"
requires nfs-cp nfs-cat nfs-ls python3
start_postgres
start_faultd
declare -A pid port_of
end_all() { for p in "${pid[@]}"; do kill -KILL "$p" 2>/dev/null; done; }
at_exit end_all

# config NAME SETTINGS-OF-COMMON: a server with a share of its own beside the common one.
config() {
	port_of[$1]=${port_of[$1]:-$(free_port)}
	local rules='clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } );'
	cat >"$work/$1.conf" <<CONF
server = { state_dir = "$work/$1"; wal = { size = "64M"; segment_size = "8M"; }; };
metadata_stores = { m = { type = "postgres"; host = "$pg_host"; port = "$pg_port"; user = "dittofs"; dbname = "dittofs"; }; };
block_stores = { s = { type = "s3"; bucket = "conform"; region = "us-east-1"; endpoint = "$faultd";
                       access_key = "ak"; secret_key = "sk"; }; };
shares = { own_$1 = { path = "/own"; metadata = "m"; blocks = "s"; $rules };
           common = { path = "/common"; metadata = "m"; blocks = "s"; durability = "remote"; $2 $rules }; };
adapters = { nfs = { listen = "127.0.0.1"; port = ${port_of[$1]}; }; };
CONF
}

# launch NAME [OPTION...]; start NAME [OPTION...] waits until it is ready.
launch() {
	rm -f "$work/$1.ready"
	DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins "$DFS_BUILDDIR/tools/dfs/dfs" -c "$work/$1.conf" \
		--ready-file="$work/$1.ready" "${@:2}" 2>>"$work/server.log" &
	pid[$1]=$!
}
start() {
	launch "$@"
	wait_for 60 test -e "$work/$1.ready"
}
stop() {
	kill -"${2:-TERM}" "${pid[$1]}"
	wait "${pid[$1]}"
}
# Ends by itself, with status 1 and a line that says so.
refused() {
	local before status=0
	before=$(wc -l <"$work/server.log")
	launch "$1"
	wait_for 60 sh -c "! kill -0 ${pid[$1]}" || return 1
	wait "${pid[$1]}" || status=$?
	[ "$status" = 1 ] && tail -n "+$((before + 1))" "$work/server.log" | grep -q "$2"
}
put() { port=${port_of[$1]} && nfs cp "$2" "$(nfs_url "$3")"; }
same() { port=${port_of[$1]} && nfs cat "$(nfs_url "$3")" >"$work/back" && cmp "$2" "$work/back"; }
# over NAME FILE PATH-IN-COMMON: the bytes of a file that is there are replaced by as many others.
over() {
	python3 - "${port_of[$1]}" "$2" "$3" <<'PY'
import os, sys
sys.path.insert(0, os.path.join(os.environ["DFS_SRCDIR"], "tests/attack"))
from rpc import Conn
port, path, name = sys.argv[1:]
c = Conn(int(port), timeout=60)
root = c.mount(b"/common")
fh = c.lookup(root, name.encode())[1]
with open(path, "rb") as f:
    data = f.read()
for at in range(0, len(data), 1 << 20):
    assert c.write(fh, at, data[at:at + (1 << 20)])[0] == 0
assert c.commit(fh)[0] == 0
PY
}
list() { port=${port_of[$1]} && nfs ls "$(nfs_url "$2")" | awk '{ print $NF }' | sort | tr '\n' ' '; }

head -c 9000000 /dev/urandom >"$work/first"
head -c 9000000 /dev/urandom >"$work/second"
head -c 5000 /dev/urandom >"$work/small"
config a ''
config b ''
ok "the first server starts" start a
ok "the second is refused a share that the first writes, and told which server that is" \
	refused b "another server (.*process ${pid[a]}) writes to it"
config b 'read_only = true;'
ok "with read_only it starts" start b
ok "each has a share of its own" put a "$work/first" /own/file
ok "whatever the other does in its" put b "$work/second" /own/file
ok "they do not mix" same a "$work/first" /own/file
ok "nor in the other" same b "$work/second" /own/file

ok "a file is written at one server" put a "$work/first" /common/file
ok "and read at the other as soon as it is closed" same b "$work/first" /common/file
ok "it is written again, as long as it was" over a "$work/second" file
ok "and read again" same b "$work/second" /common/file
ok "a name that did not exist when it was looked up" put a "$work/small" /common/small
is "is there when it does" "$(list b /common)" "file small "
ok "who follows cannot write" eval '! put b "$work/small" /common/no'
is "and has not" "$(list a /common)" "file small "

stop a KILL
ok "who follows goes on when the writer is gone" same b "$work/second" /common/file
ok "the follower stops" stop b
config b ''
ok "the share is still the writer's" refused b "another server"
ok "unless it is taken over" start b --take-over=common
ok "all is there that was acknowledged" same b "$work/second" /common/file
ok "and goes on" put b "$work/first" /common/more
ok "the first server is refused now" refused a "another server (.*process ${pid[b]}) writes to it"
ok "the second stops" stop b
ok "the share is free: the first server starts" start a
ok "and has what the second wrote" same a "$work/first" /common/more
ok "its own share was nobody else's" same a "$work/first" /own/file
ok "it writes" put a "$work/small" /common/last
put a "$work/first" /own/again
ok "it stops" stop a
ok "and starts" start a
is "without giving up what it wrote before it stopped" "$(grep 'share own_a.*given up' "$work/server.log")" ""
ok "which is there" same a "$work/first" /own/again
stop a
finish
