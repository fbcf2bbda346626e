/* SPDX-License-Identifier: MIT
 *
 * Life cycle of a metadata store, and what it may leave behind.
 */
#include <malloc.h>

#include "tools/conform/metadata.h"

#define ROUNDS 200
#define WARM_UP 20
#define HEAP_GROWTH (256 << 10) /* bytes that ROUNDS instances may leave behind */

static void
test_ops(struct conform *c)
{
	const struct dfs_metadata_ops *o = &c->plugin->ops.metadata;

	CHECK(c, o->create && o->destroy && o->begin && o->commit && o->abort && o->sync);
	CHECK(c, o->scan_shares && o->put_share && o->del_share);
	CHECK(c, o->get_inode && o->put_inode && o->del_inode);
	CHECK(c, o->get_symlink && o->put_symlink && o->del_symlink);
	CHECK(c, o->get_dirent && o->scan_dirents && o->put_dirent && o->del_dirent);
	CHECK(c, o->scan_map && o->put_map && o->del_map);
	CHECK(c, o->scan_rows && o->get_object && o->find_object && o->put_object &&
			 o->del_object && o->scan_objects);
	CHECK(c, o->put_dead && o->del_dead && o->scan_dead);
	CHECK(c, o->scan_orphans && o->put_orphan && o->del_orphan);
	CHECK(c, o->get_state && o->put_state && o->del_state && o->scan_state);
	CHECK(c, o->stats && o->health);
	CHECK(c, !o->add_usage == !o->scan_usage && !o->add_usage == !o->clear_usage,
	      "of the operations of usage there are some and not all");
}

static void
test_open_close(struct conform *c)
{
	struct md m;

	if (md_open(c, &m))
		md_close(&m);
}

static void
test_two_instances(struct conform *c)
{
	struct dfs_inode_record rec;
	struct md a, b;

	if (!md_open(c, &a))
		return;
	if (!md_open(c, &b)) {
		md_close(&a);
		return;
	}
	md_put_inode(&a, SHARE, 100, 1);
	EXPECT(c, md_get_inode(&b, SHARE, 100, &rec), DFS_NOENT);
	md_put_inode(&b, SHARE, 100, 2);
	md_close(&a);
	EXPECT(c, md_get_inode(&b, SHARE, 100, &rec), DFS_OK);
	md_put_inode(&b, SHARE, 101, 2);
	EXPECT(c, md_get_inode(&b, SHARE, 101, &rec), DFS_OK);
	md_close(&b);
}

static void
test_reopen(struct conform *c)
{
	struct dfs_inode_record rec, want;
	uint64_t seq = 0;
	struct md m;

	if (md_volatile(c)) {
		conform_skip(c, "the store is volatile");
		return;
	}
	if (!md_open(c, &m))
		return;
	for (uint64_t id = 1; id <= 50; id++) {
		struct dfs_txn *txn = md_begin(&m, DFS_TXN_WRITE);

		md_inode(&rec, id, 5);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
		EXPECT(c, m.ops->commit(m.inst, txn, &seq), DFS_OK);
	}
	EXPECT(c, m.ops->sync(m.inst, seq, DFS_SYNC_POWER), DFS_OK);
	if (!md_reopen(&m))
		return;
	for (uint64_t id = 1; id <= 50; id++) {
		md_inode(&want, id, 5);
		EXPECT(c, md_get_inode(&m, SHARE, id, &rec), DFS_OK);
		CHECK(c, md_inode_equal(&rec, &want), "inode %u differs", (unsigned)id);
	}
	md_close(&m);
}

static void
test_busy(struct conform *c)
{
	enum dfs_status st;
	void *second = NULL;
	struct md m;

	if (md_volatile(c)) {
		conform_skip(c, "the store is volatile");
		return;
	}
	if (c->plugin->desc.caps & DFS_METADATA_CAP_SHARED) {
		conform_skip(c, "the store is shared");
		return;
	}
	if (!md_open(c, &m))
		return;
	st = conform_open(c, m.dir, &second);
	CHECK(c, st == DFS_BUSY, "create on a folder in use answers %s", dfs_status_name(st));
	CHECK(c, c->diag.text[0], "it says nothing");
	if (st == DFS_OK)
		conform_close(c, second);
	md_put_inode(&m, SHARE, 1, 1);
	md_close(&m);
}

static void
test_stats(struct conform *c)
{
	struct dfs_metadata_stats stats = {.size = sizeof(stats)};
	struct md m;

	if (!md_open(c, &m))
		return;
	EXPECT(c, m.ops->stats(m.inst, &stats), DFS_OK);
	EXPECT(c, m.ops->health(m.inst), DFS_OK);
	md_close(&m);
}

static unsigned
count_threads(void)
{
	return conform_count_entries("/proc/self/task");
}

static void
work_once(struct conform *c)
{
	struct md m;
	uint64_t seq = 0;
	struct dfs_txn *txn;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, SHARE, 1, 1);
	md_put_dirent(&m, 1, 64, "name");
	txn = md_begin(&m, DFS_TXN_WRITE);
	if (txn)
		EXPECT(c, m.ops->commit(m.inst, txn, &seq), DFS_OK);
	EXPECT(c, m.ops->sync(m.inst, seq, DFS_SYNC_PROCESS), DFS_OK);
	md_close(&m);
}

static void
test_leaks(struct conform *c)
{
	unsigned fds = 0, threads = 0;
	int64_t buffers = 0;
	size_t heap = 0;

	for (unsigned i = 0; i < WARM_UP + ROUNDS && !c->failures; i++) {
		if (i == WARM_UP) {
			fds = conform_count_fds();
			threads = count_threads();
			heap = mallinfo2().uordblks;
			buffers = c->buffers;
		}
		work_once(c);
	}
	CHECK(c, conform_count_fds() <= fds, "%u descriptors before, %u after", fds,
	      conform_count_fds());
	CHECK(c, count_threads() <= threads, "%u threads before, %u after", threads,
	      count_threads());
	CHECK(c, c->buffers == buffers, "host buffers are still held");
	/* The sanitizers' allocator keeps no such figures. */
	CHECK(c, !heap || mallinfo2().uordblks < heap + HEAP_GROWTH,
	      "the heap grew from %zu to %zu", heap, (size_t)mallinfo2().uordblks);
}

const struct conform_test metadata_life_tests[] = {
	{"life", "every required operation is there", test_ops},
	{"life", "an instance opens and closes", test_open_close},
	{"life", "two instances do not know each other", test_two_instances},
	{"life", "what was synced is there after opening again", test_reopen},
	{"life", "a folder in use is refused as busy", test_busy},
	{"life", "statistics and health are answered", test_stats},
	{NULL}};

const struct conform_test metadata_leak_tests[] = {
	{"leak", "two hundred instances leave no descriptor, thread or memory", test_leaks},
	{NULL}};
