/* SPDX-License-Identifier: MIT
 *
 * The store's sums of usage: changed by the transaction that changes the record that they count.
 *
 * A cached inode knows what its record says of usage as of the last transaction that put it
 * (struct dfs_inode_stored).  A transaction that puts it takes it in hand (DFS_STATE_HELD), adds the
 * difference to the sums, and lets go when it has ended: so between two transactions in flight for
 * one inode the second is told to come again (DFS_AGAIN), and a failed one leaves the difference to the
 * next.  After a commit of which nobody knows how it ended the record itself is asked.
 *
 * It is so for shares without quotas, too: a store may run write transactions side by side, and commit
 * them in another order than they were put together in; of two in flight for one inode the older state could be
 * what stays.  A thread has at most one write transaction open.
 */
#ifndef DFS_METADATA_CHARGE_H
#define DFS_METADATA_CHARGE_H

#include "metadata/inode.h"

/* What a transaction changes in the sums. */
struct dfs_charge_change {
	bool before, after; /* there was a record, there is one */
	struct dfs_inode_stored from, to;
};

/* The bucket's lock is held.  Take the inode in hand for a record with these, `rows` bytes more in its
 * map rows than now.  False: another transaction has it. */
bool dfs_charge_take_locked(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows, bool exists,
			    struct dfs_charge_change *change);
/* The same before anything of it is staged, which then no other transaction can put.  After dfs_charge_known; without
 * the bucket's lock.  False: come again. */
bool dfs_charge_hold(struct dfs_inode *inode, struct dfs_txn *txn);
/* Whether another transaction has it at this moment.  Without the bucket's lock. */
bool dfs_charge_is_elsewhere(struct dfs_inode *inode);
/* Before it, without that lock: make sure that it is known what the record says. */
enum dfs_status dfs_charge_known(struct dfs_inode *inode, struct dfs_txn *txn);
/* Add to the share's sums what has changed. */
enum dfs_status dfs_charge_add(struct dfs_namespace *ns, struct dfs_txn *txn,
			       const struct dfs_charge_change *change);

/* The same for the record of an inode that nobody has in the cache: new, or gone for good. */
enum dfs_status dfs_charge_record(struct dfs_namespace *ns, struct dfs_txn *txn,
				  const struct dfs_inode_record *rec, bool is_new);

/* The transaction is over, on the thread that had it.  unsure: its commit failed in a way that does
 * not tell whether it happened. */
void dfs_charges_end(const struct dfs_txn *txn, bool committed, bool unsure);

#endif
