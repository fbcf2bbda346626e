/* SPDX-License-Identifier: MIT
 *
 * Random operations by some users, beside a plain recount: after each step every sum is that of the
 * files' attributes, no limit is passed, and an operation was refused for a limit only if it would have
 * passed one.  Now and then everything is written, or the share is opened anew, and the store agrees.
 */
#include "fs/test-quota.h"

#define FILES 12
#define OWNERS 3
#define LENGTH_MAX (5u << 20)

struct model {
	struct fixture f;
	struct dfs_quota_rules *rules;
	GRand *rand;
	struct dfs_ref refs[FILES];
	bool there[FILES];
	unsigned step, refused;
};

static unsigned
below(struct model *m, unsigned n)
{
	return (unsigned)g_rand_int_range(m->rand, 0, (gint32)n);
}

static const char *
name_at(unsigned i)
{
	static char name[16];

	snprintf(name, sizeof name, "f%u", i);
	return name;
}

struct total {
	uint64_t bytes, files;
};

static void
count(struct model *m, uint32_t kind, uint32_t id, struct total *t)
{
	*t = (struct total){0, 0};
	for (unsigned i = 0; i < FILES; i++) {
		struct dfs_attr a;

		if (!m->there[i])
			continue;
		a = attr_of(&m->f, m->refs[i]);
		if (kind == DFS_USAGE_SHARE || (kind == DFS_USAGE_USER ? a.uid : a.gid) == id) {
			t->bytes += a.used;
			t->files++;
		}
	}
	if (kind == DFS_USAGE_SHARE || id == 0) { /* the root */
		t->bytes += 4096;
		t->files++;
	}
}

static void
check(struct model *m)
{
	for (uint32_t kind = 0; kind < DFS_QUOTA_KINDS; kind++)
		for (uint32_t id = 0; id <= (kind ? OWNERS : 0); id++) {
			struct total t;

			count(m, kind, id, &t);
			g_assert_cmpint(bytes_of(&m->f, kind, id), ==, t.bytes);
			g_assert_cmpint(files_of(&m->f, kind, id), ==, t.files);
			if (kind != DFS_USAGE_USER || id == 0)
				continue;
			g_assert_cmpuint(t.bytes, <=, m->rules->rules[id - 1].limit.bytes_hard);
			g_assert_cmpuint(t.files, <=, m->rules->rules[id - 1].limit.files_hard);
		}
}

static void
make(struct model *m, unsigned i)
{
	uint32_t uid = 1 + below(m, OWNERS);
	struct total t;
	enum dfs_status status = create_as(&m->f, uid, uid, name_at(i), &m->refs[i]);

	count(m, DFS_USAGE_USER, uid, &t);
	assert_status(status,
		      t.files >= m->rules->rules[uid - 1].limit.files_hard ? DFS_DQUOT : DFS_OK);
	m->there[i] = status == DFS_OK;
	m->refused += status != DFS_OK;
}

static void
write_some(struct model *m, unsigned i)
{
	struct dfs_attr before = attr_of(&m->f, m->refs[i]), after;
	uint64_t offset = below(m, LENGTH_MAX);
	uint32_t len = 1 + below(m, below(m, 8) ? 20000 : 1 << 20);
	uint32_t span = (uint32_t)((offset % 4096 + len + 4095) / 4096 * 4096);
	const struct dfs_quota_limit *limit = &m->rules->rules[before.uid - 1].limit;
	struct total t;
	enum dfs_status status;

	count(m, DFS_USAGE_USER, before.uid, &t);
	status = write_as(&m->f, before.uid, &m->refs[i], offset, len);
	after = attr_of(&m->f, m->refs[i]);
	if (status == DFS_OK)
		return;
	assert_status(status, DFS_DQUOT);
	m->refused++;
	g_assert_cmpuint(after.used, ==, before.used);
	g_assert_cmpuint(after.length, ==, before.length);
	/* But for blocks of many pieces, whose next flush may fill them. */
	g_assert_cmpuint(t.bytes + span + 2 * (4u << 20), >, limit->bytes_hard);
}

static void
give(struct model *m, unsigned i)
{
	struct dfs_attr a = attr_of(&m->f, m->refs[i]);
	uint32_t to = 1 + below(m, OWNERS);
	const struct dfs_quota_limit *limit = &m->rules->rules[to - 1].limit;
	struct total t;

	/* uid 0 may pass limits, so only where there is room. */
	count(m, DFS_USAGE_USER, to, &t);
	if (to != a.uid && (t.bytes + a.used > limit->bytes_hard || t.files >= limit->files_hard))
		return;
	chown_to(&m->f, m->refs[i], to, 1 + below(m, OWNERS));
}

static void
clone_some(struct model *m, unsigned from, unsigned to)
{
	struct dfs_attr a = attr_of(&m->f, m->refs[from]), b = attr_of(&m->f, m->refs[to]);
	struct dfs_ctx ctx = ctx_as(&m->f, b.uid, b.gid);
	struct dfs_wcc wcc;
	enum dfs_status status;

	if (from == to || a.length == 0)
		return;
	status = dfs_fs_clone(&ctx, &m->refs[from], 0, &m->refs[to], 0, 0, &wcc);
	g_assert_true(status == DFS_OK || status == DFS_DQUOT || status == DFS_INVAL);
	m->refused += status == DFS_DQUOT;
}

static void
step(struct model *m)
{
	unsigned i = below(m, FILES);

	switch (m->there[i] ? below(m, 24) : 0) {
	case 0:
		if (!m->there[i])
			make(m, i);
		break;
	case 1:
		assert_status(remove_name(&m->f, m->f.root, name_at(i)), DFS_OK);
		m->there[i] = false;
		break;
	case 2:
	case 3:
		assert_status(set_length(&m->f, m->refs[i], below(m, LENGTH_MAX)), DFS_OK);
		break;
	case 4:
	case 5:
		give(m, i);
		break;
	case 6: {
		unsigned k = below(m, FILES);

		if (m->there[k])
			clone_some(m, k, i);
		break;
	}
	case 7:
		assert_sound(&m->f);
		break;
	case 8:
		assert_store_sound(&m->f);
		break;
	case 9:
		if (below(m, 4) == 0)
			fixture_reopen(&m->f);
		break;
	default:
		write_some(m, i);
	}
	check(m);
}

static void
run(const char *kind, const char *dir, guint32 seed, unsigned steps)
{
	struct model m = {.f = {.kind = kind, .dir = dir, .durability = DFS_DURABILITY_NONE}};
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0777};
	const char *text = g_getenv("DFS_TEST_SEED");
	struct dfs_wcc wcc;

	m.rand = g_rand_new_with_seed(text ? (guint32)g_ascii_strtoull(text, NULL, 10) : seed);
	m.rules = g_malloc0(sizeof *m.rules + OWNERS * sizeof m.rules->rules[0]);
	m.rules->n_users = OWNERS;
	for (uint32_t i = 0; i < OWNERS; i++)
		m.rules->rules[i] = (struct dfs_quota_rule){
			i + 1, {.bytes_hard = (i + 1) * 3000 * KIB, .files_hard = 3 + i}};
	m.f.quotas = m.rules;
	fixture_open(&m.f);
	assert_status(dfs_fs_setattr(&m.f.ctx, &m.f.root, &set, NULL, &wcc), DFS_OK);
	for (m.step = 0; m.step < steps; m.step++)
		step(&m);
	assert_sound(&m.f);
	g_assert_cmpuint(m.refused, >, 0);
	fixture_close(&m.f);
	g_rand_free(m.rand);
	g_free(m.rules);
}

/* The block store keeps what it has over a reopening of the share in all of these. */
static void
sums_are_those_of_a_recount(gconstpointer kind)
{
	g_autofree char *dir = NULL;

	if (strcmp(kind, "leveldb") == 0)
		dir = g_dir_make_tmp("dfs-quota-XXXXXX", NULL);
	for (guint32 seed = 1; seed <= 4; seed++) {
		g_autofree char *one = dir ? g_strdup_printf("%s/%u", dir, seed) : NULL;

		run(kind, one, seed, 400);
	}
	if (dir) {
		g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

		g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/quota/model/sums are those of a recount: a store that blocks",
			     "test-durable", sums_are_those_of_a_recount);
	g_test_add_data_func("/quota/model/sums are those of a recount: leveldb", "leveldb",
			     sums_are_those_of_a_recount);
	return g_test_run();
}
