/* SPDX-License-Identifier: MIT
 *
 * dfs-conform-metadata: tests whether a plugin keeps the contract of dittofs/metadata_store.h.
 */
#include "tools/conform/metadata.h"

#include "tools/conform/config.h"

#define RETRIES 100000

bool
md_open(struct conform *c, struct md *m)
{
	enum dfs_status st;

	*m = (struct md){.c = c, .ops = &c->plugin->ops.metadata, .dir = conform_dir(c)};
	st = conform_open(c, m->dir, &m->inst);
	if (CHECK(c, st == DFS_OK, "create answers %s: %s", dfs_status_name(st), c->diag.text) &&
	    CHECK(c, m->inst != NULL, "create leaves no instance"))
		return true;
	g_free(m->dir);
	return false;
}

bool
md_open_threads(struct conform *c, struct md *m)
{
	if (!md_serial(c))
		return md_open(c, m);
	conform_skip(c, "the store is called by one thread at a time");
	return false;
}

bool
md_reopen(struct md *m)
{
	enum dfs_status st;

	conform_close(m->c, m->inst);
	st = conform_open(m->c, m->dir, &m->inst);
	if (CHECK(m->c, st == DFS_OK, "create again answers %s: %s", dfs_status_name(st),
		  m->c->diag.text))
		return true;
	g_free(m->dir);
	return false;
}

void
md_close(struct md *m)
{
	conform_close(m->c, m->inst);
	g_free(m->dir);
}

bool
md_volatile(const struct conform *c)
{
	return c->plugin->desc.caps & DFS_METADATA_CAP_VOLATILE;
}

bool
md_nonblock(const struct conform *c)
{
	return c->plugin->desc.thread_model == DFS_THREADS_TRY ||
	       c->plugin->desc.thread_model == DFS_THREADS_NONBLOCKING;
}

bool
md_serial(const struct conform *c)
{
	return c->plugin->desc.thread_model == DFS_THREADS_SERIAL;
}

struct dfs_txn *
md_begin(struct md *m, uint32_t mode)
{
	struct dfs_txn *txn = NULL;

	if (!EXPECT(m->c, m->ops->begin(m->inst, mode, &txn), DFS_OK))
		return NULL;
	return txn;
}

bool
md_commit(struct md *m, struct dfs_txn *txn)
{
	return EXPECT(m->c, m->ops->commit(m->inst, txn, NULL), DFS_OK);
}

struct dfs_txn *
md_begin_retry(struct md *m, uint32_t mode)
{
	struct dfs_txn *txn = NULL;
	enum dfs_status st = DFS_AGAIN;

	for (unsigned i = 0; i < RETRIES && st == DFS_AGAIN; i++)
		st = m->ops->begin(m->inst, mode, &txn);
	return EXPECT(m->c, st, DFS_OK) ? txn : NULL;
}

static enum dfs_status
transact_once(struct md *m, uint32_t mode, md_work_fn work, void *arg, uint64_t *seq)
{
	struct dfs_txn *txn = NULL;
	enum dfs_status st = m->ops->begin(m->inst, mode, &txn);

	if (st != DFS_OK)
		return st;
	st = work(m, txn, arg);
	if (st == DFS_OK && mode == DFS_TXN_WRITE)
		return m->ops->commit(m->inst, txn, seq);
	m->ops->abort(m->inst, txn);
	return st;
}

enum dfs_status
md_transact(struct md *m, uint32_t mode, md_work_fn work, void *arg, uint64_t *seq)
{
	enum dfs_status st = DFS_AGAIN;

	for (unsigned i = 0; i < RETRIES && st == DFS_AGAIN; i++)
		st = transact_once(m, mode, work, arg, seq);
	return st;
}

enum dfs_status
md_transact_alone(struct md *m, uint32_t mode, md_work_fn work, void *arg, uint64_t *seq)
{
	return (m->c->repeat ? md_transact : transact_once)(m, mode, work, arg, seq);
}

void
md_start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	if (pthread_create(t, NULL, fn, arg) != 0)
		tap_bail("cannot start a thread");
}

struct hand {
	pthread_t thread;
	struct md *m;
	unsigned index;
	void (*fn)(struct md *m, unsigned index);
};

static void *
run_hand(void *arg)
{
	struct hand *hand = arg;

	hand->fn(hand->m, hand->index);
	return NULL;
}

void
md_crew(struct md *m, unsigned n, void (*fn)(struct md *m, unsigned index))
{
	g_autofree struct hand *hands = g_new0(struct hand, n);

	for (unsigned i = 0; i < n; i++) {
		hands[i] = (struct hand){.m = m, .index = i, .fn = fn};
		md_start(&hands[i].thread, run_hand, &hands[i]);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(hands[i].thread, NULL);
}

void
md_inode(struct dfs_inode_record *rec, uint64_t fileid, uint64_t salt)
{
	uint64_t s = fileid * 31 + salt;

	memset(rec, 0, sizeof(*rec));
	rec->size = sizeof(*rec);
	rec->type = 1 + conform_random(&s) % 7;
	rec->mode = conform_random(&s) & 07777;
	rec->nlink = (uint32_t)conform_random(&s);
	rec->uid = (uint32_t)conform_random(&s);
	rec->gid = (uint32_t)conform_random(&s);
	rec->rdev_major = (uint32_t)conform_random(&s);
	rec->rdev_minor = (uint32_t)conform_random(&s);
	rec->fileid = fileid;
	rec->generation = conform_random(&s) | 1;
	rec->length = conform_random(&s);
	rec->used = conform_random(&s);
	rec->change = conform_random(&s);
	rec->atime = (int64_t)conform_random(&s);
	rec->mtime = (int64_t)conform_random(&s);
	rec->ctime = (int64_t)conform_random(&s);
	rec->btime = (int64_t)conform_random(&s);
	rec->parent = conform_random(&s);
	rec->verifier = conform_random(&s);
	rec->flags = conform_random(&s) & (DFS_INODE_HAS_VERIFIER | DFS_INODE_ORPHAN);
	md_content(&rec->content, conform_random(&s));
	rec->cut_lsn = conform_random(&s);
	rec->cut_length = conform_random(&s);
	rec->revision = conform_random(&s);
}

bool
md_inode_equal(const struct dfs_inode_record *a, const struct dfs_inode_record *b)
{
	return a->type == b->type && a->mode == b->mode && a->nlink == b->nlink &&
	       a->uid == b->uid && a->gid == b->gid && a->rdev_major == b->rdev_major &&
	       a->rdev_minor == b->rdev_minor && a->fileid == b->fileid &&
	       a->generation == b->generation && a->length == b->length && a->used == b->used &&
	       a->change == b->change && a->atime == b->atime && a->mtime == b->mtime &&
	       a->ctime == b->ctime && a->btime == b->btime && a->parent == b->parent &&
	       a->verifier == b->verifier && a->flags == b->flags && a->cut_lsn == b->cut_lsn &&
	       a->cut_length == b->cut_length && a->revision == b->revision &&
	       !memcmp(&a->content, &b->content, sizeof(a->content));
}

void
md_dirent(struct dfs_dirent_record *rec, uint64_t cookie, const char *name)
{
	*rec = (struct dfs_dirent_record){
		.size = sizeof(*rec),
		.type = DFS_TYPE_REG,
		.cookie = cookie,
		.fileid = cookie + 7,
		.name_len = (uint32_t)strlen(name),
		.name = name,
	};
}

void
md_content(struct dfs_content_id *content, uint64_t n)
{
	for (unsigned i = 0; i < sizeof(content->bytes); i += 8) {
		uint64_t v = GUINT64_TO_BE(conform_random(&n));

		memcpy(content->bytes + i, &v, 8);
	}
}

struct one_inode {
	uint32_t share;
	struct dfs_inode_record *rec;
};

static enum dfs_status
put_inode(struct md *m, struct dfs_txn *txn, void *arg)
{
	struct one_inode *one = arg;

	return m->ops->put_inode(m->inst, txn, one->share, one->rec);
}

void
md_put_inode(struct md *m, uint32_t share, uint64_t fileid, uint64_t salt)
{
	struct dfs_inode_record rec;
	struct one_inode one = {share, &rec};

	md_inode(&rec, fileid, salt);
	EXPECT(m->c, md_transact_alone(m, DFS_TXN_WRITE, put_inode, &one, NULL), DFS_OK);
}

struct one_dirent {
	uint64_t dir;
	struct dfs_dirent_record rec;
};

static enum dfs_status
put_dirent(struct md *m, struct dfs_txn *txn, void *arg)
{
	struct one_dirent *one = arg;

	return m->ops->put_dirent(m->inst, txn, SHARE, one->dir, &one->rec);
}

void
md_put_dirent(struct md *m, uint64_t dir, uint64_t cookie, const char *name)
{
	struct one_dirent one = {.dir = dir};

	md_dirent(&one.rec, cookie, name);
	EXPECT(m->c, md_transact_alone(m, DFS_TXN_WRITE, put_dirent, &one, NULL), DFS_OK);
}

struct one_get {
	struct one_inode inode;
	uint64_t fileid;
};

static enum dfs_status
get_inode(struct md *m, struct dfs_txn *txn, void *arg)
{
	struct one_get *one = arg;

	memset(one->inode.rec, 0xaa, sizeof(*one->inode.rec));
	one->inode.rec->size = sizeof(*one->inode.rec);
	return m->ops->get_inode(m->inst, txn, one->inode.share, one->fileid, one->inode.rec);
}

enum dfs_status
md_get_inode(struct md *m, uint32_t share, uint64_t fileid, struct dfs_inode_record *rec)
{
	struct one_get one = {{share, rec}, fileid};

	return md_transact_alone(m, DFS_TXN_READ, get_inode, &one, NULL);
}

uint64_t
md_get_number(struct md *m, struct dfs_txn *txn, const char *key, enum dfs_status *status)
{
	uint64_t v = 0;
	uint32_t len = sizeof(v);

	*status = m->ops->get_state(m->inst, txn, SHARE, key, strlen(key), &v, &len);
	if (*status == DFS_NOENT) {
		*status = DFS_OK;
		return 0;
	}
	return *status == DFS_OK ? v : 0;
}

int
md_collect(void *arg, const struct dfs_dirent_record *rec)
{
	struct md_cookies *list = arg;

	g_array_append_val(list->cookies, rec->cookie);
	return !list->max || list->cookies->len < list->max;
}

enum dfs_status
md_try_scan(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
	    unsigned max, GArray **found)
{
	struct md_cookies list = {g_array_new(FALSE, FALSE, sizeof(uint64_t)), max};

	*found = list.cookies;
	return m->ops->scan_dirents(m->inst, txn, share, dir, from, md_collect, &list);
}

GArray *
md_scan(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
	unsigned max)
{
	GArray *found;

	EXPECT(m->c, md_try_scan(m, txn, share, dir, from, max, &found), DFS_OK);
	return found;
}

int
main(int argc, char **argv)
{
	static const struct conform_test *const tables[] = {
		metadata_life_tests,   metadata_record_tests,   metadata_limit_tests,
		metadata_object_tests, metadata_usage_tests,    metadata_shared_tests,
		metadata_scan_tests,   metadata_txn_tests,      metadata_model_tests,
		metadata_thread_tests, metadata_nonblock_tests, conform_config_tests,
		metadata_leak_tests,   metadata_crash_tests,    NULL};

	return conform_main(argc, argv, DFS_KIND_METADATA, tables, metadata_roles);
}
