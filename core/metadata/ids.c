/* SPDX-License-Identifier: MIT
 *
 * Identifiers that are never used twice.
 *
 * File ids come from a counter in the share's state, taken in ranges: what a crash leaves of
 * a range is lost.  Content ids carry the time of opening, random bits and a counter.
 */
#include <endian.h>
#include <string.h>
#include <sys/random.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "metadata/ns.h"

#define FILEID_RANGE_MAX 65536u

static const char state_key[] = "fileid";

uint64_t
dfs_random_u64(void)
{
	static _Thread_local uint64_t state;
	uint64_t z;

	if (!state && getrandom(&state, sizeof state, 0) != sizeof state)
		state = (uint64_t)(uintptr_t)&state;
	do { /* splitmix64 (Steele, Lea and Flood, 2014) */
		z = state += UINT64_C(0x9e3779b97f4a7c15);
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
	} while (z == 0);
	return z;
}

static enum dfs_status
take_range(const struct dfs_ctx *ctx, struct dfs_namespace *ns, uint64_t size)
{
	struct dfs_metadata_store *st = ns->store;
	uint64_t next;
	uint32_t len = sizeof next;
	struct dfs_txn *txn;
	enum dfs_status status = dfs_metadata_begin(st, ctx, DFS_TXN_WRITE, &txn);

	if (status != DFS_OK)
		return status;
	status = st->ops.get_state(st->inst, txn, ns->rec.id, state_key, sizeof state_key - 1,
				   &next, &len);
	if (status == DFS_NOENT || (status == DFS_OK && len != sizeof next))
		status = dfs_fail(DFS_CORRUPT, "%s: the counter of file ids is missing",
				  ns->rec.name);
	if (status == DFS_OK) {
		uint64_t end = htole64(le64toh(next) + size);

		status = st->ops.put_state(st->inst, txn, ns->rec.id, state_key,
					   sizeof state_key - 1, &end, sizeof end);
	}
	if (status != DFS_OK) {
		dfs_metadata_abort(st, txn);
		return status;
	}
	status = dfs_metadata_commit(st, txn, NULL);
	DFS_FAILPOINT("ids-leased");
	if (status == DFS_OK) {
		ns->next_fileid = le64toh(next);
		ns->end_fileid = ns->next_fileid + size;
	}
	return status;
}

enum dfs_status
dfs_fileid_new(const struct dfs_ctx *ctx, struct dfs_namespace *ns, uint64_t *fileid)
{
	enum dfs_status status = DFS_OK;

	if (!dfs_lock_try(&ns->fileid_lock)) {
		if (ctx && ctx->nonblock) {
			if (!dfs_lock_spin(&ns->fileid_lock))
				return DFS_AGAIN;
		} else if (!dfs_lock_until(&ns->fileid_lock, ctx ? ctx->deadline : INT64_MAX)) {
			return DFS_DELAY;
		}
	}
	if (ns->next_fileid == ns->end_fileid) {
		status = take_range(ctx, ns, ns->fileid_range);
		if (status == DFS_OK && ns->fileid_range < FILEID_RANGE_MAX)
			ns->fileid_range *= 2;
	}
	if (status == DFS_OK)
		*fileid = ns->next_fileid++;
	dfs_lock_release(&ns->fileid_lock);
	return status;
}

bool
dfs_content_id_recent(const struct dfs_namespace *ns, const struct dfs_content_id *id)
{
	uint64_t hi = htobe64(ns->content_hi);

	return memcmp(id->bytes, &hi, 8) == 0;
}

void
dfs_content_id_new(struct dfs_namespace *ns, struct dfs_content_id *id)
{
	uint64_t hi = htobe64(ns->content_hi);
	uint64_t lo = htobe64(atomic_fetch_add_explicit(&ns->content_lo, 1, memory_order_relaxed));

	memcpy(id->bytes, &hi, 8);
	memcpy(id->bytes + 8, &lo, 8);
}
