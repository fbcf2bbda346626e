# SPDX-License-Identifier: MIT
# Shell library of the test scripts: TAP, clean-up, waiting on conditions, and a server.
#
#   . "$DFS_SRCDIR/tests/lib.sh"
#   requires nfs-ls                       skip the whole script where a program is missing
#   start_server temp                     config for a share on memory stores (see make_config)
#   ok "name of the fact" command...      one test point: the command's status decides
#   is "name" "got" "wanted"
#   finish                                prints the plan
# Everything lives in $work, which goes at exit, as does every process started here.
set -u
: "${DFS_SRCDIR:?run me by tools/check or make check}" "${DFS_BUILDDIR:?}"
work=$(mktemp -d "${TMPDIR:-/tmp}/dittofs-test.XXXXXX")
n_tests=0 server_pid= cleanups=

at_exit() { cleanups="$1
$cleanups"; }

on_exit() {
	status=$?
	trap - EXIT
	eval "$cleanups"
	if [ -n "$server_pid" ] && kill -0 "$server_pid" 2>/dev/null; then
		kill -KILL "$server_pid"
		wait "$server_pid" 2>/dev/null
	fi
	# What a sanitizer says of the server fails the script, whatever its points say.
	if grep -qE 'Sanitizer|runtime error:' "$work/server.log" 2>/dev/null; then
		echo "# a sanitizer spoke:"
		grep -E -A 25 'Sanitizer|runtime error:' "$work/server.log" | head -n 60 | sed 's/^/# /'
		status=1
	fi
	rm -rf "$work"
	exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

skip_all() { echo "1..0 # SKIP $*"; exit 0; }

requires() {
	for p in "$@"; do
		command -v "$p" >/dev/null 2>&1 || skip_all "the program $p is not installed"
	done
}

# Whether this build has a sanitizer, and so is slow.
sanitized() { grep -q '^SANITIZER_CFLAGS = .*-fsanitize' "$DFS_BUILDDIR/Makefile"; }

# The point's output goes to diagnostics when it fails.
ok() {
	name=$1
	shift
	n_tests=$((n_tests + 1))
	if "$@" >"$work/out.$n_tests" 2>&1; then
		echo "ok $n_tests - $name"
	else
		ok_status=$?
		echo "not ok $n_tests - $name"
		{ echo "status $ok_status of: $*"; tail -n 30 "$work/out.$n_tests"; } | sed 's/^/# /'
		return 1
	fi
}

is() {
	n_tests=$((n_tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n_tests - $1"
	else
		printf 'not ok %d - %s\n' "$n_tests" "$1"
		printf 'got:    %s\nwanted: %s\n' "$2" "$3" | sed 's/^/# /'
		return 1
	fi
}

finish() { echo "1..$n_tests"; }

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.05
	done
}

# install_build DESTDIR: one at a time, for it links in the build tree.
install_build() { flock "$DFS_BUILDDIR/.install-lock" make -s -C "$DFS_BUILDDIR" install DESTDIR="$1"; }

free_port() { "$DFS_SRCDIR/tests/free-port"; }

# make_config FILE METADATA BLOCKS [EXTRA SHARE SETTINGS]: one share /export on these store types.
make_config() {
	case $2 in
	memory) meta='type = "memory";' durability='durability = "none";' ;;
	*) meta="type = \"$2\"; path = \"metadata\";" durability= ;;
	esac
	case $3 in
	memory) data='type = "memory";' durability='durability = "none";' ;;
	*) data="type = \"$3\"; path = \"blocks\";" ;;
	esac
	: "${port:=$(free_port)}" "${listen:=127.0.0.1}"
	cat >"$1" <<CONF
server = { state_dir = "$work/state"; ${server_settings:-} };
metadata_stores = { m = { $meta }; };
block_stores = { b = { $data }; };
shares = { export = { path = "/export"; metadata = "m"; blocks = "b"; $durability ${4:-}
    clients = ( { match = "${clients:-127.0.0.0/8}"; access = "rw"; squash = "none"; } ); }; };
adapters = { nfs = { listen = "$listen"; port = $port; ${nfs_settings:-} }; };
CONF
}

# start_server [CONFIG]: waits until it is ready.
start_server() {
	rm -f "$work/ready"
	DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins ${DFS_WRAPPER:-} "$DFS_BUILDDIR/tools/dfs/dfs" \
		-c "${1:-$work/dfs.conf}" --ready-file="$work/ready" 2>>"$work/server.log" &
	server_pid=$!
	wait_for 60 test -e "$work/ready" || {
		echo "# the server did not start:"
		tail -n 20 "$work/server.log" | sed 's/^/# /'
		echo "Bail out! no server"
		exit 1
	}
}

# stop_server [SIGNAL]: its exit status.
stop_server() {
	kill -"${1:-TERM}" "$server_pid"
	wait "$server_pid" 2>/dev/null
	rc=$?
	server_pid=
	return "$rc"
}

# nfs TOOL ARGUMENTS...: nfs-cp, nfs-cat, nfs-ls; they would ask a dead server for ever.
nfs() {
	tool=nfs-$1
	shift
	timeout 240 "$tool" "$@"
}

# nfs_url PATH: the share's, and further.
nfs_url() { printf 'nfs://127.0.0.1%s?nfsport=%s&mountport=%s' "$1" "$port" "$port"; }
