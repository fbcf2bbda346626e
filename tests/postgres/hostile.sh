#!/bin/bash
# SPDX-License-Identifier: MIT
# The PostgreSQL store under administrators who take away its rights, tables and connections, alter its columns, lock
# its tables and set limits for its role, and behind a network that loses answers: requests are put off, nothing that was
# answered is lost, the log says what is wrong without end, and all goes on by itself when it is mended.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
. "$DFS_SRCDIR/tests/postgres/hammer.sh"
requires python3
start_postgres "log_min_messages = warning"

hammer request_timeout=3s
sql "REVOKE ALL ON ALL TABLES IN SCHEMA $schema FROM dittofs"
ok "requests are put off while the role has no rights" more 1 10
sql "GRANT ALL ON ALL TABLES IN SCHEMA $schema TO dittofs"
ok "requests go on when the role has its rights again" more 0 50
sql "ALTER TABLE $schema.dirents RENAME TO away"
ok "requests are put off while a table is not there" more 1 10
sql "ALTER TABLE $schema.away RENAME TO dirents"
ok "requests go on when the table is there again" more 0 50
ok "nothing was lost or done twice: rights and tables that were gone" ends_well
is "the log has told what is wrong, once" "$(grep -c 'log 0: .*permission denied for table.*SQLSTATE 42501' "$work/hammer")" 1

sql "ALTER ROLE dittofs SET lock_timeout = '1ms'" "ALTER ROLE dittofs SET idle_session_timeout = '2s'" \
	"ALTER ROLE dittofs SET default_transaction_deferrable = on"
hammer request_timeout=30s
lock_table dirents
waits() { sql "SELECT 'waits' FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > interval '200ms'" | grep waits; }
ok "who waits for a lock goes on waiting, whatever limits the role has" wait_for 20 waits
unlock_table
more 0 50
ok "who has waited for a lock goes on" ends_well
is "no limit of the role has ended a statement" "$(grep -cE 'due to lock timeout' "$work/postgres.log")" 0
sql "ALTER ROLE dittofs RESET ALL"

hammer request_timeout=3s max_conns=6
lock_table commit_slots
ok "requests are put off while a table is locked" more 1 10
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dittofs'" >/dev/null
ok "requests are put off while a table is locked and sessions are lost" more 1 10
unlock_table
ok "requests go on when the table is free" more 0 50
ok "nothing was lost or done twice: a table that was locked" ends_well

hammer request_timeout=1s
lock_by "LOCK TABLE $schema.dirents IN SHARE MODE"
ok "requests are put off while a table is locked against writing" more 1 20
ok "syncs go on meanwhile" more 2 20
unlock_table
ok "requests go on when the table may be written" more 0 50
ok "nothing was lost or done twice: a table that was locked against writing" ends_well

hammer request_timeout=1s
lock_rows server_state
ok "requests are put off while rows are locked" more 1 20
unlock_table
ok "requests go on when the rows are free" more 0 50
ok "nothing was lost or done twice: rows that were locked" ends_well

hammer request_timeout=3s max_conns=6
sql "ALTER ROLE dittofs CONNECTION LIMIT 2" \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dittofs'" >/dev/null
ok "fewer connections than it may have are enough" more 0 300
sql "ALTER ROLE dittofs CONNECTION LIMIT -1"
ok "nothing was lost or done twice: fewer connections than wanted" ends_well
ok "the log does not repeat that connections are refused" told_at_most 2 'too many connections'

# A server that had nothing to do for two days is away when another one starts.
hammer request_timeout=30s
kill -STOP "$hammer"
sql "UPDATE $schema.commit_slots SET touched = now() - interval '2 days'" \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dittofs'" >/dev/null
mapfile -t options < <(pg_options)
"$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" --plugin "$DFS_BUILDDIR/.plugins/metadata_postgres.so" \
	"${options[@]}" --set "schema=$schema" --only 'life/an instance opens and closes' >"$work/second" 2>&1
kill -CONT "$hammer"
ok "who was idle for long goes on" more 0 50
ok "nothing was lost or done twice: an idle server" ends_well

# A network that fails.
proxy_port=$(free_port)
echo pass >"$work/mode"
python3 "$DFS_SRCDIR/tests/postgres/proxy.py" "$proxy_port" "$pg_port" "$work/mode" &
proxy=$!
at_exit "kill $proxy"
through=("host=127.0.0.1" "port=$proxy_port" password=secret)
hammer request_timeout=30s connect_timeout=30s "${through[@]}"
echo lose 0.02 >"$work/mode"
more 0 400
echo pass >"$work/mode"
ok "answers may be lost, those to commits as well" ends_well
ok "the log does not repeat that the network fails" told_at_most 1 'does not serve'
hammer request_timeout=3s connect_timeout=3s "${through[@]}"
for harm in "half 0.05" silent talk "lose 1"; do
	echo "$harm" >"$work/mode"
	sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dittofs'" >/dev/null
	ok "requests are put off: $harm" more 1 5
	echo pass >"$work/mode"
	ok "requests go on: no more $harm" more 0 20
done
ok "nothing was lost or done twice: a network that failed" ends_well
finish
