#!/bin/sh
# SPDX-License-Identifier: MIT
# Dependencies point one way: see HACKING.md.  Each rule: a folder, and the folders that its files
# may include from (its own always).  Tests may include anything.
cd "${DFS_SRCDIR:?}" || exit 1
n=0

# may FOLDER ALLOWED...: no file below includes "x/..." with another first part.
may() {
	folder=$1
	shift
	n=$((n + 1))
	allowed=$(echo "$*" | tr ' ' '|')
	bad=$(find "$folder" -name '*.[ch]' ! -name 'test-*' ! -name 'bench-*' ! -name 'fixture*' -exec \
		grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} + |
		grep -vE "\"($allowed)(/[^\"]*)?\"")
	if [ -z "$bad" ]; then
		echo "ok $n - $folder includes only from: $*"
	else
		echo "not ok $n - $folder includes only from: $*"
		echo "$bad" | sed 's/^/# /'
	fi
}

# never FOLDER PATTERN WHY
never() {
	n=$((n + 1))
	bad=$(grep -rnE --include='*.[ch]' "$2" "$1" | grep -vE '/(test|bench)-')
	if [ -z "$bad" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		echo "$bad" | sed 's/^/# /'
	fi
}

may core/include NOTHING
may core/base base config.h
may core/io base io
may core/plugin base plugin config.h
may core/config base plugin config
may core/metadata base io plugin config/rules.h metadata
may core/payload base io plugin config payload metadata/store.h
may core/fs base io plugin config metadata payload fs
may core/runtime base io plugin config metadata payload fs runtime
may adapters/nfs base io fs runtime adapters/nfs config.h
for f in plugins/metadata/* plugins/block/*; do
	[ -d "$f" ] || continue
	# Its own files, and what the stores of this package share: okv, the ordered map
	# beside it, CRC32C.
	may "$f" "$f" plugins/metadata/okv '(\.\.|plugins/metadata)/tree' plugins/crc32c plugins/block/key '[a-z_-]*\.h'
done
never adapters 'dittofs/(block_store|okv)\.h' "adapters include no store header"
never core '(metadata|block|adapter)_(memory|leveldb|postgres|filesystem|s3|nfs)' "the core names no plugin"
echo "1..$n"
