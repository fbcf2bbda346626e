#!/bin/sh
# SPDX-License-Identifier: MIT
# A large file copied in and out by libnfs's tools, checksums compared, on each combination of
# stores; once more after a restart where the stores survive one.  DFS_BIG_MEGABYTES: its size, by
# default 1 GiB where memory and disk have room for several times that, else 256 MiB; 128 MiB under a
# sanitizer.
. "$DFS_SRCDIR/tests/lib.sh"
requires nfs-cp nfs-cat openssl sha256sum

room() {
	[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -ge 6000 ] &&
		[ "$(df -Pm "$work" | awk 'NR == 2 { print $4 }')" -ge 6000 ]
}
if [ -n "${DFS_BIG_MEGABYTES:-}" ]; then
	megabytes=$DFS_BIG_MEGABYTES
elif sanitized; then
	megabytes=128
elif room; then
	megabytes=1024
else
	megabytes=256
fi
# Bytes that do not compress and never repeat: a key stream.
openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv "$(printf '%032d' 0)" \
	-in /dev/zero 2>/dev/null | head -c "${megabytes}M" >"$work/big"
wanted=$(sha256sum <"$work/big")

for stores in memory/memory memory/filesystem leveldb/memory leveldb/filesystem; do
	rm -rf "$work/state"
	port=
	make_config "$work/dfs.conf" "${stores%/*}" "${stores#*/}"
	start_server
	ok "$stores: $megabytes MiB are copied in" nfs cp "$work/big" "$(nfs_url /export/big)"
	is "$stores: and come out with the same checksum" "$(nfs cat "$(nfs_url /export/big)" | sha256sum)" "$wanted"
	ok "$stores: the server stops cleanly" stop_server
	[ "$stores" = leveldb/filesystem ] || continue
	start_server
	is "$stores: and after a restart" "$(nfs cat "$(nfs_url /export/big)" | sha256sum)" "$wanted"
	stop_server
done
finish
