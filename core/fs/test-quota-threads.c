/* SPDX-License-Identifier: MIT
 *
 * Quotas: limits and sums with several threads at once.
 */
#include <pthread.h>

#include "fs/test-quota.h"

#define THREADS 4

struct race {
	struct fixture f;
	struct dfs_ref refs[THREADS];
	_Atomic unsigned next, ok, refused;
	_Atomic bool stop;
};

struct racer {
	struct race *race;
	unsigned id;
	pthread_t t;
};

static void
in_threads(struct race *race, void *(*body)(void *))
{
	struct racer t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct racer){.race = race, .id = i};
		pthread_create(&t[i].t, NULL, body, &t[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i].t, NULL);
}

/* Each its own file, until nothing is left. */
static void *
write_on(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < 200; i++) {
		enum dfs_status status =
			write_as(&r->race->f, USER, &r->race->refs[r->id], 8 * KIB * i, 8 * KIB);

		g_assert_true(status == DFS_OK || status == DFS_DQUOT);
		if (status == DFS_OK)
			r->race->ok++;
		g_assert_cmpint(bytes_of(&r->race->f, DFS_USAGE_USER, USER), <=, 1000 * KIB);
	}
	return NULL;
}

static void
writers_side_by_side_take_what_there_is_and_no_more(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct race race = {.f = share_with("test-durable", r)};
	char name[8];

	r->rules[0].limit.bytes_hard = 1000 * KIB; /* 125 writes, of 800 */
	open_for_all(&race.f);
	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(name, sizeof name, "%u", i);
		race.refs[i] = user_file(&race.f, name);
	}
	in_threads(&race, write_on);
	g_assert_cmpuint(race.ok, ==, 125);
	g_assert_cmpint(bytes_of(&race.f, DFS_USAGE_USER, USER), ==, 1000 * KIB);
	assert_sound(&race.f);
	fixture_close(&race.f);
}

static void *
create_on(void *arg)
{
	struct racer *r = arg;
	struct dfs_ref ref;
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		enum dfs_status status;

		snprintf(name, sizeof name, "%u.%u", r->id, i);
		status = create_as(&r->race->f, USER, GROUP, name, &ref);
		g_assert_true(status == DFS_OK || status == DFS_DQUOT);
		if (status == DFS_OK)
			r->race->ok++;
		else
			r->race->refused++;
	}
	return NULL;
}

static void
creators_side_by_side_make_what_is_allowed_and_no_more(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct race race = {.f = share_with("test", r)};

	r->rules[0].limit.files_hard = 333;
	open_for_all(&race.f);
	in_threads(&race, create_on);
	g_assert_cmpuint(race.ok, ==, 333);
	g_assert_cmpuint(race.refused, ==, 800 - 333);
	assert_sound(&race.f);
	fixture_close(&race.f);
}

/* One file: written, cut, given away, flushed and written back by all at once. */
static void *
contend(void *arg)
{
	struct racer *r = arg;
	struct fixture *f = &r->race->f;
	struct dfs_ref *ref = &r->race->refs[0];
	g_autoptr(GRand) rand = g_rand_new_with_seed(r->id + 1);

	for (unsigned i = 0; i < 300; i++) {
		struct dfs_ctx ctx = ctx_as(f, 0, 0);
		struct dfs_setattr set = {.mask = DFS_SET_UID | DFS_SET_GID,
					  .uid = (uint32_t)g_rand_int_range(rand, 1, 4),
					  .gid = (uint32_t)g_rand_int_range(rand, 1, 4)};
		struct dfs_wcc wcc;
		uint64_t verifier;

		switch (g_rand_int_range(rand, 0, 6)) {
		case 0:
			assert_status(dfs_fs_setattr(&ctx, ref, &set, NULL, &wcc), DFS_OK);
			break;
		case 1:
			set.mask = DFS_SET_LENGTH;
			set.length = (uint64_t)g_rand_int_range(rand, 0, 1 << 20);
			assert_status(dfs_fs_setattr(&ctx, ref, &set, NULL, &wcc), DFS_OK);
			break;
		case 2:
			assert_status(dfs_fs_commit(&ctx, ref, 0, 0, &verifier, &wcc), DFS_OK);
			break;
		case 3:
			assert_status(dfs_writeback_run(f->metadata, NULL), DFS_OK);
			break;
		default:
			assert_status(write_as(f, 0, ref,
					       (uint64_t)g_rand_int_range(rand, 0, 1 << 20),
					       (uint32_t)g_rand_int_range(rand, 1, 65536)),
				      DFS_OK);
		}
	}
	return NULL;
}

static void
transactions_for_one_inode_keep_the_sums(void)
{
	static const char *const kinds[] = {"test", "test-durable", "memory"};
	g_autofree struct dfs_quota_rules *r = limits();

	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		struct race race = {.f = share_with(kinds[i], r)};

		open_for_all(&race.f);
		race.refs[0] = user_file(&race.f, "a");
		in_threads(&race, contend);
		g_assert_cmpint(bytes_of(&race.f, DFS_USAGE_SHARE, 0), ==,
				attr_of(&race.f, race.refs[0]).used + 4096);
		assert_sound(&race.f);
		fixture_close(&race.f);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	QUOTA_TEST(writers_side_by_side_take_what_there_is_and_no_more);
	QUOTA_TEST(creators_side_by_side_make_what_is_allowed_and_no_more);
	QUOTA_TEST(transactions_for_one_inode_keep_the_sums);
	return g_test_run();
}
