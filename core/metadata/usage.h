/* SPDX-License-Identifier: MIT
 *
 * What a share's store has of quotas: the sums, a row that says that they are kept, and since when
 * soft limits are passed.
 *
 * The sums are kept from the transaction that sets the row on, by every transaction that changes a
 * record (metadata/charge.h), until a start without quotas removes the row.
 *
 * Blocking, and called by who opens or checks the share, before it is used, unless said otherwise.
 * Statuses: what the store fails with, and what is named below.
 */
#ifndef DFS_METADATA_USAGE_H
#define DFS_METADATA_USAGE_H

#include <stdbool.h>

#include "metadata/namespace.h"
#include "metadata/quota.h"
#include "metadata/store.h"

/* Whether the store can keep sums at all. */
bool dfs_usage_supported(const struct dfs_metadata_store *store);
/* Whether the share's are kept.  DFS_VERSION: by a newer server, in another format. */
enum dfs_status dfs_usage_kept(struct dfs_namespace *ns, bool *kept);
/* Sums and times of the store into ns->quota, which is empty; times that begin now into the
 * store. */
enum dfs_status dfs_usage_load(struct dfs_namespace *ns);
/* The sums of quota, a recount, become those of the store, which from now on are kept.
 * Transactions are bounded; the row comes with the last.  DFS_NOMEM. */
enum dfs_status dfs_usage_begin(struct dfs_namespace *ns, struct dfs_quota *quota);
/* They are not kept any more, nor are the times.  DFS_NOMEM. */
enum dfs_status dfs_usage_end(struct dfs_namespace *ns);

/* Visit the store's sums in pieces that are each a transaction; for a share that stands still.  fn
 * answers 0 to stop, which is DFS_OK; no transaction is open while it runs. */
enum dfs_status dfs_usage_each(struct dfs_namespace *ns, dfs_usage_fn fn, void *arg);

/* In a transaction, by any thread: since when a sum is above its soft limits; zeros: it is not. */
enum dfs_status dfs_usage_put_since(struct dfs_namespace *ns, struct dfs_txn *txn, uint32_t kind,
				    uint32_t id, const struct dfs_quota_since *since);

#endif
