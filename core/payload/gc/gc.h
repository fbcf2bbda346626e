/* SPDX-License-Identifier: MIT
 *
 * Objects that nobody names any more.
 *
 * The transaction that drops the last reference to an object also puts a record of the dead one; the
 * reaper erases it when the share's grace is over and the transaction durable, and then the record.
 * So a crash leaves nothing behind but objects that were put and never named: those of the last run,
 * of contents that the log still has something of, are looked for when the share starts; the rest is
 * the reconciliation's.  Where the metadata store does not outlive the process there are no records, and
 * objects go by way of a list in memory (payload/garbage.c).
 *
 * Versions come from a lease that is in the metadata store before any of it is used: so none is given
 * out twice in a share, and what a run that ended badly has left can be told from what this one makes.
 */
#ifndef DFS_PAYLOAD_GC_GC_H
#define DFS_PAYLOAD_GC_GC_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/block_store.h>
#include <dittofs/metadata_store.h>

#include "io/worker.h"
#include "payload/payload.h"

struct dfs_garbage;
struct dfs_segment;

#define DFS_GC_NEVER INT64_MAX

/* Part of struct dfs_payload; mu is innermost. */
struct dfs_gc {
	bool records; /* dead objects have records */
	bool started;
	int64_t grace; /* ns that a dead object is kept */
	enum dfs_gc_reconcile reconcile;
	int64_t reconcile_interval; /* ns */

	_Atomic uint64_t version;       /* the last one given out */
	_Atomic uint64_t version_limit; /* the lease's end */
	uint64_t first_version;         /* of this run */
	uint64_t left_version;          /* of the last run, if it ended badly; else first_version */

	struct dfs_task task, reconcile_task;
	pthread_mutex_t mu;
	pthread_cond_t quiet; /* nothing runs any more */
	/* Guarded by mu.  Monotonic ns, DFS_GC_NEVER: not before somebody says so. */
	int64_t reap_due, lease_due, reconcile_due;
	bool running, reconciling, stop;
	struct dfs_content_id *suspects; /* contents that may have objects of the last run */
	uint32_t n_suspects, cap_suspects;

	/* Guarded by the clock's lock. */
	struct dfs_gc *next;
	bool listed;
};

/* A reference that a row has given up. */
struct dfs_drop {
	struct dfs_content_id content; /* the row's */
	uint64_t block, version;
	bool shared;
};

struct dfs_drops {
	uint32_t n, cap;
	bool no_memory; /* some is missing */
	struct dfs_drop *list;
};

/* drop.c: objects that `old` names and `now` does not. */
void dfs_drops_add(struct dfs_drops *drops, const struct dfs_content_id *content, uint64_t block,
		   const struct dfs_segment *old, uint32_t n_old, const struct dfs_segment *now,
		   uint32_t n_now);
/* Inside the transaction that changes the rows: count, and record what is dead.  *garbage: what has no
 * record and is to be erased once that is committed. */
enum dfs_status dfs_drops_apply(struct dfs_payload *payload, struct dfs_txn *txn,
				const struct dfs_drops *drops, struct dfs_garbage **garbage);
void dfs_drops_free(struct dfs_drops *drops);
/* Record an object as dead, for reasons other than a row's. */
enum dfs_status dfs_object_put_dead(struct dfs_payload *payload, struct dfs_txn *txn, int64_t at,
				    const struct dfs_content_id *content, uint64_t block,
				    uint64_t version);

/* object.c: where a shared object lies, looked up in a transaction of its own; DFS_NOENT: it has no
 * record. */
enum dfs_status dfs_object_owner(const struct dfs_ctx *ctx, struct dfs_payload *payload,
				 uint64_t version, struct dfs_content_id *content, uint64_t *block);
/* The object of segment i of a row, which has been the row's own, gets a record with one reference;
 * the row's segments are marked, and the caller puts it. */
enum dfs_status dfs_object_share(struct dfs_payload *payload, struct dfs_txn *txn,
				 const struct dfs_content_id *content, uint64_t block,
				 struct dfs_segment *segs, uint32_t n, uint32_t i);
/* The record of an object that a row names; DFS_CORRUPT: there is none. */
enum dfs_status dfs_object_get(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version,
			       struct dfs_object_record *rec);
/* One reference more. */
enum dfs_status dfs_object_ref(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version);

/* dedup.c: SHA-256; false: it cannot be computed. */
bool dfs_dedup_hash(const struct dfs_span *spans, uint32_t n, uint8_t hash[32]);
/* The version of an object of these bytes, 0: none is known.  A hint. */
uint64_t dfs_dedup_find(const struct dfs_ctx *ctx, struct dfs_payload *payload,
			const uint8_t hash[32], uint32_t length);
/* Inside the transaction that names it: one reference more; DFS_NOENT: it is not there any more. */
enum dfs_status dfs_dedup_ref(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version,
			      const uint8_t hash[32], uint32_t length);
/* Inside the transaction that names the new object, with its first reference. */
enum dfs_status dfs_dedup_record(struct dfs_payload *payload, struct dfs_txn *txn,
				 const struct dfs_content_id *content, uint64_t block,
				 uint64_t version, const uint8_t hash[32], uint32_t length);

/* version.c */
void dfs_versions_init(struct dfs_gc *gc);
/* One that the share has not had.  Any thread, no lock. */
uint64_t dfs_version_next(struct dfs_payload *payload);
/* Take a lease; blocking. */
enum dfs_status dfs_versions_start(struct dfs_payload *payload);
/* Take the next one, as half of it is over. */
enum dfs_status dfs_versions_renew(struct dfs_payload *payload);
/* Give back what is left: an orderly end. */
void dfs_versions_end(struct dfs_payload *payload);

/* reap.c: erase what is due; *next: when to come again (monotonic ns).  Blocking. */
enum dfs_status dfs_reap(struct dfs_payload *payload, int64_t *next);

/* orphan.c: whether a row or a record names the object. */
enum dfs_status dfs_object_named(struct dfs_payload *payload, struct dfs_txn *txn,
				 const struct dfs_content_id *content, uint64_t block,
				 uint64_t version, bool *named);
/* Erase what the last run has put and not named, of the contents that it may have done so for. */
enum dfs_status dfs_orphans_of_last_run(struct dfs_payload *payload);

/* Erase all that nothing names of a content that is to go, while its rows name the rest. */
enum dfs_status dfs_orphans_of_content(struct dfs_payload *payload,
				       const struct dfs_content_id *content);

/* clock.c: one thread of the server that hands a share's work, when it is due, to the lane of its block
 * store. */
void dfs_gc_init(struct dfs_gc *gc);
void dfs_gc_destroy(struct dfs_gc *gc);
/* There is something to reap, or a suspect to search, by then (monotonic ns). */
void dfs_gc_reap_by(struct dfs_payload *payload, int64_t due);
/* Dead objects have been recorded. */
void dfs_gc_kick(struct dfs_payload *payload);
/* Erase all that is due, and wait for it; false: deadline (monotonic ns). */
bool dfs_gc_drain(struct dfs_payload *payload, int64_t deadline);
/* No more work is begun; false: some still runs at the deadline. */
bool dfs_gc_stop(struct dfs_payload *payload, int64_t deadline);

#endif
