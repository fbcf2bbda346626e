/* SPDX-License-Identifier: MIT
 *
 * Reference-counted buffers out of a pool that is mapped and touched before use.
 *
 * Size classes: 1, 4, 16, 64 and 256 KiB, 1 and 4 MiB.  Pages of the cache are buffers of up to
 * 64 KiB.  A buffer with one reference belongs to its holder, who may write; with more it is
 * immutable.  Freed buffers go to a small per-thread list first, then to the pool.  Any thread.
 */
#ifndef DFS_BASE_BUF_H
#define DFS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dittofs/host.h>

#define DFS_PAGE_SIZE 65536u

/* Hard limit of the pool in bytes (0: half of the machine's memory); call once, early. */
void dfs_buf_setup(uint64_t limit);
/* The limit in force. */
uint64_t dfs_buf_limit(void);

/* One reference, capacity at least len (1 .. 4 MiB), contents undefined; NULL at the limit. */
struct dfs_buf *dfs_buf_alloc(uint32_t len);
struct dfs_buf *dfs_buf_ref(struct dfs_buf *buf);
void dfs_buf_unref(struct dfs_buf *buf); /* NULL is allowed */
/* True when the caller's is the only reference. */
bool dfs_buf_exclusive(const struct dfs_buf *buf);
/* Bytes handed out now, and bytes mapped. */
void dfs_buf_usage(uint64_t *used, uint64_t *mapped);
/* A shared immutable buffer of DFS_PAGE_SIZE zero bytes: a new reference. */
struct dfs_buf *dfs_buf_zero(void);

#endif
