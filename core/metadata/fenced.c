/* SPDX-License-Identifier: MIT
 *
 * Which shares of a store other servers have taken over.
 */
#include <stdlib.h>

#include "base/log.h"
#include "metadata/ns.h"

/* The shares' rows, as far as a lease goes. */
struct rows {
	struct row {
		uint32_t share;
		uint64_t epoch;
	} * list;
	uint32_t n, cap;
	bool failed; /* no memory */
};

static int
take_row(void *arg, const struct dfs_share_record *rec)
{
	struct rows *rows = arg;

	if (rows->n == rows->cap) {
		uint32_t cap = rows->cap ? 2 * rows->cap : 16;
		struct row *list = realloc(rows->list, cap * sizeof *list);

		if (!list) {
			rows->failed = true;
			return 0;
		}
		rows->list = list;
		rows->cap = cap;
	}
	rows->list[rows->n++] = (struct row){rec->id, rec->epoch};
	return 1;
}

static bool
holds(const struct dfs_namespace *ns, const struct rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		if (rows->list[i].share == ns->rec.id)
			return rows->list[i].epoch == ns->rec.epoch;
	return false;
}

static void
shut_out(struct dfs_metadata_store *store, const struct rows *rows)
{
	struct dfs_namespace *ns;

	dfs_lock_acquire(&store->leased_lock);
	for (ns = store->leased; ns; ns = ns->leased_next) {
		if (holds(ns, rows) || atomic_exchange(&ns->fenced, true))
			continue;
		atomic_store(&ns->uncached, true);
		dfs_log(DFS_LOG_ERROR,
			"share %s: another server has taken it over; it is not served here any "
			"more",
			ns->rec.name);
	}
	dfs_lock_release(&store->leased_lock);
}

void
dfs_namespace_check_leases(struct dfs_metadata_store *store)
{
	struct rows rows = {.n = 0};
	enum dfs_status status;
	unsigned tries = 0;

	do {
		struct dfs_txn *txn;

		rows.n = 0;
		status = dfs_metadata_begin(store, NULL, DFS_TXN_READ, &txn);
		if (status != DFS_OK)
			continue;
		status = store->ops.scan_shares(store->inst, txn, take_row, &rows);
		dfs_metadata_abort(store, txn);
	} while (dfs_metadata_again(NULL, &status, &tries));
	if (status == DFS_OK && !rows.failed)
		shut_out(store, &rows);
	free(rows.list);
}
