/* SPDX-License-Identifier: MIT
 *
 * The payload service: the content of files, cached in pages, kept in blocks of 4 MiB.
 *
 * A dfs_file is the in-memory state of one inode's content; the inode owns it and calls in.
 * Locks, outermost first: the inode's lock (the caller's), the file's mu (here), the cache's
 * shard lock.  Pages are buffers (base/buf.h) of up to 64 KiB; a page known to anyone else (being
 * sent, flushed, or kept by a memory store) is immutable and replaced on write.
 *
 * dfs_file_commit writes dirty blocks through: it puts new versions, waits for the block store's
 * gate, then flips the map and publishes the inode's size and times in one metadata transaction.
 */
#ifndef DFS_PAYLOAD_PAYLOAD_H
#define DFS_PAYLOAD_PAYLOAD_H

#include "base/ctx.h"
#include "config/rules.h"
#include "metadata/store.h"
#include "payload/store.h"
#include "payload/transfer.h"

#define DFS_BLOCK_SIZE (4u << 20)
#define DFS_FILE_LENGTH_MAX INT64_MAX

struct dfs_cache;   /* the server's page cache: one budget, LRU over blocks */
struct dfs_payload; /* one share's content */
struct dfs_file;

struct dfs_cache *dfs_cache_new(uint64_t budget);
void dfs_cache_free(struct dfs_cache *cache);

/* prefix: the object keys' first part, e.g. the share's name.  Everything is borrowed. */
struct dfs_payload *dfs_payload_new(struct dfs_cache *cache, struct dfs_metadata_store *metadata,
				    struct dfs_block_store *blocks, uint32_t share_id,
				    const char *prefix, enum dfs_durability durability);
/* Write every dirty file of the share through, whatever its durability (deadline, monotonic ns);
 * for an orderly end, before the owners are freed.  The first failure, DFS_TIMEDOUT. */
enum dfs_status dfs_payload_flush(struct dfs_payload *payload, int64_t deadline);
/* Finishes what runs in the background (deadline, monotonic ns); every dfs_file is gone. */
enum dfs_status dfs_payload_free(struct dfs_payload *payload, int64_t deadline);

/* The owner's part of a flush: put the inode record (size, times, used) into txn; called with no
 * lock of this layer held, but inside a write transaction: it must take no lock under which
 * anybody begins one.  used: bytes allocated after the flush. */
typedef enum dfs_status (*dfs_file_publish_fn)(void *owner, struct dfs_txn *txn, uint64_t used);

/* length, used: as in the inode's record; 0, 0 for a new inode.  No map row may reach beyond
 * length.  NULL: no memory. */
struct dfs_file *dfs_file_new(struct dfs_payload *payload, const struct dfs_content_id *content,
			      uint64_t length, uint64_t used, dfs_file_publish_fn publish,
			      void *owner);
/* Drops clean pages; the file must be clean or its content removed.  Waits for a flush under way
 * (dfs_file_busy tells), so the caller holds no lock that publish needs. */
void dfs_file_free(struct dfs_file *file);
/* Dirty bytes or a flush under way: the owner must not be evicted. */
bool dfs_file_busy(const struct dfs_file *file);

/* Bytes [offset, offset+len) of a file of `length` bytes; holes read as zeros.  At most
 * DFS_READ_MAX.  DFS_AGAIN: a block must be fetched and ctx->nonblock is set. */
enum dfs_status dfs_file_read(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t length,
			      uint64_t offset, uint32_t len, struct dfs_read *out);

/* Fresh pages for [offset, offset+len), as dfs_fs_write_reserve documents. */
enum dfs_status dfs_write_reserve(uint64_t offset, uint32_t len, struct dfs_write *w);
void dfs_write_cancel(struct dfs_write *w);
/* Bring in what a partial page write needs and check memory; DFS_AGAIN (nonblock), DFS_DELAY
 * (no memory), DFS_IO.  After DFS_OK, dfs_file_write for the same range on the same inode lock
 * hold cannot fail.  length: the file's length now. */
enum dfs_status dfs_file_prepare(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t length,
				 uint64_t offset, uint32_t len);
/* Install w's pages as newest content; takes them over. */
void dfs_file_write(struct dfs_file *file, uint64_t length, struct dfs_write *w);
/* The same from memory, copying into exclusive pages where they are; len is at most
 * DFS_PAGE_SIZE (more: reserve, fill, dfs_file_write). */
void dfs_file_copy_in(struct dfs_file *file, uint64_t length, uint64_t offset, const void *data,
		      uint32_t len);

/* Truncation, in two halves around the caller's transaction: plan the map rows inside txn, then,
 * after commit, cut memory.  With length growing both do nothing but note it.  When the
 * transaction is given up after _rows, call _pages with new_length = old_length: until then the
 * file is not flushed. */
enum dfs_status dfs_file_truncate_rows(struct dfs_ctx *ctx, struct dfs_file *file,
				       struct dfs_txn *txn, uint64_t old_length,
				       uint64_t new_length);
void dfs_file_truncate_pages(struct dfs_file *file, uint64_t old_length, uint64_t new_length);

/* Make all earlier writes stable at the share's durability; leaves tickets.  Called without the
 * inode's lock.  Nothing dirty: DFS_OK at once.  Where nothing could be made stable (durability
 * none, or both stores in memory) it is DFS_OK too, and the data goes out in the background:
 * until then the file is busy. */
enum dfs_status dfs_file_commit(struct dfs_ctx *ctx, struct dfs_file *file);

/* The content is unlinked for good: drop pages, and never flush again. */
void dfs_file_discard(struct dfs_file *file);
/* Delete the content's map rows and objects in bounded steps; blocking; for orphans. */
enum dfs_status dfs_payload_reclaim(struct dfs_payload *payload,
				    const struct dfs_content_id *content);

/* Bytes allocated for the file, dirty pages included. */
uint64_t dfs_file_used(const struct dfs_file *file);

/* The server's write verifier: random per process, drawn anew when unstable data was lost. */
uint64_t dfs_write_verifier(void);
void dfs_write_verifier_reroll(void);

#endif
