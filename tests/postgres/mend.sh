#!/bin/bash
# SPDX-License-Identifier: MIT
# A server whose database has no room, has its tables altered, or answers what is no record: what fails is told in the log,
# the other share does not notice, and all goes on without a restart when it is mended.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
requires python3
start_postgres
port=$(free_port)
rules='clients = ( { match = "127.0.0.0/8"; access = "rw"; squash = "none"; } );'
cat >"$work/dfs.conf" <<CONF
server = { state_dir = "$work/state"; wal = { size = "64M"; segment_size = "8M"; }; };
metadata_stores = { m = { type = "postgres"; host = "$pg_host"; port = "$pg_port"; user = "dittofs"; dbname = "dittofs";
                          request_timeout = "3s"; };
                    l = { type = "leveldb"; path = "names"; }; };
block_stores = { b = { type = "filesystem"; path = "blocks"; }; };
shares = { export = { path = "/export"; metadata = "m"; blocks = "b"; $rules };
           other = { path = "/other"; metadata = "l"; blocks = "b"; $rules }; };
adapters = { nfs = { listen = "127.0.0.1"; port = $port; }; };
CONF
start_server

# file SHARE NAME: makes it, or finds it, writes to it, and reads it; the statuses, up to the first that is not 0.
file() {
	PYTHONPATH=$DFS_SRCDIR/tests/attack python3 - "$port" "$@" <<'PY'
import sys
from rpc import Conn
c = Conn(int(sys.argv[1]), timeout=60)
root, name = c.mount(b"/" + sys.argv[2].encode()), sys.argv[3].encode()
st, fh = c.create(root, name, 0)
print(st, end="")
if st == 0:
    print("", c.write(fh, 0, b"x" * 5000)[0], c.commit(fh)[0], c.read(fh, 0, 10)[0], len(list(c.listing(root, True))), end="")
PY
}
# no_room: whatever puts an inode finds the disk full, as the database tells it.
no_room() {
	sql "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS
		\$\$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END\$\$" \
		"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON dittofs.inodes EXECUTE FUNCTION public.full()"
}
room() { sql "DROP TRIGGER no_room ON dittofs.inodes" "DROP FUNCTION public.full"; }

is "a file is made" "$(file export first)" "0 0 0 0 3"
no_room
is "another file finds no space" "$(file export second)" 28
is "who waits for what was written to the first file finds no space" "$(file export first)" 28
is "the other share goes on while there is no space" "$(file other first)" "0 0 0 0 3"
room
is "when there is space again, the share goes on" "$(file export second)" "0 0 0 0 4"
is "the share has all files when there is space again" "$(file export first)" "0 0 0 0 4"
is "the log has told of the full disk, once" "$(grep -c 'the database refuses: could not extend file.*53100' "$work/server.log")" 1

sql "ALTER TABLE dittofs.inodes ADD COLUMN more text"
is "a column more does not matter" "$(file export third)" "0 0 0 0 5"
sql "DROP VIEW dittofs.files" "ALTER TABLE dittofs.inodes ALTER COLUMN uid TYPE numeric"
is "a column of another type does not matter" "$(file export fourth)" "0 0 0 0 6"

ok "the server ends in order" stop_server
start_server
ok "a server that ended in order finds that nobody else had the share" sh -c "! grep 'taken it over' '$work/server.log'"
stop_server
sql "ALTER TABLE dittofs.inodes ALTER COLUMN content DROP NOT NULL" "UPDATE dittofs.inodes SET content = NULL WHERE length = 5000"
start_server
is "what is no record is an error" "$(file export first)" 5
ok "the log tells the table that has no record" grep -q 'a row of the table inodes is damaged' "$work/server.log"
is "the other share goes on while a row is damaged" "$(file other first)" "0 0 0 0 3"
finish
