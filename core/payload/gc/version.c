/* SPDX-License-Identifier: MIT
 *
 * Versions of objects: the clock's nanoseconds, or the number above the last one when that is more, so
 * that an object's version also tells how old it is.
 *
 * A run may give out what is below the end of its lease, a named state of the share's; the next run
 * begins there at least, whatever the clock says.  Where no lease was taken (the metadata store forgets
 * with the process) the clock alone decides.
 */
#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/gate.h"
#include "payload/file.h"

#define LEASE (600 * DFS_SECOND) /* one version for each nanosecond */
#define KEY "payload.versions"
#define GATE_DEADLINE (60 * DFS_SECOND)

/* What is stored; little endian. */
struct lease {
	uint64_t end;   /* the first version that is free */
	uint64_t first; /* of the run that took it */
	uint64_t clean; /* that run ended in order */
};

void
dfs_versions_init(struct dfs_gc *gc)
{
	atomic_init(&gc->version, (uint64_t)dfs_clock_real());
	atomic_init(&gc->version_limit, UINT64_MAX);
	gc->first_version = gc->left_version = atomic_load(&gc->version) + 1;
}

uint64_t
dfs_version_next(struct dfs_payload *payload)
{
	struct dfs_gc *gc = &payload->gc;
	uint64_t last = atomic_load_explicit(&gc->version, memory_order_relaxed), version;
	uint64_t now = (uint64_t)dfs_clock_real();
	uint64_t limit = atomic_load_explicit(&gc->version_limit, memory_order_relaxed);

	do {
		/* A lease that was not renewed in time still has one number for each nanosecond. */
		version = now > last && now < limit ? now : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(
		&gc->version, &last, version, memory_order_relaxed, memory_order_relaxed));
	return version;
}

static enum dfs_status
get(struct dfs_payload *payload, struct dfs_txn *txn, struct lease *lease)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	uint32_t len = sizeof *lease;
	enum dfs_status st;

	memset(lease, 0, sizeof *lease);
	st = metadata->ops.get_state(metadata->inst, txn, payload->share_id, KEY, sizeof KEY - 1,
				     lease, &len);
	if (st == DFS_NOENT)
		return DFS_OK;
	if (st == DFS_OK && len != sizeof *lease)
		return dfs_fail(DFS_CORRUPT, "share %s: the state %s is damaged", payload->prefix,
				KEY);
	lease->end = le64toh(lease->end);
	lease->first = le64toh(lease->first);
	lease->clean = le64toh(lease->clean);
	return st;
}

static enum dfs_status
put(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t end, bool clean)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct lease lease = {htole64(end), htole64(payload->gc.first_version), htole64(clean)};

	return metadata->ops.put_state(metadata->inst, txn, payload->share_id, KEY, sizeof KEY - 1,
				       &lease, sizeof lease);
}

struct renewal {
	struct dfs_payload *payload;
	bool first;   /* the lease before is read, and says where this run begins */
	uint64_t end; /* of the new one */
};

static enum dfs_status
take(void *arg, struct dfs_txn *txn)
{
	struct renewal *r = arg;
	struct dfs_gc *gc = &r->payload->gc;
	uint64_t now = (uint64_t)dfs_clock_real(), last;

	if (r->first) {
		struct lease before;
		enum dfs_status st = get(r->payload, txn, &before);

		if (st != DFS_OK)
			return st;
		gc->first_version = now > before.end ? now : before.end;
		gc->left_version = before.clean || !before.end ? gc->first_version : before.first;
		atomic_store(&gc->version, gc->first_version);
	}
	last = atomic_load(&gc->version);
	r->end = (last > now ? last : now) + LEASE;
	return put(r->payload, txn, r->end, false);
}

/* Versions may be given out up to the new lease's end once it is durable. */
static enum dfs_status
renew(struct dfs_payload *payload, bool first)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct renewal r = {payload, first, 0};
	uint64_t seq = 0;
	enum dfs_status st = dfs_metadata_update(metadata, take, &r, &seq);

	if (st == DFS_OK && metadata->gate)
		st = dfs_gate_wait_sync(metadata->gate, seq, dfs_sync_level_of(payload),
					dfs_clock_mono() + GATE_DEADLINE);
	if (st == DFS_OK)
		atomic_store(&payload->gc.version_limit, r.end);
	return st;
}

enum dfs_status
dfs_versions_start(struct dfs_payload *payload)
{
	return renew(payload, true);
}

enum dfs_status
dfs_versions_renew(struct dfs_payload *payload)
{
	return renew(payload, false);
}

void
dfs_versions_end(struct dfs_payload *payload)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_txn *txn;

	/* Should this fail, the next run looks for orphans that are not there. */
	if (dfs_metadata_begin(metadata, NULL, DFS_TXN_WRITE, &txn) != DFS_OK)
		return;
	if (put(payload, txn, atomic_load(&payload->gc.version) + 1, true) == DFS_OK)
		dfs_metadata_commit(metadata, txn, NULL);
	else
		dfs_metadata_abort(metadata, txn);
}
