#!/bin/sh
# SPDX-License-Identifier: MIT
# dfs-inspect over the fixture plugins of core/plugin.
. "$DFS_SRCDIR/tests/lib.sh"
unset DFS_PLUGIN_PATH
requires mandoc
inspect=$DFS_BUILDDIR/dfs-inspect
mkdir "$work/plugins" "$work/broken"
cp "$DFS_BUILDDIR/core/plugin/.libs/metadata_plain.so" "$DFS_BUILDDIR/core/plugin/.libs/block_good.so" \
	"$work/plugins"
cp "$DFS_BUILDDIR/core/plugin/.libs/block_major.so" "$work/broken"
head -c 3000 "$work/plugins/block_good.so" >"$work/broken/block_good.so"
chmod 755 "$work"/*/*.so

# status WANTED COMMAND...
status() {
	wanted=$1
	shift
	"$@"
	[ $? -eq "$wanted" ]
}
# has TEXT COMMAND...: the output has a line with the text.
has() {
	text=$1
	shift
	"$@" >"$work/has" 2>&1
	cat "$work/has"
	grep -qF -e "$text" "$work/has"
}
here() { "$inspect" -d "$work/plugins" "$@"; }

ok "the list names each plugin" has "metadata/plain" here
ok "the list has the file of each" has "$work/plugins/block_good.so" here
ok "the list tells of a broken file" has "broken: $work/broken/block_good.so is truncated" \
	"$inspect" -d "$work/broken"
ok "broken files do not make the list fail" status 0 "$inspect" -d "$work/broken"
ok "the list is there for programs" has "plugin=block/good" here --format=keyvalue
ok "the folders come from the environment" has block/good env DFS_PLUGIN_PATH="$work/plugins" \
	"$inspect" block/good

ok "a plugin shows its thread model" has "try, at most 4 blocking calls at once" here metadata/plain
ok "a plugin shows its capabilities" has "Capabilities   volatile" here block/good
ok "a plugin shows what is absent" has "Absent         get_inodes" here metadata/plain
ok "a plugin shows its options" has "level = int, default 5" here metadata/plain
ok "an option shows what is allowed" has "The value is an integer from 1 to 9." here metadata/plain
ok "a plugin is shown by its file" has "block/good 1.0" "$inspect" "$work/plugins/block_good.so"

here --format=keyvalue metadata/plain >"$work/kv"
is "keyvalue has an option's type" "$(sed -n 's/^option.order.type=//p' "$work/kv")" enum
is "keyvalue has an enum's names" "$(sed -n 's/^option.order.names=//p' "$work/kv")" up,down
is "keyvalue has a bound" "$(sed -n 's/^option.level.max=//p' "$work/kv")" 9
is "keyvalue has a flag" "$(sed -n 's/^option.path.required=//p' "$work/kv")" 1
is "every line is a key and a value" "$(grep -cv '^[a-z0-9_.]*=' "$work/kv")" 0

ok "check accepts a good file" status 0 "$inspect" --check "$work/plugins/block_good.so"
ok "check refuses a truncated file" status 1 "$inspect" --check "$work/broken/block_good.so"
ok "check refuses another ABI major" has "is built for version 99.0 of the block interface" \
	"$inspect" --check "$work/broken/block_major.so"
ok "an absent plugin is status 1" status 1 here block/nothing
ok "a misspelt plugin gets a suggestion" has 'did you mean "good"?' here block/god
ok "a wrong kind is status 2" status 2 here blok/good
ok "an unknown option is status 2" status 2 here --formt=text
ok "an unknown format is status 2" status 2 here --format=xml
ok "two tasks at once are status 2" status 2 here --server-man block/good

# roff FILE: mandoc has nothing to complain about.
roff() { mandoc -T lint -W warning "$1"; }
here --man metadata/plain >"$work/options.man"
"$inspect" --server-man >"$work/server.man"
sed -i '1i .TH X 5 2000-01-01' "$work/options.man" "$work/server.man"
ok "the options section is clean roff" roff "$work/options.man"
ok "the server sections are clean roff" roff "$work/server.man"
ok "the man page is clean roff" roff "$DFS_SRCDIR/tools/inspect/dfs-inspect.1"
ok "the server sections have the client rules" grep -q 'anon_uid' "$work/server.man"

# Generated text: after a change of the tables, put the new output into the page.
same_sections() {
	sed -n '/^\.SH SECTIONS/,/^\.SH NOTES/p' "$DFS_SRCDIR/core/config/dfs.conf.5" | sed '$d' >"$work/page"
	"$inspect" --server-man | diff - "$work/page"
}
ok "dfs.conf(5) has the sections as the tables say" same_sections
ok "dfs.conf(5) is clean roff" roff "$DFS_SRCDIR/core/config/dfs.conf.5"

# The page of a plugin, dittofs-KIND-NAME.5 beside its code, has the OPTIONS that its table gives.
same_options() {
	"$inspect" -d "$DFS_BUILDDIR/.plugins" --man "$2" >"$work/table" || return 1
	awk '/^\.SH / { on = /^\.SH OPTIONS/ } on' "$1" | diff "$work/table" -
}
for page in "$DFS_SRCDIR"/plugins/*/*/dittofs-*.5 "$DFS_SRCDIR"/adapters/*/dittofs-*.5; do
	[ -f "$page" ] || continue
	plugin=$(basename "$page" .5 | sed 's/^dittofs-//; s/-/\//')
	[ -e "$DFS_BUILDDIR/.plugins/$(echo "$plugin" | tr / _).so" ] || continue
	ok "the man page of $plugin has its options" same_options "$page" "$plugin"
done

documented() {
	"$inspect" --help | grep -o -e '--[a-z-]*' | sort -u | while read -r option; do
		sed 's/\\-/-/g' "$DFS_SRCDIR/tools/inspect/dfs-inspect.1" | grep -qF -e "$option" ||
			echo "$option"
	done | grep . && return 1
	return 0
}
ok "the man page has every option of the help" documented
finish
