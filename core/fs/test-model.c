/* SPDX-License-Identifier: MIT
 *
 * Random operations on the namespace against a simple model of it, with reopening in between.
 *
 * The model: a table of paths, each naming a node with a type and a count of names.  The same seed
 * gives the same run; DFS_TEST_SEED sets it, DFS_TEST_STEPS the length.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/test-share.h"

#define MAX_NODES 256
#define NAMES 6

struct node {
	bool used, dir;
	unsigned names, subdirs;
	int parent;       /* directories */
	int child[NAMES]; /* directories: node + 1 of name i, 0: none */
	struct dfs_ref ref;
};

struct model {
	struct fixture f;
	GRand *rand;
	struct node n[MAX_NODES];
};

static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f"};

static int
random_dir(struct model *m)
{
	for (;;) {
		int i = g_rand_int_range(m->rand, 0, MAX_NODES);

		if (m->n[i].used && m->n[i].dir)
			return i;
	}
}

static int
free_node(struct model *m)
{
	for (int i = 1; i < MAX_NODES; i++)
		if (!m->n[i].used)
			return i;
	return -1;
}

static bool
is_empty(const struct node *d)
{
	for (int i = 0; i < NAMES; i++)
		if (d->child[i])
			return false;
	return true;
}

static bool
is_below(struct model *m, int node, int top)
{
	while (node != top && node != 0)
		node = m->n[node].parent;
	return node == top;
}

static void
drop_name(struct model *m, int dir, int name)
{
	struct node *c = &m->n[m->n[dir].child[name] - 1];

	m->n[dir].child[name] = 0;
	if (c->dir)
		m->n[dir].subdirs--;
	if (--c->names == 0)
		c->used = false;
}

static void
step_make(struct model *m, bool dir)
{
	int d = random_dir(m), name = g_rand_int_range(m->rand, 0, NAMES), node = free_node(m);
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	enum dfs_status status;

	if (node < 0)
		return;
	status =
		dir ? dfs_fs_mkdir(&m->f.ctx, &m->n[d].ref, name_of(names[name]), NULL, &attr, &wcc)
		    : dfs_fs_create(&m->f.ctx, &m->n[d].ref, name_of(names[name]),
				    DFS_CREATE_GUARDED, NULL, 0, &attr, &wcc);
	assert_status(status, m->n[d].child[name] ? DFS_EXIST : DFS_OK);
	if (status != DFS_OK)
		return;
	m->n[node] = (struct node){
		.used = true, .dir = dir, .names = 1, .parent = d, .ref = ref_of(&attr)};
	m->n[d].child[name] = node + 1;
	m->n[d].subdirs += dir;
}

static void
step_remove(struct model *m, bool dir)
{
	int d = random_dir(m), name = g_rand_int_range(m->rand, 0, NAMES);
	int c = m->n[d].child[name] - 1;
	enum dfs_status want = DFS_OK, status;

	if (c < 0)
		want = DFS_NOENT;
	else if (dir)
		want = !m->n[c].dir ? DFS_NOTDIR : is_empty(&m->n[c]) ? DFS_OK : DFS_NOTEMPTY;
	else if (m->n[c].dir)
		want = DFS_ISDIR;
	status = dir ? remove_dir(&m->f, m->n[d].ref, names[name])
		     : remove_name(&m->f, m->n[d].ref, names[name]);
	assert_status(status, want);
	if (status == DFS_OK)
		drop_name(m, d, name);
}

static void
step_link(struct model *m)
{
	int from = random_dir(m), d = random_dir(m);
	int c = m->n[from].child[g_rand_int_range(m->rand, 0, NAMES)] - 1;
	int name = g_rand_int_range(m->rand, 0, NAMES);
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	enum dfs_status want;

	if (c < 0)
		return;
	want = m->n[c].dir ? DFS_ISDIR : m->n[d].child[name] ? DFS_EXIST : DFS_OK;
	assert_status(dfs_fs_link(&m->f.ctx, &m->n[c].ref, &m->n[d].ref, name_of(names[name]),
				  &attr, &wcc),
		      want);
	if (want == DFS_OK) {
		m->n[d].child[name] = c + 1;
		m->n[c].names++;
	}
}

static void
step_rename(struct model *m)
{
	int a = random_dir(m), b = random_dir(m);
	int from = g_rand_int_range(m->rand, 0, NAMES), to = g_rand_int_range(m->rand, 0, NAMES);
	int s = m->n[a].child[from] - 1, t = m->n[b].child[to] - 1;
	enum dfs_status status = rename_to(&m->f, m->n[a].ref, names[from], m->n[b].ref, names[to]);
	enum dfs_status want = DFS_OK;

	if (s < 0) {
		want = DFS_NOENT;
	} else if (m->n[s].dir && is_below(m, b, s)) {
		want = DFS_INVAL;
	} else if (t >= 0 && t != s) {
		if (m->n[s].dir && !m->n[t].dir)
			want = DFS_NOTDIR;
		else if (!m->n[s].dir && m->n[t].dir)
			want = DFS_ISDIR;
		else if (m->n[t].dir && !is_empty(&m->n[t]))
			want = DFS_NOTEMPTY;
	}
	assert_status(status, want);
	if (status != DFS_OK || s == t)
		return;
	if (t >= 0)
		drop_name(m, b, to);
	m->n[a].child[from] = 0;
	m->n[b].child[to] = s + 1;
	if (m->n[s].dir) {
		m->n[a].subdirs--;
		m->n[b].subdirs++;
		m->n[s].parent = b;
	}
}

struct seen {
	struct model *m;
	const struct node *dir;
	unsigned n;
};

static bool
entry(void *arg, const struct dfs_dir_entry *e)
{
	struct seen *s = arg;
	int i;

	if (e->name.bytes[0] == '.')
		return true;
	for (i = 0; i < NAMES; i++)
		if (e->name.len == 1 && e->name.bytes[0] == names[i][0])
			break;
	g_assert_cmpint(i, <, NAMES);
	g_assert_cmpint(s->dir->child[i], !=, 0);
	g_assert_cmpuint(s->m->n[s->dir->child[i] - 1].ref.fileid, ==, e->fileid);
	s->n++;
	return true;
}

/* Everything that the model knows holds. */
static void
compare(struct model *m)
{
	for (int i = 0; i < MAX_NODES; i++) {
		struct node *n = &m->n[i];
		struct seen seen = {m, n, 0};
		struct dfs_attr attr;
		unsigned want = 0;
		bool eof;

		if (!n->used)
			continue;
		attr = attr_of(&m->f, n->ref);
		g_assert_cmpuint(attr.nlink, ==, n->dir ? n->subdirs + 2 : n->names);
		if (!n->dir)
			continue;
		for (int k = 0; k < NAMES; k++) {
			struct dfs_ref ref;

			want += n->child[k] != 0;
			assert_status(look(&m->f, n->ref, names[k], &ref),
				      n->child[k] ? DFS_OK : DFS_NOENT);
			if (n->child[k])
				g_assert_cmpuint(ref.fileid, ==, m->n[n->child[k] - 1].ref.fileid);
		}
		assert_status(
			dfs_fs_readdir(&m->f.ctx, &n->ref, 0, true, entry, &seen, &eof, &attr),
			DFS_OK);
		g_assert_true(eof);
		g_assert_cmpuint(seen.n, ==, want);
	}
}

static void
run(const char *kind, const char *dir)
{
	struct model *m = g_new0(struct model, 1);
	const char *seed = g_getenv("DFS_TEST_SEED"), *steps = g_getenv("DFS_TEST_STEPS");
	unsigned n = steps ? (unsigned)atoi(steps) : 6000;
	bool reopens = strcmp(kind, "memory") != 0;

	m->f.kind = kind;
	m->f.dir = dir;
	m->f.durability = DFS_DURABILITY_POWER;
	m->f.max_inodes = 1024;
	m->f.max_names = 1024;
	m->rand = g_rand_new_with_seed(seed ? (guint32)strtoul(seed, NULL, 0) : 1);
	fixture_open(&m->f);
	m->n[0] = (struct node){.used = true, .dir = true, .names = 1, .ref = m->f.root};
	for (unsigned i = 0; i < n; i++) {
		unsigned what = (unsigned)g_rand_int_range(m->rand, 0, 100);

		m->f.ctx = ctx_as(&m->f, 0, 0);
		if (what < 25)
			step_make(m, false);
		else if (what < 45)
			step_make(m, true);
		else if (what < 55)
			step_remove(m, false);
		else if (what < 62)
			step_remove(m, true);
		else if (what < 72)
			step_link(m);
		else
			step_rename(m);
		if (i % 1000 == 999) {
			compare(m);
			if (reopens)
				fixture_reopen(&m->f);
			compare(m);
		}
	}
	fixture_close(&m->f);
	g_rand_free(m->rand);
	g_free(m);
}

static void
test_kind(gconstpointer kind)
{
	run(kind, NULL);
}

static void
test_leveldb(void)
{
	char *dir = g_dir_make_tmp("dfs-model-XXXXXX", NULL), *rm;

	run("leveldb", dir);
	rm = g_strdup_printf("rm -rf '%s'", dir);
	g_assert_cmpint(system(rm), ==, 0);
	g_free(rm);
	g_free(dir);
}

int
main(int argc, char **argv)
{
	char *leveldb =
		g_build_filename(g_getenv("DFS_PLUGIN_PATH") ? g_getenv("DFS_PLUGIN_PATH") : ".",
				 "metadata_leveldb.so", NULL);

	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/fs/model/test", "test", test_kind);
	g_test_add_data_func("/fs/model/test-durable", "test-durable", test_kind);
	g_test_add_data_func("/fs/model/memory", "memory", test_kind);
	if (access(leveldb, R_OK) == 0)
		g_test_add_func("/fs/model/leveldb", test_leveldb);
	g_free(leveldb);
	return g_test_run();
}
