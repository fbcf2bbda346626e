/* SPDX-License-Identifier: MIT
 *
 * A share on a write-ahead log: what left memory for the log goes to the block store as if it had
 * stayed, and writers of a log that has failed are told so.
 */
#include "fs/op.h"
#include "fs/test-share.h"
#include "io/gate.h"
#include "payload/file.h"
#include "payload/wal/test-disk.h"

static enum dfs_status
try_write(struct fixture *f, const struct dfs_ref *ref, uint64_t offset, const void *data,
	  uint32_t len)
{
	struct dfs_ctx ctx = ctx_as(f, 0, 0);
	enum dfs_stable committed;
	struct dfs_wcc wcc;
	uint64_t verifier;

	ctx.deadline = INT64_MAX; /* who waits for what will not come does so for ever */
	return dfs_fs_write(&ctx, ref, offset, data, len, DFS_UNSTABLE, &committed, &verifier,
			    &wcc);
}

static void
write_at(struct fixture *f, const struct dfs_ref *ref, uint64_t offset, const void *data,
	 uint32_t len)
{
	assert_status(try_write(f, ref, offset, data, len), DFS_OK);
}

static enum dfs_status
wait_for_log(struct fixture *f)
{
	struct dfs_wal *wal = f->share->payload->wal;

	return dfs_gate_wait_sync(dfs_wal_gate(wal), dfs_wal_last(wal), DFS_SYNC_POWER,
				  dfs_clock_mono() + 10 * DFS_SECOND);
}

static void
expect(struct fixture *f, const struct dfs_ref *ref, uint32_t offset, uint32_t len,
       unsigned char byte)
{
	struct dfs_attr attr;
	struct dfs_read r;

	assert_status(dfs_fs_read(&f->ctx, ref, offset, len, &r, &attr), DFS_OK);
	for (uint32_t i = 0; i < r.n; i++)
		for (uint32_t k = 0; k < r.spans[i].len; k++)
			g_assert_cmpuint(((const unsigned char *)r.spans[i].data)[k], ==, byte);
	dfs_read_release(&r);
}

static struct dfs_wal_config
log_on(struct sim *disk)
{
	return (struct dfs_wal_config){
		.persister = DFS_WAL_FILE,
		.path = "/log",
		.size = 64u << 20,
		.segment_size = 8u << 20,
		.disk = sim_ops(disk),
	};
}

static struct fixture
share_on(struct dfs_wal_config *log)
{
	return (struct fixture){.kind = "test-durable",
				.durability = DFS_DURABILITY_POWER,
				.durable_blocks = true,
				.log = log};
}

/* The hole between two islands of a page is in the log, too, once the page is logged in one piece: the
 * row that is stored must not name the log for it. */
static void
islands_of_a_page(void)
{
	struct sim *disk = sim_new(1);
	struct dfs_wal_config log = log_on(disk);
	struct fixture f = share_on(&log);
	unsigned char ones[4096];
	struct dfs_inode *inode;
	struct dfs_file *file;
	struct dfs_ctx ctx;
	struct dfs_ref ref;

	fixture_open(&f);
	ctx = ctx_as(&f, 0, 0);
	ref = make_file(&f, f.root, "islands", 0644);
	memset(ones, 1, sizeof ones);
	write_at(&f, &ref, 0, ones, sizeof ones);
	write_at(&f, &ref, 5 * 4096, ones, sizeof ones);
	assert_status(dfs_inode_get(&f.ctx, f.share->ns, ref.fileid, &inode), DFS_OK);
	file = atomic_load(&inode->file);
	g_assert_cmpuint(dfs_file_spill(file, UINT64_MAX), ==, 0); /* logs it in one piece */
	assert_status(wait_for_log(&f), DFS_OK);                   /* a spill waits for that */
	g_assert_cmpuint(dfs_file_spill(file, UINT64_MAX), >, 0);
	assert_status(dfs_file_flush(&ctx, file, DFS_FLUSH_ALL), DFS_OK);
	dfs_cache_reclaim(f.pages, 64u << 20);
	dfs_inode_unref(inode);
	expect(&f, &ref, 0, 4096, 1);
	expect(&f, &ref, 4096, 4 * 4096, 0);
	expect(&f, &ref, 5 * 4096, 4096, 1);
	fixture_close(&f);
	sim_free(disk);
}

/* A writer of a log that has failed is told, and does not wait out its deadline for room. */
static void
failed_log_is_told_at_once(void)
{
	struct sim *disk = sim_new(1);
	struct dfs_wal_config log = log_on(disk);
	struct fixture f = share_on(&log);
	unsigned char ones[4096];
	struct dfs_ref ref;

	fixture_open(&f);
	ref = make_file(&f, f.root, "file", 0644);
	memset(ones, 1, sizeof ones);
	write_at(&f, &ref, 0, ones, sizeof ones);
	assert_status(wait_for_log(&f), DFS_OK);
	/* More than once: a write of the next segment, which is being made, may be the first. */
	sim_fail(disk, SIM_WRITE, "seg-", 0, EIO, 1000);
	if (try_write(&f, &ref, 4096, ones, sizeof ones) == DFS_OK)
		g_assert_cmpint(wait_for_log(&f), !=, DFS_OK);
	assert_status(try_write(&f, &ref, 4096, ones, sizeof ones), DFS_IO);
	assert_status(try_write(&f, &ref, 8192, ones, sizeof ones), DFS_IO);
	expect(&f, &ref, 0, 4096, 1);
	fixture_close(&f);
	sim_free(disk);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/islands of a page come back from the store", islands_of_a_page);
	g_test_add_func("/log/a failed log is told at once", failed_log_is_told_at_once);
	return g_test_run();
}
