#!/bin/bash
# SPDX-License-Identifier: MIT
# The PostgreSQL store keeps the contract while its sessions are ended at random moments, and while the
# database is killed.
#
# A store's promise at the level "process" is for the death of its own process alone, so the tests that
# kill it run without kills of the database, but for those that sync for a loss of power.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
# What a kill of processes takes away is what was not written yet; the disk is another matter, and slow.
start_postgres "fsync = off" "wal_writer_delay = 5s" "wal_writer_flush_after = 0" "checkpoint_timeout = 1h"
sql "CREATE SEQUENCE ended" "GRANT ALL ON SEQUENCE ended TO dittofs"
mapfile -t options < <(pg_options)

# conform NAME OPTION...: in the background
conform() {
	name=$1
	shift
	"$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" --repeat 100 \
		--plugin "$DFS_BUILDDIR/.plugins/metadata_postgres.so" "${options[@]}" \
		--set 'schema={folder}' --set request_timeout=300s "$@" >"$work/$name" 2>&1 &
	conform=$!
	at_exit "kill $conform 2>/dev/null"
}
passes() {
	wait "$conform"
	rc=$?
	grep -E '^(#|not ok|Bail)' "$work/$1" | sed 's/^/# /'
	[ $rc = 0 ]
}
# In one session of the database, so that it costs next to nothing, and for some 30 seconds.
end_sessions() {
	sql "DO \$\$ BEGIN
		FOR i IN 1..400 LOOP
			PERFORM pg_sleep(random() * 0.15);
			PERFORM pg_stat_clear_snapshot();
			PERFORM nextval('ended') FROM (
				SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE application_name LIKE 'dittofs %'
				ORDER BY random() LIMIT 1 + (random() * 3)::int) AS victims;
		END LOOP;
	END \$\$" >"$work/ender" 2>&1
}

conform sessions
end_sessions &
ender=$!
ok "the contract holds while sessions are ended" passes sessions
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'" >/dev/null
wait "$ender"
ended=$(sql "SELECT last_value FROM ended")
echo "# $ended sessions were ended"
ok "and many of them were" [ "$ended" -gt 50 ]

mapfile -t groups < <("$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" --list | cut -d / -f 1 | sort -u |
	grep -v crash | sed 's/^/--only=/')
kills=0
for round in 1 2 3; do
	conform database$round "${groups[@]}" \
		--only="crash/killed after any commit: what was synced for power is there"
	# Not for ever: on a busy machine they would leave no time for anything else.
	for ((i = 0; i < 10; i++)); do
		kill -0 "$conform" 2>/dev/null || break
		sleep "$((RANDOM % 2)).$((RANDOM % 10))"
		crash_postgres
		run_postgres
		kills=$((kills + 1))
	done
	ok "the contract holds while the database is killed, run $round" passes database$round
done
echo "# the database was killed $kills times"
ok "and often it was" [ "$kills" -gt 5 ]
finish
