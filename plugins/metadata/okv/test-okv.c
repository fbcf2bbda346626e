/* SPDX-License-Identifier: MIT
 *
 * The stored form of records: what later releases may rely on.
 */
#include <glib.h>

#include "codec.h"

static struct dfs_inode_record
some_inode(void)
{
	return (struct dfs_inode_record){
		.size = sizeof(struct dfs_inode_record),
		.type = DFS_TYPE_REG,
		.mode = 0644,
		.nlink = 2,
		.uid = 1000,
		.gid = 100,
		.rdev_major = 8,
		.rdev_minor = 1,
		.generation = 77,
		.length = 1 << 20,
		.used = 4096,
		.change = 9,
		.atime = -1,
		.mtime = 2,
		.ctime = 3,
		.btime = 4,
		.parent = 5,
		.verifier = 6,
		.flags = DFS_INODE_HAS_VERIFIER,
		.content = {{1, 2, 3}},
	};
}

/* The bytes of format 1 are fixed for ever. */
static void
test_inode_bytes(void)
{
	struct dfs_inode_record rec = some_inode();
	unsigned char out[OKV_INODE_BYTES];

	g_assert_cmpuint(okv_encode_inode(out, &rec), ==, OKV_INODE_BYTES);
	g_assert_cmpuint(out[0], ==, 1);
	g_assert_cmpuint(out[1], ==, DFS_TYPE_REG);
	g_assert_cmpmem(out + 2, 4, "\xa4\x01\0\0", 4);
	g_assert_cmpmem(out + 30, 8, "\x4d\0\0\0\0\0\0\0", 8);
	g_assert_cmpmem(out + 62, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	g_assert_cmpmem(out + 110, 4, "\1\2\3\0", 4);
}

static void
test_inode_longer(void)
{
	struct dfs_inode_record rec = some_inode(), back;
	unsigned char out[OKV_INODE_BYTES + 50];

	memset(out, 0xee, sizeof(out));
	okv_encode_inode(out, &rec);
	g_assert_cmpint(okv_decode_inode(out, sizeof(out), &back), ==, DFS_OK);
	g_assert_cmpmem(&back, sizeof(back), &rec, sizeof(rec));
}

static void
test_inode_shorter(void)
{
	struct dfs_inode_record rec = some_inode(), back;
	unsigned char out[OKV_INODE_BYTES];

	/* Up to the verifier, which comes after the parent. */
	okv_encode_inode(out, &rec);
	g_assert_cmpint(okv_decode_inode(out, 102, &back), ==, DFS_OK);
	g_assert_cmpuint(back.parent, ==, 5);
	g_assert_cmpuint(back.verifier, ==, 0);
	g_assert_cmpuint(back.content.bytes[0], ==, 0);
}

static void
test_newer_version(void)
{
	struct dfs_inode_record rec = some_inode(), back;
	unsigned char out[OKV_INODE_BYTES];

	okv_encode_inode(out, &rec);
	out[0] = 2;
	g_assert_cmpint(okv_decode_inode(out, sizeof(out), &back), ==, DFS_VERSION);
}

static void
test_empty(void)
{
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	struct dfs_usage_record usage = {0};
	struct dfs_dirent_record dirent;
	struct dfs_share_record share;
	struct dfs_inode_record inode;
	const unsigned char *bytes;
	uint64_t lsn;
	uint32_t n;

	g_assert_cmpint(okv_decode_inode("", 0, &inode), ==, DFS_CORRUPT);
	g_assert_cmpint(okv_decode_dirent("", 0, &dirent), ==, DFS_CORRUPT);
	g_assert_cmpint(okv_decode_share("", 0, &share), ==, DFS_CORRUPT);
	g_assert_cmpint(okv_decode_map("", 0, &lsn, segs, &n), ==, DFS_CORRUPT);
	g_assert_cmpint(okv_decode_usage("", 0, &usage), ==, DFS_CORRUPT);
	g_assert_cmpint(okv_decode_bytes("", 0, 10, &bytes, &n), ==, DFS_CORRUPT);
}

/* A later release puts more fields before the name. */
static void
test_dirent_more_fields(void)
{
	static const unsigned char stored[] = {1,
					       OKV_DIRENT_FIXED + 3,
					       DFS_TYPE_DIR,
					       2,
					       1,
					       0,
					       0,
					       0,
					       42,
					       0,
					       0,
					       0,
					       0,
					       0,
					       0,
					       0,
					       9,
					       9,
					       9,
					       'a',
					       'b',
					       'z'};
	struct dfs_dirent_record rec;

	g_assert_cmpint(okv_decode_dirent(stored, sizeof(stored), &rec), ==, DFS_OK);
	g_assert_cmpuint(rec.type, ==, DFS_TYPE_DIR);
	g_assert_cmpuint(rec.flags, ==, DFS_DIRENT_MORE);
	g_assert_cmpuint(rec.fileid, ==, 42);
	g_assert_cmpmem(rec.name, rec.name_len, "ab", 2);
}

static void
test_dirent_lengths(void)
{
	unsigned char out[OKV_DIRENT_MAX];
	struct dfs_dirent_record rec = {
		.type = DFS_TYPE_REG, .fileid = 1, .name = "abcd", .name_len = 4};
	uint32_t len = okv_encode_dirent(out, &rec);

	for (uint32_t cut = 0; cut < len; cut++)
		g_assert_cmpint(okv_decode_dirent(out, cut, &rec), ==, DFS_CORRUPT);
	out[1] = 255;
	g_assert_cmpint(okv_decode_dirent(out, len, &rec), ==, DFS_CORRUPT);
}

static void
test_map_longer_segments(void)
{
	unsigned char stored[4 + 2 * 28] = {1, 28, 2, 0}; /* as the first form: no LSN */
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	uint64_t lsn;
	uint32_t n;

	stored[4] = 5;      /* version of the first */
	stored[4 + 28] = 6; /* and of the second */
	stored[4 + 28 + 16] = 7;
	g_assert_cmpint(okv_decode_map(stored, sizeof(stored), &lsn, segs, &n), ==, DFS_OK);
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpuint(segs[0].version, ==, 5);
	g_assert_cmpuint(segs[1].version, ==, 6);
	g_assert_cmpuint(segs[1].at, ==, 7);
	g_assert_cmpuint(lsn, ==, 0);
}

static void
test_map_lengths(void)
{
	unsigned char out[OKV_MAP_MAX];
	struct dfs_segment segs[DFS_SEGMENTS_MAX] = {{.version = 1}};
	uint64_t lsn;
	uint32_t n, len = okv_encode_map(out, 9, segs, DFS_SEGMENTS_MAX);

	g_assert_cmpint(okv_decode_map(out, len, &lsn, segs, &n), ==, DFS_OK);
	g_assert_cmpuint(lsn, ==, 9);
	for (uint32_t cut = 0; cut < len; cut++)
		g_assert_cmpint(okv_decode_map(out, cut, &lsn, segs, &n), ==, DFS_CORRUPT);
	out[2] = DFS_SEGMENTS_MAX + 1;
	g_assert_cmpint(okv_decode_map(out, len, &lsn, segs, &n), ==, DFS_CORRUPT);
	out[2] = 0;
	g_assert_cmpint(okv_decode_map(out, len, &lsn, segs, &n), ==, DFS_CORRUPT);
}

static void
test_usage_bytes(void)
{
	static const unsigned char golden[OKV_USAGE_BYTES] = {
		1, 0x00, 0x10, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const unsigned char golden_key[] = {0, 0, 0, 7, OKV_USAGE, 0,   0,
						   0, 1, 0, 0, 3,         0xe8};
	struct dfs_usage_record rec = {.bytes = 4096, .files = -2}, back = {.kind = 9, .id = 8};
	unsigned char out[OKV_USAGE_BYTES + 8] = {0}, key[OKV_USAGE_KEY];

	g_assert_cmpuint(okv_encode_usage(out, &rec), ==, OKV_USAGE_BYTES);
	g_assert_cmpmem(out, OKV_USAGE_BYTES, golden, sizeof(golden));
	g_assert_cmpuint(okv_usage_key(key, 7, DFS_USAGE_USER, 1000), ==, sizeof(golden_key));
	g_assert_cmpmem(key, sizeof(key), golden_key, sizeof(golden_key));
	/* Longer, as a later release may write it, and shorter. */
	g_assert_cmpint(okv_decode_usage(out, sizeof(out), &back), ==, DFS_OK);
	g_assert_cmpint(back.bytes, ==, 4096);
	g_assert_cmpint(back.files, ==, -2);
	g_assert_cmpuint(back.kind, ==, 9);
	g_assert_cmpint(okv_decode_usage(out, 9, &back), ==, DFS_OK);
	g_assert_cmpint(back.files, ==, 0);
	out[0] = 2;
	g_assert_cmpint(okv_decode_usage(out, sizeof(out), &back), ==, DFS_VERSION);
}

static void
test_key_order(void)
{
	unsigned char a[32], b[32];

	okv_key2(a, 1, OKV_DIRENT, 5, UINT64_MAX);
	okv_key2(b, 1, OKV_DIRENT, 6, 0);
	g_assert_cmpint(memcmp(a, b, 21), <, 0);
	okv_key1(a, 1, OKV_INODE, 255);
	okv_key1(b, 1, OKV_INODE, 256);
	g_assert_cmpint(memcmp(a, b, 13), <, 0);
	okv_key1(a, 255, OKV_STATE, UINT64_MAX);
	okv_key1(b, 256, OKV_INODE, 0);
	g_assert_cmpint(memcmp(a, b, 13), <, 0);
}

static void
test_random(void)
{
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	struct dfs_dirent_record dirent;
	struct dfs_share_record share;
	struct dfs_inode_record inode;
	struct dfs_usage_record usage = {0};
	uint64_t lsn;
	uint32_t n;

	for (unsigned i = 0; i < 20000; i++) {
		uint32_t len = g_test_rand_int_range(0, 200);
		g_autofree unsigned char *bytes = g_malloc(len ? len : 1);

		for (uint32_t j = 0; j < len; j++)
			bytes[j] = (unsigned char)g_test_rand_int();
		if (len && i % 2)
			bytes[0] = OKV_VERSION;
		/* The address sanitizer tells when one reads beyond. */
		okv_decode_inode(bytes, len, &inode);
		okv_decode_share(bytes, len, &share);
		okv_decode_usage(bytes, len, &usage);
		okv_decode_map(bytes, len, &lsn, segs, &n);
		if (okv_decode_dirent(bytes, len, &dirent) == DFS_OK)
			g_assert_true((const unsigned char *)dirent.name + dirent.name_len <=
				      bytes + len);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/okv/the bytes of an inode are fixed", test_inode_bytes);
	g_test_add_func("/okv/a longer inode is read as far as known", test_inode_longer);
	g_test_add_func("/okv/a shorter inode is filled up with zeros", test_inode_shorter);
	g_test_add_func("/okv/a newer version is told apart from damage", test_newer_version);
	g_test_add_func("/okv/an empty value is damage", test_empty);
	g_test_add_func("/okv/an entry may get more fields", test_dirent_more_fields);
	g_test_add_func("/okv/a cut entry is damage", test_dirent_lengths);
	g_test_add_func("/okv/segments may get more fields", test_map_longer_segments);
	g_test_add_func("/okv/a cut map row is damage", test_map_lengths);
	g_test_add_func("/okv/the bytes of a sum of usage are fixed", test_usage_bytes);
	g_test_add_func("/okv/keys sort by share, kind and id", test_key_order);
	g_test_add_func("/okv/random bytes are decoded safely", test_random);
	return g_test_run();
}
