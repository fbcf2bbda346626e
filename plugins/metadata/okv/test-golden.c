/* SPDX-License-Identifier: MIT
 *
 * Stores that earlier releases wrote are read back whole: golden/VERSION has the rows of some records as
 * that release stored them, key and value in hexadecimal, and what they say has not changed since.
 * With --print it writes the rows of today, for the file of the next release.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"

#define SHARE 7u
#define CURRENT "0.1.0"

/* --- a store in memory ---------------------------------------------------------------------- */

struct kv {
	struct dfs_okv okv; /* first */
	GTree *rows;        /* GBytes to GBytes */
};

static gint
compare(gconstpointer a, gconstpointer b, gpointer arg)
{
	return g_bytes_compare(a, b);
}

static enum dfs_status
kv_get(void *arg, struct dfs_txn *txn, const void *key, uint32_t len, dfs_okv_fn fn, void *ask)
{
	g_autoptr(GBytes) k = g_bytes_new(key, len);
	GBytes *v = g_tree_lookup(((struct kv *)arg)->rows, k);
	gsize n;
	const void *bytes = v ? g_bytes_get_data(v, &n) : NULL;

	if (!v)
		return DFS_NOENT;
	fn(ask, key, len, bytes, (uint32_t)n);
	return DFS_OK;
}

static enum dfs_status
kv_scan(void *arg, struct dfs_txn *txn, const void *from, uint32_t from_len, const void *to,
	uint32_t to_len, dfs_okv_fn fn, void *ask)
{
	g_autoptr(GBytes) first = g_bytes_new(from, from_len), end = g_bytes_new(to, to_len);
	GTreeNode *node = g_tree_lower_bound(((struct kv *)arg)->rows, first);

	for (; node && g_bytes_compare(g_tree_node_key(node), end) < 0;
	     node = g_tree_node_next(node)) {
		gsize key_len, len;
		const void *key = g_bytes_get_data(g_tree_node_key(node), &key_len);
		const void *value = g_bytes_get_data(g_tree_node_value(node), &len);

		if (!fn(ask, key, (uint32_t)key_len, value, (uint32_t)len))
			break;
	}
	return DFS_OK;
}

static enum dfs_status
kv_put(void *arg, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
       uint32_t len)
{
	g_tree_replace(((struct kv *)arg)->rows, g_bytes_new(key, key_len),
		       g_bytes_new(value, len));
	return DFS_OK;
}

static enum dfs_status
kv_erase(void *arg, struct dfs_txn *txn, const void *key, uint32_t len)
{
	g_autoptr(GBytes) k = g_bytes_new(key, len);

	g_tree_remove(((struct kv *)arg)->rows, k);
	return DFS_OK;
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	g_error("a record cannot be read: %s", fmt);
	return status;
}

static struct kv *
kv_new(void)
{
	static const struct dfs_okv_ops ops = {.size = sizeof(ops),
					       .get = kv_get,
					       .scan = kv_scan,
					       .put = kv_put,
					       .erase = kv_erase};
	static const struct dfs_host host = {.size = sizeof(host), .fail = host_fail};
	struct kv *kv = g_new0(struct kv, 1);

	kv->okv = (struct dfs_okv){&ops, &host};
	kv->rows = g_tree_new_full(compare, NULL, (GDestroyNotify)g_bytes_unref,
				   (GDestroyNotify)g_bytes_unref);
	return kv;
}

static void
kv_free(struct kv *kv)
{
	g_tree_unref(kv->rows);
	g_free(kv);
}

/* --- the records ---------------------------------------------------------------------------- */

static const struct dfs_content_id content = {
	{0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const uint8_t hash[32] = {0xab, 0xcd, [31] = 0xef};

static const struct dfs_share_record share = {
	.size = sizeof(share),
	.id = SHARE,
	.uuid = {1, 2, 3, [15] = 0xff},
	.root = 2,
	.name = "home",
	.epoch = 5,
};

static const struct dfs_inode_record inodes[] = {
	{.size = sizeof(inodes[0]),
	 .type = DFS_TYPE_DIR,
	 .mode = 01777,
	 .nlink = 3,
	 .uid = 0,
	 .gid = 50,
	 .fileid = 2,
	 .generation = 0x1122334455667788,
	 .length = 4096,
	 .used = 4096,
	 .change = 17,
	 .atime = 1000000000123456789,
	 .mtime = -5,
	 .ctime = 1700000000000000001,
	 .btime = 3,
	 .parent = 2},
	{.size = sizeof(inodes[0]),
	 .type = DFS_TYPE_REG,
	 .mode = 0640,
	 .nlink = 2,
	 .uid = 1000,
	 .gid = 4294967294,
	 .fileid = 16,
	 .generation = 9,
	 .length = UINT64_C(1) << 40,
	 .used = 12288,
	 .change = UINT64_MAX - 1,
	 .atime = 11,
	 .mtime = 12,
	 .ctime = 13,
	 .btime = 14,
	 .verifier = 0xfedcba9876543210,
	 .flags = DFS_INODE_HAS_VERIFIER,
	 .content = {{0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	 .cut_lsn = 1234567890123,
	 .cut_length = 4097,
	 .revision = 21},
	{.size = sizeof(inodes[0]),
	 .type = DFS_TYPE_CHR,
	 .nlink = 1,
	 .rdev_major = 259,
	 .rdev_minor = 65536,
	 .fileid = 17,
	 .generation = 1},
};

static const struct dfs_dirent_record entries[] = {
	{.size = sizeof(entries[0]),
	 .type = DFS_TYPE_REG,
	 .cookie = 64,
	 .fileid = 16,
	 .flags = DFS_DIRENT_MORE,
	 .name_len = 6,
	 .name = "n\303\244me\377"},
	{.size = sizeof(entries[0]), .cookie = 65, .flags = DFS_DIRENT_TOMBSTONE, .name = ""},
};

static const struct dfs_segment segments[] = {
	{.version = 300, .offset = 4096, .length = 100, .at = 8192},
	{.version = 301, .length = 4194304, .flags = DFS_SEGMENT_SHARED},
	{.length = 1, .flags = DFS_SEGMENT_ZERO | DFS_SEGMENT_HOLE},
};

static const struct dfs_object_record object = {
	.size = sizeof(object),
	.length = 4194304,
	.version = 301,
	.content = {{0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	.block = 3,
	.refs = 2,
	.hash = {0xab, 0xcd, [31] = 0xef},
};

static const struct dfs_dead_record dead = {
	.size = sizeof(dead),
	.at = 1700000000000000000,
	.content = {{0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	.block = 1,
	.version = 299,
};

static const struct dfs_usage_record usage = {
	.size = sizeof(usage), .kind = DFS_USAGE_USER, .id = 1000, .bytes = 12288, .files = -1};

static void
write_all(struct kv *kv)
{
	enum dfs_status st = dfs_okv_put_share(kv, NULL, &share);

	for (unsigned i = 0; i < G_N_ELEMENTS(inodes); i++)
		st |= dfs_okv_put_inode(kv, NULL, SHARE, &inodes[i]);
	for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
		st |= dfs_okv_put_dirent(kv, NULL, SHARE, 2, &entries[i]);
	st |= dfs_okv_put_symlink(kv, NULL, SHARE, 18, "../a/b", 6);
	st |= dfs_okv_put_map(kv, NULL, SHARE, &content, 3, 77, segments, G_N_ELEMENTS(segments));
	st |= dfs_okv_put_object(kv, NULL, SHARE, &object);
	st |= dfs_okv_put_dead(kv, NULL, SHARE, &dead);
	st |= dfs_okv_put_orphan(kv, NULL, SHARE, 19, &content);
	st |= dfs_okv_put_state(kv, NULL, SHARE, "fileid", 6, "\0\1\2\3", 4);
	st |= dfs_okv_put_state(kv, NULL, 0, "share_id", 8, "", 0);
	st |= dfs_okv_add_usage(kv, NULL, SHARE, &usage);
	g_assert_cmpint(st, ==, DFS_OK);
}

/* --- reading back --------------------------------------------------------------------------- */

static int
see_share(void *arg, const struct dfs_share_record *rec)
{
	g_assert_cmpmem(rec, sizeof(*rec), &share, sizeof(share));
	++*(unsigned *)arg;
	return 1;
}

static int
see_entry(void *arg, const struct dfs_dirent_record *rec)
{
	const struct dfs_dirent_record *want = &entries[(*(unsigned *)arg)++];

	g_assert_cmpuint(rec->type, ==, want->type);
	g_assert_cmpuint(rec->cookie, ==, want->cookie);
	g_assert_cmpuint(rec->fileid, ==, want->fileid);
	g_assert_cmpuint(rec->flags, ==, want->flags);
	g_assert_cmpmem(rec->name, rec->name_len, want->name, want->name_len);
	return 1;
}

static int
see_map(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	g_assert_cmpuint(block, ==, 3);
	g_assert_cmpuint(lsn, ==, 77);
	g_assert_cmpmem(segs, n * sizeof(*segs), segments, sizeof(segments));
	++*(unsigned *)arg;
	return 1;
}

static int
see_dead(void *arg, const struct dfs_dead_record *rec)
{
	g_assert_cmpmem(rec, sizeof(*rec), &dead, sizeof(dead));
	++*(unsigned *)arg;
	return 1;
}

static int
see_orphan(void *arg, uint64_t fileid, const struct dfs_content_id *id)
{
	g_assert_cmpuint(fileid, ==, 19);
	g_assert_cmpmem(id, sizeof(*id), &content, sizeof(content));
	++*(unsigned *)arg;
	return 1;
}

static int
see_usage(void *arg, const struct dfs_usage_record *rec)
{
	g_assert_cmpmem(rec, sizeof(*rec), &usage, sizeof(usage));
	++*(unsigned *)arg;
	return 1;
}

static void
read_all(struct kv *kv)
{
	struct dfs_object_record got = {.size = sizeof(got)};
	char text[DFS_SYMLINK_MAX];
	uint32_t len = sizeof(text);
	unsigned n = 0;

	g_assert_cmpint(dfs_okv_scan_shares(kv, NULL, see_share, &n), ==, DFS_OK);
	for (unsigned i = 0; i < G_N_ELEMENTS(inodes); i++) {
		struct dfs_inode_record rec = {.size = sizeof(rec)};

		g_assert_cmpint(dfs_okv_get_inode(kv, NULL, SHARE, inodes[i].fileid, &rec), ==,
				DFS_OK);
		g_assert_cmpmem(&rec, sizeof(rec), &inodes[i], sizeof(inodes[i]));
	}
	g_assert_cmpint(dfs_okv_get_symlink(kv, NULL, SHARE, 18, text, &len), ==, DFS_OK);
	g_assert_cmpmem(text, len, "../a/b", 6);
	g_assert_cmpint(dfs_okv_scan_map(kv, NULL, SHARE, &content, 0, see_map, &n), ==, DFS_OK);
	g_assert_cmpint(dfs_okv_get_object(kv, NULL, SHARE, 301, &got), ==, DFS_OK);
	g_assert_cmpmem(&got, sizeof(got), &object, sizeof(object));
	got = (struct dfs_object_record){.size = sizeof(got)};
	g_assert_cmpint(dfs_okv_find_object(kv, NULL, SHARE, hash, &got), ==, DFS_OK);
	g_assert_cmpuint(got.version, ==, 301);
	g_assert_cmpint(dfs_okv_scan_dead(kv, NULL, SHARE, NULL, see_dead, &n), ==, DFS_OK);
	g_assert_cmpint(dfs_okv_scan_orphans(kv, NULL, SHARE, 0, see_orphan, &n), ==, DFS_OK);
	g_assert_cmpint(dfs_okv_scan_usage(kv, NULL, SHARE, 0, 0, see_usage, &n), ==, DFS_OK);
	g_assert_cmpuint(n, ==, 5);
	len = sizeof(text);
	g_assert_cmpint(dfs_okv_get_state(kv, NULL, SHARE, "fileid", 6, text, &len), ==, DFS_OK);
	g_assert_cmpmem(text, len, "\0\1\2\3", 4);
	len = sizeof(text);
	g_assert_cmpint(dfs_okv_get_state(kv, NULL, 0, "share_id", 8, text, &len), ==, DFS_OK);
	g_assert_cmpuint(len, ==, 0);
	n = 0;
	g_assert_cmpint(dfs_okv_scan_dirents(kv, NULL, SHARE, 2, 0, see_entry, &n), ==, DFS_OK);
	g_assert_cmpuint(n, ==, G_N_ELEMENTS(entries));
}

/* --- files ---------------------------------------------------------------------------------- */

static GBytes *
from_hex(const char *text)
{
	gsize n = strlen(text) / 2;
	unsigned char *bytes = g_malloc(n + 1);

	for (gsize i = 0; i < n; i++)
		bytes[i] = (unsigned char)(g_ascii_xdigit_value(text[2 * i]) << 4 |
					   g_ascii_xdigit_value(text[2 * i + 1]));
	return g_bytes_new_take(bytes, n);
}

static char *
to_hex(GBytes *bytes)
{
	GString *text = g_string_new(NULL);
	gsize n;
	const unsigned char *p = g_bytes_get_data(bytes, &n);

	for (gsize i = 0; i < n; i++)
		g_string_append_printf(text, "%02x", p[i]);
	return g_string_free(text, FALSE);
}

static char *
folder(void)
{
	return g_build_filename(g_getenv("DFS_SRCDIR"), "plugins/metadata/okv/golden", NULL);
}

static struct kv *
load(const char *version)
{
	g_autofree char *dir = folder(), *path = g_build_filename(dir, version, NULL), *text = NULL;
	struct kv *kv = kv_new();
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) row = g_strsplit(*line, " ", 2);

		if (**line == '\0' || **line == '#')
			continue;
		g_assert_nonnull(row[1]);
		g_tree_replace(kv->rows, from_hex(row[0]), from_hex(row[1]));
	}
	return kv;
}

static void
rows_of_each_release_are_read_back(void)
{
	g_autofree char *path = folder();
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *version;
	unsigned n = 0;

	while ((version = g_dir_read_name(dir))) {
		struct kv *kv = load(version);

		g_test_message("release %s", version);
		read_all(kv);
		kv_free(kv);
		n++;
	}
	g_assert_cmpuint(n, >=, 1);
}

static gboolean
print(gpointer key, gpointer value, gpointer arg)
{
	g_autofree char *k = to_hex(key), *v = to_hex(value);

	if (arg)
		g_string_append_printf(arg, "%s %s\n", k, v);
	else
		printf("%s %s\n", k, v);
	return FALSE;
}

/* Where this fails the form has changed: older releases will not read what is written from now on. */
static void
rows_are_written_as_the_last_release_did(void)
{
	g_autoptr(GString) now = g_string_new(NULL), then = g_string_new(NULL);
	struct kv *kv = kv_new(), *old = load(CURRENT);

	write_all(kv);
	read_all(kv);
	g_tree_foreach(kv->rows, print, now);
	g_tree_foreach(old->rows, print, then);
	g_assert_cmpstr(now->str, ==, then->str);
	kv_free(kv);
	kv_free(old);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		struct kv *kv = kv_new();

		write_all(kv);
		g_tree_foreach(kv->rows, print, NULL);
		kv_free(kv);
		return 0;
	}
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/golden/rows of each release are read back",
			rows_of_each_release_are_read_back);
	g_test_add_func("/golden/rows are written as the last release did",
			rows_are_written_as_the_last_release_did);
	return g_test_run();
}
