/* SPDX-License-Identifier: MIT */
#include "payload/test-remote.h"

#include "base/clock.h"
#include "payload/offload/offload.h"

#define BUDGET (400u * MIB)

unsigned char remote_data[MIB], remote_got[MIB];

struct rig *
remote_rig(void)
{
	struct rig *rig = rig_new("remote", BUDGET, DFS_DURABILITY_POWER);

	rig_install_double(rig);
	rig->blocks->offload->times.slow = 0;
	return rig;
}

void
remote_fill(unsigned seed)
{
	for (unsigned i = 0; i < sizeof remote_data; i++)
		remote_data[i] = (unsigned char)(i * 7 + i / 4096 + seed);
}

void
remote_dirty(struct dfs_file *file, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		remote_fill(i);
		g_assert_cmpint(rig_write(file, (uint64_t)i * MIB, (uint64_t)i * MIB, remote_data,
					  MIB, true),
				==, DFS_OK);
	}
}

struct dfs_file *
remote_cold_file(struct rig *rig, uint8_t id, unsigned n)
{
	struct dfs_file *file = rig_file(rig, id, 0, 0);

	remote_dirty(file, n);
	rig_flush_ok(file);
	g_assert_true(dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 30 * DFS_SECOND));
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	rig_double.puts = rig_double.calls = 0;
	return file;
}

void
remote_assert_mib(struct dfs_file *file, unsigned n, unsigned i)
{
	g_assert_cmpint(rig_read(file, (uint64_t)n * MIB, (uint64_t)i * MIB, remote_got, MIB), ==,
			DFS_OK);
	remote_fill(i);
	g_assert_cmpmem(remote_got, MIB, remote_data, MIB);
}

enum dfs_status
remote_read_until(struct dfs_file *file, unsigned n, uint64_t offset, uint32_t len,
		  int64_t deadline)
{
	struct dfs_ctx ctx = {.deadline = deadline};
	struct dfs_read r;
	enum dfs_status st = dfs_file_read(&ctx, file, (uint64_t)n * MIB, offset, len, &r);

	if (st == DFS_OK)
		dfs_read_release(&r);
	return st;
}

void
remote_start(struct remote_job *job, GThreadFunc fn)
{
	job->thread = g_thread_new("job", fn, job);
}

void
remote_join(struct remote_job *job)
{
	g_thread_join(job->thread);
	g_assert_cmpint(job->status, ==, DFS_OK);
}

void
remote_wait_for(_Atomic unsigned *what, unsigned n)
{
	while (atomic_load(what) < n)
		g_usleep(500);
}
