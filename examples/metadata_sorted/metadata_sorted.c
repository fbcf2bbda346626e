/* SPDX-License-Identifier: MIT
 *
 * Metadata store "sorted": an example for authors of metadata stores.
 *
 * An ordered key-value store under the helper of <dittofs/okv.h>, which makes the whole metadata
 * store contract of it.  The keys lie in a tree whose nodes never change once they are made: a
 * write makes new nodes along one path and shares the rest.  Whoever holds a root has a snapshot,
 * so a transaction is a root, commit publishes it, abort drops it, and readers wait for nobody.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/okv.h>

/* ---- the tree: a treap of immutable, reference-counted nodes ----
 *
 * Sorted by key from left to right, and by rank from the root down; ranks are hashes of the keys,
 * which keeps the tree as shallow as a random one, about twice log2(n). */

struct pair {
	_Atomic unsigned refs;
	uint32_t key_len, value_len;
	uint64_t rank;
	unsigned char bytes[]; /* key, then value */
};

struct node {
	_Atomic unsigned refs;
	struct pair *pair;
	struct node *left, *right;
};

/* An example may do here what GLib does everywhere; a store that shall survive lack of memory
 * would carry the failure to commit() and answer DFS_NOMEM. */
static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct node *
ref(struct node *n)
{
	if (n)
		atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	return n;
}

static void
unref(struct node *n)
{
	if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
		return;
	unref(n->left);
	unref(n->right);
	if (atomic_fetch_sub_explicit(&n->pair->refs, 1, memory_order_acq_rel) == 1)
		free(n->pair);
	free(n);
}

/* Takes over left and right; shares the pair. */
static struct node *
node_new(struct pair *pair, struct node *left, struct node *right)
{
	struct node *n = must(malloc(sizeof *n));

	atomic_init(&n->refs, 1);
	atomic_fetch_add_explicit(&pair->refs, 1, memory_order_relaxed);
	n->pair = pair;
	n->left = left;
	n->right = right;
	return n;
}

static int
compare(const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static struct node *
insert(struct node *n, struct pair *pair)
{
	struct node *sub, *top;
	int order;

	if (!n)
		return node_new(pair, NULL, NULL);
	order = compare(pair->bytes, pair->key_len, n->pair->bytes, n->pair->key_len);
	if (order == 0)
		return node_new(pair, ref(n->left), ref(n->right));
	sub = insert(order < 0 ? n->left : n->right, pair);
	if (sub->pair->rank <= n->pair->rank)
		return order < 0 ? node_new(n->pair, sub, ref(n->right))
				 : node_new(n->pair, ref(n->left), sub);
	/* The new pair ranks above: turn it up. */
	if (order < 0)
		top = node_new(sub->pair, ref(sub->left),
			       node_new(n->pair, ref(sub->right), ref(n->right)));
	else
		top = node_new(sub->pair, node_new(n->pair, ref(n->left), ref(sub->left)),
			       ref(sub->right));
	unref(sub);
	return top;
}

/* All of a sorts before all of b; takes neither over. */
static struct node *
join(struct node *a, struct node *b)
{
	if (!a || !b)
		return ref(a ? a : b);
	if (a->pair->rank > b->pair->rank)
		return node_new(a->pair, ref(a->left), join(a->right, b));
	return node_new(b->pair, join(a, b->left), ref(b->right));
}

static struct node *
without(struct node *n, const void *key, uint32_t key_len)
{
	int order;

	if (!n)
		return NULL;
	order = compare(key, key_len, n->pair->bytes, n->pair->key_len);
	if (order == 0)
		return join(n->left, n->right);
	if (order < 0)
		return node_new(n->pair, without(n->left, key, key_len), ref(n->right));
	return node_new(n->pair, ref(n->left), without(n->right, key, key_len));
}

/* Visits [from, to) in order; 0 when fn has said to stop. */
static int
visit(const struct node *n, const void *from, uint32_t from_len, const void *to, uint32_t to_len,
      dfs_okv_fn fn, void *arg)
{
	const struct pair *p;
	int above, below;

	if (!n)
		return 1;
	p = n->pair;
	above = compare(p->bytes, p->key_len, from, from_len) >= 0;
	below = compare(p->bytes, p->key_len, to, to_len) < 0;
	if (above && !visit(n->left, from, from_len, to, to_len, fn, arg))
		return 0;
	if (above && below && !fn(arg, p->bytes, p->key_len, p->bytes + p->key_len, p->value_len))
		return 0;
	return !below || visit(n->right, from, from_len, to, to_len, fn, arg);
}

/* ---- the store ---- */

struct sorted {
	struct dfs_okv okv; /* first: the helper finds its own part here */
	pthread_mutex_t mu; /* guards all below */
	pthread_cond_t free;
	int writing; /* a write transaction is open: there is one at a time */
	struct node *root;
	uint64_t seq; /* of the last commit */
};

/* The contract leaves it to the store what a transaction is. */
struct dfs_txn {
	int write;
	struct node *root;
};

static enum dfs_status
sorted_begin(void *kv, uint32_t mode, struct dfs_txn **txn)
{
	struct sorted *s = kv;
	struct dfs_txn *t;

	pthread_mutex_lock(&s->mu);
	if (mode & DFS_TXN_WRITE) {
		/* With DFS_NONBLOCK nothing may wait: the core tries again on a worker. */
		if (s->writing && (mode & DFS_NONBLOCK)) {
			pthread_mutex_unlock(&s->mu);
			return DFS_AGAIN;
		}
		while (s->writing)
			pthread_cond_wait(&s->free, &s->mu);
		s->writing = 1;
	}
	t = must(malloc(sizeof *t));
	t->write = (mode & DFS_TXN_WRITE) != 0;
	t->root = ref(s->root);
	pthread_mutex_unlock(&s->mu);
	*txn = t;
	return DFS_OK;
}

static void
end(struct sorted *s, struct dfs_txn *t, int publish, uint64_t *seq)
{
	struct node *drop = t->root;

	pthread_mutex_lock(&s->mu);
	if (t->write) {
		if (publish) {
			drop = s->root;
			s->root = t->root;
			s->seq++;
		}
		s->writing = 0;
		pthread_cond_signal(&s->free);
	}
	if (seq)
		*seq = s->seq;
	pthread_mutex_unlock(&s->mu);
	unref(drop);
	free(t);
}

static enum dfs_status
sorted_commit(void *kv, struct dfs_txn *txn, uint64_t *seq)
{
	end(kv, txn, 1, seq);
	return DFS_OK;
}

static void
sorted_abort(void *kv, struct dfs_txn *txn)
{
	end(kv, txn, 0, NULL);
}

/* Nothing survives the process: the capability VOLATILE says so. */
static enum dfs_status
sorted_sync(void *kv, uint64_t seq, uint32_t level)
{
	(void)kv, (void)seq, (void)level;
	return DFS_OK;
}

static enum dfs_status
sorted_get(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, dfs_okv_fn fn,
	   void *arg)
{
	const struct node *n = txn->root;

	(void)kv;
	while (n) {
		const struct pair *p = n->pair;
		int order = compare(key, key_len, p->bytes, p->key_len);

		if (order == 0) {
			fn(arg, p->bytes, p->key_len, p->bytes + p->key_len, p->value_len);
			return DFS_OK;
		}
		n = order < 0 ? n->left : n->right;
	}
	return DFS_NOENT;
}

/* The snapshot is the transaction's own: fn may even write to it while we visit. */
static enum dfs_status
sorted_scan(void *kv, struct dfs_txn *txn, const void *from, uint32_t from_len, const void *to,
	    uint32_t to_len, dfs_okv_fn fn, void *arg)
{
	struct node *root = ref(txn->root);

	(void)kv;
	visit(root, from, from_len, to, to_len, fn, arg);
	unref(root);
	return DFS_OK;
}

static void
replace_root(struct dfs_txn *txn, struct node *root)
{
	unref(txn->root);
	txn->root = root;
}

static enum dfs_status
sorted_put(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
	   uint32_t value_len)
{
	struct pair *p = must(malloc(sizeof *p + key_len + value_len));

	(void)kv;
	atomic_init(&p->refs, 0);
	p->key_len = key_len;
	p->value_len = value_len;
	memcpy(p->bytes, key, key_len);
	if (value_len > 0)
		memcpy(p->bytes + key_len, value, value_len);
	p->rank = UINT64_C(0xcbf29ce484222325);
	for (uint32_t i = 0; i < key_len; i++)
		p->rank = (p->rank ^ p->bytes[i]) * UINT64_C(0x100000001b3);
	p->rank = (p->rank ^ p->rank >> 32) * UINT64_C(0xd6e8feb86659fd93);
	replace_root(txn, insert(txn->root, p));
	return DFS_OK;
}

static enum dfs_status
sorted_erase(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	(void)kv;
	replace_root(txn, without(txn->root, key, key_len));
	return DFS_OK;
}

static enum dfs_status
sorted_stats(void *kv, struct dfs_metadata_stats *stats)
{
	(void)kv;
	stats->bytes_used = stats->bytes_free = stats->inodes = 0; /* not known */
	return DFS_OK;
}

static enum dfs_status
sorted_health(void *kv)
{
	(void)kv;
	return DFS_OK;
}

static const struct dfs_okv_ops kv_ops = {
	.size = sizeof kv_ops,
	.begin = sorted_begin,
	.commit = sorted_commit,
	.abort = sorted_abort,
	.sync = sorted_sync,
	.get = sorted_get,
	.scan = sorted_scan,
	.put = sorted_put,
	.erase = sorted_erase,
	.stats = sorted_stats,
	.health = sorted_health,
};

/* ---- the plugin ---- */

static enum dfs_status
sorted_create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	struct sorted *s = calloc(1, sizeof *s);

	(void)config;
	if (!s) {
		snprintf(diag->text, sizeof diag->text, "out of memory");
		return DFS_NOMEM;
	}
	s->okv.ops = &kv_ops;
	s->okv.host = host;
	pthread_mutex_init(&s->mu, NULL);
	pthread_cond_init(&s->free, NULL);
	*inst = s;
	return DFS_OK;
}

static void
sorted_destroy(void *inst)
{
	struct sorted *s = inst;

	unref(s->root);
	pthread_cond_destroy(&s->free);
	pthread_mutex_destroy(&s->mu);
	free(s);
}

static const struct dfs_metadata_ops ops = {
	.size = sizeof ops,
	.create = sorted_create,
	.destroy = sorted_destroy,
	DFS_OKV_METADATA_OPS, /* everything else */
};

/* A store without options still has a table: its end. */
static const struct dfs_config_item config_table[] = {{.type = DFS_CONFIG_END}};

/* TRY: any threads, event loops among them, because the one wait that there is, for another write
 * transaction, answers DFS_AGAIN there. */
DFS_PLUGIN_DEFINE(metadata_sorted, .kind = DFS_KIND_METADATA, .abi_major = DFS_METADATA_ABI_MAJOR,
		  .abi_minor = DFS_METADATA_ABI_MINOR, .name = "sorted", .version = "1.0",
		  .summary = "example: metadata in a sorted tree in memory", .license = "MIT",
		  .thread_model = DFS_THREADS_TRY, .caps = DFS_METADATA_CAP_VOLATILE,
		  .config = config_table, .config_size = 0, .ops = &ops);
