# SPDX-License-Identifier: MIT
# A PostgreSQL server for a test, after tests/lib.sh.
#
#   start_postgres [SETTING...]    a cluster of its own: $pg_host (socket folder), $pg_port (also TCP on
#                                  127.0.0.1), role and database "dittofs", password "secret" over TCP
#   sql STATEMENT...               as the superuser, in the database; unaligned tuples
#   stop_postgres [fast|immediate], crash_postgres (SIGKILL to all of it), run_postgres (again)
#   start_standby NAME [ARGUMENT...]  a copy of the current cluster, which follows it; arguments as of run_postgres
#   use_postgres NAME              whom all of these mean from now on; start_postgres makes "main"
#   promote_postgres               a standby becomes a primary
#   pg_options                     the plugin's options for the sockets of all of them, as for dfs-conform-metadata
# A cluster ends with the shell that started it, however that ends.
requires setpriv
for pg_bin in "$(command -v postgres >/dev/null && dirname "$(readlink -f "$(command -v postgres)")")" \
	/usr/lib/postgresql/*/bin; do
	[ -x "$pg_bin/initdb" ] && break
done
[ -x "$pg_bin/initdb" ] || skip_all "PostgreSQL is not installed"
pg_pid= pg_name=main pg_all=main

# PostgreSQL does not run as root.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	else
		"$@"
	fi
}

# run_postgres [nowait] [-c SETTING...]
run_postgres() {
	pg_wait=yes
	[ "${1:-}" != nowait ] || { pg_wait=no && shift; }
	set -- "$pg_bin/postgres" -D "$pg_dir" -c "port=$pg_port" "$@"
	# The server's own parent is this shell; SIGQUIT is its immediate shutdown.
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups --pdeathsig QUIT \
			"$@" >>"$work/postgres.log" 2>&1 </dev/null &
	else
		setpriv --pdeathsig QUIT "$@" >>"$work/postgres.log" 2>&1 </dev/null &
	fi
	pg_pid=$!
	[ $pg_wait = no ] || wait_for 60 "$pg_bin/pg_isready" -q -h "$pg_host" -p "$pg_port" -d postgres || {
		tail -n 20 "$work/postgres.log" | sed 's/^/# /'
		echo "Bail out! PostgreSQL does not start"
		exit 1
	}
}

stop_postgres() {
	[ -n "$pg_pid" ] || return 0
	case ${1:-fast} in
	immediate) kill -QUIT "$pg_pid" ;;
	*) kill -INT "$pg_pid" ;;
	esac
	wait "$pg_pid" 2>/dev/null
	pg_pid=
}

# Everything at once, as a loss of power but for the kernel's caches.
crash_postgres() {
	kill -STOP "$pg_pid"
	pg_children=$(pgrep -P "$pg_pid")
	kill -KILL $pg_children "$pg_pid" 2>/dev/null
	wait "$pg_pid" 2>/dev/null
	pg_pid=
	# Dead is enough: it need not have been reaped.
	for pg_child in $pg_children; do
		wait_for 10 sh -c "! readlink /proc/$pg_child/exe" || true
	done
}

start_postgres() {
	pg_host=$work pg_port=$(free_port) pg_dir=$work/postgres
	chmod 711 "$work"
	mkdir "$pg_dir"
	[ "$(id -u)" != 0 ] || chown postgres: "$pg_dir"
	echo secret >"$work/pgpass.txt"
	chmod 644 "$work/pgpass.txt"
	as_postgres "$pg_bin/initdb" -D "$pg_dir" -U postgres -E UTF8 --no-locale --no-sync \
		--auth-local=trust --auth-host=scram-sha-256 >"$work/initdb.log" 2>&1 || {
		tail -n 20 "$work/initdb.log" | sed 's/^/# /'
		echo "Bail out! initdb fails"
		exit 1
	}
	{
		echo "listen_addresses = '127.0.0.1'"
		echo "unix_socket_directories = '$work/pgsocket'"
		echo "max_connections = 60"
		echo "shared_buffers = 64MB"
		echo "autovacuum_naptime = 10s"
		for setting in "$@"; do echo "$setting"; done
	} >>"$work/postgresql.extra"
	mkdir "$work/pgsocket"
	pg_host=$work/pgsocket
	[ "$(id -u)" != 0 ] || chown postgres: "$work/pgsocket"
	chmod 644 "$work/postgresql.extra"
	echo "include '$work/postgresql.extra'" | as_postgres tee -a "$pg_dir/postgresql.conf" >/dev/null
	at_exit 'use_postgres main; stop_postgres immediate'
	run_postgres
	sql_in postgres "CREATE ROLE dittofs LOGIN PASSWORD 'secret'" "CREATE DATABASE dittofs OWNER dittofs"
}

use_postgres() {
	for pg_var in pid port dir; do
		eval "pg_${pg_var}_$pg_name=\$pg_$pg_var pg_$pg_var=\${pg_${pg_var}_$1:-}"
	done
	pg_name=$1
}

start_standby() {
	pg_standby=$1 pg_from=$pg_name pg_from_port=$pg_port
	shift
	use_postgres "$pg_standby"
	case " $pg_all " in
	*" $pg_standby "*) ;;
	*)
		pg_all="$pg_all $pg_standby" pg_port=$(free_port) pg_dir=$work/postgres.$pg_standby
		at_exit "use_postgres $pg_standby; stop_postgres immediate"
		;;
	esac
	stop_postgres immediate
	rm -rf "$pg_dir"
	mkdir -m 700 "$pg_dir"
	[ "$(id -u)" != 0 ] || chown postgres: "$pg_dir"
	as_postgres "$pg_bin/pg_basebackup" -D "$pg_dir" -R -c fast --no-sync -h "$pg_host" -p "$pg_from_port" \
		-U postgres || { echo "Bail out! pg_basebackup fails"; exit 1; }
	run_postgres "$@"
	use_postgres "$pg_from"
}

promote_postgres() { as_postgres "$pg_bin/pg_ctl" promote -s -D "$pg_dir" >>"$work/postgres.log" 2>&1; }

sql_in() {
	pg_db=$1
	shift
	for statement in "$@"; do
		"$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$pg_host" -p "$pg_port" -U postgres -d "$pg_db" \
			-c "$statement" || return 1
	done
}

sql() { sql_in dittofs "$@"; }

pg_options() {
	pg_hosts= pg_ports= pg_now=$pg_name
	for pg_one in $pg_all; do
		use_postgres "$pg_one"
		pg_hosts=$pg_hosts${pg_hosts:+,}$pg_host pg_ports=$pg_ports${pg_ports:+,}$pg_port
	done
	use_postgres "$pg_now"
	printf '%s\n' --set "host=$pg_hosts" --set "port=$pg_ports" --set dbname=dittofs --set user=dittofs
}
