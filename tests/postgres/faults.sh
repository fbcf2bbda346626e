#!/bin/bash
# SPDX-License-Identifier: MIT
# The PostgreSQL store while its database loses sessions, is killed, hangs, and is restarted: nothing that was
# answered gets lost or happens twice, and nobody is told of an error.  DFS_PG_ROUNDS=50 with DFS_TEST_TIMEOUT=3600
# is its long run.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
. "$DFS_SRCDIR/tests/postgres/hammer.sh"
# The log's writer comes late, so that a crash takes something away.
start_postgres "wal_writer_delay = 5s" "wal_writer_flush_after = 0" "checkpoint_timeout = 1h" "restart_after_crash = on"
rounds=${DFS_PG_ROUNDS:-5}

hammer request_timeout=30s max_conns=6
for ((i = 0; i < 10 * rounds; i++)); do
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dittofs %' ORDER BY random() LIMIT $((1 + RANDOM % 3))" >/dev/null
	more 0 20
done
is "no request was put off while sessions were ended" "$(figure 1)" 0
ok "sessions may end at any moment" ends_well

hammer request_timeout=30s
for ((i = 0; i < rounds; i++)); do
	more 0 $((100 + RANDOM % 200))
	crash_postgres
	run_postgres
	more 0 100
done
is "no request was put off while the database was killed" "$(figure 1)" 0
ok "the database may be killed at any moment" ends_well
ok "and what that took away was made again" [ "$(grep -c 'had lost' "$work/hammer")" -gt 0 ]

hammer request_timeout=30s unsynced_size=64K
for ((i = 0; i < rounds; i++)); do
	more 0 50
	# A backend that dies takes all others down, and the shared memory.
	pkill -KILL -o -P "$pg_pid" -f 'dittofs.*(idle|COMMIT|INSERT|SELECT|BIND|BEGIN)' || true
	more 0 50
done
ok "a backend may be killed at any moment" ends_well

hammer request_timeout=30s
for ((i = 0; i < rounds; i++)); do
	more 0 50
	stop_postgres fast
	run_postgres
	more 0 50
done
is "no request was put off while the database was restarted" "$(figure 1)" 0
ok "the database may be restarted" ends_well

hammer request_timeout=300ms
stop_postgres fast
ok "requests are put off when it is away for longer than they wait" more 1 20
run_postgres
ok "and go on when it is back" more 0 50
ok "with nothing lost or done twice" ends_well

hammer request_timeout=500ms
kill -STOP "$pg_pid" $(pgrep -P "$pg_pid")
ok "requests are put off when it hangs" more 1 5
kill -CONT "$pg_pid" $(pgrep -P "$pg_pid")
ok "and go on when it answers" more 0 50
ok "with nothing lost or done twice" ends_well
finish
