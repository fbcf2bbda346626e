/* SPDX-License-Identifier: MIT
 *
 * order CONNINFO: a database runs the core's write transactions side by side.  While the write-back has a batch of
 * inodes in hand, each of them is changed by an operation of its own: what is stored in the end is what was answered.
 */
#include "fs/test-share.h"
#include "metadata/writeback.h"

#define FILES 128
#define THREADS 4
#define ROUNDS 40

static struct fixture f;
static struct dfs_ref refs[FILES];

static gpointer
change(gpointer first)
{
	for (unsigned i = GPOINTER_TO_UINT(first); i < FILES; i += THREADS) {
		const struct dfs_setattr set = {.mask = DFS_SET_MODE,
						.mode = (uint32_t)g_random_int() & 0777};
		struct dfs_ctx ctx = ctx_as(&f, 0, 0);
		enum dfs_status status;
		struct dfs_wcc wcc;

		ctx.deadline = dfs_clock_mono() + 60 * DFS_SECOND;
		do
			status = dfs_fs_setattr(&ctx, &refs[i], &set, NULL, &wcc);
		while (status == DFS_DELAY);
		assert_status(status, DFS_OK);
	}
	return NULL;
}

static gpointer
write_back(gpointer unused)
{
	dfs_writeback_run(f.metadata, NULL);
	return NULL;
}

/* How many records are not what is answered. */
static unsigned
wrong(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FILES; i++) {
		struct dfs_inode_record rec = {.size = sizeof rec};
		struct dfs_attr attr = attr_of(&f, refs[i]);
		struct dfs_txn *txn;

		assert_status(f.metadata->ops.begin(f.metadata->inst, DFS_TXN_READ, &txn), DFS_OK);
		assert_status(f.metadata->ops.get_inode(f.metadata->inst, txn, f.share->ns->rec.id,
							refs[i].fileid, &rec),
			      DFS_OK);
		f.metadata->ops.abort(f.metadata->inst, txn);
		n += rec.mode != attr.mode;
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct test_site site = {0};
	struct test_server server = {.site = &site, .self = {.id = {1}, .text = "one"}};
	unsigned lost = 0;

	if (argc != 2)
		return 2;
	test_site_open(&site);
	f = (struct fixture){.kind = "postgres",
			     .dir = argv[1],
			     .server = &server,
			     .durability = DFS_DURABILITY_POWER};
	fixture_open(&f);
	for (unsigned i = 0; i < FILES; i++) {
		g_autofree char *name = g_strdup_printf("f%u", i);

		refs[i] = make_file(&f, f.root, name, 0644);
	}
	for (int round = 1; round <= ROUNDS; round++) {
		GThread *threads[THREADS + 1];

		for (unsigned i = 0; i < FILES; i++) {
			struct dfs_inode *inode = dfs_inode_find(f.share->ns, refs[i].fileid);

			dfs_inode_set_atime(inode, round);
			dfs_inode_unref(inode);
		}
		threads[THREADS] = g_thread_new("write-back", write_back, NULL);
		for (unsigned i = 0; i < THREADS; i++)
			threads[i] = g_thread_new("change", change, GUINT_TO_POINTER(i));
		for (unsigned i = 0; i <= THREADS; i++)
			g_thread_join(threads[i]);
		assert_status(dfs_writeback_run(f.metadata, NULL), DFS_OK);
		lost += wrong();
	}
	printf("%u of %u changes are not what is stored\n", lost, FILES * ROUNDS);
	fixture_close(&f);
	test_site_close(&site);
	return lost != 0;
}
