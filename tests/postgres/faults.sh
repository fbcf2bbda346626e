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

# goes_on NAME COUNT: COUNT commits more; stalls: those after which there were none.
stalls=
goes_on() { more 0 "$2" || stalls="$stalls$1 "; }
never_stalled() {
	is "$1" "$stalls" ""
	stalls=
}

hammer request_timeout=120s max_conns=6
for ((i = 0; i < 10 * rounds; i++)); do
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dittofs %' ORDER BY random() LIMIT $((1 + RANDOM % 3))" >/dev/null
	goes_on "round $i" 20
done
never_stalled "commits go on while sessions are ended"
is "no request was put off while sessions were ended" "$(figure 1)" 0
ok "sessions may end at any moment" ends_well

hammer request_timeout=120s
for ((i = 0; i < rounds; i++)); do
	goes_on "before kill $i" $((100 + RANDOM % 200))
	crash_postgres
	run_postgres
	goes_on "after kill $i" 100
done
never_stalled "commits go on when the database was killed"
is "no request was put off while the database was killed" "$(figure 1)" 0
ok "the database may be killed at any moment" ends_well
ok "what a kill took away was made again" [ "$(grep -c 'had lost' "$work/hammer")" -gt 0 ]

hammer request_timeout=120s unsynced_size=64K
killed=0
for ((i = 0; i < rounds; i++)); do
	goes_on "before kill $i" 50
	# A backend that dies takes all others down, and the shared memory.
	pkill -KILL -o -P "$pg_pid" -f 'dittofs.*(idle|COMMIT|INSERT|SELECT|BIND|BEGIN)' && killed=$((killed + 1))
	goes_on "after kill $i" 50
done
ok "backends were killed" [ "$killed" -gt 0 ]
never_stalled "commits go on when a backend was killed"
ok "a backend may be killed at any moment" ends_well

hammer request_timeout=120s
for ((i = 0; i < rounds; i++)); do
	goes_on "before restart $i" 50
	stop_postgres fast
	run_postgres
	goes_on "after restart $i" 50
done
never_stalled "commits go on when the database was restarted"
is "no request was put off while the database was restarted" "$(figure 1)" 0
ok "the database may be restarted" ends_well

hammer request_timeout=2s
stop_postgres fast
ok "requests are put off when the database is away for longer than they wait" more 1 10
run_postgres
ok "requests go on when the database is back" more 0 50
ok "a database that was away has lost nothing and did nothing twice" ends_well

hammer request_timeout=2s
kill -STOP "$pg_pid" $(pgrep -P "$pg_pid")
ok "requests are put off when the database hangs" more 1 5
kill -CONT "$pg_pid" $(pgrep -P "$pg_pid")
ok "requests go on when the database answers again" more 0 50
ok "a database that hung has lost nothing and did nothing twice" ends_well
finish
