/* SPDX-License-Identifier: MIT
 *
 * The payload service: the content of files, cached in pages, kept in blocks of 4 MiB.
 *
 * A dfs_file is the in-memory state of one inode's content; the inode owns it and calls in.
 * Locks, outermost first: the inode's lock (the caller's), the file's mu (here), the cache's
 * shard lock.  Pages are buffers (base/buf.h) of up to 64 KiB; a page known to anyone else (being
 * sent, flushed, or kept by a memory store) is immutable and replaced on write.
 *
 * Where the share has a log, a write is in it before it is in a page, and dfs_file_commit is a
 * ticket for the log's gate; blocks go out in the background.  Without one, a commit writes dirty
 * blocks through: it puts new versions, waits for the block store's gate, then flips the map and
 * publishes the inode's size and times in one metadata transaction.
 */
#ifndef DFS_PAYLOAD_PAYLOAD_H
#define DFS_PAYLOAD_PAYLOAD_H

#include "base/clock.h"
#include "base/ctx.h"
#include "config/rules.h"
#include "metadata/store.h"
#include "payload/store.h"
#include "payload/transfer.h"
#include "payload/wal/wal.h"

#define DFS_BLOCK_SIZE (4u << 20)
#define DFS_FILE_LENGTH_MAX INT64_MAX

struct dfs_cache;   /* the server's page cache: one budget, LRU over blocks */
struct dfs_payload; /* one share's content */
struct dfs_file;

struct dfs_cache *dfs_cache_new(uint64_t budget);
void dfs_cache_free(struct dfs_cache *cache);

/* What a reconciliation does about objects that nothing names (gc/reconcile.c). */
enum dfs_gc_reconcile { DFS_GC_RECONCILE_REPORT, DFS_GC_RECONCILE_ERASE, DFS_GC_RECONCILE_OFF };
#define DFS_GC_GRACE_REMOTE (600 * DFS_SECOND) /* the default where readers may be elsewhere */
#define DFS_GC_INTERVAL (7 * 86400 * DFS_SECOND)

struct dfs_payload_options {
	struct dfs_cache *cache;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_wal *wal; /* NULL: none; not used where nothing could be made stable */
	uint32_t share_id;
	uint8_t uuid[16];   /* the share's */
	uint64_t log_quota; /* bytes of the log that the share may hold; 0: three quarters */
	const char *prefix; /* the object keys' first part, e.g. the share's name */
	enum dfs_durability durability;
	enum dfs_stuck_write stuck_write;
	bool dedup;       /* blocks of equal content are one object */
	bool quotas;      /* dfs_file_used never says less than what the next flush may take */
	int64_t gc_grace; /* ns that dead objects are kept; 0: as the block store wants it */
	enum dfs_gc_reconcile gc_reconcile;
	int64_t gc_reconcile_interval; /* ns; 0: DFS_GC_INTERVAL */
	struct dfs_flush_options flush;
};

/* Everything that options points to is borrowed.  NULL: no memory. */
struct dfs_payload *dfs_payload_new(const struct dfs_payload_options *options);
/* Remove what the flushes of the last run have left on the way, begin garbage collection, and learn what
 * must be known before anything is written; blocking, before any dfs_file. */
enum dfs_status dfs_payload_start(struct dfs_payload *payload);
/* After a start: the log has slices of the content, so the last run may have put objects of it that
 * nothing names. */
void dfs_payload_suspect(struct dfs_payload *payload, const struct dfs_content_id *content);

/* What a reconciliation found: objects below the share's prefix, those too young to be judged, keys
 * that are not ours, objects that nothing names, and how many of these are erased now because an
 * earlier run had reported them. */
struct dfs_reconcile_report {
	uint64_t objects, young, strange, orphans, erased;
};
/* Compare the block store's list with the metadata store now; blocking, as long as a list of all
 * objects takes.  Not DFS_OK: it ended early and has erased nothing. */
enum dfs_status dfs_payload_reconcile(struct dfs_payload *payload,
				      struct dfs_reconcile_report *report);

/* What a recount found: map rows, objects that they name, references, dead objects; then what must
 * be 0: records that count wrong, shared objects without one, dead ones that a row names, objects that the
 * block store does not have, or not all of. */
struct dfs_check_report {
	uint64_t rows, objects, references, dead;
	uint64_t wrong_refs, missing_records, live_dead, missing_objects, short_objects;
};
/* Walk all rows of the share; blocking, and it keeps about 64 bytes of memory for each reference. */
enum dfs_status dfs_payload_check(struct dfs_payload *payload, struct dfs_check_report *report);
bool dfs_check_sound(const struct dfs_check_report *report);

/* Write every dirty file of the share through, whatever its durability (deadline, monotonic ns);
 * for an orderly end, before the owners are freed.  The first failure, DFS_TIMEDOUT. */
enum dfs_status dfs_payload_flush(struct dfs_payload *payload, int64_t deadline);
/* Finishes what runs in the background (deadline, monotonic ns, but a few seconds at least); every
 * dfs_file is gone. */
enum dfs_status dfs_payload_free(struct dfs_payload *payload, int64_t deadline);

/* What a file asks of its owner, the inode. */
struct dfs_file_owner_ops {
	/* The owner's part of a flush: put the inode record (size, times, used) into txn; called with
	 * no lock of this layer held, but inside a write transaction: it must take no lock under
	 * which anybody begins one.  rows: by how much the transaction changes the bytes that are
	 * allocated in the file's map rows. */
	enum dfs_status (*publish)(void *owner, struct dfs_txn *txn, int64_t rows);
	/* dfs_file_used() may have become less by a flush; called under the file's lock. */
	void (*settled)(void *owner);
};

/* length, used: as in the inode's record, where used is what the map rows have allocated; 0, 0 for a
 * new inode.  No map row may reach beyond length.  ops NULL: nobody is told (tests).  NULL: no
 * memory. */
struct dfs_file *dfs_file_new(struct dfs_payload *payload, uint64_t fileid,
			      const struct dfs_content_id *content, uint64_t length, uint64_t used,
			      const struct dfs_file_owner_ops *ops, void *owner);
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
/* Bring in what a partial page write needs and check memory and the log's room; DFS_AGAIN (nonblock),
 * DFS_DELAY (no memory), DFS_IO.  After DFS_OK, dfs_file_write for the same range on the same
 * inode lock hold fails only with the log.  length: the file's length now. */
enum dfs_status dfs_file_prepare(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t length,
				 uint64_t offset, uint32_t len);
/* What the inode says after a write: goes into the log with it. */
struct dfs_slice {
	uint64_t length;
	int64_t mtime; /* ns since 1970 */
	uint64_t change;
	bool bounded;  /* the write may not allocate more than ... */
	uint64_t room; /* ... so many bytes */
};

/* After dfs_file_prepare for the range, on the same inode lock hold: bytes that the write allocates.
 * *overwrites: none of them for itself, but for holes that its block's next flush may have to fill. */
uint64_t dfs_file_growth(struct dfs_file *file, uint64_t offset, uint32_t len, bool *overwrites);
/* The write will not be: let go of what dfs_file_prepare has prepared. */
void dfs_file_unprepared(struct dfs_file *file);

/* Log w's pages and install them as newest content; takes them over.  DFS_IO, DFS_DELAY: nothing was
 * done, w is as it was.  DFS_BUSY: it would allocate more than slice->room, because a flush has given
 * units back since they were counted; it is prepared still. */
enum dfs_status dfs_file_write(struct dfs_file *file, const struct dfs_slice *slice,
			       struct dfs_write *w);
/* The same from memory, copying into exclusive pages where they are; len is at most
 * DFS_PAGE_SIZE (more: reserve, fill, dfs_file_write). */
enum dfs_status dfs_file_copy_in(struct dfs_file *file, const struct dfs_slice *slice,
				 uint64_t offset, const void *data, uint32_t len);

/* Truncation, in two halves around the caller's transaction: plan the map rows inside txn, then,
 * after commit, cut memory.  With length growing both do nothing but note it.  When the
 * transaction is given up after _rows, call _pages with new_length = old_length: until then the
 * file is not flushed. */
/* Before the transaction: *cut, as the record says it, becomes what it shall say.  May have to
 * write the file through (DFS_AGAIN with nonblock, DFS_DELAY, DFS_IO).  Without a log it stays. */
enum dfs_status dfs_file_truncate_log(struct dfs_ctx *ctx, struct dfs_file *file,
				      uint64_t new_length, struct dfs_log_cut *cut);
/* Inside it, behind _rows: *cut is complete. */
void dfs_file_truncate_cut(struct dfs_file *file, struct dfs_log_cut *cut);
/* *change: by how much that changes the bytes allocated in the map rows. */
enum dfs_status dfs_file_truncate_rows(struct dfs_ctx *ctx, struct dfs_file *file,
				       struct dfs_txn *txn, uint64_t old_length,
				       uint64_t new_length, int64_t *change);
void dfs_file_truncate_pages(struct dfs_file *file, uint64_t old_length, uint64_t new_length);

/* Make all earlier writes stable at the share's durability; leaves tickets.  Called without the
 * inode's lock.  Nothing dirty: DFS_OK at once.  Where nothing could be made stable (durability
 * none, or both stores in memory) it is DFS_OK too, and the data goes out in the background:
 * until then the file is busy. */
enum dfs_status dfs_file_commit(struct dfs_ctx *ctx, struct dfs_file *file);

/* Whether writes go into the log. */
bool dfs_payload_logs(const struct dfs_payload *payload);
/* Whether dfs_file_commit never waits: it leaves a ticket at most. */
bool dfs_payload_commits_at_once(const struct dfs_payload *payload);

/* While on, the share's files are neither flushed nor spilled: what is logged anew meanwhile would pass
 * for newer than slices that come after it. */
void dfs_payload_replaying(struct dfs_payload *payload, bool on);
/* A slice that the log still has, newer than all that came before: what of it the block store does
 * not have becomes dirty, without being read.  Blocking; before the share serves anybody.
 * damaged: the range cannot be read any more. */
enum dfs_status dfs_file_replay(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t lsn,
				uint64_t offset, uint32_t len, dfs_wal_at at, bool damaged);

/* The content is unlinked for good: drop pages, and never flush again. */
void dfs_file_discard(struct dfs_file *file);
/* Delete the content's map rows and objects in bounded steps; blocking; for orphans. */
enum dfs_status dfs_payload_reclaim(struct dfs_payload *payload,
				    const struct dfs_content_id *content);

/* Bytes allocated for the file, dirty pages included; see also quotas of the options. */
uint64_t dfs_file_used(const struct dfs_file *file);

/* Bytes that the share can take although its block store takes none: UINT64_MAX while it does. */
uint64_t dfs_payload_room(const struct dfs_payload *payload);

/* The server's write verifier: random per process, drawn anew when unstable data was lost. */
uint64_t dfs_write_verifier(void);
void dfs_write_verifier_reroll(void);

#endif
