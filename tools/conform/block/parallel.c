/* SPDX-License-Identifier: MIT
 *
 * Many threads at one instance, as the thread model promises.
 */
#include "tools/conform/block/block.h"

#define THREADS 4
#define ROUNDS 300

struct team {
	struct box *b;
	GThreadFunc run;
	_Atomic unsigned next; /* numbers the threads */
	_Atomic bool over;
};

/* Runs fn on all threads; also, unless NULL, beside on one more until they have ended. */
static void
run_team(struct box *b, GThreadFunc fn, GThreadFunc beside)
{
	struct team t = {.b = b};
	GThread *thread[THREADS], *extra = NULL;

	if (beside)
		extra = g_thread_new("beside", beside, &t);
	for (int i = 0; i < THREADS; i++)
		thread[i] = g_thread_new("team", fn, &t);
	for (int i = 0; i < THREADS; i++)
		g_thread_join(thread[i]);
	t.over = true;
	if (extra)
		g_thread_join(extra);
}

static bool
begin(struct conform *c, struct box *b)
{
	if (!may_run_parallel(c)) {
		conform_skip(c, "a serial store is called once at a time");
		return false;
	}
	return box_open(c, b);
}

static gpointer
own_keys(gpointer arg)
{
	struct team *t = arg;
	unsigned me = t->next++;

	for (unsigned i = 0; i < ROUNDS; i++) {
		g_autofree char *key = key_of(t->b, "%u-%u/own/x", me, i % 50);
		unsigned id = me * ROUNDS + i;

		EXPECT(t->b->c, put_bytes(t->b, key, id, 1 + id % 9000), DFS_OK);
		expect_object(t->b, key, id, 1 + id % 9000);
		if (i % 3 == 0) {
			EXPECT(t->b->c, t->b->ops->erase(t->b->inst, key, 0), DFS_OK);
			expect_absent(t->b, key);
		}
	}
	return NULL;
}

static void
test_own_keys(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	run_team(&b, own_keys, NULL);
	box_close(&b);
}

/* All threads make and empty the same folder: none may lose an object by another's tidying. */
static gpointer
same_folder(gpointer arg)
{
	struct team *t = arg;
	unsigned me = t->next++;
	g_autofree char *key = key_of(t->b, "one/two/three/%u", me);

	for (unsigned i = 0; i < ROUNDS; i++) {
		EXPECT(t->b->c, put_bytes(t->b, key, i, 10), DFS_OK);
		expect_object(t->b, key, i, 10);
		EXPECT(t->b->c, t->b->ops->erase(t->b->inst, key, 0), DFS_OK);
		expect_absent(t->b, key);
	}
	return NULL;
}

static void
test_same_folder(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	run_team(&b, same_folder, NULL);
	box_close(&b);
}

/* Everybody replaces one object; whoever reads sees one version, whole.  All versions have the same
 * length, as the core would read only what its map says. */
static gpointer
one_key(gpointer arg)
{
	struct team *t = arg;
	unsigned me = t->next++;
	g_autofree char *key = key_of(t->b, "x");

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct catch k;
		bool whole = false;

		EXPECT(t->b->c, put_bytes(t->b, key, me, 70000), DFS_OK);
		if (EXPECT(t->b->c, get_bytes(t->b, key, 0, 70000, &k), DFS_OK)) {
			for (unsigned id = 0; id < THREADS && !whole; id++)
				whole = same_bytes(k.data, 0, 70000, id);
			CHECK(t->b->c, whole, "an object read while it is replaced is mixed");
		}
		catch_clear(&k);
	}
	return NULL;
}

static void
test_one_key(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	run_team(&b, one_key, NULL);
	box_close(&b);
}

struct ordered {
	struct box *b;
	char last[DFS_KEY_MAX + 1];
	unsigned fixed;
};

static int
check_order(void *arg, const char *key, uint64_t length)
{
	struct ordered *o = arg;

	CHECK(o->b->c, strcmp(key, o->last) > 0, "%s comes after %s", key, o->last);
	g_strlcpy(o->last, key, sizeof(o->last));
	o->fixed += strstr(key, "/fixed/") != NULL;
	return 1;
}

static gpointer
list_beside(gpointer arg)
{
	struct team *t = arg;

	do {
		struct ordered o = {.b = t->b};

		EXPECT(t->b->c, t->b->ops->list(t->b->inst, t->b->prefix, "", check_order, &o),
		       DFS_OK);
		CHECK(t->b->c, o.fixed == 100, "%u of 100 objects that nobody touches are listed",
		      o.fixed);
	} while (!t->over);
	return NULL;
}

static void
test_list_beside(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	for (int i = 0; i < 100; i++) {
		g_autofree char *key = key_of(&b, "%d/fixed/x", i);

		EXPECT(c, put_bytes(&b, key, i, 1), DFS_OK);
	}
	run_team(&b, own_keys, list_beside);
	box_close(&b);
}

static gpointer
sync_beside(gpointer arg)
{
	struct team *t = arg;

	do
		EXPECT(t->b->c, t->b->ops->sync(t->b->inst), DFS_OK);
	while (!t->over);
	return NULL;
}

static void
test_sync_beside(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	run_team(&b, own_keys, sync_beside);
	run_team(&b, same_folder, sync_beside);
	box_close(&b);
}

static gpointer
erase_beside(gpointer arg)
{
	struct team *t = arg;
	g_autofree char *prefix = key_of(t->b, "victim/");

	do {
		for (int i = 0; i < 20; i++) {
			g_autofree char *key = key_of(t->b, "victim/%d/%d", i % 3, i);

			EXPECT(t->b->c, put_bytes(t->b, key, i, 1), DFS_OK);
		}
		EXPECT(t->b->c, t->b->ops->erase_prefix(t->b->inst, prefix), DFS_OK);
		GPtrArray *left = list_keys(t->b, prefix, "", 0);
		CHECK(t->b->c, left->len == 0, "%u objects are left under an erased prefix",
		      left->len);
		g_ptr_array_unref(left);
	} while (!t->over);
	return NULL;
}

static void
test_erase_beside(struct conform *c)
{
	struct box b;

	if (!begin(c, &b))
		return;
	run_team(&b, own_keys, erase_beside);
	box_close(&b);
}

const struct conform_test parallel_tests[] = {
	{"parallel", "threads with keys of their own do not disturb each other", test_own_keys},
	{"parallel", "threads that fill and empty one folder lose nothing", test_same_folder},
	{"parallel", "an object read while it is replaced is one version", test_one_key},
	{"parallel", "a list beside changes is ordered and misses nothing that stays",
	 test_list_beside},
	{"parallel", "sync beside changes works", test_sync_beside},
	{"parallel", "erase_prefix beside changes takes its own only", test_erase_beside},
	{NULL}};
