#!/bin/bash
# SPDX-License-Identifier: MIT
# The PostgreSQL store and two databases of which the one follows the other: the primary is killed, hangs, is fenced
# off or left alone, and the standby promoted.  With a synchronous standby nothing that was answered gets
# lost or happens twice; with another one the store tells what it cannot make good, and changes nothing.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
. "$DFS_SRCDIR/tests/postgres/hammer.sh"
# The log's writer comes late, so that a crash takes something away.
start_postgres "wal_writer_delay = 5s" "wal_writer_flush_after = 0" "checkpoint_timeout = 1h" "wal_retrieve_retry_interval = 100ms"
other=spare

# set_up SETTING VALUE: in the current cluster
set_up() { sql "ALTER SYSTEM SET $1 = '$2'" "SELECT pg_reload_conf()" >/dev/null; }
follows() { [ "$(sql "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '$1'")" = 1 ]; }
# pair sync|async [ARGUMENT-OF-run_postgres...]: $other follows the current cluster, as a new copy of it.
pair() {
	local kind=$1
	shift
	set_up synchronous_standby_names ''
	start_standby "$other" "$@"
	[ "$kind" = async ] || set_up synchronous_standby_names '*'
	wait_for 30 follows "$kind" || { echo "Bail out! the standby does not follow"; exit 1; }
}
# What was the standby is the current cluster from now on, and has none of its own.
alone() { echo "synchronous_standby_names = ''" | as_postgres tee -a "$pg_dir/postgresql.auto.conf" >/dev/null; }
to_other() {
	local now=$pg_name
	use_postgres "$other"
	other=$now
}
fail_over() {
	to_other
	alone
	promote_postgres
}
of_other() {
	local now=$pg_name
	use_postgres "$other"
	"$@"
	use_postgres "$now"
}
everybody() { echo "$pg_pid $(pgrep -d ' ' -P "$pg_pid")"; }
told() { grep -q -e "$1" "$work/hammer"; }

hammer_on() {
	pair "$@"
	hammer "${settings[@]}"
	more 0 100
}

settings=(request_timeout=120s max_conns=6)
hammer_on sync
for turn in 1 2; do
	[ $turn = 1 ] || pair sync
	more 0 $((100 + RANDOM % 200))
	lines=$(grep -c 'does not serve' "$work/hammer")
	crash_postgres
	wait_for 30 eval "[ \$(grep -c 'does not serve' '$work/hammer') -gt $lines ]"
	fail_over
	ok "a primary that is killed: the standby is found when it is promoted ($turn)" more 0 100
done
is "no request was put off meanwhile" "$(figure 1)" 0
ok "nothing was lost or done twice" ends_well
ok "what the standby had not got was made again" told 'had lost [0-9]* commits in a crash'
ok "what it had been told was durable was there" eval '! told "confirmed as durable"'

settings=(request_timeout=2s)
hammer_on sync nowait -c hot_standby=off
crash_postgres
ok "requests are put off while the standby takes nobody" more 1 10
fail_over
ok "requests go on when a standby that took nobody is promoted" more 0 100
ok "nothing was lost or done twice: a standby that took nobody" ends_well

hammer_on sync
crash_postgres
ok "requests are put off while the standby takes no changes" more 1 10
fail_over
ok "requests go on when a standby that took no changes is promoted" more 0 100
ok "nothing was lost or done twice: a standby that took no changes" ends_well

settings=(request_timeout=10m unsynced_size=1G)
hammer_on sync
of_other stop_postgres fast
ok "changes that wait for no standby go on while it is away" more 0 2000
of_other run_postgres
ok "syncs go on when the standby is back" more 2 10
ok "nothing was lost or done twice: changes while the standby was away" ends_well

settings=(request_timeout=3s)
hammer_on sync
of_other stop_postgres fast
ok "requests are put off while the standby is away" more 1 10
of_other run_postgres
ok "requests go on when the standby is back" more 2 10
ok "nothing was lost or done twice: syncs while the standby was away" ends_well

settings=(request_timeout=6s connect_timeout=1s)
hammer_on sync
hung=$(everybody)
at_exit "kill -CONT $hung 2>/dev/null"
kill -STOP $hung
fail_over
ok "a primary that hangs: the promoted standby is found" more 0 100
ok "a primary that hangs: the promoted standby keeps what is synced" more 2 5
ok "nothing was lost or done twice: a primary that hung" ends_well
of_other eval 'kill -KILL $hung; wait $pg_pid 2>/dev/null; pg_pid='

settings=(request_timeout=2s)
hammer_on sync
as_postgres sed -i '1i local dittofs dittofs reject' "$pg_dir/pg_hba.conf"
sql "SELECT pg_reload_conf()" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dittofs %'" >/dev/null
fail_over
ok "a primary that lets nobody in any more: the promoted standby is found" more 0 100
ok "nothing was lost or done twice: a primary that let nobody in" ends_well
of_other stop_postgres immediate

settings=(request_timeout=3s)
hammer_on sync
set_up default_transaction_read_only on
ok "a primary that is told to take no changes: requests are put off" more 1 10
before=$(figure 0)
more 1 20
is "a primary that is told to take no changes: nobody changes anything there" "$(figure 0)" "$before"
fail_over
ok "a primary that is told to take no changes: the promoted standby is found" more 0 100
ok "nothing was lost or done twice: a primary that was told to take no changes" ends_well
of_other stop_postgres immediate

hammer_on sync
fail_over
ok "a primary that is left alone: no sync succeeds there, and the promoted standby is found" \
	wait_for 60 told 'is another one now'
ok "a primary that is left alone: the promoted standby is used" more 0 100
ok "a primary that is left alone: the promoted standby keeps what is synced" more 2 10
nobody_left() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dittofs %' AND state <> 'active'")" = 0 ]; }
ok "nobody is left on the old one" wait_for 30 of_other nobody_left
of_other stop_postgres immediate
ok "nothing was lost or done twice: a primary that was left alone" ends_well

# A standby that has missed what was durable on the primary's disk.
contents() {
	local table
	for table in dirents server_state usage; do sql "SELECT * FROM run$runs.$table ORDER BY 1, 2, 3"; done | sha256sum
}
settings=(request_timeout=3s)
hammer_on async
of_other stop_postgres fast
more 2 10
crash_postgres
more 1 10
to_other
alone
run_postgres
before=$(contents)
told_figures="$(figure 0) $(figure 2)"
promote_postgres
ok "a standby that has missed durable commits: that is told" wait_for 30 told 'confirmed as durable'
ok "a standby that has missed durable commits: changes are refused" wait_for 30 told 'begin answers'
ok "a standby that has missed durable commits: syncs are refused" wait_for 30 told 'sync answers'
is "a standby that has missed durable commits: no change has been taken" "$(figure 0) $(figure 2)" "$told_figures"
ok "the hammer ends" eval '! ends_well'
is "the database is as it was" "$(contents)" "$before"
finish
