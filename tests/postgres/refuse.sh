#!/bin/sh
# SPDX-License-Identifier: MIT
# What the PostgreSQL store refuses to open, each with its own sentence, and what it may not touch or tell.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
requires openssl
start_postgres
# Those that a refusal has seen, whole and in pieces.
passwords='wr0ngw0rd|passw0rd|w0rdpiece'
conform=$DFS_BUILDDIR/tools/conform/dfs-conform-metadata
plugin=$DFS_BUILDDIR/.plugins/metadata_postgres.so
mkdir "$work/store"

# open_with SETTING...: the conformance program's check of a store without commits; its remarks in $work/out, and
# those of all runs in $work/all-out
open_with() {
	for setting in "$@"; do set -- "$@" --set "$setting"; shift; done
	timeout 60 "$conform" --plugin "$plugin" --set dbname=dittofs --set user=dittofs --set request_timeout=3s \
		"$@" --child "check
$work/store
0
-1" >"$work/out" 2>&1
	rc=$?
	cat "$work/out" >>"$work/all-out"
	return $rc
}

by_socket() { open_with "host=$pg_host" "port=$pg_port" "$@"; }
by_tcp() { open_with host=127.0.0.1 "port=$pg_port" "$@"; }

# refused PATTERN COMMAND...
refused() {
	pattern=$1
	shift
	"$@" && { cat "$work/out"; return 1; }
	cat "$work/out"
	grep -Eq "$pattern" "$work/out"
}

ok "a new schema becomes a store" by_socket schema=one
ok "a store opens again" by_socket schema=one
ok "a password opens it over TCP" by_tcp schema=one password=secret
ok "a connection string opens it" open_with schema=one \
	"conninfo=postgresql://dittofs:secret@127.0.0.1:$pg_port/dittofs"
echo "127.0.0.1:$pg_port:dittofs:dittofs:secret" >"$work/pgpass"
chmod 600 "$work/pgpass"
ok "a password file opens it" by_tcp schema=one "passfile=$work/pgpass"
with_pgpassfile() { PGPASSFILE=$work/pgpass by_tcp schema=one; }
ok "PGPASSFILE opens it" with_pgpassfile

ok "a wrong password is refused" refused 'CONFIG.*password authentication failed' by_tcp schema=one password=wr0ngw0rd
ok "a wrong password is not told, nor where the database's source says so" sh -c "! grep -E 'wr0ngw0rd|LOCATION' '$work/out'"
echo "127.0.0.1:$pg_port:dittofs:dittofs:wr0ngw0rd" >"$work/pgwrong"
chmod 600 "$work/pgwrong"
ok "the file that a wrong password is from is told" refused "CONFIG.*password authentication failed.*from file.*pgwrong" \
	by_tcp schema=one "passfile=$work/pgwrong"
ok "that there is no password is told, and where to give it" refused \
	'CONFIG.*no password is given: set password or passfile.*/none has to name' by_tcp schema=one "passfile=$work/none"
chmod 644 "$work/pgpass"
ok "a password file that others can read does not count" refused \
	'CONFIG.*/pgpass .*nobody else may be able to read it' by_tcp schema=one "passfile=$work/pgpass"
chmod 600 "$work/pgpass"
ok "a password file that others can read is told once" test "$(grep -c 'has group or world access' "$work/out")" -le 2
ok "one of several hosts that refuses the login is passed over" open_with "host=127.0.0.1,$pg_host" "port=$pg_port" \
	schema=one password=wr0ngw0rd
ok "several hosts that all refuse the login are refused" refused 'CONFIG.*authentication failed.*authentication failed' \
	open_with host=127.0.0.1,127.0.0.1 "port=$pg_port,$pg_port" schema=one password=wr0ngw0rd
ok "ports that do not go with the hosts are refused" refused 'CONFIG.*one for each of the hosts' open_with host=a,b,c port=1,2
ok "a connection string that does with a standby is refused" refused 'CONFIG.*target_session_attrs' \
	open_with "conninfo=host=$pg_host target_session_attrs=any"
ok "a damaged connection string is refused" refused 'CONFIG.*no connection string' open_with "conninfo=host='x passw0rdpiece"
ok "no piece of a damaged connection string is told" sh -c "! grep -q passw0rdpiece '$work/out'"
ok "a URI whose password holds a slash is refused" refused 'CONFIG.*no number' open_with schema=one \
	"conninfo=postgresql://dittofs:passw0rd/piece@127.0.0.1:$pg_port/dittofs"
ok "a URI whose password holds an @ is refused" refused 'CONFIG.*host with an @' open_with schema=one \
	"conninfo=postgresql://dittofs:pass@w0rdpiece@127.0.0.1:$pg_port/dittofs"
is "no piece of a password in a URI is told" "$(grep -cE 'passw0rd|w0rdpiece' "$work/all-out")" 0
sql_in postgres "CREATE DATABASE \"host=nowhere\" OWNER dittofs"
ok "a database's name is no connection string" by_socket "dbname=host=nowhere"
ok "a database that is not there is refused" refused 'CONFIG.*"nowhere" does not exist' by_socket dbname=nowhere
sql "CREATE ROLE guest LOGIN"
by_guest() { by_socket user=guest "$@"; }
ok "a role that may not make the schema is told what it needs" refused \
	'CONFIG.*schema guests: permission denied for database.*needs the right to make the schema' by_guest schema=guests
sql "CREATE SCHEMA given AUTHORIZATION guest"
ok "a schema of its own is all that a role needs" by_guest schema=given
ok "a schema that the role may not use is refused" refused 'CONFIG.*schema one: .*the role may not use it' by_guest schema=one
sql "GRANT USAGE ON SCHEMA one TO guest"
ok "tables that the role may not read are refused" refused 'CONFIG.*schema one: permission denied for table' by_guest schema=one
ok "nobody at the address is refused" refused 'IO.*(Connection refused|refused)' open_with host=127.0.0.1 port=1 request_timeout=2s
ok "each address that was tried is told" refused '::1.*refused; .*127.0.0.1.*refused' open_with host=::1,127.0.0.1 \
	port=1 request_timeout=2s
ok "a server without TLS is refused where TLS is wanted" refused 'SSL' by_tcp schema=one password=secret sslmode=require request_timeout=2s

sql "INSERT INTO one.schema_version (version, product) VALUES (99, 'dittofs metadata')"
ok "a newer schema is refused" refused 'VERSION.*it has version 99; this program knows versions up to' by_socket schema=one
sql "DELETE FROM one.schema_version WHERE version = 99"
sql "UPDATE one.schema_version SET version = -5"
ok "a schema of a version that no release has made is refused" refused 'VERSION.*it holds something else' by_socket schema=one
sql "UPDATE one.schema_version SET version = 1"
by_socket schema=broken
sql "ALTER TABLE broken.orphans RENAME TO elsewhere"
ok "a schema that lacks a table is refused, and the table told" refused 'IO.*schema broken: relation "orphans" does not exist' \
	by_socket schema=broken request_timeout=1s
sql "CREATE SCHEMA foreigner AUTHORIZATION dittofs" "CREATE TABLE foreigner.letters (letter text)" \
	"GRANT ALL ON SCHEMA foreigner TO dittofs"
ok "a schema of something else is refused" refused 'VERSION.*it holds something else' by_socket schema=foreigner
is "what lies in a schema of something else is left alone" "$(sql "SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = 'foreigner'::regnamespace AND relkind = 'r'")" letters
sql "CREATE SCHEMA ready AUTHORIZATION dittofs"
ok "an empty schema becomes a store" by_socket schema=ready
ok "a schema's name may hold anything" by_socket 'schema=Quote " and ; --'
ok "PostgreSQL's own names are refused" refused 'CONFIG.*keeps this name' by_socket schema=pg_x

# Ten at once make one schema.
pids=
for i in 0 1 2 3 4 5 6 7 8 9; do
	mkdir "$work/at-once.$i"
	"$conform" --plugin "$plugin" --set "host=$pg_host" --set "port=$pg_port" --set dbname=dittofs --set user=dittofs \
		--set schema=together --set request_timeout=60s --only 'life/an instance opens and closes' >"$work/at-once.$i/out" 2>&1 &
	pids="$pids $!"
done
failures=0
for pid in $pids; do wait "$pid" || failures=$((failures + 1)); done
is "ten that start at once make one schema" "$failures" 0
is "the version of a schema that ten have made is there once" "$(sql "SELECT count(*) = max(version) FROM together.schema_version")" t

# TLS, with a certificate that is its own authority, and another that has nothing to do with it.
certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext subjectAltName=IP:127.0.0.1 \
		-keyout "$work/$1.key" -out "$work/$1.crt" 2>/dev/null
}
certificate server
certificate stranger
[ "$(id -u)" != 0 ] || chown postgres: "$work/server.key"
chmod 600 "$work/server.key"
printf "ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\n" "$work/server.crt" "$work/server.key" >>"$work/postgresql.extra"
stop_postgres fast
run_postgres
by_tls() { by_tcp schema=one password=secret "$@"; }
ok "a connection is encrypted where it has to be" by_tls sslmode=require
ok "a server is known by its certificate" by_tls sslmode=verify-full "sslrootcert=$work/server.crt"
ok "a server whose certificate is not trusted is refused" refused 'certificate verify failed' by_tls sslmode=verify-ca "sslrootcert=$work/stranger.crt" \
	request_timeout=2s
ok "a server whose certificate has another name is refused" refused 'does not match host name' by_tls sslmode=verify-full host=localhost \
	"sslrootcert=$work/server.crt" request_timeout=2s

is "an orderly end leaves no slot behind" "$(sql "SELECT count(*) FROM one.commit_slots")" 0
is "no log of the database has a password" "$(grep -cE "$passwords" "$work/postgres.log")" 0
is "no remark of the store has a password" "$(grep -E "$passwords" "$work/all-out")" ""
ok "remarks of the store were looked at" [ "$(grep -c 'password authentication failed' "$work/all-out")" -gt 1 ]
finish
