#!/bin/sh
# SPDX-License-Identifier: MIT
# S3 refuses everything while a share on it is written, the server is killed, and S3 comes back:
# nothing that was acknowledged is lost, and another share notices nothing.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/s3/lib.sh"
requires nfs-cp nfs-ls nfs-cat python3 perl

port=$(free_port)
start_faultd
cat >"$work/dfs.conf" <<CONF
server = { state_dir = "$work/state"; wal = { size = "128M"; segment_size = "16M"; }; };
metadata_stores = { m = { type = "leveldb"; path = "metadata"; }; };
block_stores = { archive = { type = "s3"; bucket = "conform"; region = "us-east-1";
                             endpoint = "$faultd"; access_key = "ak"; secret_key = "sk"; };
                 local = { type = "filesystem"; path = "blocks"; }; };
shares = { far = { path = "/far"; metadata = "m"; blocks = "archive";
               clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); };
           near = { path = "/near"; metadata = "m"; blocks = "local";
               clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); }; };
adapters = { nfs = { listen = "127.0.0.1"; port = $port; }; };
CONF
head -c 20000000 /dev/urandom >"$work/file"
put() { nfs cp "$work/file" "$(nfs_url "$1")"; }
same() { nfs cat "$(nfs_url "$1")" >"$work/back" && cmp "$work/file" "$work/back"; }
figures() { grep -c "counter $1 " "$work/server.log"; }
more_figures() { [ "$(figures "$1")" -gt "$2" ]; }
# The server writes them some time after the signal.
counter() {
	before=$(figures "$1")
	kill -USR1 "$server_pid"
	wait_for 10 more_figures "$1" "$before" || return 1
	sed -n "s/.*counter $1 //p" "$work/server.log" | tail -n 1
}
drained() { [ "$(counter dp_dirty_files)" = 0 ] && [ "$(counter dp_wal_used_bytes)" -le 33554432 ]; }

start_server
ok "a file is written before" put /far/before
fault 'rule * * -1 status 503 SlowDown'
ok "S3 refuses everything: a file is written all the same" put /far/during
ok "and read back" same /far/during
ok "another share is served" put /near/file
stop_server KILL
start_server
ok "killed and started while S3 refuses: the file is there, out of the log" same /far/during
ok "and so is the other share's" same /near/file
fault 'clear'
ok "S3 serves again: everything goes out and the log is free" wait_for 120 drained
stop_server KILL
start_server
ok "the file written before is there" same /far/before
ok "the file written during is there, out of S3" same /far/during
finish
