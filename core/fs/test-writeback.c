/* SPDX-License-Identifier: MIT
 *
 * What happens to an inode while a batch of the write-back has it in hand.
 */
#include <pthread.h>

#include "fs/test-share.h"
#include "metadata/writeback.h"
#include "payload/file.h"
#include "payload/store.h"

static struct fixture f;
static struct dfs_inode *removed, *behind;
static enum dfs_status (*store_begin)(void *inst, uint32_t mode, struct dfs_txn **txn);
static enum dfs_status (*store_put)(void *inst, const char *key, const struct dfs_span *spans,
				    uint32_t n, uint32_t flags);
static _Atomic bool meanwhile, hang, in_put;

static enum dfs_status
put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	in_put = true;
	/* Not for ever, so that who waits for it fails. */
	for (unsigned i = 0; hang && i < 20000; i++)
		g_usleep(500);
	hang = false;
	return store_put(inst, key, spans, n, flags);
}

/* The batch is taken, and its transaction begins: a READ of each file, and a REMOVE, come before. */
static enum dfs_status
begin(void *inst, uint32_t mode, struct dfs_txn **txn)
{
	if (meanwhile) {
		meanwhile = false;
		dfs_inode_set_atime(removed, 2);
		dfs_inode_set_atime(behind, 2);
		assert_status(remove_name(&f, f.root, "removed"), DFS_OK);
		dfs_inode_unref(removed);
	}
	return store_begin(inst, mode, txn);
}

static gpointer
flush(gpointer file)
{
	struct dfs_ctx ctx = {.deadline = dfs_clock_mono() + 30 * DFS_SECOND};

	dfs_file_flush(&ctx, file, DFS_FLUSH_ALL);
	return NULL;
}

static void
dirty(struct dfs_ref ref)
{
	enum dfs_stable committed;
	struct dfs_wcc wcc;
	uint64_t verifier;

	assert_status(dfs_fs_write(&f.ctx, &ref, 0, "hello", 5, DFS_UNSTABLE, &committed, &verifier,
				   &wcc),
		      DFS_OK);
}

/* The share's puts hang from now on.  *inode: with a reference. */
static GThread *
flush_that_hangs(struct dfs_ref ref, struct dfs_inode **inode)
{
	GThread *flusher;

	assert_status(dfs_writeback_run(f.metadata, NULL), DFS_OK);
	dirty(ref);
	*inode = dfs_inode_find(f.share->ns, ref.fileid);
	store_put = f.blocks->ops.put;
	f.blocks->ops.put = put;
	in_put = false;
	hang = true;
	flusher = g_thread_new("flush", flush, atomic_load(&(*inode)->file));
	while (!in_put)
		g_usleep(500);
	return flusher;
}

static void
let_end(GThread *flusher)
{
	hang = false;
	g_thread_join(flusher);
}

/* It is in hand and on the list again, and a flush of it keeps its file: who lets go of it must not use the list's
 * link for another list. */
static void
one_that_is_removed_takes_nobody_with_it(void)
{
	struct dfs_ref refs[2];
	GThread *flusher;

	f = (struct fixture){.kind = "test", .durable_blocks = true};
	fixture_open(&f);
	refs[0] = make_file(&f, f.root, "removed", 0644);
	refs[1] = make_file(&f, f.root, "behind", 0644);
	flusher = flush_that_hangs(refs[0], &removed);
	behind = dfs_inode_find(f.share->ns, refs[1].fileid);
	dfs_inode_set_atime(removed, 1);
	store_begin = f.metadata->ops.begin;
	f.metadata->ops.begin = begin;
	meanwhile = true;
	assert_status(dfs_writeback_run(f.metadata, NULL), DFS_OK);
	g_assert_false(meanwhile);
	let_end(flusher);
	assert_status(dfs_writeback_run(f.metadata, NULL), DFS_OK);
	dfs_inode_bucket_lock(behind);
	g_assert_false(behind->state & DFS_STATE_DIRTY);
	dfs_inode_bucket_unlock(behind);
	dfs_inode_unref(behind);
	fixture_close(&f);
}

/* The last reference to the removed file is the operation's own, which may run on an event loop. */
static void
a_remove_does_not_wait_for_a_flush(void)
{
	struct dfs_inode *inode;
	struct dfs_ref ref;
	struct dfs_ctx ctx;
	struct dfs_wcc wcc;
	GThread *flusher;

	f = (struct fixture){.kind = "test", .durable_blocks = true};
	fixture_open(&f);
	ref = make_file(&f, f.root, "removed", 0644);
	flusher = flush_that_hangs(ref, &inode);
	dfs_inode_unref(inode);
	ctx = f.ctx;
	ctx.nonblock = true;
	assert_status(dfs_fs_remove(&ctx, &f.root, name_of("removed"), &wcc), DFS_OK);
	g_assert_true(hang);
	let_end(flusher);
	fixture_close(&f);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fs/writeback/one_that_is_removed_takes_nobody_with_it",
			one_that_is_removed_takes_nobody_with_it);
	g_test_add_func("/fs/writeback/a_remove_does_not_wait_for_a_flush",
			a_remove_does_not_wait_for_a_flush);
	return g_test_run();
}
