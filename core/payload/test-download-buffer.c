/* SPDX-License-Identifier: MIT
 *
 * The landing zone of downloads: lives and deaths of its entries, by a clock of the test's own.
 */
#include <glib.h>
#include <string.h>

#include "base/clock.h"
#include "payload/download_buffer.h"

static int64_t now;
static int64_t counted;

static int64_t
test_clock(void)
{
	return now;
}

static void
account(void *arg, int64_t bytes)
{
	*(int64_t *)arg += bytes;
}

static struct dfs_download_buffer *
buffer(uint64_t budget)
{
	const struct dfs_download_options o = {.tick = DFS_SECOND,
					       .expire = 10 * DFS_SECOND,
					       .budget = budget,
					       .clock = test_clock,
					       .account = account,
					       .arg = &counted};

	now = 1000 * DFS_SECOND;
	counted = 0;
	return dfs_download_buffer_new(&o);
}

static struct dfs_download_key
key(uint8_t content, uint64_t block, uint64_t counter)
{
	struct dfs_download_key k = {.block = block, .counter = counter};

	memset(&k.content, content, sizeof k.content);
	return k;
}

/* One page that holds `value` everywhere. */
static struct dfs_pages *
pages(unsigned char value)
{
	struct dfs_landing l;
	struct dfs_pages *p;
	uint64_t len = 0;
	void *to;

	dfs_landing_init(&l);
	dfs_landing_piece(&l, 0, 4096);
	to = l.sink.space(l.sink.ctx, &len);
	g_assert_cmpuint(len, ==, 4096);
	memset(to, value, len);
	p = dfs_landing_take(&l, 0, 0, 4096);
	dfs_landing_release(&l);
	return p;
}

static void
set(struct dfs_download_buffer *b, const struct dfs_download_key *k, unsigned char value)
{
	struct dfs_pages *p = pages(value);

	g_assert_true(dfs_download_buffer_set(b, k, p));
	dfs_pages_unref(p);
}

/* The entry's value, -1: none. */
static int
value(struct dfs_download_buffer *b, const struct dfs_download_key *k)
{
	struct dfs_pages *p = dfs_download_buffer_get(b, k);
	int v = p ? p->bufs[0]->data[0] : -1;

	dfs_pages_unref(p);
	return v;
}

static void
durations_must_be_positive(void)
{
	struct dfs_download_options o = {.tick = 0, .expire = 1, .budget = 1};

	g_assert_null(dfs_download_buffer_new(&o));
	o.tick = 1;
	o.expire = 0;
	g_assert_null(dfs_download_buffer_new(&o));
	o.expire = -1;
	g_assert_null(dfs_download_buffer_new(&o));
}

static void
what_is_set_is_got(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);

	g_assert_cmpint(value(b, &k), ==, -1);
	set(b, &k, 7);
	g_assert_cmpint(value(b, &k), ==, 7);
	g_assert_cmpint(value(b, &k), ==, 7);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 1);
	set(b, &k, 8);
	g_assert_cmpint(value(b, &k), ==, 8);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 1);
	dfs_download_buffer_unref(b);
}

static void
every_part_of_the_key_counts(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3),
				others[] = {key(2, 2, 3), key(1, 3, 3), key(1, 2, 4)};

	set(b, &k, 7);
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
		g_assert_cmpint(value(b, &others[i]), ==, -1);
	dfs_download_buffer_unref(b);
}

static void
deleted_is_gone(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);

	g_assert_false(dfs_download_buffer_delete(b, &k));
	set(b, &k, 7);
	g_assert_true(dfs_download_buffer_delete(b, &k));
	g_assert_cmpint(value(b, &k), ==, -1);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 0);
	g_assert_cmpuint(dfs_download_buffer_bytes(b), ==, 0);
	dfs_download_buffer_unref(b);
}

static void
unused_expires_at_its_time_and_counts_as_wasted(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);
	uint32_t wasted = dfs_download_buffer_wasted(b, &k.content);

	set(b, &k, 7);
	now += 10 * DFS_SECOND - 1;
	dfs_download_buffer_sweep(b);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 1);
	g_assert_cmpuint(dfs_download_buffer_wasted(b, &k.content), ==, wasted);
	now += 1;
	dfs_download_buffer_sweep(b);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 0);
	g_assert_cmpint(counted, ==, 0);
	g_assert_cmpuint(dfs_download_buffer_wasted(b, &k.content), ==, wasted + 1);
	dfs_download_buffer_unref(b);
}

/* The sweeper's pace does not decide. */
static void
expired_is_not_found_before_the_sweep_either(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);

	set(b, &k, 7);
	now += 10 * DFS_SECOND;
	g_assert_cmpint(value(b, &k), ==, -1);
	set(b, &k, 7);
	now += 10 * DFS_SECOND;
	g_assert_null(dfs_download_buffer_fetch_and_delete(b, &k));
	dfs_download_buffer_unref(b);
}

static void
get_makes_it_live_longer(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);

	set(b, &k, 7);
	for (int i = 0; i < 5; i++) {
		now += 9 * DFS_SECOND;
		dfs_download_buffer_sweep(b);
		g_assert_cmpint(value(b, &k), ==, 7);
	}
	dfs_download_buffer_unref(b);
}

static void
a_reference_outlives_the_entry(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);
	struct dfs_pages *p;

	set(b, &k, 7);
	p = dfs_download_buffer_get(b, &k);
	now += 100 * DFS_SECOND;
	dfs_download_buffer_sweep(b);
	dfs_download_buffer_done(b);
	dfs_download_buffer_unref(b);
	g_assert_cmpint(p->bufs[0]->data[4095], ==, 7);
	dfs_pages_unref(p);
}

static void
budget_is_kept_and_expired_entries_make_room(void)
{
	struct dfs_pages *p = pages(1);
	uint64_t size = dfs_pages_size(p);
	struct dfs_download_buffer *b = buffer(10 * size);
	struct dfs_download_key k;

	for (uint64_t i = 0; i < 10; i++) {
		k = key(1, i, 1);
		g_assert_true(dfs_download_buffer_set(b, &k, p));
	}
	k = key(1, 10, 1);
	g_assert_false(dfs_download_buffer_set(b, &k, p));
	g_assert_cmpuint(dfs_download_buffer_bytes(b), ==, 10 * size);
	g_assert_cmpint(counted, ==, (int64_t)(10 * size));
	now += 10 * DFS_SECOND;
	dfs_download_buffer_sweep(b);
	g_assert_true(dfs_download_buffer_set(b, &k, p));
	dfs_pages_unref(p);
	dfs_download_buffer_unref(b);
	g_assert_cmpint(counted, ==, 0);
}

static void
done_drops_everything_and_takes_nothing_more(void)
{
	struct dfs_download_buffer *b = buffer(1 << 20);
	struct dfs_download_key k = key(1, 2, 3);
	struct dfs_pages *p = pages(1);

	set(b, &k, 7);
	dfs_download_buffer_done(b);
	g_assert_cmpuint(dfs_download_buffer_len(b), ==, 0);
	g_assert_false(dfs_download_buffer_set(b, &k, p));
	g_assert_cmpint(value(b, &k), ==, -1);
	dfs_download_buffer_done(b);
	dfs_pages_unref(p);
	dfs_download_buffer_unref(b);
}

static void
the_sweeper_works_by_itself_and_ends(void)
{
	const struct dfs_download_options o = {
		.tick = DFS_SECOND / 1000, .expire = DFS_SECOND / 1000, .budget = 1 << 20};
	struct dfs_download_buffer *b = dfs_download_buffer_new(&o);
	struct dfs_download_key k = key(1, 2, 3);

	set(b, &k, 7);
	while (dfs_download_buffer_bytes(b) > 0)
		g_usleep(1000);
	dfs_download_buffer_done(b);
	dfs_download_buffer_unref(b);
}

/* Bytes that begin anywhere in their page, delivered to where they begin elsewhere in another. */
static void
pages_are_delivered_to_any_place(void)
{
	static const uint32_t places[] = {0, 1, 100, 65535, 65536, 70000};
	const uint32_t length = 200000;

	for (unsigned from = 0; from < G_N_ELEMENTS(places); from++)
		for (unsigned to = 0; to < G_N_ELEMENTS(places); to++) {
			struct dfs_landing l;
			struct dfs_pages *p;
			uint64_t n = 0;
			uint32_t done = 0;

			dfs_landing_init(&l);
			dfs_landing_piece(&l, places[from], length);
			while (done < length) {
				unsigned char *bytes = l.sink.space(l.sink.ctx, &n);

				for (uint64_t i = 0; i < n; i++)
					bytes[i] = (unsigned char)((done + i) % 251);
				done += (uint32_t)n;
			}
			p = dfs_landing_take(&l, places[from], 1000, length);
			dfs_landing_release(&l);

			dfs_landing_init(&l);
			dfs_landing_piece(&l, places[to], length - 77);
			g_assert_true(dfs_pages_deliver(p, 1077, length - 77, &l.sink));
			g_assert_cmpuint(l.at, ==, l.end);
			for (uint32_t i = 77; i < length; i++) {
				uint32_t at = places[to] + i - 77;

				g_assert_cmpuint(
					l.bufs[at / DFS_PAGE_SIZE]->data[at % DFS_PAGE_SIZE], ==,
					i % 251);
			}
			dfs_landing_release(&l);
			dfs_pages_unref(p);
		}
}

#define KEYS 2000
#define THREADS 4

static struct dfs_download_buffer *shared;
static _Atomic unsigned taken;
static _Atomic unsigned each[KEYS];

static gpointer
taker(gpointer arg)
{
	for (uint64_t i = 0; i < KEYS; i++) {
		struct dfs_download_key k = key(1, i, 1);
		struct dfs_pages *p = dfs_download_buffer_fetch_and_delete(shared, &k);

		if (!p)
			continue;
		g_assert_cmpint(p->bufs[0]->data[0], ==, (int)(i % 251));
		dfs_pages_unref(p);
		each[i]++;
		taken++;
	}
	return NULL;
}

static void
of_many_at_once_one_fetches(void)
{
	GThread *threads[THREADS];

	shared = buffer(UINT64_C(1) << 30);
	for (uint64_t i = 0; i < KEYS; i++) {
		struct dfs_download_key k = key(1, i, 1);
		set(shared, &k, (unsigned char)(i % 251));
	}
	for (int t = 0; t < THREADS; t++)
		threads[t] = g_thread_new("taker", taker, NULL);
	for (int t = 0; t < THREADS; t++)
		g_thread_join(threads[t]);
	g_assert_cmpuint(taken, ==, KEYS);
	for (int i = 0; i < KEYS; i++)
		g_assert_cmpuint(each[i], ==, 1);
	g_assert_cmpuint(dfs_download_buffer_bytes(shared), ==, 0);
	dfs_download_buffer_unref(shared);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/download-buffer/" name, fn)
	T("durations-must-be-positive", durations_must_be_positive);
	T("what-is-set-is-got", what_is_set_is_got);
	T("every-part-of-the-key-counts", every_part_of_the_key_counts);
	T("deleted-is-gone", deleted_is_gone);
	T("unused-expires-at-its-time-and-counts-as-wasted",
	  unused_expires_at_its_time_and_counts_as_wasted);
	T("expired-is-not-found-before-the-sweep-either",
	  expired_is_not_found_before_the_sweep_either);
	T("get-makes-it-live-longer", get_makes_it_live_longer);
	T("a-reference-outlives-the-entry", a_reference_outlives_the_entry);
	T("budget-is-kept-and-expired-entries-make-room",
	  budget_is_kept_and_expired_entries_make_room);
	T("done-drops-everything-and-takes-nothing-more",
	  done_drops_everything_and_takes_nothing_more);
	T("the-sweeper-works-by-itself-and-ends", the_sweeper_works_by_itself_and_ends);
	T("of-many-at-once-one-fetches", of_many_at_once_one_fetches);
	T("pages-are-delivered-to-any-place", pages_are_delivered_to_any_place);
	return g_test_run();
}
