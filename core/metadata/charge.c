/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/charge.h"
#include "metadata/ns.h"
#include "metadata/quota.h"
#include "metadata/usage.h"

#define FEW 8

struct held {
	struct dfs_inode *inode; /* its user has a reference until the transaction has ended */
	struct dfs_inode_stored before;
	bool uncounted; /* before */
};

/* What the write transaction of this thread has in hand. */
static _Thread_local struct {
	struct dfs_txn *txn;
	uint32_t n, cap;
	struct held *list; /* few, or allocated */
	struct held few[FEW];
	struct dfs_namespace *timers; /* it has stored when soft limits were passed */
} hand;

static bool
in_hand(const struct dfs_inode *inode)
{
	for (uint32_t i = 0; i < hand.n; i++)
		if (hand.list[i].inode == inode)
			return true;
	return false;
}

/* The bucket's lock is held. */
static bool
elsewhere(const struct dfs_inode *inode)
{
	return (inode->state & DFS_STATE_HELD) && !in_hand(inode);
}

static bool
hold(struct dfs_inode *inode, struct dfs_txn *txn)
{
	assert(!hand.txn || hand.txn == txn);
	if (hand.n == 0 && !hand.cap) {
		hand.list = hand.few;
		hand.cap = FEW;
	}
	if (hand.n == hand.cap) {
		struct held *list = malloc(2 * hand.cap * sizeof *list);

		if (!list)
			return false;
		memcpy(list, hand.list, hand.n * sizeof *list);
		if (hand.list != hand.few)
			free(hand.list);
		hand.list = list;
		hand.cap *= 2;
	}
	hand.txn = txn;
	hand.list[hand.n++] =
		(struct held){inode, inode->stored, (inode->state & DFS_STATE_UNCOUNTED) != 0};
	inode->state |= DFS_STATE_HELD;
	return true;
}

bool
dfs_charge_hold(struct dfs_inode *inode, struct dfs_txn *txn)
{
	bool held;

	dfs_inode_bucket_lock(inode);
	held = (inode->state & DFS_STATE_HELD)
		       ? in_hand(inode)
		       : !(inode->state & DFS_STATE_UNSURE) && hold(inode, txn);
	dfs_inode_bucket_unlock(inode);
	return held;
}

bool
dfs_charge_is_elsewhere(struct dfs_inode *inode)
{
	bool yes;

	dfs_inode_bucket_lock(inode);
	yes = elsewhere(inode);
	dfs_inode_bucket_unlock(inode);
	return yes;
}

bool
dfs_charge_take_locked(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows, bool exists,
		       struct dfs_charge_change *change)
{
	bool counted = !(inode->state & DFS_STATE_UNCOUNTED);

	*change = (struct dfs_charge_change){counted, counted, inode->stored, inode->stored};
	if (elsewhere(inode))
		return false;
	if (!(inode->state & DFS_STATE_HELD) && !hold(inode, txn))
		return false;
	inode->stored.used += (uint64_t)rows;
	inode->stored.uid = inode->attr.uid;
	inode->stored.gid = inode->attr.gid;
	inode->state = (inode->state & ~DFS_STATE_UNCOUNTED) | (exists ? 0 : DFS_STATE_UNCOUNTED);
	change->to = inode->stored;
	change->after = exists;
	return true;
}

enum dfs_status
dfs_charge_known(struct dfs_inode *inode, struct dfs_txn *txn)
{
	struct dfs_metadata_store *st = inode->ns->store;
	struct dfs_inode_record rec = {.size = sizeof rec};
	enum dfs_status status;
	bool unsure;

	dfs_inode_bucket_lock(inode);
	unsure = inode->state & DFS_STATE_UNSURE;
	dfs_inode_bucket_unlock(inode);
	if (__builtin_expect(!unsure, 1))
		return DFS_OK;
	status = st->ops.get_inode(st->inst, txn, inode->ns->rec.id, inode->fileid, &rec);
	if (status != DFS_OK && status != DFS_NOENT)
		return status;
	dfs_inode_bucket_lock(inode);
	/* Another may have put it meanwhile, and know. */
	if ((inode->state & (DFS_STATE_HELD | DFS_STATE_UNSURE)) == DFS_STATE_UNSURE) {
		inode->stored = (struct dfs_inode_stored){rec.used, rec.uid, rec.gid};
		inode->state &= ~(DFS_STATE_UNSURE | DFS_STATE_UNCOUNTED);
		if (status == DFS_NOENT)
			inode->state |= DFS_STATE_UNCOUNTED;
	}
	dfs_inode_bucket_unlock(inode);
	return DFS_OK;
}

/* Since when its soft limit is passed goes with the sum. */
static enum dfs_status
put_since(struct dfs_namespace *ns, struct dfs_txn *txn, uint32_t kind, uint32_t id)
{
	struct dfs_quota_since since;

	if (!dfs_quota_since_changed(ns->quota, kind, id, &since))
		return DFS_OK;
	hand.txn = txn;
	hand.timers = ns;
	return dfs_usage_put_since(ns, txn, kind, id, &since);
}

static enum dfs_status
add(struct dfs_namespace *ns, struct dfs_txn *txn, uint32_t kind, uint32_t id, int64_t bytes,
    int64_t files)
{
	struct dfs_metadata_store *st = ns->store;
	const struct dfs_usage_record rec = {
		.size = sizeof rec, .kind = kind, .id = id, .bytes = bytes, .files = files};
	enum dfs_status status;

	if (!bytes && !files)
		return DFS_OK;
	status = st->ops.add_usage(st->inst, txn, ns->rec.id, &rec);
	return status == DFS_OK ? put_since(ns, txn, kind, id) : status;
}

/* What moves between two owners, or changes at one. */
static enum dfs_status
add_owner(struct dfs_namespace *ns, struct dfs_txn *txn, uint32_t kind,
	  const struct dfs_charge_change *c, uint32_t from, uint32_t to)
{
	int64_t old = c->before ? (int64_t)c->from.used : 0,
		now = c->after ? (int64_t)c->to.used : 0;
	enum dfs_status status;

	if (from == to)
		return add(ns, txn, kind, to, now - old, c->after - c->before);
	status = add(ns, txn, kind, from, -old, -c->before);
	return status == DFS_OK ? add(ns, txn, kind, to, now, c->after) : status;
}

enum dfs_status
dfs_charge_add(struct dfs_namespace *ns, struct dfs_txn *txn, const struct dfs_charge_change *c)
{
	enum dfs_status status;

	if (!ns->quota)
		return DFS_OK;
	status = add_owner(ns, txn, DFS_USAGE_SHARE, c, 0, 0);
	if (status == DFS_OK)
		status = add_owner(ns, txn, DFS_USAGE_USER, c, c->from.uid, c->to.uid);
	if (status == DFS_OK)
		status = add_owner(ns, txn, DFS_USAGE_GROUP, c, c->from.gid, c->to.gid);
	return status;
}

enum dfs_status
dfs_charge_record(struct dfs_namespace *ns, struct dfs_txn *txn, const struct dfs_inode_record *rec,
		  bool is_new)
{
	const struct dfs_inode_stored stored = {rec->used, rec->uid, rec->gid};
	const struct dfs_charge_change change = {!is_new, is_new, stored, stored};

	return dfs_charge_add(ns, txn, &change);
}

void
dfs_charges_end(const struct dfs_txn *txn, bool committed, bool unsure)
{
	if (__builtin_expect(hand.txn != txn, 1))
		return;
	for (uint32_t i = 0; i < hand.n; i++) {
		struct dfs_inode *inode = hand.list[i].inode;

		dfs_inode_bucket_lock(inode);
		inode->state &= ~DFS_STATE_HELD;
		if (!committed) {
			inode->stored = hand.list[i].before;
			inode->state &= ~DFS_STATE_UNCOUNTED;
			if (hand.list[i].uncounted)
				inode->state |= DFS_STATE_UNCOUNTED;
			if (unsure)
				inode->state |= DFS_STATE_UNSURE;
		}
		dfs_inode_bucket_unlock(inode);
	}
	if (!committed && hand.timers)
		dfs_quota_since_unknown(hand.timers->quota);
	if (hand.list != hand.few)
		free(hand.list);
	hand.txn = NULL;
	hand.timers = NULL;
	hand.list = NULL;
	hand.n = hand.cap = 0;
}
