/* SPDX-License-Identifier: MIT
 *
 * One stored object of the memory block store: immutable, counted references, one allocation for
 * everything but the buffers that it refers to.
 *
 * A piece is a run of bytes that lies either in a dfs_buf (the caller's own, or one filled here)
 * or behind the key in the object itself.  Any thread; the last reference frees.
 */
#ifndef BLOCK_MEMORY_OBJECT_H
#define BLOCK_MEMORY_OBJECT_H

#include <stdatomic.h>
#include <stdint.h>

#include <dittofs/block_store.h>

struct piece {
	const unsigned char *data;
	struct dfs_buf *buf; /* one reference of ours; NULL: the bytes are in the object */
	uint64_t len;
};

struct object {
	_Atomic uint32_t refs;
	uint32_t length; /* bytes, 1..DFS_OBJECT_MAX */
	uint64_t charge; /* memory that it holds, bytes */
	uint16_t key_len;
	uint16_t n_pieces;
	char *key; /* NUL-terminated */
	struct piece pieces[];
};

/* One reference, in *out.  The spans are checked by the caller; length is their sum. */
enum dfs_status object_new(const struct dfs_host *host, const char *key, uint32_t key_len,
			   const struct dfs_span *spans, uint32_t n, uint32_t length,
			   struct object **out);
void object_unref(const struct dfs_host *host, struct object *o);

static inline struct object *
object_ref(struct object *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

/* Deliver [offset, offset+length), which lies inside the object. */
enum dfs_status object_deliver(const struct dfs_host *host, const struct object *o, uint64_t offset,
			       uint64_t length, const struct dfs_sink *sink);

#endif
