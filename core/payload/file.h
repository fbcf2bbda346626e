/* SPDX-License-Identifier: MIT
 *
 * Inside the payload service: files, blocks, pages.
 *
 * A page that is in memory is complete: its buffer holds all bytes that the page has up to `valid`,
 * and zeros follow.  A page that is not (buf NULL) has what the block's row says, and the row is
 * known before a page is written.  So reads never merge anything, and a flush never waits for a
 * read.
 *
 * Locks, outermost first: file->mu, cache shard lock or cache->mu.  The evictor goes the other way
 * with dfs_lock_try.  No lock is held across a call into a store; what such a call relies on is
 * pinned (block->pins, page->held) and checked afterwards by generation (row_gen, trunc_gen).
 */
#ifndef DFS_PAYLOAD_FILE_H
#define DFS_PAYLOAD_FILE_H

#include <stdatomic.h>
#include <stdlib.h>

#include "base/lock.h"
#include "io/worker.h"
#include "payload/cache/cache.h"
#include "payload/flush/strategy.h"
#include "payload/gc/gc.h"
#include "payload/key.h"
#include "payload/landing.h"
#include "payload/payload.h"
#include "payload/row.h"
#include "payload/wal/wal.h"

#define DFS_UNIT 4096u                       /* space is counted in these */
#define DFS_UNITS (DFS_PAGE_SIZE / DFS_UNIT) /* of a page */

struct dfs_page {
	struct dfs_buf *buf; /* NULL: not in memory */
	dfs_wal_at log;      /* the dirty units, one after the other; 0: not in one piece */
	uint32_t valid : 17; /* bytes of buf that are content */
	uint32_t held : 1;   /* part of a flush under way: not to be evicted */
	uint16_t units;      /* bit i: unit i holds data, here or in the store */
	uint16_t dirty;      /* bit i: unit i is newer than the store */
};

/* All guarded by file->mu but for the list of the shard. */
struct dfs_block {
	struct dfs_file *file;
	uint64_t index;                            /* offset / DFS_BLOCK_SIZE */
	struct dfs_block *lru_prev, *lru_next;     /* guarded by the shard's lock */
	struct dfs_block *dirty_prev, *dirty_next; /* in file->dirty_* while on_dirty */
	struct dfs_segment *segs;                  /* the row; &one or allocated */
	struct dfs_segment one;
	struct dfs_page *pages; /* n_slots of them; &first or allocated */
	struct dfs_page first;
	uint64_t lsn;          /* of the newest slice that is in here or in the stored row */
	uint64_t log_segments; /* pinned: they have what is dirty here */
	uint64_t log_stale;    /* those of them that have nothing newest any more ... */
	uint64_t stale_lsn;    /* ... once the log is durable up to there */
	uint32_t row_gen;      /* grows when the row changes */
	uint16_t pins;
	uint16_t n_units; /* counted in file->used: units of all pages ... */
	uint16_t n_fill; /* ... and those that the next flush may fill with zeros: dfs_block_fill */
	uint8_t n_segs;
	uint8_t n_slots; /* 1, 4, 16 or 64: pages beyond are not in memory */
	uint8_t shard;
	uint8_t fetch_first, fetch_last; /* pages on their way while fetching and row_known */
	bool row_known : 1, on_dirty : 1, fetching : 1;
	bool counted : 1;  /* n_units and n_fill are part of file->used */
	bool whole : 1;    /* all of it is dirty: it will hardly get better */
	bool log_cut : 1;  /* a truncation took dirty pages, which it alone makes void */
	bool overlaid : 1; /* segs hide some of the stored row behind what is in the log */
	_Atomic bool referenced;
};

struct dfs_payload {
	struct dfs_cache *cache;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_wal *wal; /* NULL: none; slices of an earlier run may be in it in any case */
	bool far;            /* the store is: its calls take long, its durability is its own */
	bool eager;          /* so whole blocks go out at once */
	bool dedup;          /* blocks of equal content are one object */
	bool fills; /* what a flush may fill counts from the write on: limits are to hold */
	_Atomic bool replaying; /* nothing leaves: a slice that is newer may still come */
	bool logging;           /* writes go into it; else a commit writes through */
	struct {
		struct dfs_lock mu;
		uint32_t blocks[DFS_WAL_SEGMENTS_MAX]; /* that pin the segment; guarded by mu */
		uint64_t bytes[DFS_WAL_SEGMENTS_MAX];  /* logged to it since; guarded by mu */
		_Atomic uint64_t used;                 /* sum of bytes; changed under mu */
		uint64_t quota;                        /* writers wait above */
	} log;
	uint8_t uuid[16]; /* the share's, in records of the log */
	uint32_t share_id;
	enum dfs_durability durability;
	bool lazy; /* a commit could make nothing stable: data goes out in the background */
	char prefix[DFS_PREFIX_MAX + 1];
	_Atomic uint32_t flush_status; /* of the last background flush, enum dfs_status */
	_Atomic uint32_t flush_tasks;  /* under way */
	enum dfs_stuck_write stuck_write;
	struct {
		_Atomic int64_t owed; /* ns of holding that were too short to sleep */
		/* The store takes what it is given; monotonic ns, 0: no. */
		_Atomic int64_t good_since;
		_Atomic bool readonly; /* until it has for some time */
	} throttle;
	_Atomic int64_t dirty; /* bytes; part of the cache's */

	/* Guarded by cache->mu: files with dirty data, and the place among shares that have some. */
	struct dfs_file *oldest, *newest;
	struct dfs_payload *next_dirty, *prev_dirty;

	pthread_mutex_t garbage_mu;
	pthread_cond_t reaped;
	struct dfs_garbage *garbage; /* guarded by garbage_mu */
	bool reaping;                /* guarded by garbage_mu: the task is queued or runs */
	struct dfs_task reap_task;
	struct dfs_gc gc;
	struct dfs_strategy strategy;
};

/* What a transaction has made superfluous, once the metadata store is durable up to seq: pins of log
 * segments whose slices are in rows or void, and objects that no row refers to, where they have no
 * record (gc/gc.h). */
struct dfs_garbage {
	struct dfs_garbage *next;
	uint64_t seq;
	uint32_t pins[DFS_WAL_SEGMENTS_MAX]; /* how many on each */
	uint32_t n, cap;
	struct {
		struct dfs_content_id content;
		uint64_t block, version;
	} objects[];
};

struct dfs_file {
	struct dfs_lock mu;
	_Atomic uint32_t event; /* futex: grows when something that is waited for has changed */
	uint32_t waiters;
	_Atomic uint32_t busy; /* on_dirty blocks, flushes, background tasks: not to be freed */
	struct dfs_payload *payload;
	struct dfs_content_id content;
	uint64_t fileid;                      /* in records of the log */
	const struct dfs_file_owner_ops *ops; /* NULL: none */
	void *owner;
	uint64_t extent; /* no row reaches beyond */
	_Atomic uint64_t used;
	struct dfs_block *single; /* the only block while table is NULL */
	struct dfs_block **table; /* open addressing, table_mask + 1 slots */
	uint32_t table_mask, n_blocks;
	struct dfs_block *dirty_head, *dirty_tail; /* in order of the first write */
	uint32_t n_dirty;
	uint32_t write_seq, flushed_seq; /* writes so far; those that the last good flush covers */
	uint64_t trunc_min;              /* shortest length since the flush under way began */
	uint32_t trunc_gen;
	int32_t d_resident, d_dirty; /* what unlock adds to the cache's accounts */
	bool flushing, truncating, discarded;
	bool flush_failed; /* the last flush did: the next commit tries, whatever the share */
	uint64_t meta_seq; /* of the metadata store when the last flush was committed */
	uint64_t log_lsn;  /* of the last slice that was logged */
	/* From prepare for the write that follows on the same hold of the inode's lock: blocks
	 * pinned, and a buffer each for the first and the last page where they are partial. */
	uint64_t prep_index;
	uint32_t prep_n;
	struct dfs_buf *spare[2];
	struct dfs_garbage *trunc_garbage; /* of a truncation that is not committed yet */
	uint64_t trunc_used;               /* and the bytes that it frees of blocks not in memory */
	bool trunc_dead;                   /* and whether it has recorded dead objects */
	uint64_t next_read;                /* where a sequential reader would go on */
	struct dfs_prefetch *prefetch;     /* prefetch.c; NULL: nobody reads it in order */

	/* Guarded by cache->mu. */
	struct dfs_file *fifo_prev, *fifo_next; /* in the share's list of dirty files */
	int64_t dirty_since;                    /* monotonic ns; 0: not in the list */
	bool hurry;                             /* it has whole blocks */
	uint32_t tasks;                         /* background flushes that hold the file */
};

/* block.c */
struct dfs_block *dfs_block_find(const struct dfs_file *file, uint64_t index);
/* Find or make, with slots for pages up to last_page; NULL: no memory. */
struct dfs_block *dfs_block_get_slots(struct dfs_file *file, uint64_t index, uint32_t last_page);
/* Out of the table and freed; it is in no list. */
void dfs_block_destroy(struct dfs_block *block);
/* Free it when it holds nothing that matters and nobody has it pinned. */
void dfs_block_release(struct dfs_block *block);
/* The row is as given.  False: no memory, the row is not known then. */
bool dfs_block_set_row(struct dfs_block *block, const struct dfs_row *row);
/* Cut to [0, end): pages, row and accounts. */
void dfs_block_cut(struct dfs_block *block, uint32_t end);
/* Drop clean pages.  out takes up to DFS_PAGES buffers to unref; *n of them.  True when the block
 * is left empty and nobody needs it. */
bool dfs_block_evict(struct dfs_block *block, struct dfs_buf **out, uint32_t *n);
/* In or out of the file's list of dirty blocks. */
void dfs_block_list_dirty(struct dfs_block *block);
void dfs_block_list_clean(struct dfs_block *block);
/* Lay seg, which is in the log, over the row as memory has it.  False: too many segments. */
bool dfs_block_overlay(struct dfs_block *block, const struct dfs_segment *seg);
/* True when the row has a byte in [from, to) of the block. */
bool dfs_block_stored(const struct dfs_block *block, uint32_t from, uint32_t to);
/* Each unit of it is newer than the store. */
bool dfs_block_all_dirty(const struct dfs_block *block);
/* Units of it that are. */
uint32_t dfs_block_dirty_units(const struct dfs_block *block);
/* All that is stored is in memory too. */
bool dfs_block_complete(const struct dfs_block *block);
/* Replace the page's buffer; answers the old one, to unref. */
struct dfs_buf *dfs_page_set(struct dfs_block *block, struct dfs_page *page, struct dfs_buf *buf,
			     uint32_t valid);
/* Set what a flush has to do with the page. */
void dfs_page_mark(struct dfs_block *block, struct dfs_page *page, uint16_t dirty, bool held);
/* How a block would be with bytes [from, to) written; from == to: how it is. */
struct dfs_block_measure {
	uint32_t units, fill;
};
struct dfs_block_measure dfs_block_measure(const struct dfs_block *block, uint32_t from,
					   uint32_t to);
/* A flush makes few segments of a block of many pieces, and so allocates holes between them: count what
 * it may fill from now on, where the share wants that. */
void dfs_block_fill(struct dfs_block *block);
/* Note units that have come to hold data. */
void dfs_page_add_units(struct dfs_block *block, struct dfs_page *page, uint16_t units);

/* Bits of the units that [from, to) of a page touches; from < to. */
static inline uint16_t
dfs_units_mask(uint32_t from, uint32_t to)
{
	uint32_t first = from / DFS_UNIT, last = (to - 1) / DFS_UNIT;

	return (uint16_t)((0xffffu << first) & (0xffffu >> (DFS_UNITS - 1 - last)));
}

static inline struct dfs_page *
dfs_block_page(const struct dfs_block *block, uint32_t page)
{
	return page < block->n_slots ? &block->pages[page] : NULL;
}

static inline void
dfs_file_lock(struct dfs_file *file)
{
	dfs_lock_acquire(&file->mu);
}

/* Settles the cache's accounts: before the release, for whoever waits for the lock may free the file, and
 * the payload then. */
static inline void
dfs_file_unlock(struct dfs_file *file)
{
	struct dfs_payload *payload = file->payload;
	int32_t resident = file->d_resident, dirty = file->d_dirty;

	file->d_resident = file->d_dirty = 0;
	if (resident)
		atomic_fetch_add_explicit(&payload->cache->resident, resident,
					  memory_order_relaxed);
	if (dirty)
		dfs_flusher_account(payload, dirty);
	dfs_lock_release(&file->mu);
}

/* file.c: waiting; called with mu, which is released and taken again.  False: deadline. */
bool dfs_file_wait(struct dfs_file *file, int64_t deadline);
void dfs_file_wake(struct dfs_file *file);
/* Drop all that is in memory from length on.  Called with mu.  Pins of the log that nothing needs once
 * the metadata store is durable as it is now are added to *garbage (NULL: kept for a replay). */
void dfs_file_cut(struct dfs_file *file, uint64_t length, struct dfs_garbage **garbage);

/* write.c: undo what prepare left.  Called with mu. */
void dfs_file_unprepare(struct dfs_file *file);
/* Copy [lo, hi) of the page in; *spare, of at least max(hi, valid) bytes, is used up where the page's
 * own buffer will not do. */
void dfs_page_put_bytes(struct dfs_block *block, struct dfs_page *page, uint32_t lo, uint32_t hi,
			const void *src, struct dfs_buf **spare);
/* [lo, hi) is newer than the store; it lies in the log at `at` (0: nowhere). */
void dfs_page_note_written(struct dfs_block *block, struct dfs_page *page, uint32_t lo, uint32_t hi,
			   dfs_wal_at at);

/* fetch.c: the block's row as txn sees it; none: without segments. */
enum dfs_status dfs_row_read(struct dfs_file *file, struct dfs_txn *txn, uint64_t block,
			     struct dfs_row *row);
/* Called with mu, which is released and taken again; the block may be gone after. */
enum dfs_status dfs_fetch_row(struct dfs_ctx *ctx, struct dfs_block *block);
/* Bring pages [first, last] in as far as they are stored. */
enum dfs_status dfs_fetch_pages(struct dfs_ctx *ctx, struct dfs_block *block, uint32_t first,
				uint32_t last);
/* The same without waiting for pages: start to bring them in.  The row may have to be waited for. */
void dfs_fetch_ahead(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index, uint32_t first,
		     uint32_t last);

/* log.c: the share's pins of the log, which are counted against its quota. */
void dfs_log_pin(struct dfs_payload *payload, uint64_t segments);
void dfs_log_unpin(struct dfs_payload *payload, uint64_t segments);
/* Whether a recovery could find slices up to lsn. */
bool dfs_log_has(const struct dfs_payload *payload, uint64_t lsn);
/* Whether the log, or the share's part of it, fills. */
bool dfs_log_pressed(const struct dfs_payload *payload);
/* Whether the log has room for a write of len bytes to the share. */
bool dfs_log_room(const struct dfs_payload *payload, uint32_t len);
/* Wait for it; false: deadline (monotonic ns). */
bool dfs_log_wait_room(struct dfs_payload *payload, uint32_t len, int64_t deadline);
/* Called with mu.  Append n spans that the write at offset consists of; the blocks it touches
 * are found and pinned.  *at: where the bytes lie; 0 and DFS_OK: the share has no log. */
enum dfs_status dfs_log_slice(struct dfs_file *file, uint64_t offset, uint32_t len,
			      const struct dfs_slice *slice, const struct dfs_span *spans,
			      uint32_t n, dfs_wal_at *at);

/* The block has what was logged in `segments`, up to lsn: pins them.  bytes: of a replayed slice, which
 * count against the quota; 0: they are counted. */
void dfs_log_adopt(struct dfs_block *block, uint64_t segments, uint64_t lsn, uint32_t bytes);

/* throttle.c: before a write of len bytes.  DFS_AGAIN (nonblock), DFS_DELAY, or what a share whose store
 * takes nothing shall say. */
enum dfs_status dfs_throttle_write(struct dfs_ctx *ctx, struct dfs_payload *payload, uint32_t len);
/* A flush ended so. */
void dfs_throttle_flushed(struct dfs_payload *payload, enum dfs_status status);

/* spill.c: let dirty pages that the log has leave memory, until about `bytes` are free; answers how
 * many are. */
uint64_t dfs_file_spill(struct dfs_file *file, uint64_t bytes);

/* prefetch.c: called with mu.  A read of a file whose store has an offloader; true: it belongs to a
 * reader for whom the blocks ahead are brought in. */
bool dfs_prefetch_note(struct dfs_file *file, uint64_t length, uint64_t offset, uint32_t len);
/* Whether the last read belonged to one. */
bool dfs_prefetch_active(const struct dfs_file *file);
/* No more of it; waits for what runs, mu being released meanwhile. */
void dfs_prefetch_end(struct dfs_file *file);

/* flush/flush.c */
enum dfs_flush {
	DFS_FLUSH_ALL,
	DFS_FLUSH_WHOLE, /* whole blocks only */
};
enum dfs_status dfs_file_flush(struct dfs_ctx *ctx, struct dfs_file *file, enum dfs_flush what);

/* garbage.c */
/* NULL in, a new list out; no memory: the object is left behind, which is counted. */
struct dfs_garbage *dfs_garbage_add(struct dfs_garbage *g, const struct dfs_content_id *content,
				    uint64_t block, uint64_t version);
/* The same with the block's pins of the log, which g takes over. */
struct dfs_garbage *dfs_garbage_add_pins(struct dfs_garbage *g, uint64_t segments);
/* Erase what g lists when the metadata store is durable up to seq; takes g (NULL: nothing). */
void dfs_garbage_submit(struct dfs_payload *payload, struct dfs_garbage *g, uint64_t seq);
/* Wait for all of it, and for dead objects that are due; false: deadline (monotonic ns). */
bool dfs_garbage_drain(struct dfs_payload *payload, int64_t deadline);

/* [at_block, at_block+length) of a block lies in the log at `at`; 0: in a part of it that is damaged. */
static inline struct dfs_segment
dfs_log_segment(dfs_wal_at at, uint32_t at_block, uint32_t length)
{
	return (struct dfs_segment){
		.version = at - DFS_WAL_OFFSET(at),
		.offset = (uint32_t)DFS_WAL_OFFSET(at),
		.at = at_block,
		.length = length,
		.flags = DFS_SEGMENT_LOG,
	};
}

static inline uint32_t
dfs_sync_level_of(const struct dfs_payload *payload)
{
	return payload->durability >= DFS_DURABILITY_POWER ? DFS_SYNC_POWER : DFS_SYNC_PROCESS;
}

#endif
