/* SPDX-License-Identifier: MIT
 *
 * Erasing dead objects: those whose grace is over, oldest first, a batch at a time.
 *
 * An object goes only after the metadata store is durable as it is, for a crash could bring back the
 * row that named it; its record goes only after the erasing is durable, for a crash could bring back
 * the object.  What cannot be erased keeps its record and is tried again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "payload/file.h"

#define BATCH 256
#define RETRY (30 * DFS_SECOND)
#define GATE_DEADLINE (60 * DFS_SECOND)

struct batch {
	struct dfs_payload *payload;
	int64_t upto;  /* dead since then at least, ns since 1970 */
	int64_t later; /* when the first of the others is, DFS_GC_NEVER: there is none */
	uint32_t n;
	struct dfs_dead_record dead[BATCH];
	char keys[BATCH][DFS_BLOCK_KEY_MAX];
	const char *list[BATCH];
};

static int
collect(void *arg, const struct dfs_dead_record *rec)
{
	struct batch *b = arg;

	if ((int64_t)rec->at > b->upto) {
		b->later = (int64_t)rec->at;
		return 0;
	}
	b->dead[b->n++] = *rec;
	return b->n < BATCH;
}

/* The first ones. */
static enum dfs_status
next_batch(struct dfs_payload *payload, struct batch *b, uint64_t *seq)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, NULL, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	b->n = 0;
	b->upto = dfs_clock_real() - payload->gc.grace;
	b->later = DFS_GC_NEVER;
	st = metadata->ops.scan_dead(metadata->inst, txn, payload->share_id, NULL, collect, b);
	dfs_metadata_abort(metadata, txn);
	/* Whatever the scan has seen was committed by now. */
	*seq = atomic_load(&metadata->last_seq);
	return st;
}

static enum dfs_status
erase(struct dfs_payload *payload, struct batch *b)
{
	struct dfs_gate *gate = payload->blocks->gate;
	enum dfs_status st;

	for (uint32_t i = 0; i < b->n; i++) {
		dfs_block_key(b->keys[i], payload->prefix, &b->dead[i].content, b->dead[i].block,
			      b->dead[i].version);
		b->list[i] = b->keys[i];
	}
	st = dfs_block_erase_many(payload->blocks, b->list, b->n);
	DFS_FAILPOINT("object-erased");
	if (st != DFS_OK || !gate || payload->durability < DFS_DURABILITY_POWER)
		return st;
	return dfs_gate_wait_sync(gate, atomic_load(&payload->blocks->last_seq), DFS_SYNC_POWER,
				  dfs_clock_mono() + GATE_DEADLINE);
}

static enum dfs_status
forget(void *arg, struct dfs_txn *txn)
{
	const struct batch *b = arg;
	struct dfs_metadata_store *metadata = b->payload->metadata;
	enum dfs_status st = DFS_OK;

	for (uint32_t i = 0; i < b->n && st == DFS_OK; i++)
		st = metadata->ops.del_dead(metadata->inst, txn, b->payload->share_id, &b->dead[i]);
	return st;
}

/* One batch; *more: there may be others. */
static enum dfs_status
reap_batch(struct dfs_payload *payload, struct batch *b, bool *more)
{
	struct dfs_gate *gate = payload->metadata->gate;
	uint64_t seq;
	enum dfs_status st = next_batch(payload, b, &seq);

	*more = b->n == BATCH;
	if (st != DFS_OK || b->n == 0)
		return st;
	if (gate)
		st = dfs_gate_wait_sync(gate, seq, dfs_sync_level_of(payload),
					dfs_clock_mono() + GATE_DEADLINE);
	if (st == DFS_OK)
		st = erase(payload, b);
	if (st == DFS_OK)
		st = dfs_metadata_update(payload->metadata, forget, b, NULL);
	if (st == DFS_OK)
		dfs_counter_add(dfs_counter_get("payload_gc_deleted"), b->n);
	return st;
}

enum dfs_status
dfs_reap(struct dfs_payload *payload, int64_t *next)
{
	struct batch *b = malloc(sizeof *b);
	enum dfs_status st = b ? DFS_OK : DFS_NOMEM;
	bool more = true;

	if (b) {
		b->payload = payload;
		b->n = 0;
	}
	while (st == DFS_OK && more)
		st = reap_batch(payload, b, &more);
	*next = DFS_GC_NEVER;
	if (st != DFS_OK) {
		dfs_counter_add(dfs_counter_get("payload_gc_failed"), 1);
		dfs_log(DFS_LOG_WARN,
			"share %s: dead objects are not erased yet (%s): %s; they are tried again",
			payload->prefix, dfs_status_name(st), dfs_fail_text());
		*next = dfs_clock_mono() + RETRY;
	} else if (b->later != DFS_GC_NEVER) {
		*next = dfs_clock_mono() + (b->later - b->upto);
	}
	free(b);
	return st;
}
