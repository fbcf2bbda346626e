/* SPDX-License-Identifier: MIT
 *
 * bench-fs [OPERATION [COUNT [STORE [quotas]]]]: nanoseconds of the file layer's operations without
 * a network, for use with perf.  With the word quotas the share has some.  DFS_PLUGIN_PATH names the
 * folder of plugins.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fs/test-share.h"

/* Of this thread: other load on the machine counts less. */
static int64_t
cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

struct bench {
	struct fixture f;
	unsigned n;
	struct dfs_ref dir;
	char (*names)[16];
	struct dfs_ref *refs;
};

static void
run_create(struct bench *b)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0644};

	for (unsigned i = 0; i < b->n; i++) {
		struct dfs_attr attr;
		struct dfs_wcc wcc;

		assert_status(dfs_fs_create(&b->f.ctx, &b->dir, name_of(b->names[i]),
					    DFS_CREATE_UNCHECKED, &set, 0, &attr, &wcc),
			      DFS_OK);
		b->refs[i] = ref_of(&attr);
	}
}

static void
run_getattr(struct bench *b)
{
	struct dfs_attr attr;

	for (unsigned i = 0; i < b->n; i++)
		assert_status(dfs_fs_getattr(&b->f.ctx, &b->refs[i], &attr), DFS_OK);
}

static void
run_getattr_one(struct bench *b)
{
	struct dfs_attr attr;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_getattr(&b->f.ctx, &b->refs[i % 64], &attr) != DFS_OK)
			abort();
}

static void
run_lookup(struct bench *b)
{
	struct dfs_attr attr, dir;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_lookup(&b->f.ctx, &b->dir, name_of(b->names[i]), &attr, &dir) != DFS_OK)
			abort();
}

static void
run_lookup_few(struct bench *b)
{
	struct dfs_attr attr, dir;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_lookup(&b->f.ctx, &b->dir, name_of(b->names[i % 64]), &attr, &dir) !=
		    DFS_OK)
			abort();
}

static void
run_access(struct bench *b)
{
	struct dfs_attr attr;
	uint32_t granted;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_access(&b->f.ctx, &b->refs[i % 64], 0x3f, &granted, &attr) != DFS_OK)
			abort();
}

static bool
count_entry(void *arg, const struct dfs_dir_entry *e)
{
	unsigned *left = arg;
	return (*left)-- > 0;
}

static void
run_readdirplus(struct bench *b)
{
	uint64_t cookie = 0;
	bool eof = false;
	unsigned seen = 0;

	while (!eof) {
		struct dfs_attr attr;
		unsigned left = 1u << 30;

		assert_status(dfs_fs_readdir(&b->f.ctx, &b->dir, cookie, true, count_entry, &left,
					     &eof, &attr),
			      DFS_OK);
		seen += (1u << 30) - left;
	}
	if (seen != b->n + 2)
		printf("saw %u\n", seen);
}

static void
run_rename(struct bench *b)
{
	struct dfs_wcc w1, w2;

	for (unsigned i = 0; i < b->n; i++) {
		char to[20];

		snprintf(to, sizeof to, "r%s", b->names[i]);
		if (dfs_fs_rename(&b->f.ctx, &b->dir, name_of(b->names[i]), &b->dir, name_of(to),
				  &w1, &w2) != DFS_OK)
			abort();
	}
}

static void
run_remove(struct bench *b)
{
	struct dfs_wcc wcc;

	for (unsigned i = 0; i < b->n; i++) {
		char name[20];

		snprintf(name, sizeof name, "r%s", b->names[i]);
		if (dfs_fs_remove(&b->f.ctx, &b->dir, name_of(name), &wcc) != DFS_OK)
			abort();
	}
}

static void
run_mkdir(struct bench *b)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_mkdir(&b->f.ctx, &b->dir, name_of(b->names[i]), NULL, &attr, &wcc) !=
		    DFS_OK)
			abort();
}

static void
run_rmdir(struct bench *b)
{
	struct dfs_wcc wcc;

	for (unsigned i = 0; i < b->n; i++)
		if (dfs_fs_rmdir(&b->f.ctx, &b->dir, name_of(b->names[i]), &wcc) != DFS_OK)
			abort();
}

static const struct {
	const char *name;
	void (*run)(struct bench *);
	unsigned repeat;
} steps[] = {
	{"create", run_create, 1},
	{"getattr all", run_getattr, 1},
	{"getattr hot", run_getattr_one, 5},
	{"access hot", run_access, 5},
	{"lookup all", run_lookup, 1},
	{"lookup hot", run_lookup_few, 5},
	{"readdirplus entry", run_readdirplus, 3},
	{"rename", run_rename, 1},
	{"remove", run_remove, 1},
	{"mkdir", run_mkdir, 1},
	{"rmdir", run_rmdir, 1},
};

int
main(int argc, char **argv)
{
	static const struct dfs_quota_rules quotas = {.default_user = {.bytes_hard = INT64_MAX}};
	const char *only = argc > 1 ? argv[1] : "";
	struct bench b = {.n = argc > 2 ? (unsigned)atoi(argv[2]) : 100000};

	b.f.kind = argc > 3 ? argv[3] : "memory";
	b.f.max_inodes = 4 * (uint64_t)b.n;
	b.f.max_names = 8 * (uint64_t)b.n;
	if (argc > 4 && strcmp(argv[4], "quotas") == 0)
		b.f.quotas = &quotas;
	if (strcmp(b.f.kind, "leveldb") == 0)
		b.f.dir = "/tmp/bench-fs-leveldb";
	fixture_open(&b.f);
	b.dir = make_dir(&b.f, b.f.root, "bench", 0755);
	b.names = g_malloc(b.n * sizeof *b.names);
	b.refs = g_new(struct dfs_ref, b.n);
	for (unsigned i = 0; i < b.n; i++)
		snprintf(b.names[i], sizeof b.names[i], "file%u", i);
	for (unsigned s = 0; s < G_N_ELEMENTS(steps); s++) {
		unsigned repeat = strncmp(only, steps[s].name, strlen(only)) == 0 && *only
					  ? 50
					  : steps[s].repeat;
		int64_t t0 = cpu_time();

		for (unsigned k = 0; k < (steps[s].repeat == 1 ? 1 : repeat); k++)
			steps[s].run(&b);
		printf("%-20s %8.1f ns\n", steps[s].name,
		       (double)(cpu_time() - t0) / b.n / (steps[s].repeat == 1 ? 1 : repeat));
	}
	fixture_close(&b.f);
	g_free(b.names);
	g_free(b.refs);
	return 0;
}
