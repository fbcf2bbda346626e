/* SPDX-License-Identifier: MIT
 *
 * Several threads on one share: nothing is lost, counted twice, deadlocked or torn.
 * Meant for ThreadSanitizer as well.
 */
#include <pthread.h>

#include "fs/test-share.h"

#define THREADS 4
#define STEPS 400
#define DIRS 3

struct shared {
	struct fixture f;
	struct dfs_ref dirs[DIRS];
	struct dfs_ref file;
	_Atomic unsigned made, removed;
};

struct thread {
	struct shared *s;
	unsigned id;
	GRand *rand;
	pthread_t t;
};

static void
in_threads(struct shared *s, void *(*body)(void *))
{
	struct thread t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct thread){.s = s, .id = i, .rand = g_rand_new_with_seed(i + 1)};
		pthread_create(&t[i].t, NULL, body, &t[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].t, NULL);
		g_rand_free(t[i].rand);
	}
}

static bool
entry(void *arg, const struct dfs_dir_entry *e)
{
	if (e->name.bytes[0] != '.')
		(*(unsigned *)arg)++;
	return true;
}

static unsigned
entries(struct shared *s, struct dfs_ref dir)
{
	struct dfs_attr attr;
	unsigned n = 0;
	bool eof;

	assert_status(dfs_fs_readdir(&s->f.ctx, &dir, 0, true, entry, &n, &eof, &attr), DFS_OK);
	return n;
}

/* Creations, removals, renames and listings over the same names and directories. */
static void *
churn(void *arg)
{
	struct thread *t = arg;
	struct shared *s = t->s;

	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_ctx ctx = ctx_as(&s->f, 0, 0);
		struct dfs_ref *a = &s->dirs[g_rand_int_range(t->rand, 0, DIRS)];
		struct dfs_ref *b = &s->dirs[g_rand_int_range(t->rand, 0, DIRS)];
		char x[8], y[8];
		struct dfs_attr attr, dir_attr;
		struct dfs_wcc w1, w2;
		enum dfs_status status;
		unsigned n = 0;
		bool eof;

		snprintf(x, sizeof x, "%d", g_rand_int_range(t->rand, 0, 12));
		snprintf(y, sizeof y, "%d", g_rand_int_range(t->rand, 0, 12));
		switch (g_rand_int_range(t->rand, 0, 6)) {
		case 0:
		case 1:
			status = dfs_fs_create(&ctx, a, name_of(x), DFS_CREATE_GUARDED, NULL, 0,
					       &attr, &w1);
			g_assert_true(status == DFS_OK || status == DFS_EXIST);
			break;
		case 2:
			status = dfs_fs_remove(&ctx, a, name_of(x), &w1);
			g_assert_true(status == DFS_OK || status == DFS_NOENT);
			break;
		case 3:
			status = dfs_fs_rename(&ctx, a, name_of(x), b, name_of(y), &w1, &w2);
			g_assert_true(status == DFS_OK || status == DFS_NOENT);
			break;
		case 4:
			status = dfs_fs_lookup(&ctx, a, name_of(x), &attr, &dir_attr);
			g_assert_true(status == DFS_OK || status == DFS_NOENT);
			if (status == DFS_OK) {
				status = dfs_fs_link(
					&ctx, &(struct dfs_ref){attr.fileid, attr.generation}, b,
					name_of(y), &attr, &w1);
				g_assert_true(status == DFS_OK || status == DFS_EXIST ||
					      status == DFS_STALE);
			}
			break;
		default:
			assert_status(dfs_fs_readdir(&ctx, a, 0, true, entry, &n, &eof, &attr),
				      DFS_OK);
		}
	}
	return NULL;
}

static void
test_churn(struct shared *s)
{
	unsigned listed = 0, found = 0;

	in_threads(s, churn);
	fixture_reopen(&s->f);
	for (unsigned d = 0; d < DIRS; d++) {
		listed += entries(s, s->dirs[d]);
		for (unsigned i = 0; i < 12; i++) {
			char name[8];

			snprintf(name, sizeof name, "%u", i);
			found += look(&s->f, s->dirs[d], name, NULL) == DFS_OK;
		}
	}
	g_assert_cmpuint(listed, ==, found);
}

/* Every name is made by exactly one thread and removed by exactly one. */
static void *
race_for_names(void *arg)
{
	struct thread *t = arg;
	struct shared *s = t->s;

	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_ctx ctx = ctx_as(&s->f, 0, 0);
		struct dfs_attr attr;
		struct dfs_wcc wcc;
		char name[16];

		snprintf(name, sizeof name, "n%u", i);
		if (dfs_fs_create(&ctx, &s->dirs[0], name_of(name), DFS_CREATE_GUARDED, NULL, 0,
				  &attr, &wcc) == DFS_OK)
			s->made++;
		snprintf(name, sizeof name, "n%u", i / 2);
		if (dfs_fs_rename(&ctx, &s->dirs[0], name_of(name), &s->dirs[1], name_of(name),
				  &wcc, &wcc) == DFS_OK)
			s->removed++;
	}
	return NULL;
}

static void
test_each_name_once(struct shared *s)
{
	in_threads(s, race_for_names);
	g_assert_cmpuint(entries(s, s->dirs[0]) + entries(s, s->dirs[1]), <=, s->made);
	g_assert_cmpuint(entries(s, s->dirs[1]), <=, s->removed);
}

/* Directories moved into each other from all sides: never a loop, never a deadlock. */
static void *
move_directories(void *arg)
{
	struct thread *t = arg;
	struct shared *s = t->s;
	static const char *const name[] = {"x", "y", "z"};

	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_ctx ctx = ctx_as(&s->f, 0, 0);
		unsigned from = (unsigned)g_rand_int_range(t->rand, 0, DIRS);
		unsigned to = (unsigned)g_rand_int_range(t->rand, 0, DIRS + 1);
		struct dfs_ref src = s->f.root, dst = to == DIRS ? s->f.root : s->dirs[to];
		struct dfs_attr up, dir;
		struct dfs_wcc w1, w2;
		enum dfs_status status;

		if (dfs_fs_lookup(&ctx, &s->dirs[from], name_of(".."), &up, &dir) == DFS_OK)
			src = ref_of(&up);
		status = dfs_fs_rename(&ctx, &src, name_of(name[from]), &dst, name_of(name[from]),
				       &w1, &w2);
		g_assert_true(status == DFS_OK || status == DFS_NOENT || status == DFS_INVAL);
	}
	return NULL;
}

static void
test_directories_never_loop(struct shared *s)
{
	in_threads(s, move_directories);
	for (unsigned d = 0; d < DIRS; d++) {
		struct dfs_ref at = s->dirs[d];

		for (unsigned depth = 0; at.fileid != s->f.root.fileid; depth++) {
			g_assert_cmpuint(depth, <=, DIRS);
			assert_status(look(&s->f, at, "..", &at), DFS_OK);
		}
	}
}

/* Writers extend, one cuts, readers read; what is read is always the byte of its place. */
static void *
content(void *arg)
{
	struct thread *t = arg;
	struct shared *s = t->s;

	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_ctx ctx = ctx_as(&s->f, 0, 0);
		char data[1000];
		enum dfs_stable committed;
		uint64_t verifier;
		struct dfs_attr attr;
		struct dfs_wcc wcc;
		struct dfs_read out;

		if (t->id == 0) {
			struct dfs_setattr set = {.mask = DFS_SET_LENGTH, .length = 0};

			assert_status(dfs_fs_setattr(&ctx, &s->file, &set, NULL, &wcc), DFS_OK);
		} else if (t->id == 1) {
			assert_status(dfs_fs_read(&ctx, &s->file, 0, sizeof data, &out, &attr),
				      DFS_OK);
			for (uint32_t k = 0; k < out.n; k++)
				for (uint32_t b = 0; b < out.spans[k].len; b++)
					g_assert_cmpint(out.spans[k].data[b], ==, 'w');
			dfs_read_release(&out);
		} else {
			memset(data, 'w', sizeof data);
			assert_status(dfs_fs_write(&ctx, &s->file, 0, data, sizeof data,
						   DFS_UNSTABLE, &committed, &verifier, &wcc),
				      DFS_OK);
			if (i % 16 == 0)
				assert_status(dfs_fs_commit(&ctx, &s->file, 0, 0, &verifier, &wcc),
					      DFS_OK);
		}
	}
	return NULL;
}

static void
test_content(struct shared *s)
{
	in_threads(s, content);
}

#define TEST(name)                                                                                 \
	{                                                                                          \
#name, test_##name                                                                 \
	}

static const struct {
	const char *name;
	void (*run)(struct shared *);
} tests[] = {
	TEST(churn),
	TEST(each_name_once),
	TEST(directories_never_loop),
	TEST(content),
};

static void
run(const char *kind, gconstpointer test)
{
	struct shared s = {
		.f = {.kind = kind, .durability = DFS_DURABILITY_POWER, .max_inodes = 1024}};

	fixture_open(&s.f);
	s.dirs[0] = make_dir(&s.f, s.f.root, "x", 0755);
	s.dirs[1] = make_dir(&s.f, s.f.root, "y", 0755);
	s.dirs[2] = make_dir(&s.f, s.f.root, "z", 0755);
	s.file = make_file(&s.f, s.f.root, "file", 0644);
	(*(void (*const *)(struct shared *))test)(&s);
	fixture_close(&s.f);
}

static void
run_volatile(gconstpointer test)
{
	run("test", test);
}

static void
run_durable(gconstpointer test)
{
	run("test-durable", test);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		char *a = g_strdup_printf("/fs/threads/volatile/%s", tests[i].name);
		char *b = g_strdup_printf("/fs/threads/durable/%s", tests[i].name);

		g_test_add_data_func(a, &tests[i].run, run_volatile);
		g_test_add_data_func(b, &tests[i].run, run_durable);
		g_free(a);
		g_free(b);
	}
	return g_test_run();
}
