/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/handle.h"

static struct dfs_share one = {.slot = 0x11223344, .handle_key = {1, 2}};
static struct dfs_share other = {.slot = 0x55667788, .handle_key = {3, 4}};

static void
make(unsigned char h[NFS_HANDLE_SIZE])
{
	nfs_handle_make(&one, 77, 9, h);
}

static void
test_round_trip(void)
{
	for (int i = 0; i < 1000; i++) {
		struct dfs_share share = {.slot = g_test_rand_int()};
		uint64_t fileid = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
		uint64_t generation =
			(uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
		unsigned char h[NFS_HANDLE_SIZE];
		struct dfs_ref ref;
		uint32_t slot;

		share.handle_key.k0 = fileid * 3;
		nfs_handle_make(&share, fileid, generation, h);
		g_assert_cmpint(nfs_handle_slot(h, sizeof h, &slot), ==, DFS_OK);
		g_assert_cmpuint(slot, ==, share.slot);
		g_assert_cmpint(nfs_handle_open(&share, h, &ref), ==, DFS_OK);
		g_assert_cmpuint(ref.fileid, ==, fileid);
		g_assert_cmpuint(ref.generation, ==, generation);
	}
}

/* Stored by clients over restarts and upgrades: the bytes must not change. */
static void
test_bytes_are_fixed(void)
{
	static const unsigned char want[24] = {1, 0, 0, 0,  0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0,
					       0, 0, 0, 77, 0,    0,    0,    0,    0, 0, 0, 9};
	unsigned char h[NFS_HANDLE_SIZE];

	make(h);
	g_assert_cmpmem(h, 24, want, 24);
}

static void
test_every_flipped_bit_is_refused(void)
{
	unsigned char h[NFS_HANDLE_SIZE];
	struct dfs_ref ref;
	uint32_t slot;

	for (unsigned bit = 0; bit < NFS_HANDLE_SIZE * 8; bit++) {
		make(h);
		h[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if (nfs_handle_slot(h, sizeof h, &slot) != DFS_OK)
			continue;
		if (slot != one.slot) /* another share: none such, STALE */
			continue;
		g_assert_cmpint(nfs_handle_open(&one, h, &ref), ==, DFS_BADHANDLE);
	}
}

static void
test_every_other_length_is_malformed(void)
{
	unsigned char h[64] = {0};
	uint32_t slot;

	make(h);
	for (uint32_t len = 0; len <= 64; len++)
		if (len != NFS_HANDLE_SIZE)
			g_assert_cmpint(nfs_handle_slot(h, len, &slot), ==, DFS_BADHANDLE);
}

static void
test_unknown_version_is_malformed(void)
{
	unsigned char h[NFS_HANDLE_SIZE];
	uint32_t slot;

	make(h);
	h[0] = 2;
	g_assert_cmpint(nfs_handle_slot(h, sizeof h, &slot), ==, DFS_BADHANDLE);
}

/* The slot is not secret: taking the handle to another share must fail by its key. */
static void
test_share_cannot_be_swapped(void)
{
	unsigned char h[NFS_HANDLE_SIZE];
	struct dfs_ref ref;

	make(h);
	memcpy(h + 4, "\x55\x66\x77\x88", 4);
	g_assert_cmpint(nfs_handle_open(&other, h, &ref), ==, DFS_BADHANDLE);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/nfs/handle/round-trip", test_round_trip);
	g_test_add_func("/nfs/handle/bytes-are-fixed", test_bytes_are_fixed);
	g_test_add_func("/nfs/handle/every-flipped-bit-is-refused",
			test_every_flipped_bit_is_refused);
	g_test_add_func("/nfs/handle/every-other-length-is-malformed",
			test_every_other_length_is_malformed);
	g_test_add_func("/nfs/handle/unknown-version-is-malformed",
			test_unknown_version_is_malformed);
	g_test_add_func("/nfs/handle/share-cannot-be-swapped", test_share_cannot_be_swapped);
	return g_test_run();
}
