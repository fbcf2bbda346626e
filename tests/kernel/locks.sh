#!/bin/bash
# SPDX-License-Identifier: MIT
# Two Linux kernel clients contend for locks: at once, waiting, by ranges, over the death of a client
# and over that of the server.
. "$DFS_SRCDIR/tests/kernel/lib.sh"
requires rpcbind rpc.statd sm-notify
guest_locks=1 guest_memory=256M guest_seconds=600
port=12049 listen=0.0.0.0
server_settings='lock_grace = "60s";' nfs_settings='portmap = true;'
guest_pid=()

# boot N...: these guests, at the commands of this script.
boot() {
	for g in "$@"; do
		mkdir -p "$work/guest-$g"
		rm -f "$work/guest-$g"/answer-* "$work/guest-$g/ready"
		: >"$work/guest-$g/commands"
		guest "$g" "$DFS_SRCDIR/tests/kernel/locker" >"$work/guest-$g.out" 2>&1 &
		guest_pid[$g]=$!
	done
	for g in "$@"; do
		wait_for 240 test -e "$work/guest-$g/ready" || {
			tail -n 5 "$work/guest-$g.out" "$work/guest-$g/kernel.log" "$work/server.log" | sed 's/^/# /'
			echo "Bail out! guest $g does not come up"
			exit 1
		}
	done
}

# The guest ends without a word, as in a loss of power.
crash() {
	read -r pid <"$work/guest-$1/uml/g$1/pid"
	kill -KILL -- "-$(ps -o pgid= -p "$pid" | tr -d ' ')"
	wait "${guest_pid[$1]}" 2>/dev/null
}

# tell N WORDS...: a command for guest N, which it begins with soon.
tell() { echo "${*:2}" >>"$work/guest-$1/commands"; }

# said N [SECONDS]: the answer to the last one; "nothing" after that time (90).
said() {
	answer=$work/guest-$1/answer-$(wc -l <"$work/guest-$1/commands")
	if wait_for "${2:-90}" test -e "$answer"; then cat "$answer"; else echo nothing; fi
}

ask() { tell "$@" && said "$1"; }

make_config "$work/dfs.conf" leveldb filesystem
start_server
tap 2 || skip_all "no second tap device can be made here"
boot 1 2
is "a file can be locked" "$(ask 1 fcntl-try a 0 0)" ok
is "not by two" "$(ask 2 fcntl-try a 0 0)" busy
is "who asks is told" "$(ask 2 fcntl-test a 0 0)" busy
tell 2 fcntl-wait a 0 0
is "who waits waits" "$(said 2 2)" nothing
ask 1 fcntl-unlock a 0 0 >/dev/null
is "and has it, soon after it is free" "$(said 2 60)" ok
is "the first is refused now" "$(ask 1 fcntl-try a 0 0)" busy
ask 2 close a >/dev/null
is "a close frees it" "$(ask 1 fcntl-try a 0 0)" ok

is "ranges that do not touch have two owners" "$(ask 1 fcntl-try b 0 100) $(ask 2 fcntl-try b 100 100)" "ok ok"
is "those that do have one" "$(ask 2 fcntl-try b 99 1)" busy
is "a part can be freed" "$(ask 1 fcntl-unlock b 50 50) $(ask 2 fcntl-try b 60 40)" "ok ok"
is "the rest stays" "$(ask 2 fcntl-try b 0 50)" busy
is "readers share" "$(ask 1 fcntl-share c 0 0) $(ask 2 fcntl-share c 0 0) $(ask 2 fcntl-try c 0 0)" "ok ok busy"

is "flock locks for both" "$(ask 1 flock-try d) $(ask 2 flock-try d)" "ok busy"
tell 2 flock-wait d
is "flock waits" "$(said 2 2)" nothing
ask 1 flock-unlock d >/dev/null
is "flock is handed on" "$(said 2 60)" ok

is "before the client dies it has the lock" "$(ask 1 fcntl-try e 200 10) $(ask 2 fcntl-try a 0 0)" "ok busy"
crash 1
is "a client that is away keeps its locks" "$(ask 2 fcntl-try a 0 0)" busy
tell 2 fcntl-wait a 0 0
boot 1
is "a client that comes back has lost them" "$(said 2 30)" ok

is "before the server dies" "$(ask 1 fcntl-try b 1000 10) $(ask 2 fcntl-try b 2000 10)" "ok ok"
stop_server KILL
start_server
tell 1 fcntl-try b 3000 10
is "clients have again what they had" "$(ask 2 fcntl-test b 1000 10) $(ask 2 fcntl-test a 0 0)" "busy ok"
is "and who asks anew in the time of grace gets it when that is over" "$(said 1 120)" ok
is "nothing was lost" "$(ask 1 fcntl-try b 2000 10) $(ask 2 fcntl-try b 1000 10)" "busy busy"
tell 1 quit
tell 2 quit
ok "the guests end in order" wait "${guest_pid[@]}"
stop_server
finish
