#!/bin/sh
# SPDX-License-Identifier: MIT
# The conformance program over the S3 store: all of it on faultd, and on Swift what a real server
# may see differently.  DFS_S3_SWIFT=all: more of it there (4 minutes; Swift does 70 PUT/s).  A reader
# there may find no object while it is being replaced, which DittoFS never does.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/s3/lib.sh"
requires python3 perl

start_faultd
for group in life object copy range key list parallel leak config; do
	ok "faultd: $group" conform "$faultd" ak sk --only="$group"
done
ok "faultd, with a prefix: list" conform "$faultd" ak sk --set key_prefix=some/store. --only=list
fault 'without conditional
without checksum
without delete
without range'
for group in object range list; do
	ok "faultd that knows less: $group" conform "$faultd" ak sk --only="$group"
done
fault 'with conditional
with checksum
with delete
with range
latency 1 1 5 30'
ok "faultd that is slow at times: parallel" conform "$faultd" ak sk --only=parallel

# on_swift NAME COMMAND...
on_swift() {
	if [ -n "$no_swift" ]; then
		n_tests=$((n_tests + 1))
		echo "ok $n_tests - Swift: $1 # SKIP $no_swift"
	else
		name=$1
		shift
		ok "Swift: $name" "$@"
	fi
}

start_swift
if [ "${DFS_S3_SWIFT:-}" = all ]; then
	set -- life object range key list leak config \
		"parallel/threads with keys of their own do not disturb each other" \
		"parallel/threads that fill and empty one folder lose nothing" \
		"parallel/a list beside changes is ordered and misses nothing that stays" \
		"parallel/erase_prefix beside changes takes its own only"
else
	set -- object range key config \
		"life/what was synced is there after reopening" \
		"life/a working store is healthy" \
		"list/objects are visited in byte order of their keys" \
		"list/a prefix may end inside a part" \
		"list/a list begins behind any text" \
		"list/erase_prefix takes exactly what begins with it"
fi
for group; do
	on_swift "$group" conform "$swift" test:tester testing --only="$group"
done
on_swift "the bucket in the host" conform "http://s3.localhost:$swift_port" test:tester testing \
	--set path_style=no --only=object
on_swift "an object in parts" "$DFS_BUILDDIR/tests/s3/put-parts" "$swift" conform test:tester testing
finish
