/* SPDX-License-Identifier: MIT
 *
 * Reading through the layers: the newest one that knows a key decides.
 */
#include <string.h>

#include "txn.h"

#define SOURCES 3 /* the transaction's own changes, the current layer, the frozen one */

/* A transaction that may not wait does not touch the base. */
static enum dfs_status
may_read_base(const struct layers *l, const struct dfs_txn *txn)
{
	return txn->nonblock ? DFS_AGAIN : DFS_OK;
}

static const struct record *
find(const struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	const struct record *r = NULL;

	if (txn->has_changes)
		r = own_find(txn, key, key_len);
	if (!r)
		r = tree_get(txn->snapshot.root, key, key_len);
	if (!r && txn->frozen)
		r = tree_get(txn->frozen->tree.root, key, key_len);
	return r;
}

enum dfs_status
layers_get(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len, dfs_okv_fn fn,
	   void *arg)
{
	const struct record *r = find(txn, key, key_len);

	if (r) {
		if (r->tombstone)
			return DFS_NOENT;
		fn(arg, r->bytes, r->key_len, record_value(r), r->value_len);
		return DFS_OK;
	}
	if (!l->base_ops)
		return DFS_NOENT;
	if (may_read_base(l, txn) != DFS_OK)
		return DFS_AGAIN;
	return l->base_ops->get(l->base, txn->view, key, key_len, fn, arg);
}

/* ---- merged scan ---- */

struct merge {
	struct layers *l;
	struct dfs_txn *txn;
	struct cursor source[SOURCES]; /* newest first */
	const unsigned char *to;
	uint32_t to_len;
	uint64_t changes; /* of the transaction when source[0] was placed */
	void *iter;       /* of the base, or NULL */
};

/* One step's answer. */
struct found {
	const unsigned char *key, *value;
	uint32_t key_len, value_len;
	bool tombstone;
};

static void
place(struct merge *m, const void *from, uint32_t from_len)
{
	const struct dfs_txn *txn = m->txn;

	tree_seek(&m->source[0], txn->has_changes ? txn->own.edit : NULL, from, from_len);
	tree_seek(&m->source[1], txn->snapshot.root, from, from_len);
	tree_seek(&m->source[2], txn->frozen ? txn->frozen->tree.root : NULL, from, from_len);
	m->changes = txn->write ? txn->changes : 0;
}

/* The callback has changed the transaction: its own tree may look different now. */
static void
replace_own(struct merge *m, const void *after, uint32_t len)
{
	const struct record *r;

	tree_seek(&m->source[0], m->txn->own.edit, after, len);
	r = tree_at(&m->source[0]);
	if (r && !tree_compare(r->bytes, r->key_len, after, len))
		tree_next(&m->source[0]);
	m->changes = m->txn->changes;
}

/* The smallest key of all sources; of equal ones the newest, the others step over it.  1: found;
 * 0: the end; -1: *status. */
static int
smallest(struct merge *m, struct found *f, enum dfs_status *status)
{
	const struct record *best = NULL;
	bool from_base = false, equal = false;
	struct found low;

	for (int i = 0; i < SOURCES; i++) {
		const struct record *r = tree_at(&m->source[i]);
		int c;

		if (!r)
			continue;
		c = best ? tree_compare(r->bytes, r->key_len, best->bytes, best->key_len) : -1;
		if (c < 0)
			best = r;
		else if (c == 0)
			tree_next(&m->source[i]);
	}
	if (m->iter) {
		const void *key, *value;
		int got = m->l->base_ops->at(m->iter, &key, &low.key_len, &value, &low.value_len,
					     status);
		int c;

		if (got < 0)
			return -1;
		c = !got   ? 1
		    : best ? tree_compare(key, low.key_len, best->bytes, best->key_len)
			   : -1;
		low.key = key;
		low.value = value;
		low.tombstone = false;
		from_base = c < 0;
		equal = c == 0;
	}
	if (from_base) {
		*f = low;
		return 1;
	}
	if (equal)
		m->l->base_ops->next(m->iter);
	if (!best)
		return 0;
	*f = (struct found){best->bytes, record_value(best), best->key_len, best->value_len,
			    best->tombstone};
	return 1;
}

static void
step(struct merge *m, const struct found *f)
{
	for (int i = 0; i < SOURCES; i++) {
		const struct record *r = tree_at(&m->source[i]);

		if (r && r->bytes == f->key) {
			tree_next(&m->source[i]);
			return;
		}
	}
	if (m->iter)
		m->l->base_ops->next(m->iter);
}

static enum dfs_status
run(struct merge *m, dfs_okv_fn fn, void *arg)
{
	unsigned char last[DFS_OKV_KEY_MAX];
	enum dfs_status st = DFS_OK;
	struct found f;
	int got;

	while ((got = smallest(m, &f, &st)) > 0) {
		uint32_t len = f.key_len;
		int more = 1;

		if (tree_compare(f.key, len, m->to, m->to_len) >= 0)
			break;
		if (f.tombstone) {
			step(m, &f);
			continue;
		}
		if (m->txn->write)
			memcpy(last, f.key, len);
		more = fn(arg, f.key, len, f.value, f.value_len);
		if (!more)
			break;
		if (m->txn->write && m->txn->changes != m->changes) {
			/* f may point into a record that is gone: step by the copy of its key. */
			struct record *r = (struct record *)tree_at(&m->source[1]);

			if (r && !tree_compare(r->bytes, r->key_len, last, len))
				tree_next(&m->source[1]);
			r = (struct record *)tree_at(&m->source[2]);
			if (r && !tree_compare(r->bytes, r->key_len, last, len))
				tree_next(&m->source[2]);
			if (m->iter) {
				const void *key, *value;
				uint32_t key_len, value_len;

				if (m->l->base_ops->at(m->iter, &key, &key_len, &value, &value_len,
						       &st) > 0 &&
				    !tree_compare(key, key_len, last, len))
					m->l->base_ops->next(m->iter);
			}
			replace_own(m, last, len);
			continue;
		}
		step(m, &f);
	}
	return got < 0 ? st : DFS_OK;
}

/* One tree and nothing else: no comparison but the one with the end. */
static enum dfs_status
run_single(struct merge *m, dfs_okv_fn fn, void *arg)
{
	struct cursor *c = &m->source[1];
	const struct record *r;

	for (; (r = tree_at(c)); tree_next(c)) {
		if (tree_compare(r->bytes, r->key_len, m->to, m->to_len) >= 0)
			break;
		if (!fn(arg, r->bytes, r->key_len, record_value(r), r->value_len))
			break;
	}
	return DFS_OK;
}

enum dfs_status
layers_scan(struct layers *l, struct dfs_txn *txn, const void *from, uint32_t from_len,
	    const void *to, uint32_t to_len, dfs_okv_fn fn, void *arg)
{
	struct merge m = {.l = l, .txn = txn, .to = to, .to_len = to_len};
	enum dfs_status st;

	if (l->base_ops && may_read_base(l, txn) != DFS_OK)
		return DFS_AGAIN;
	if (txn->write && !own_sort(txn))
		return DFS_NOMEM;
	place(&m, from, from_len);
	if (!l->base_ops && !txn->write)
		return run_single(&m, fn, arg);
	if (l->base_ops) {
		st = l->base_ops->open(l->base, txn->view, from, from_len, &m.iter);
		if (st != DFS_OK)
			return st;
	}
	st = run(&m, fn, arg);
	if (m.iter)
		l->base_ops->close(m.iter);
	return st;
}
