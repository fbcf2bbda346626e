#!/bin/sh
# SPDX-License-Identifier: MIT
# A share on an S3 store: the server starts while S3 cannot be reached, serves when it can, and
# finds its files again.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/s3/lib.sh"
requires nfs-cp nfs-ls nfs-cat python3 perl

port=$(free_port)
s3_port=$(free_port)
cat >"$work/dfs.conf" <<CONF
server = { state_dir = "$work/state"; };
metadata_stores = { m = { type = "leveldb"; path = "metadata"; }; };
block_stores = { archive = { type = "s3"; bucket = "conform"; region = "us-east-1";
                             endpoint = "http://127.0.0.1:$s3_port"; key_prefix = "dittofs/";
                             access_key = "ak"; secret_key = "env:DFS_TEST_SECRET"; }; };
shares = { export = { path = "/export"; metadata = "m"; blocks = "archive";
    clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } ); }; };
adapters = { nfs = { listen = "127.0.0.1"; port = $port; }; };
CONF
export DFS_TEST_SECRET=sk
head -c 9000000 /dev/urandom >"$work/file"

copy_out() { nfs cat "$(nfs_url /export/file)" >"$work/back" && cmp "$work/file" "$work/back"; }
keys() { "$DFS_SRCDIR/tests/s3/request.py" "$faultd" ak sk GET "/conform?list-type=2&prefix=dittofs/export" | grep -o '<Key>'; }

start_server
ok "the server starts while S3 cannot be reached" nfs ls "$(nfs_url /export)"
start_faultd --port "$s3_port"
ok "a file is copied in" nfs cp "$work/file" "$(nfs_url /export/file)"
ok "it comes back" copy_out
ok "its blocks are objects under the prefix" wait_for 30 keys
stop_server
start_server
ok "it is there after a restart" copy_out
ok "the secret is in no log" sh -c '! grep -w sk "$0"' "$work/server.log"
finish
