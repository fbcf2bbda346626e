/* SPDX-License-Identifier: MIT
 *
 * Inside the memory block store: the instance, and where a key's object is.
 */
#ifndef BLOCK_MEMORY_STORE_H
#define BLOCK_MEMORY_STORE_H

#include <pthread.h>

#include "table.h"

/* So many that a table grows, under its lock, within a millisecond even with millions of files. */
#define SHARDS 256u
#define ODD SHARDS /* the shard of keys of an unusual number of parts: one trie, under hash 0 */

struct shard {
	pthread_mutex_t mu;
	struct table table; /* guarded by mu */
	uint64_t objects;   /* guarded by mu; what erase_prefix frees just now still counts */
} __attribute__((aligned(64)));

struct memory {
	const struct dfs_host *host;
	uint64_t limit;
	_Atomic uint32_t depth; /* the usual number of parts of a key; 0: nothing was put yet */
	_Atomic uint64_t used __attribute__((aligned(64)));
	struct shard shard[SHARDS + 1];
};

struct place {
	struct shard *shard;
	uint64_t hash;
};

struct place place_of(struct memory *m, const char *key, uint32_t len);
/* Where all keys of the usual number of parts that begin with prefix are, if that is one place. */
bool place_of_prefix(struct memory *m, const char *prefix, struct place *place);

enum dfs_status bad_key(const struct memory *m, const char *key);
/* Drop the store's reference of an object that was taken out. */
void release(struct memory *m, struct object *o);

/* prefix.c */
enum dfs_status erase_prefix(void *inst, const char *prefix);
enum dfs_status list(void *inst, const char *prefix, const char *after, dfs_object_fn fn,
		     void *arg);

#endif
