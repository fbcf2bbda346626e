/* SPDX-License-Identifier: MIT
 *
 * The block store contract (stable ABI).
 *
 * A store keeps immutable objects of 1 byte to 4 MiB under keys.  The core never overwrites a
 * key with other bytes: a changed block is a new object with a new version in its key, so a late
 * or repeated put can never revert anything.  put() makes an object visible whole or not at all;
 * sync() makes everything put or erased before it durable.
 */
#ifndef DITTOFS_BLOCK_STORE_H
#define DITTOFS_BLOCK_STORE_H

#include <dittofs/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_BLOCK_ABI_MAJOR 1
#define DFS_BLOCK_ABI_MINOR 1

#define DFS_OBJECT_MAX (4u << 20)
/* Keys: 1..DFS_KEY_MAX bytes of [A-Za-z0-9._-] in parts of 1..255 separated by single '/'; no
 * part is "." or ".."; none begins with '.' (stores keep their own files there).  The core never
 * uses a key as a folder of another ("a" and "a/b"): a store may refuse the second, DFS_INVAL. */
#define DFS_KEY_MAX 1024

/* Capability bits; what the core does when a bit is absent follows the colon. */
#define DFS_BLOCK_CAP_VOLATILE (1ull << 0)    /* nothing survives the process: sync() is called */
#define DFS_BLOCK_CAP_DURABLE_PUT (1ull << 1) /* put is durable by itself: sync() is called */

/* One run of source bytes.  buf, when not NULL, owns them: a store that keeps bytes in memory
 * takes a reference through the host table instead of copying.  Borrowed for the call. */
struct dfs_span {
	const void *data;
	uint64_t len;
	struct dfs_buf *buf;
};

/* Where get() delivers.  A store that holds the bytes in a dfs_buf calls give() and saves the
 * copy (give takes its own reference and answers 0 when it declines: then copy); otherwise it
 * fills the bytes that space() lends.  Deliver front to back, length bytes in all. */
struct dfs_sink {
	void *ctx;
	int (*give)(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len);
	/* *len: capacity lent, at least 1; call again for more after filling all of it. */
	void *(*space)(void *ctx, uint64_t *len);
};

struct dfs_block_stats {
	uint32_t size;
	uint32_t reserved;
	uint64_t bytes_total, bytes_used, bytes_free; /* total 0: unbounded or not known */
	uint64_t objects;                             /* 0: not known */
};

/* Return 0 to stop. */
typedef int (*dfs_object_fn)(void *arg, const char *key, uint64_t length);

/* All required unless said otherwise.  flags: DFS_NONBLOCK.  Statuses: DFS_OK, DFS_AGAIN
 * (nonblock), DFS_NOENT, DFS_INVAL (bad key or range), DFS_TOOBIG, DFS_NOSPC, DFS_ROFS,
 * DFS_TIMEDOUT, DFS_CORRUPT, DFS_DELAY (a remote asks for fewer requests), DFS_ACCESS (a remote
 * refuses us: somebody must change something first), DFS_IO; fail() explains. */
struct dfs_block_ops {
	uint32_t size;

	/* Optional.  Checks what the table cannot (combinations).  No side effects.  config: the
	 * struct that the plugin's table describes; it and its strings are borrowed for the call,
	 * here and in create. */
	enum dfs_status (*validate)(const void *config, struct dfs_diag *diag);
	/* Open or create the store, *inst with DFS_OK; else diag->text says why.  host outlives the
	 * instance; config does not: copy what is kept.  DFS_BUSY: another process has the store.
	 * DFS_VERSION: its format is newer. */
	enum dfs_status (*create)(const struct dfs_host *host, const void *config, void **inst,
				  struct dfs_diag *diag);
	/* Close; no call runs.  What was put but not synced may be lost. */
	void (*destroy)(void *inst);

	/* Store n spans (1..1024, 1 byte to DFS_OBJECT_MAX in all) as one object.  An object of the
	 * same key is replaced. */
	enum dfs_status (*put)(void *inst, const char *key, const struct dfs_span *spans,
			       uint32_t n, uint32_t flags);
	/* Read [offset, offset+length) of an object.  A range beyond its end: DFS_INVAL, nothing
	 * delivered.  A failure in the middle may leave the sink part-filled. */
	enum dfs_status (*get)(void *inst, const char *key, uint64_t offset, uint64_t length,
			       const struct dfs_sink *sink, uint32_t flags);
	/* Length of an object in bytes. */
	enum dfs_status (*head)(void *inst, const char *key, uint64_t *length, uint32_t flags);
	/* Absent: DFS_OK. */
	enum dfs_status (*erase)(void *inst, const char *key, uint32_t flags);
	/* Erase every object whose key begins with prefix, which ends in '/'.  Blocking. */
	enum dfs_status (*erase_prefix)(void *inst, const char *prefix);
	/* Visit keys that begin with prefix ("" : all) and sort after `after` ("" : from the
	 * start), in byte order.  Blocking.  What is put or erased meanwhile may show or not. */
	enum dfs_status (*list)(void *inst, const char *prefix, const char *after, dfs_object_fn fn,
				void *arg);
	/* Make every put and erase that was answered before this call durable.  Blocking; one
	 * thread at a time; a failure is sticky until the store is opened anew. */
	enum dfs_status (*sync)(void *inst);

	/* Cheap figures; stats->size is set by the caller. */
	enum dfs_status (*stats)(void *inst, struct dfs_block_stats *stats);
	/* Answers within 5 s whether the store can serve. */
	enum dfs_status (*health)(void *inst);

	/* Optional.  Erase n objects (1..1000) at once; absent ones are no failure.  Not DFS_OK: some
	 * may be there still.  Blocking.  Absent, the core calls erase n times. */
	enum dfs_status (*erase_many)(void *inst, const char *const *keys, uint32_t n);

	/* Optional, since 1.1.  The object `from` under the key `to` as well, which is another one, without
	 * its bytes passing through the caller: there whole or not at all, and apart from `from`, which
	 * may be erased at once.  An object of the key `to` is replaced.  Besides the above: DFS_NOENT,
	 * there is no `from`; DFS_NOTSUP, this place cannot.  Absent, or DFS_NOTSUP, the core puts the
	 * bytes under `to` instead. */
	enum dfs_status (*copy)(void *inst, const char *from, const char *to, uint32_t flags);

	/* append only */
};

#ifdef __cplusplus
}
#endif
#endif
