#!/bin/bash
# SPDX-License-Identifier: MIT
# The program's life: options, readiness, one server per state folder, reload, drain.
. "$DFS_SRCDIR/tests/lib.sh"
requires nfs-ls nfs-cp
dfs=$DFS_BUILDDIR/tools/dfs/dfs
export DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins

# fails STATUS PATTERN COMMAND...: exits with it and says something that matches.
fails() {
	local want=$1 pattern=$2 rc=0 text
	shift 2
	text=$("$@" 2>&1) || rc=$?
	echo "$text"
	[ "$rc" = "$want" ] && grep -qE "$pattern" <<<"$text"
}

is "--version names the program" "$("$dfs" --version | cut -d' ' -f1)" dfs
ok "without a file it says what is needed, status 2" fails 2 'configuration file is needed' "$dfs"
ok "an unknown option is named, status 2" fails 2 'nonsense' "$dfs" --nonsense
ok "a missing file is named, status 2" fails 2 "$work/none.conf" "$dfs" -c "$work/none.conf"

make_config "$work/dfs.conf" leveldb filesystem
ok "--check-config accepts a good file" "$dfs" -c "$work/dfs.conf" --check-config
ok "--check-config opens nothing" test ! -e "$work/state"
sed 's/listen/lisen/' "$work/dfs.conf" >"$work/bad.conf"
ok "a misspelt key: file, line, key and the nearest known key" \
	fails 2 'bad.conf:6: .*lisen.*listen' "$dfs" -c "$work/bad.conf" --check-config
sed 's/metadata = "m"/metadata = "n"/' "$work/dfs.conf" >"$work/bad.conf"
ok "a store that is not declared is named" fails 2 'bad.conf:4: .*"?n"?' "$dfs" -c "$work/bad.conf" --check-config
ok "a share to take over that is not declared is a wrong usage" \
	fails 2 'take-over=nowhere: .*dfs.conf declares no share' "$dfs" -c "$work/dfs.conf" --take-over=nowhere
ok "and so are two checks at a time" \
	fails 2 'do not go together' "$dfs" -c "$work/dfs.conf" --check-quotas --check-config
ok "nothing was opened for that" test ! -e "$work/state"

start_server
is "the ready file holds the process id" "$(cat "$work/ready")" "$server_pid"
ok "a second server on the same state folder is refused and told which process has it" \
	fails 1 "in use by another server \(process $server_pid\)" "$dfs" -c "$work/dfs.conf"
ok "a client copies a file in" nfs cp "$DFS_SRCDIR/README.md" "$(nfs_url /export/copy)"

cp "$work/dfs.conf" "$work/good.conf"
echo 'shares = nonsense' >"$work/dfs.conf"
kill -HUP "$server_pid"
ok "a bad file on SIGHUP changes nothing and is logged" \
	wait_for 10 grep -q 'nothing has changed' "$work/server.log"
ok "the share is still served" nfs ls "$(nfs_url /export)"
sed 's/ listen = "127.0.0.1"/ listen = "127.0.0.2"/' "$work/good.conf" >"$work/dfs.conf"
kill -HUP "$server_pid"
ok "an adapter's option cannot change on SIGHUP, and is named" \
	wait_for 10 grep -q 'listen of the adapter nfs cannot change' "$work/server.log"
sed 's/access = "rw"/access = "ro"/; s/state_dir/drain = "3s"; state_dir/
     s/path = "\/export"/gc_grace = "1h"; &/' "$work/good.conf" >"$work/dfs.conf"
kill -HUP "$server_pid"
ok "a good file on SIGHUP is applied" wait_for 10 grep -q 'reloaded' "$work/server.log"
ok "and what waits for the next start is named" \
	grep -q 'server.drain takes effect at the next start' "$work/server.log"
ok "a share's option too" \
	grep -q 'shares.[a-z]*.gc_grace takes effect when the share is opened next' "$work/server.log"
ok "the new rule holds: writing is refused" sh -c \
	"! timeout 60 nfs-cp '$DFS_SRCDIR/README.md' '$(nfs_url /export/copy2)' || ! timeout 60 nfs-cat '$(nfs_url /export/copy2)' | cmp - '$DFS_SRCDIR/README.md'"
cp "$work/good.conf" "$work/dfs.conf"

ok "SIGTERM stops it with status 0" stop_server TERM
start_server
nfs cp "$(nfs_url /export/copy)" "$work/copy" >/dev/null 2>&1
ok "the file is there, whole, after a restart" cmp "$DFS_SRCDIR/README.md" "$work/copy"
ok "and after kill -9" sh -c "kill -KILL $server_pid"
wait "$server_pid" 2>/dev/null
start_server
rm -f "$work/copy"
nfs cp "$(nfs_url /export/copy)" "$work/copy" >/dev/null 2>&1
ok "the file is there, whole" cmp "$DFS_SRCDIR/README.md" "$work/copy"
stop_server
is "--check-quotas tells of a share without quotas that it has none" \
	"$("$dfs" -c "$work/dfs.conf" --check-quotas)" "share export: it has no quotas"
finish
