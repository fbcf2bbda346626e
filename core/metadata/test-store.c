/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <endian.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "metadata/test-store-map.h"
#include "metadata/test-store.h"

struct test_store {
	GTree *map; /* GBytes to GBytes; guarded by lock */
	pthread_rwlock_t lock;
	uint64_t seq;
	_Atomic uint64_t commits, syncs;
	_Atomic unsigned fail_n;
	_Atomic uintptr_t fail_thread; /* whose they are */
	_Atomic int fail_status;
	_Atomic bool busy;
	_Atomic int64_t stall;
	GQueue unsynced; /* undo lists of commits, oldest first; guarded by lock */
	_Atomic bool dead;
	bool is_volatile, is_shared;
	struct dfs_plugin_entry entry;
};

#define FENCES 4

struct instance {
	struct test_store *ts;
	struct {
		uint32_t share;
		uint64_t epoch; /* 0: none */
	} fences[FENCES];
};

struct dfs_txn {
	struct test_store *ts;
	bool write;
	GPtrArray *undo; /* pairs: key, old value or NULL */
};

static int
compare(gconstpointer a, gconstpointer b, gpointer unused)
{
	return g_bytes_compare(a, b);
}

struct test_store *
test_store_new(void)
{
	struct test_store *ts = g_new0(struct test_store, 1);

	ts->map = g_tree_new_full(compare, NULL, (GDestroyNotify)g_bytes_unref,
				  (GDestroyNotify)g_bytes_unref);
	pthread_rwlock_init(&ts->lock, NULL);
	return ts;
}

static void
undo_free(GPtrArray *undo)
{
	for (unsigned i = 0; i < undo->len; i++)
		if (undo->pdata[i])
			g_bytes_unref(undo->pdata[i]);
	g_ptr_array_free(undo, TRUE);
}

/* Back to what was before the list's changes. */
static void
undo_apply(struct test_store *ts, GPtrArray *undo)
{
	for (unsigned i = undo->len; i > 0; i -= 2) {
		GBytes *key = undo->pdata[i - 2], *old = undo->pdata[i - 1];

		if (old)
			g_tree_replace(ts->map, g_bytes_ref(key), g_bytes_ref(old));
		else
			g_tree_remove(ts->map, key);
	}
	undo_free(undo);
}

unsigned
test_store_unsynced(struct test_store *ts)
{
	unsigned n;

	pthread_rwlock_rdlock(&ts->lock);
	n = ts->unsynced.length;
	pthread_rwlock_unlock(&ts->lock);
	return n;
}

unsigned
test_store_lose_power(struct test_store *ts, unsigned keep)
{
	unsigned n;

	pthread_rwlock_wrlock(&ts->lock);
	ts->dead = true;
	n = ts->unsynced.length;
	while (ts->unsynced.length > keep)
		undo_apply(ts, g_queue_pop_tail(&ts->unsynced));
	pthread_rwlock_unlock(&ts->lock);
	return n;
}

void
test_store_power_on(struct test_store *ts)
{
	g_queue_clear_full(&ts->unsynced, (GDestroyNotify)undo_free);
	ts->dead = false;
}

void
test_store_free(struct test_store *ts)
{
	g_queue_clear_full(&ts->unsynced, (GDestroyNotify)undo_free);
	g_tree_unref(ts->map);
	pthread_rwlock_destroy(&ts->lock);
	g_free(ts);
}

void
test_store_share(struct test_store *ts)
{
	ts->is_shared = true;
}

void
test_store_fail_commits(struct test_store *ts, unsigned n, enum dfs_status status)
{
	ts->fail_status = (int)status;
	ts->fail_thread = (uintptr_t)pthread_self();
	ts->fail_n = n;
}

void
test_store_busy(struct test_store *ts, bool on)
{
	ts->busy = on;
}

void
test_store_stall(struct test_store *ts, int64_t ns)
{
	ts->stall = ns;
}

uint64_t
test_store_commits(struct test_store *ts)
{
	return ts->commits;
}

uint64_t
test_store_syncs(struct test_store *ts)
{
	return ts->syncs;
}

struct key
key_of(char kind, uint32_t share, const void *rest, uint32_t len)
{
	struct key k = {.len = 5 + len, .bytes = {(unsigned char)kind}};
	uint32_t be = htobe32(share);

	memcpy(k.bytes + 1, &be, 4);
	memcpy(k.bytes + 5, rest, len);
	return k;
}

static struct key
key_u64(char kind, uint32_t share, uint64_t a)
{
	a = htobe64(a);
	return key_of(kind, share, &a, 8);
}

static struct key
key_dirent(uint32_t share, uint64_t dir, uint64_t cookie)
{
	uint64_t ab[2] = {htobe64(dir), htobe64(cookie)};
	return key_of('d', share, ab, 16);
}

static struct key
key_map(uint32_t share, const struct dfs_content_id *c, uint64_t block)
{
	unsigned char b[24];
	uint64_t be = htobe64(block);

	memcpy(b, c->bytes, 16);
	memcpy(b + 16, &be, 8);
	return key_of('m', share, b, sizeof b);
}

unsigned
test_store_count(struct test_store *ts, char kind)
{
	unsigned n = 0;

	pthread_rwlock_rdlock(&ts->lock);
	for (GTreeNode *i = g_tree_node_first(ts->map); i; i = g_tree_node_next(i))
		n += *(const char *)g_bytes_get_data(g_tree_node_key(i), NULL) == kind;
	pthread_rwlock_unlock(&ts->lock);
	return n;
}

enum dfs_status
ts_put(struct dfs_txn *t, struct key k, const void *value, size_t len)
{
	GBytes *key = g_bytes_new(k.bytes, k.len), *old = g_tree_lookup(t->ts->map, key);

	assert(t->write);
	g_ptr_array_add(t->undo, g_bytes_ref(key));
	g_ptr_array_add(t->undo, old ? g_bytes_ref(old) : NULL);
	g_tree_replace(t->ts->map, key, g_bytes_new(value, len));
	return DFS_OK;
}

enum dfs_status
ts_del(struct dfs_txn *t, struct key k)
{
	GBytes *key = g_bytes_new(k.bytes, k.len), *old = g_tree_lookup(t->ts->map, key);

	assert(t->write);
	if (old) {
		g_ptr_array_add(t->undo, g_bytes_ref(key));
		g_ptr_array_add(t->undo, g_bytes_ref(old));
		g_tree_remove(t->ts->map, key);
	}
	g_bytes_unref(key);
	return DFS_OK;
}

const void *
ts_get(struct dfs_txn *t, struct key k, size_t *len)
{
	GBytes *key = g_bytes_new_static(k.bytes, k.len), *v = g_tree_lookup(t->ts->map, key);

	g_bytes_unref(key);
	return v ? g_bytes_get_data(v, len) : NULL;
}

void
ts_scan(struct dfs_txn *t, struct key k, uint32_t prefix,
	int (*fn)(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len),
	void *arg)
{
	GBytes *key = g_bytes_new_static(k.bytes, k.len);
	GTreeNode *i = g_tree_lower_bound(t->ts->map, key);

	g_bytes_unref(key);
	while (i) {
		size_t klen, len;
		const unsigned char *kb = g_bytes_get_data(g_tree_node_key(i), &klen);
		const void *v = g_bytes_get_data(g_tree_node_value(i), &len);

		if (klen < prefix || memcmp(kb, k.bytes, prefix) != 0 || !fn(arg, kb, klen, v, len))
			break;
		i = g_tree_node_next(i);
	}
}

static enum dfs_status
op_create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	struct instance *i = g_new0(struct instance, 1);

	i->ts = (void *)config;
	*inst = i;
	return DFS_OK;
}

static void
op_destroy(void *inst)
{
	g_free(inst);
}

static enum dfs_status
op_fence(void *inst, uint32_t share, uint64_t epoch)
{
	struct instance *i = inst;
	unsigned at = FENCES;

	for (unsigned k = 0; k < FENCES; k++)
		if (i->fences[k].share == share || (at == FENCES && !i->fences[k].epoch))
			at = k;
	assert(at < FENCES);
	i->fences[at].share = share;
	i->fences[at].epoch = epoch;
	return DFS_OK;
}

/* Whether the transaction changes records of the share, and not the share's own row. */
static bool
touches(const struct dfs_txn *t, uint32_t share)
{
	bool does = false;

	share = htobe32(share);
	for (unsigned i = 0; i < t->undo->len; i += 2) {
		const char *key = g_bytes_get_data(t->undo->pdata[i], NULL);

		if (memcmp(key + 1, &share, sizeof share) != 0)
			continue;
		if (*key == 'S')
			return false;
		does = true;
	}
	return does;
}

static bool
fenced(const struct instance *i, struct dfs_txn *t)
{
	for (unsigned k = 0; k < FENCES; k++) {
		const struct dfs_share_record *rec;
		size_t len;

		if (!i->fences[k].epoch || !touches(t, i->fences[k].share))
			continue;
		rec = ts_get(t, key_of('S', i->fences[k].share, "", 0), &len);
		if (!rec || rec->epoch != i->fences[k].epoch)
			return true;
	}
	return false;
}

static enum dfs_status
op_begin(void *inst, uint32_t mode, struct dfs_txn **txn)
{
	struct test_store *ts = ((struct instance *)inst)->ts;
	struct dfs_txn *t;
	bool write = mode & DFS_TXN_WRITE;

	if (ts->dead && write)
		return DFS_IO;
	if (ts->stall)
		g_usleep((gulong)(ts->stall / 1000));
	if (mode & DFS_NONBLOCK) {
		if (ts->busy || (write ? pthread_rwlock_trywrlock(&ts->lock)
				       : pthread_rwlock_tryrdlock(&ts->lock)) != 0)
			return DFS_AGAIN;
	} else if (write) {
		pthread_rwlock_wrlock(&ts->lock);
	} else {
		pthread_rwlock_rdlock(&ts->lock);
	}
	t = g_new0(struct dfs_txn, 1);
	t->ts = ts;
	t->write = write;
	t->undo = g_ptr_array_new();
	*txn = t;
	return DFS_OK;
}

static void
end(struct dfs_txn *t, bool undo)
{
	struct test_store *ts = t->ts;

	if (undo)
		undo_apply(ts, t->undo);
	else if (t->write && !ts->is_volatile)
		g_queue_push_tail(&ts->unsynced, t->undo);
	else
		undo_free(t->undo);
	g_free(t);
	pthread_rwlock_unlock(&ts->lock);
}

static void
op_abort(void *inst, struct dfs_txn *t)
{
	end(t, true);
}

static enum dfs_status
op_commit(void *inst, struct dfs_txn *t, uint64_t *seq)
{
	struct test_store *ts = t->ts;

	if (t->write) {
		if (ts->dead) {
			end(t, true);
			return DFS_IO;
		}
		if (fenced(inst, t)) {
			end(t, true);
			return DFS_FENCED;
		}
		if (ts->fail_n && ts->fail_thread == (uintptr_t)pthread_self()) {
			ts->fail_n--;
			end(t, true);
			return (enum dfs_status)ts->fail_status;
		}
		ts->commits++;
		ts->seq++;
	}
	if (seq)
		*seq = ts->seq;
	end(t, false);
	return DFS_OK;
}

static enum dfs_status
op_sync(void *inst, uint64_t seq, uint32_t level)
{
	struct test_store *ts = ((struct instance *)inst)->ts;

	if (ts->dead)
		return DFS_IO;
	ts->syncs++;
	/* The queue's last is the commit ts->seq. */
	pthread_rwlock_wrlock(&ts->lock);
	while (!ts->dead && ts->unsynced.length > 0 && ts->seq - ts->unsynced.length + 1 <= seq)
		undo_free(g_queue_pop_head(&ts->unsynced));
	pthread_rwlock_unlock(&ts->lock);
	return ts->dead ? DFS_IO : DFS_OK;
}

struct visit {
	union {
		dfs_share_fn share;
		dfs_dirent_fn dirent;
		dfs_map_fn map;
		dfs_state_fn state;
		dfs_orphan_fn orphan;
	} fn;
	void *arg;
};

static int
visit_share(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	return v->fn.share(v->arg, value);
}

static enum dfs_status
op_scan_shares(void *inst, struct dfs_txn *t, dfs_share_fn fn, void *arg)
{
	struct visit v = {.fn.share = fn, .arg = arg};

	ts_scan(t, key_of('S', 0, "", 0), 1, visit_share, &v);
	return DFS_OK;
}

static enum dfs_status
op_put_share(void *inst, struct dfs_txn *t, const struct dfs_share_record *rec)
{
	return ts_put(t, key_of('S', rec->id, "", 0), rec, sizeof *rec);
}

static enum dfs_status
op_del_share(void *inst, struct dfs_txn *t, uint32_t share)
{
	return ts_del(t, key_of('S', share, "", 0));
}

static enum dfs_status
op_get_inode(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid,
	     struct dfs_inode_record *rec)
{
	size_t len;
	const void *v = ts_get(t, key_u64('i', share, fileid), &len);

	if (!v)
		return DFS_NOENT;
	memcpy(rec, v, sizeof *rec);
	return DFS_OK;
}

static enum dfs_status
op_put_inode(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_inode_record *rec)
{
	return ts_put(t, key_u64('i', share, rec->fileid), rec, sizeof *rec);
}

static enum dfs_status
op_del_inode(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid)
{
	return ts_del(t, key_u64('i', share, fileid));
}

static enum dfs_status
op_get_symlink(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid, char *buf,
	       uint32_t *len)
{
	size_t n;
	const void *v = ts_get(t, key_u64('l', share, fileid), &n);

	if (!v)
		return DFS_NOENT;
	memcpy(buf, v, n);
	*len = (uint32_t)n;
	return DFS_OK;
}

static enum dfs_status
op_put_symlink(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid, const char *text,
	       uint32_t len)
{
	return ts_put(t, key_u64('l', share, fileid), text, len);
}

static enum dfs_status
op_del_symlink(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid)
{
	return ts_del(t, key_u64('l', share, fileid));
}

/* Values: the record, then the name. */
static int
visit_dirent(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	struct dfs_dirent_record rec;

	memcpy(&rec, value, sizeof rec);
	rec.name = (const char *)value + sizeof rec;
	return v->fn.dirent(v->arg, &rec);
}

static enum dfs_status
op_get_dirent(void *inst, struct dfs_txn *t, uint32_t share, uint64_t dir, uint64_t cookie,
	      dfs_dirent_fn fn, void *arg)
{
	struct visit v = {.fn.dirent = fn, .arg = arg};
	size_t len;
	const void *value = ts_get(t, key_dirent(share, dir, cookie), &len);

	if (!value)
		return DFS_NOENT;
	visit_dirent(&v, NULL, 0, value, len);
	return DFS_OK;
}

static enum dfs_status
op_scan_dirents(void *inst, struct dfs_txn *t, uint32_t share, uint64_t dir, uint64_t from,
		dfs_dirent_fn fn, void *arg)
{
	struct visit v = {.fn.dirent = fn, .arg = arg};

	ts_scan(t, key_dirent(share, dir, from), 13, visit_dirent, &v);
	return DFS_OK;
}

static enum dfs_status
op_put_dirent(void *inst, struct dfs_txn *t, uint32_t share, uint64_t dir,
	      const struct dfs_dirent_record *rec)
{
	unsigned char value[sizeof *rec + DFS_NAME_MAX];

	memcpy(value, rec, sizeof *rec);
	memcpy(value + sizeof *rec, rec->name, rec->name_len);
	return ts_put(t, key_dirent(share, dir, rec->cookie), value, sizeof *rec + rec->name_len);
}

static enum dfs_status
op_del_dirent(void *inst, struct dfs_txn *t, uint32_t share, uint64_t dir, uint64_t cookie)
{
	return ts_del(t, key_dirent(share, dir, cookie));
}

static int
visit_map(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	uint64_t block;

	memcpy(&block, key + 21, 8);
	return v->fn.map(v->arg, be64toh(block), *(const uint64_t *)value,
			 (const struct dfs_segment *)((const char *)value + 8),
			 (uint32_t)((len - 8) / sizeof(struct dfs_segment)));
}

static enum dfs_status
op_scan_map(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_content_id *content,
	    uint64_t from, dfs_map_fn fn, void *arg)
{
	struct visit v = {.fn.map = fn, .arg = arg};

	ts_scan(t, key_map(share, content, from), 21, visit_map, &v);
	return DFS_OK;
}

static enum dfs_status
op_put_map(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_content_id *content,
	   uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct {
		uint64_t lsn;
		struct dfs_segment segs[DFS_SEGMENTS_MAX];
	} row = {.lsn = lsn};

	memcpy(row.segs, segs, n * sizeof *segs);
	return ts_put(t, key_map(share, content, block), &row, 8 + n * sizeof *segs);
}

static enum dfs_status
op_del_map(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_content_id *content,
	   uint64_t from, uint64_t to)
{
	for (;;) {
		struct key k = key_map(share, content, from);
		GBytes *key = g_bytes_new_static(k.bytes, k.len);
		GTreeNode *i = g_tree_lower_bound(t->ts->map, key);
		const unsigned char *kb;
		uint64_t block;
		size_t klen;

		g_bytes_unref(key);
		if (!i)
			return DFS_OK;
		kb = g_bytes_get_data(g_tree_node_key(i), &klen);
		if (klen != k.len || memcmp(kb, k.bytes, 21) != 0)
			return DFS_OK;
		memcpy(&block, kb + 21, 8);
		if (be64toh(block) >= to)
			return DFS_OK;
		from = be64toh(block);
		ts_del(t, key_map(share, content, from));
	}
}

static int
visit_orphan(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	uint64_t fileid;

	memcpy(&fileid, key + 5, 8);
	return v->fn.orphan(v->arg, be64toh(fileid), value);
}

static enum dfs_status
op_scan_orphans(void *inst, struct dfs_txn *t, uint32_t share, uint64_t from, dfs_orphan_fn fn,
		void *arg)
{
	struct visit v = {.fn.orphan = fn, .arg = arg};

	ts_scan(t, key_u64('o', share, from), 5, visit_orphan, &v);
	return DFS_OK;
}

static enum dfs_status
op_put_orphan(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid,
	      const struct dfs_content_id *content)
{
	return ts_put(t, key_u64('o', share, fileid), content, sizeof *content);
}

static enum dfs_status
op_del_orphan(void *inst, struct dfs_txn *t, uint32_t share, uint64_t fileid)
{
	return ts_del(t, key_u64('o', share, fileid));
}

static enum dfs_status
op_get_state(void *inst, struct dfs_txn *t, uint32_t share, const char *key, uint32_t key_len,
	     void *value, uint32_t *len)
{
	size_t n;
	const void *v = ts_get(t, key_of('s', share, key, key_len), &n);
	uint32_t cap = *len;

	if (!v)
		return DFS_NOENT;
	*len = (uint32_t)n;
	if (n > cap)
		return DFS_TOOSMALL;
	memcpy(value, v, n);
	return DFS_OK;
}

static enum dfs_status
op_put_state(void *inst, struct dfs_txn *t, uint32_t share, const char *key, uint32_t key_len,
	     const void *value, uint32_t len)
{
	return ts_put(t, key_of('s', share, key, key_len), value, len);
}

static enum dfs_status
op_del_state(void *inst, struct dfs_txn *t, uint32_t share, const char *key, uint32_t key_len)
{
	return ts_del(t, key_of('s', share, key, key_len));
}

static int
visit_state(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	return v->fn.state(v->arg, (const char *)key + 5, (uint32_t)klen - 5, value, (uint32_t)len);
}

static enum dfs_status
op_scan_state(void *inst, struct dfs_txn *t, uint32_t share, const char *prefix, uint32_t len,
	      dfs_state_fn fn, void *arg)
{
	struct visit v = {.fn.state = fn, .arg = arg};

	ts_scan(t, key_of('s', share, prefix, len), 5 + len, visit_state, &v);
	return DFS_OK;
}

static enum dfs_status
op_stats(void *inst, struct dfs_metadata_stats *stats)
{
	stats->inodes = test_store_count(((struct instance *)inst)->ts, 'i');
	return DFS_OK;
}

static enum dfs_status
op_health(void *inst)
{
	return DFS_OK;
}

const struct dfs_plugin_entry *
test_store_entry(struct test_store *ts, bool is_volatile)
{
	/* Whoever has it open already reads it. */
	if (ts->entry.desc.magic && ts->is_volatile == is_volatile &&
	    !(ts->entry.desc.caps & DFS_METADATA_CAP_SHARED) == !(ts->is_shared && !is_volatile))
		return &ts->entry;
	ts->is_volatile = is_volatile;
	ts->entry = (struct dfs_plugin_entry){
		.desc =
			{
				.magic = DFS_PLUGIN_MAGIC,
				.size = sizeof ts->entry.desc,
				.kind = DFS_KIND_METADATA,
				.abi_major = DFS_METADATA_ABI_MAJOR,
				.name = "test",
				.thread_model =
					is_volatile ? DFS_THREADS_NONBLOCKING : DFS_THREADS_TRY,
				.caps = is_volatile     ? DFS_METADATA_CAP_VOLATILE
					: ts->is_shared ? DFS_METADATA_CAP_SHARED
							: 0,
			},
		.ops.metadata =
			{
				.size = sizeof ts->entry.ops.metadata,
				.create = op_create,
				.destroy = op_destroy,
				.fence = op_fence,
				.begin = op_begin,
				.commit = op_commit,
				.abort = op_abort,
				.sync = op_sync,
				.scan_shares = op_scan_shares,
				.put_share = op_put_share,
				.del_share = op_del_share,
				.get_inode = op_get_inode,
				.put_inode = op_put_inode,
				.del_inode = op_del_inode,
				.get_symlink = op_get_symlink,
				.put_symlink = op_put_symlink,
				.del_symlink = op_del_symlink,
				.get_dirent = op_get_dirent,
				.scan_dirents = op_scan_dirents,
				.put_dirent = op_put_dirent,
				.del_dirent = op_del_dirent,
				.scan_map = op_scan_map,
				.put_map = op_put_map,
				.del_map = op_del_map,
				TEST_STORE_OBJECT_OPS,
				.scan_orphans = op_scan_orphans,
				.put_orphan = op_put_orphan,
				.del_orphan = op_del_orphan,
				.get_state = op_get_state,
				.put_state = op_put_state,
				.del_state = op_del_state,
				.scan_state = op_scan_state,
				.stats = op_stats,
				.health = op_health,
			},
	};
	return &ts->entry;
}
