/* SPDX-License-Identifier: MIT
 *
 * The write-ahead log: what was written to files, on the local disk, before it is in a block
 * store.  One for the server; shares of durability `none` do not use it.
 *
 * Appending never blocks and does no I/O: it takes references to the spans, gives the record its
 * log sequence number (LSN) and its place, and leaves the rest to the log's thread, which writes
 * what has gathered as one batch and syncs it once for everybody who waits at the gate (group
 * commit).  Sequence numbers begin, at each start, at the clock's nanoseconds or above the highest
 * that is known, whichever is more: they are never used twice, not even by another log in the
 * same place.
 *
 * A log is a bounded set of at most DFS_WAL_SEGMENTS_MAX segments of one size, used again and
 * again.  A segment is free when nobody pins it; who holds dirty data remembers the segments that
 * have it as a bit mask.  What lies between is a persister's business: `file` (O_DIRECT into
 * pre-written segments) or `mmap` (the page cache: survives the process only); `null` is no log.
 *
 * Locks: the log's mu, innermost but for the gate's; any thread may append, pin, unpin and read.
 */
#ifndef DFS_PAYLOAD_WAL_WAL_H
#define DFS_PAYLOAD_WAL_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/block_store.h>
#include <dittofs/metadata_store.h>
#include <dittofs/status.h>

struct dfs_gate;
struct dfs_disk_ops; /* base/disk.h: how files are opened, written, synced */
struct dfs_wal;

#define DFS_WAL_PAYLOAD_MAX (4u << 20)
#define DFS_WAL_SEGMENTS_MAX 64
#define DFS_WAL_SPANS_MAX 80

/* Numbers are part of the format. */
enum dfs_wal_type {
	DFS_WAL_WRITE = 1,    /* a slice: len bytes of the content at offset */
	DFS_WAL_TRUNCATE = 2, /* length becomes the content's; what was logged beyond is void */
	DFS_WAL_REMOVE = 3,   /* the content is gone */
	DFS_WAL_MARK = 4,     /* blocks [offset, offset+len) are in the block store up to `upto` */
};

enum dfs_wal_persister { DFS_WAL_NULL, DFS_WAL_MMAP, DFS_WAL_FILE };

struct dfs_wal_record {
	uint8_t type;      /* enum dfs_wal_type */
	uint32_t len;      /* of the payload: 0 but for WRITE */
	uint8_t share[16]; /* the share's uuid */
	struct dfs_content_id content;
	uint64_t fileid;
	uint64_t offset; /* in the content */
	uint64_t length; /* the file's, after the operation */
	int64_t mtime;   /* ns since 1970, after the operation */
	uint64_t change; /* the change attribute, after the operation */
	uint64_t upto;   /* MARK: the LSN that the blocks cover */
};

/* Where a record's payload lies: 0, nowhere; else an opaque number to which offsets inside the
 * payload may be added.  The segment's index is DFS_WAL_SEGMENT(at). */
typedef uint64_t dfs_wal_at;
#define DFS_WAL_AT_SHIFT 40
#define DFS_WAL_AT(segment, offset) (((dfs_wal_at)(segment) + 1) << DFS_WAL_AT_SHIFT | (offset))
#define DFS_WAL_SEGMENT(at) ((unsigned)((at) >> DFS_WAL_AT_SHIFT) - 1)
#define DFS_WAL_OFFSET(at) ((at) & ((UINT64_C(1) << DFS_WAL_AT_SHIFT) - 1))

struct dfs_wal_config {
	enum dfs_wal_persister persister; /* MMAP or FILE */
	const char *path;                 /* folder, made with mode 0700 when absent */
	uint64_t size;         /* bytes, at most; rounded down to whole segments, at least 4 */
	uint64_t segment_size; /* bytes, 4 KiB multiple, 8 MiB or more (tests: 64 KiB; a
					   * payload has half a segment at most); an existing log
					   * keeps the size that it was made with */
	uint64_t queue_max;    /* bytes appended and not written yet; 0: 64 MiB */
	const struct dfs_disk_ops *disk; /* NULL: the real one */
};

struct dfs_wal_stats {
	uint64_t size;            /* bytes that records can take in all */
	uint64_t used;            /* bytes of segments that are pinned or open */
	uint64_t queued;          /* bytes not written yet */
	uint64_t appended, bytes; /* records and payload bytes since the start */
	uint64_t batches, syncs;
	uint64_t last, written, durable; /* LSNs */
	bool failed;
};

/* Open or create the log.  DFS_BUSY: another process has it; DFS_VERSION: a format, or a feature of
 * it, that is not known: never taken for an empty log; DFS_CORRUPT: neither superblock is sound;
 * DFS_NOSPC: no room for the first segments; DFS_IO.  dfs_fail_text() explains. */
enum dfs_status dfs_wal_open(const struct dfs_wal_config *config, struct dfs_wal **wal);

/* One record that was found, in the order of sequence numbers.  at: of its payload.  To keep it,
 * pin its segment, from inside.  damaged: the payload does not match its checksum though it had
 * been acknowledged: the range must read as an error.  Anything but DFS_OK ends the recovery, and
 * nothing has changed on disk. */
typedef enum dfs_status (*dfs_wal_recover_fn)(void *arg, uint64_t lsn,
					      const struct dfs_wal_record *record, dfs_wal_at at,
					      bool damaged);

struct dfs_wal_recovery {
	/* found; damaged counts also records whose descriptors are lost, for which nobody is called */
	uint64_t records, bytes, damaged;
	uint64_t discarded; /* bytes of a torn tail, which nobody was promised */
	bool clean;         /* the log was closed in order */
};

/* Call once after open, before the first append; afterwards a new epoch has begun and segments
 * that nobody pinned are free. */
enum dfs_status dfs_wal_recover(struct dfs_wal *wal, dfs_wal_recover_fn fn, void *arg,
				struct dfs_wal_recovery *found);

/* Writes, syncs and closes; pinned segments stay for the next recovery. */
void dfs_wal_close(struct dfs_wal *wal);

/* Append one record, n spans of record->len bytes in all; spans whose buf is set are referenced until
 * written and must not change, others are copied.  *segments: the caller's mask of pinned segments, to
 * which the record's segment is added (and pinned when its bit was not set); NULL: no pin.
 * DFS_OK: *lsn and *at are set (either may be NULL).  DFS_AGAIN: the queue or the log is full; nothing
 * was done: wait or throttle.  DFS_IO: the log has failed.  DFS_TOOBIG: more than half a segment,
 * or than DFS_WAL_PAYLOAD_MAX. */
enum dfs_status dfs_wal_append(struct dfs_wal *wal, const struct dfs_wal_record *record,
			       const struct dfs_span *spans, uint32_t n, uint64_t *segments,
			       uint64_t *lsn, dfs_wal_at *at);
/* Whether an append of len bytes finds room now; appends below the reserve that this leaves do not
 * fail for want of room: so a caller may ask before what cannot be undone. */
bool dfs_wal_room(const struct dfs_wal *wal, uint64_t len);
/* Wait for room, until the deadline (monotonic ns); false: there is none, or the log has failed. */
bool dfs_wal_wait_room(struct dfs_wal *wal, uint64_t len, int64_t deadline);
/* Whether a write or a sync of the log has failed: there will be no room any more. */
bool dfs_wal_failed(const struct dfs_wal *wal);

/* One pin more, or less, on each segment of the mask. */
void dfs_wal_pin(struct dfs_wal *wal, uint64_t segments);
void dfs_wal_unpin(struct dfs_wal *wal, uint64_t segments);
/* Whether more than `percent` of the log is used, and pins hold some of it back. */
bool dfs_wal_pressed(const struct dfs_wal *wal, unsigned percent);

/* Read payload bytes back; blocking; what is still queued is served from there. */
enum dfs_status dfs_wal_read(struct dfs_wal *wal, dfs_wal_at at, void *data, uint32_t len);

/* Positions are LSNs, levels enum dfs_sync_level: PROCESS, handed to the kernel; POWER, synced. */
struct dfs_gate *dfs_wal_gate(struct dfs_wal *wal);
/* The last LSN that was given. */
uint64_t dfs_wal_last(const struct dfs_wal *wal);
/* Sequence numbers that are given from now on are above lsn.  DFS_DELAY: others kept the log too busy
 * until the deadline (monotonic ns). */
enum dfs_status dfs_wal_advance(struct dfs_wal *wal, uint64_t lsn, int64_t deadline);
/* Not above any that a recovery could find. */
uint64_t dfs_wal_first(const struct dfs_wal *wal);
void dfs_wal_stats(struct dfs_wal *wal, struct dfs_wal_stats *stats);

#endif
