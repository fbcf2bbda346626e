# SPDX-License-Identifier: MIT
# For the tests on S3 servers, after tests/lib.sh.
#
#   start_faultd [OPTION...]     sets $faultd (its URL); bucket "conform", keys ak/sk
#   start_swift                  sets $swift (its URL), or $no_swift (why not); bucket "conform"
#   fault 'COMMANDS'             see tests/s3/faultd/control.c
#   conform ENDPOINT ACCESS SECRET [OPTION...]   dfs-conform-block on that server

start_faultd() {
	"$DFS_BUILDDIR/tests/s3/faultd/faultd" --port-file "$work/faultd.port" --bucket conform \
		--access-key ak --secret-key sk "$@" >>"$work/faultd.log" 2>&1 &
	faultd_pid=$!
	at_exit "kill $faultd_pid"
	wait_for 10 test -s "$work/faultd.port" || { echo "Bail out! faultd does not start"; exit 1; }
	faultd=http://127.0.0.1:$(cat "$work/faultd.port")
}

fault() {
	python3 - "$faultd/_faultd" "$1" <<'PY'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(urllib.request.Request(sys.argv[1], sys.argv[2].encode(), method="POST"), timeout=10).read()
PY
}

# Five ports in a row that nobody uses now.
five_ports() {
	perl -MIO::Socket::INET -e 'for (1..100) { my $p = 20000 + int(rand(10000)); my @s;
		push @s, IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $p + $_, Listen => 1) for 0..4;
		if (5 == grep { defined } @s) { print $p; exit } } exit 1'
}

start_swift() {
	swift_port=$(five_ports)
	no_swift= swift=
	if ! "$DFS_SRCDIR/tests/s3/start-swift" "$swift_port" "$work/swift" >"$work/swift.why"; then
		no_swift=$(tail -n 1 "$work/swift.why")
		return 0
	fi
	at_exit "xargs -r kill <'$work/swift/pids'; sleep 0.2"
	swift=http://127.0.0.1:$swift_port
	"$DFS_SRCDIR/tests/s3/request.py" "$swift" test:tester testing PUT /conform >/dev/null ||
		no_swift="Swift makes no bucket"
}

conform() {
	endpoint=$1 access=$2 secret=$3
	shift 3
	"$DFS_BUILDDIR/tools/conform/dfs-conform-block" --plugin "$DFS_BUILDDIR/.plugins/block_s3.so" \
		-s bucket=conform -s "endpoint=$endpoint" -s "access_key=$access" -s "secret_key=$secret" "$@"
}
