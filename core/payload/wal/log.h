/* SPDX-License-Identifier: MIT
 *
 * What the log's files share.
 *
 * Threads: appenders; the log's thread, which is the gate's, and alone writes batches and the
 * superblock; the background's, which makes segments and sees that nothing stays unsynced for long.
 * Before recovery has ended and after the gate is gone there is one thread only.
 */
#ifndef DFS_PAYLOAD_WAL_LOG_H
#define DFS_PAYLOAD_WAL_LOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/disk.h"
#include "io/gate.h"
#include "payload/wal/format.h"
#include "payload/wal/persister.h"
#include "payload/wal/wal.h"

#define WAL_MIB (1u << 20)
/* The smallest segment: tests use it; payloads are at most half a segment. */
#define WAL_SEGMENT_MIN (64u << 10)
#define WAL_QUEUE_MAX (64u * WAL_MIB)
#define WAL_PUSH (1u * WAL_MIB)         /* queued bytes that wake the log's thread */
#define WAL_SYNC_BYTES (32u * WAL_MIB)  /* written bytes after which a sync is due */
#define WAL_SYNC_NS (DFS_SECOND / 10)   /* and time */
#define WAL_SYNCS_PER_SUPER 64          /* syncs after which the superblock tells `durable` */
#define WAL_RESERVE_MAX (16u * WAL_MIB) /* what dfs_wal_room leaves */

enum wal_segment_state {
	WAL_ABSENT,    /* no file, or none that is fit for use */
	WAL_PREPARING, /* the background thread makes it */
	WAL_FREE,      /* may be opened */
	WAL_OPEN,      /* appends go here */
	WAL_CLOSED,    /* holds records, takes no more */
};

struct wal_segment {
	uint8_t index;
	/* Set before it is free for use; -1: not open. */
	int fd;
	uint32_t align; /* of memory and file offsets, for the persister: 1 or a page */
	void *map;      /* mmap persister */
	/* guarded by mu from here on */
	enum wal_segment_state state;
	uint32_t pins, unwritten; /* holders; batches in the queue */
	uint64_t epoch, first, end;
	/* The log's thread only. */
	uint64_t listed;         /* epoch with which the superblock on disk has it */
	uint64_t dirty, dirtied; /* [dirty, dirtied): written, not synced */
};

/* One record in the queue. */
struct wal_pending {
	struct wal_pending *next;
	void *copy; /* bytes that no buffer could take */
	uint32_t payload, len;
	uint32_t crc;
	uint32_t n;
	bool paged; /* worth a place at a page's start: may be written without a copy */
	struct dfs_span spans[];
};

struct wal_batch {
	struct wal_batch *next;
	unsigned char *page; /* header and descriptors */
	uint8_t segment;
	bool sealed;   /* takes no more records */
	uint32_t n;    /* records */
	uint32_t fill; /* bytes so far; sealed: rounded up to pages */
	uint32_t refs; /* the queue and readers */
	uint64_t offset, epoch, first;
	uint64_t cost; /* of its records, see wal_cost */
	struct wal_pending *head, **tail;
};

struct dfs_wal {
	const struct dfs_disk_ops *disk;
	const struct wal_persister_ops *persister;
	char *path;
	uint64_t segment_size;
	uint32_t payload_max;
	uint32_t n_max; /* segments, by configuration */
	uint64_t queue_max, reserve, push_bytes;
	int folder, lock_fd, super_fd;
	bool buffered; /* the file system has no O_DIRECT */
	uint8_t uuid[16], key[16];
	uint64_t generation; /* of the superblock on disk */
	bool was_clean;      /* as opened */
	bool recovered;

	_Atomic bool failed;
	_Atomic uint64_t last;         /* written with mu held */
	_Atomic uint64_t listed_first; /* of the segments that the superblock on disk lists */
	/* Bytes that dfs_wal_room may promise; written with mu held. */
	_Atomic uint64_t room_space, room_queue;

	pthread_mutex_t mu; /* innermost but for the gate's */
	pthread_cond_t room_cond;
	uint32_t room_waiters; /* guarded by mu, as all below */
	struct wal_segment segments[DFS_WAL_SEGMENTS_MAX];
	uint32_t n_files, n_free, n_used;
	struct wal_segment *head; /* NULL: none is open */
	uint64_t head_offset;     /* where its next batch begins, once the open one is sealed */
	uint64_t next_epoch;
	struct wal_batch *open; /* last of the queue, when not sealed */
	struct wal_batch *queue, **queue_tail;
	struct wal_batch *spare; /* for reuse */
	uint32_t n_spare;
	uint64_t queue_cost, queued; /* queued: payload bytes */
	uint64_t appended, bytes, batches, syncs, written, durable;
	bool full; /* the disk has no room for another segment */

	/* The log's thread. */
	struct dfs_gate *gate;
	uint64_t unsynced, syncs_since_super;
	unsigned char *super_page;
	struct wal_writer *writer;

	/* The background. */
	pthread_t background;
	bool background_runs;
	pthread_cond_t background_cond;
	bool stop, idle; /* guarded by mu; idle: it sleeps until woken */
	/* guarded by mu, monotonic ns: when to try again for a segment, and to look for what is
	 * not synced */
	int64_t retry, next_tick;
	uint64_t making_since; /* guarded by mu: wal->bytes when the background began a segment */
	struct dfs_gate_waiter push, tick;
	bool pushed, ticked; /* guarded by mu: waits at the gate */
};

/* Memory and time that a queued record costs beyond its payload count, too. */
static inline uint64_t
wal_cost(uint32_t len)
{
	return len + sizeof(struct wal_desc_disk);
}

/* segment.c */
void wal_segment_name(const struct wal_segment *seg, char name[16]);
/* Make the file anew: allocated, written with zeros, synced.  haste: asked now and then; WAL_HURRY
 * leaves the rest unwritten, WAL_STOP gives up with -EINTR.  NULL: always calm. */
enum wal_haste { WAL_CALM, WAL_HURRY, WAL_STOP };
int wal_segment_make(struct dfs_wal *wal, struct wal_segment *seg,
		     enum wal_haste (*haste)(struct dfs_wal *wal));
/* Open the next free one behind the last record; false: none. */
bool wal_segment_next_locked(struct dfs_wal *wal);
/* Close the one that is open, if another can follow; whether none is open now. */
bool wal_segment_end_locked(struct dfs_wal *wal);
/* After pins or unwritten went down: free it when nothing holds it. */
void wal_segment_settle_locked(struct dfs_wal *wal, struct wal_segment *seg);
/* Account anew for what dfs_wal_room tells, and wake who waits. */
void wal_room_update_locked(struct dfs_wal *wal);
/* Close the batch that still takes records. */
void wal_batch_seal_locked(struct dfs_wal *wal);
void wal_batch_unref_locked(struct dfs_wal *wal, struct wal_batch *b);
void wal_pending_free(struct wal_pending *p);
void wal_batch_free(struct wal_batch *b);

/* super.c.  *super: what was found; not set when it is created. */
enum dfs_status wal_super_open(struct dfs_wal *wal, bool *created, struct wal_super *super);
enum dfs_status wal_super_write(struct dfs_wal *wal, bool clean);
/* The superblock on disk is this one. */
void wal_super_listed(struct dfs_wal *wal, const struct wal_super *super);

/* write.c: the gate's sync function. */
enum dfs_status wal_sync(void *arg, uint64_t seq, uint32_t level, uint64_t *durable);
void wal_writer_new(struct dfs_wal *wal);
void wal_writer_free(struct dfs_wal *wal);
enum dfs_status wal_fail(struct dfs_wal *wal, int error, const char *what);

/* background.c */
void wal_background_start(struct dfs_wal *wal);
void wal_background_stop(struct dfs_wal *wal);
void wal_background_wake_locked(struct dfs_wal *wal);
/* Wake the log's thread for write-behind when enough is queued. */
void wal_push_locked(struct dfs_wal *wal);

#endif
