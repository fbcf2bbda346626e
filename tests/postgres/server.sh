#!/bin/bash
# SPDX-License-Identifier: MIT
# A server with its names in PostgreSQL and its content in files: trees are copied in and out while the database
# is restarted, killed and away, and the server itself is killed; all that was acknowledged is there.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
requires nfs-cp nfs-cat nfs-ls openssl
start_postgres "wal_writer_delay = 5s"
port=$(free_port)
cat >"$work/dfs.conf" <<CONF
server = { state_dir = "$work/state"; drain = "2s"; write_out = "15s"; wal = { size = "128M"; segment_size = "8M"; }; };
metadata_stores = { m = { type = "postgres"; host = "$pg_host"; port = "$pg_port"; user = "dittofs"; dbname = "dittofs";
        request_timeout = "60s"; };
    l = { type = "leveldb"; path = "names"; }; };
block_stores = { b = { type = "filesystem"; path = "blocks"; }; c = { type = "filesystem"; path = "apart"; }; };
shares = {
    export = { path = "/export"; metadata = "m"; blocks = "b";
        clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); };
    beside = { path = "/beside"; metadata = "m"; blocks = "b"; durability = "none";
        clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); };
    apart = { path = "/apart"; metadata = "l"; blocks = "c"; durability = "none";
        clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); }; };
adapters = { nfs = { listen = "127.0.0.1"; port = $port; }; };
CONF
start_server
mkdir "$work/in"
for i in 0 1 2 3 4 5 6 7 8 9; do openssl rand $((i * 77777 + 13)) >"$work/in/$i"; done
openssl rand 9000000 >"$work/in/large"

# in_as PREFIX [SHARE]: copy the files in; out_as PREFIX [SHARE]: and compare them.
in_as() { for f in "$work/in"/*; do nfs cp "$f" "$(nfs_url "/${2:-export}/$1-${f##*/}")" || return 1; done; }
out_as() { for f in "$work/in"/*; do nfs cat "$(nfs_url "/${2:-export}/$1-${f##*/}")" | cmp - "$f" || return 1; done; }
count() { nfs ls "$(nfs_url /export)" | grep -c -- "$1-"; }

ok "files are copied in" in_as quiet
ok "files are copied out" out_as quiet
is "files are listed" "$(count quiet)" 11

in_as restart >"$work/copy" 2>&1 &
copy=$!
listed() { nfs ls "$(nfs_url /export)" | grep -q -e "$1"; }
for i in 1 4 7; do
	wait_for 30 listed "restart-$i"
	stop_postgres fast
	run_postgres
done
ok "files are copied in while the database is restarted" wait "$copy"
ok "files that were copied in while the database was restarted are there" out_as restart

in_as crash >"$work/copy" 2>&1 &
copy=$!
for i in 1 4 7; do
	wait_for 30 listed "crash-$i"
	crash_postgres
	run_postgres
done
ok "files are copied in while the database is killed" wait "$copy"
ok "files that were copied in while the database was killed are there" out_as crash

stop_postgres fast
in_as away >"$work/copy" 2>&1 &
copy=$!
ok "what the server knows is served without the database" out_as crash
run_postgres
ok "what a client wants meanwhile is done when it is back" wait "$copy"
ok "what a client wanted while the database was away is there" out_as away

kill -KILL "$server_pid"
{ wait "$server_pid"; } 2>/dev/null
start_server
for run in quiet restart crash away; do ok "a killed server has all of '$run' again" out_as "$run"; done
is "a killed server lists all files again" "$(nfs ls "$(nfs_url /export)" | grep -c -e '-[0-9l]')" 44
is "the database tells of as many files" "$(sql "SELECT count(*) FROM dittofs.files WHERE type = 'file'")" 44
ok "the server ends in order" stop_server
is "the log of all that has no error" "$(grep -cE ' (error|ERROR)' "$work/server.log")" 0

# Many commits are under way when the database goes, and of some nobody knows the outcome.  One more share has
# dirty data there and no request; another has some in stores that work.
start_server
"$DFS_BUILDDIR/dfs-bench" --port "$port" --seconds 60 --timeout 120 127.0.0.1:/export create >"$work/bench" 2>&1 &
bench=$!
at_exit "kill $bench 2>/dev/null"
committing() { [ "$(sql "SELECT count(*) FROM dittofs.files WHERE type = 'file'")" -gt 100 ]; }
ok "a share without requests has dirty data" in_as dirty beside
wait_for 30 committing
ok "and one that has nothing to do with the database" in_as dirty apart
crash_postgres
stop_server
is "without its database the server ends all the same, and not as if all were well" $? 1
ok "a server that ends without its database says why" grep -q "requests that do not end" "$work/server.log"
wait "$bench"
run_postgres
start_server
ok "with the database the server serves again" out_as quiet
ok "the share whose stores worked was written out" out_as dirty apart
ok "with the database the server ends in order" stop_server

# Tables that a restored dump has given to somebody else.
sql "REVOKE ALL ON dittofs.inodes FROM dittofs"
status=0
DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins timeout 60 "$DFS_BUILDDIR/tools/dfs/dfs" -c "$work/dfs.conf" 2>"$work/revoked" || status=$?
is "without a right on a table the server does not start" "$status" 1
ok "the log says which table the server has no right on" grep -q 'share export cannot be opened: .*permission denied for table inodes' "$work/revoked"
sql "GRANT ALL ON dittofs.inodes TO dittofs"

# A server that waits for its database is told to stop.
stop_postgres fast
: >"$work/server.log"
DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins "$DFS_BUILDDIR/tools/dfs/dfs" -c "$work/dfs.conf" 2>>"$work/server.log" &
server_pid=$!
ok "a server waits for a database that is not there" wait_for 30 grep -q 'waiting for the database' "$work/server.log"
ok "a server that waits for its database stops when it is told to" stop_server
is "a server that is told to stop does not go on waiting" "$(grep -c 'stopped on Terminated before all was open' "$work/server.log")" 1
run_postgres
start_server
ok "a start that was stopped has done no harm" out_as quiet
ok "a server ends in order after such a start" stop_server
sed 's/dbname/schema = "pg_x"; dbname/' "$work/dfs.conf" >"$work/bad.conf"
is "a name that PostgreSQL keeps is a mistake of the file, with its place" \
	"$(DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins "$DFS_BUILDDIR/tools/dfs/dfs" -c "$work/bad.conf" --check-config 2>&1)" \
	"dfs: $work/bad.conf:2: metadata_stores.m.schema: PostgreSQL keeps this name for itself"
finish
