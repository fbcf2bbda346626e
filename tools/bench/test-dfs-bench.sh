#!/bin/bash
# SPDX-License-Identifier: MIT
# dfs-bench against its own echo: every workload, few operations, every check on.
# One fact per line of TAP; needs only loopback.
set -u
bench=${DFS_BUILDDIR:?}/dfs-bench
work=$(mktemp -d)
n=0
echo_pid=

# shellcheck disable=SC2317
cleanup() {
	[ -z "$echo_pid" ] || kill "$echo_pid" 2>/dev/null
	wait
	rm -rf "$work"
}
trap cleanup EXIT

ok() { # ok STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null
	fi
}

run() { # run ARGUMENT...: at most 30 s
	timeout 30 "$bench" -p "$port" --warmup 0 --timeout 10 "$@" >"$work/out" 2>"$work/err"
}

mkfifo "$work/ready"
"$bench" --serve-echo >"$work/ready" &
echo_pid=$!
read -r _ _ _ _ port <"$work/ready"

workloads=$("$bench" --list | awk '$1 != "connect" { print $1 }')
for w in $workloads; do
	run -n 300 -s 20 --file-size 1M --entries 500 --files 40 --server-pid "$echo_pid" -j \
		127.0.0.1 "$w" && grep -q '"ops":300,' "$work/out" &&
		grep -q '"errors":0,' "$work/out" && grep -q '"server_cpu_s":' "$work/out"
	ok $? "$w: 300 operations without an error"
done
run -n 300 -s 20 -c 1 -d 1 --file-size 1M 127.0.0.1 read1m write1m
ok $? "large blocks at depth 1"
run -n 2000 -s 20 -c 3 -d 5 -t 3 --file-size 1M 127.0.0.1 getattr read4k write4k smallfile
ok $? "three threads share three connections"
run -n 100 -s 20 --file-size 1M --verify 1 -j 127.0.0.1:/echo read64k &&
	grep -q '"verified":1[0-9][0-9]' "$work/out"
ok $? "--verify 1 compares every READ"
run -n 300 -s 20 --folders 3 127.0.0.1 create smallfile mkdir
ok $? "several folders"
run -n 200 -s 20 127.0.0.1 connect
ok $? "connections opened and closed"
run -s 0 --idle 50 --server-pid "$echo_pid" -j 127.0.0.1 && grep -q '"connections":50' "$work/out"
ok $? "idle connections held"
run -n 10 -s 20 --histogram -j 127.0.0.1 null && grep -q '"buckets":\[\[' "$work/out"
ok $? "--histogram gives buckets"
run -n 400 -s 20 --commit-every 64k --file-size 256k -j 127.0.0.1 write64k &&
	grep -Eq '"commits":[0-9]{2,}' "$work/out"
ok $? "COMMIT follows so many bytes"
run -s 0.2 127.0.0.1 getattr && grep -q ' op/s; p50 ' "$work/out"
ok $? "--seconds ends a run"

run -n 1 127.0.0.1 nonsense
[ $? -eq 2 ] && grep -q '"nonsense"' "$work/err"
ok $? "an unknown workload is named"
run -n 1 --file-size 12q 127.0.0.1 read4k
[ $? -eq 2 ] && grep -q -- --file-size "$work/err"
ok $? "a bad size names its option"
run -n 1 --prepared 127.0.0.1 read4k
[ $? -eq 2 ] && grep -q -- --run "$work/err"
ok $? "--prepared asks for the folder of the run"
run -n 20 --file-size 256k --prepared --run there -j 127.0.0.1 read4k &&
	grep -q '"verified":1[,}]' "$work/out"
ok $? "--prepared: nothing is compared but what is measured"
run -n 1 --server-pid 999999999 127.0.0.1 null
[ $? -eq 1 ] && grep -q 999999999 "$work/err"
ok $? "a missing server process is an error"
run -n 1 --mount-port 1 127.0.0.1 null
[ $? -eq 1 ] && grep -q 'port 1' "$work/err"
ok $? "a refused connection is an error, told with its port"

"$bench" --limit memcpy,memcpy-64k,pread-4k,fdatasync,create -s 0.05 --limit-dir "$work" -j \
	>"$work/out" 2>"$work/err" && [ "$(wc -l <"$work/out")" -eq 5 ]
ok $? "limits: one line each"
[ -z "$(find "$work" -name 'dfs-bench-*')" ]
ok $? "limits leave no file behind"
"$bench" --limit nonsense >"$work/out" 2>"$work/err"
[ $? -eq 2 ]
ok $? "an unknown limit is refused"

kill "$echo_pid"
wait "$echo_pid"
ok $? "the echo ends on SIGTERM with status 0"
echo_pid=
run -n 1 127.0.0.1 null
[ $? -eq 1 ]
ok $? "no server: status 1"
echo "1..$n"
