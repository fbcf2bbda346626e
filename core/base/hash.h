/* SPDX-License-Identifier: MIT
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash of file handles and of directory
 * cookies, where a client must not be able to choose collisions.  Hashing without an adversary
 * uses xxHash (XXH3) directly.
 */
#ifndef DFS_BASE_HASH_H
#define DFS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct dfs_hash_key {
	uint64_t k0, k1;
};

uint64_t dfs_siphash(const struct dfs_hash_key *key, const void *data, size_t len);

/* A cheap mix of two integers for hash tables (not keyed). */
static inline uint64_t
dfs_hash_u64(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) ^ (b + UINT64_C(0xbf58476d1ce4e5b9));
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 29;
	return x;
}

#endif
