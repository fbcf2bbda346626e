# SPDX-License-Identifier: MIT
# The program hammer for a test, after tests/postgres/lib.sh; each run has a schema of its own.
#
#   hammer SETTING...        starts it: $hammer its process, $schema; what it says in $work/hammer
#   figure N, more N COUNT [SECONDS]   commits (0), delays (1), syncs (2): how many; until there are COUNT more
#   told_at_most N PATTERN   in each half minute since its start, which is what the store waits between two such lines
#   ends_well                ends it; fails when something was lost, done twice, or answered by an error
#   lock_table TABLE, lock_rows TABLE, lock_by STATEMENT, unlock_table   somebody else has it, or all rows of it
runs=0

hammer() {
	runs=$((runs + 1)) schema=run$runs hammer_began=$SECONDS
	rm -f "$work/status" "$work/stop"
	mapfile -t options < <(pg_options | grep =)
	"$DFS_BUILDDIR/tests/postgres/hammer" --status "$work/status" --stop "$work/stop" "${options[@]}" \
		"schema=$schema" "$@" >"$work/hammer" 2>&1 &
	hammer=$!
	at_exit "kill -KILL $hammer 2>/dev/null"
	more 0 200 || { cat "$work/hammer"; echo "Bail out! the hammer does nothing"; exit 1; }
}
figure() { cut -d ' ' -f "$(($1 + 1))" "$work/status"; }
above() { [ "$(figure "$1")" -gt "$2" ]; }
more() {
	wait_for 60 test -s "$work/status" || return 1
	wait_for "${3:-60}" above "$1" "$(($(figure "$1") + $2))"
}
told_at_most() { [ "$(grep -c "$2" "$work/hammer")" -le $(($1 * (1 + (SECONDS - hammer_began) / 30))) ]; }
ends_well() {
	touch "$work/stop"
	wait "$hammer"
	rc=$?
	cat "$work/hammer"
	return $rc
}

lock_by() {
	mkfifo "$work/locker"
	"$pg_bin/psql" -X -q -A -t -h "$pg_host" -p "$pg_port" -U postgres -d dittofs <"$work/locker" >"$work/locked" 2>&1 &
	locker=$!
	exec 9>"$work/locker"
	echo "BEGIN; $1; SELECT 'locked';" >&9
	wait_for 60 grep -q locked "$work/locked"
}
lock_table() { lock_by "LOCK TABLE $schema.$1"; }
lock_rows() { lock_by "SELECT count(*) FROM (SELECT 1 FROM $schema.$1 FOR UPDATE) AS all_rows"; }
unlock_table() {
	exec 9>&-
	wait "$locker"
	rm "$work/locker"
}
