/* SPDX-License-Identifier: MIT
 *
 * Random operations against a model that has a cell for each piece of a file.
 *
 * Two maps from cells to bytes: cells are bytes, and cells are pieces between interesting points of
 * the whole 64-bit range.  The model knows who holds each cell and who waits in which order.  It
 * checks each answer, that each grant was possible and nobody's turn but by the rules, that nobody
 * waits who need not, and that no circle of waits is left.
 */
#include "metadata/lock/test-bed.h"

enum { CELLS = 24, FILES = 3, CLIENTS = 3, PER_CLIENT = 3, OWNERS = CLIENTS * PER_CLIENT };

/* Cell i is [points[i], points[i + 1] - 1]; the last one ends with the range. */
static const uint64_t small_points[CELLS] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
					     12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
static const uint64_t large_points[CELLS] = {
	0,
	1,
	2,
	4095,
	4096,
	4097,
	65535,
	65536,
	UINT64_C(0x7fffffff),
	UINT64_C(0x80000000),
	UINT64_C(0xffffffff),
	UINT64_C(0x100000000),
	UINT64_C(0x100000001),
	UINT64_C(1) << 40,
	UINT64_C(1) << 62,
	(UINT64_C(1) << 63) - 2,
	(UINT64_C(1) << 63) - 1,
	UINT64_C(1) << 63,
	(UINT64_C(1) << 63) + 1,
	UINT64_MAX - 4096,
	UINT64_MAX - 3,
	UINT64_MAX - 2,
	UINT64_MAX - 1,
	UINT64_MAX,
};

struct request {
	unsigned owner, file, from, to; /* cells */
	bool exclusive;
};

struct model_wait {
	struct waiter w;
	struct request r;
	bool active;
	bool may_overtake; /* a circle was opened here */
	unsigned order;    /* of coming */
};

struct model {
	struct bed bed;
	const uint64_t *points;
	uint8_t cells[FILES][CELLS][OWNERS]; /* 0 none, 1 shared, 2 exclusive */
	struct model_wait waits[OWNERS];     /* an owner waits for one thing at a time */
	unsigned clock;
	uint64_t grants, deadlocks, overtakes;
};

static const char *
name_of(unsigned owner)
{
	static char names[OWNERS][8];

	g_snprintf(names[owner], sizeof names[owner], "c%u/%u", owner / PER_CLIENT, owner);
	return names[owner];
}

static uint64_t
first_byte(const struct model *m, unsigned cell)
{
	return m->points[cell];
}

static uint64_t
last_byte(const struct model *m, unsigned cell)
{
	return cell == CELLS - 1 ? m->points == small_points ? CELLS - 1 : UINT64_MAX
				 : m->points[cell + 1] - 1;
}

/* A lock of owner is in the way of r. */
static bool
blocks(const struct model *m, unsigned owner, const struct request *r)
{
	if (owner == r->owner)
		return false;
	for (unsigned c = r->from; c <= r->to; c++)
		if (m->cells[r->file][c][owner] > (r->exclusive ? 0 : 1))
			return true;
	return false;
}

static bool
blocked(const struct model *m, const struct request *r)
{
	for (unsigned o = 0; o < OWNERS; o++)
		if (blocks(m, o, r))
			return true;
	return false;
}

/* An earlier waiter, with which r conflicts. */
static bool
stands_before(const struct model_wait *e, const struct request *r, unsigned order)
{
	return e->active && e->order < order && e->r.file == r->file && e->r.owner != r->owner &&
	       e->r.from <= r->to && r->from <= e->r.to && (e->r.exclusive || r->exclusive);
}

static bool
in_line(const struct model *m, const struct request *r, unsigned order)
{
	for (unsigned o = 0; o < OWNERS; o++)
		if (stands_before(&m->waits[o], r, order))
			return true;
	return false;
}

/* Whether r's owner would wait, over any number of waits, for target. */
static bool
reaches(const struct model *m, const struct request *r, unsigned order, unsigned target, bool fair,
	bool seen[OWNERS])
{
	for (unsigned o = 0; o < OWNERS; o++) {
		if (!blocks(m, o, r) && !(fair && stands_before(&m->waits[o], r, order)))
			continue;
		if (o == target)
			return true;
		if (seen[o])
			continue;
		seen[o] = true;
		if (m->waits[o].active &&
		    reaches(m, &m->waits[o].r, m->waits[o].order, target, fair, seen))
			return true;
	}
	return false;
}

static bool
circle(const struct model *m, const struct request *r, unsigned order, bool fair)
{
	bool seen[OWNERS] = {false};

	return reaches(m, r, order, r->owner, fair, seen);
}

static void
hold(struct model *m, const struct request *r)
{
	for (unsigned c = r->from; c <= r->to; c++)
		m->cells[r->file][c][r->owner] = r->exclusive ? 2 : 1;
}

static void
release(struct model *m, const struct request *r)
{
	for (unsigned c = r->from; c <= r->to; c++)
		m->cells[r->file][c][r->owner] = 0;
}

/* One of those that stand before r waits for r's owner. */
static bool
may_overtake(const struct model *m, const struct request *r, unsigned order)
{
	for (unsigned o = 0; o < OWNERS; o++) {
		bool seen[OWNERS] = {false};

		if (stands_before(&m->waits[o], r, order) &&
		    reaches(m, &m->waits[o].r, m->waits[o].order, r->owner, true, seen))
			return true;
	}
	return false;
}

/* Completions since the last look, in their order. */
static void
settle(struct model *m)
{
	for (;;) {
		struct model_wait *next = NULL;

		for (unsigned o = 0; o < OWNERS; o++) {
			struct model_wait *w = &m->waits[o];

			if (w->active && w->w.calls && (!next || w->w.order < next->w.order))
				next = w;
		}
		if (!next)
			return;
		g_assert_cmpuint(next->w.calls, ==, 1);
		assert_status(next->w.status, DFS_OK);
		g_assert_false(blocked(m, &next->r));
		if (in_line(m, &next->r, next->order)) {
			g_assert_true(next->may_overtake);
			m->overtakes++;
		}
		next->active = false;
		hold(m, &next->r);
		m->grants++;
	}
}

static uint64_t
ranges_of_model(const struct model *m)
{
	uint64_t n = 0;

	for (unsigned f = 0; f < FILES; f++)
		for (unsigned o = 0; o < OWNERS; o++)
			for (unsigned c = 0; c < CELLS; c++)
				n += m->cells[f][c][o] &&
				     (c == 0 || m->cells[f][c - 1][o] != m->cells[f][c][o]);
	return n;
}

static void
check(struct model *m)
{
	settle(m);
	g_assert_cmpuint(dfs_locks_held(m->bed.locks), ==, ranges_of_model(m));
	for (unsigned o = 0; o < OWNERS; o++) {
		const struct model_wait *w = &m->waits[o];

		if (!w->active)
			continue;
		g_assert_true(blocked(m, &w->r) || in_line(m, &w->r, w->order));
		g_assert_false(circle(m, &w->r, w->order, false));
	}
}

static void
lock(struct model *m, const struct request *r)
{
	enum dfs_status status =
		bed_lock(&m->bed, name_of(r->owner), r->file, first_byte(m, r->from),
			 last_byte(m, r->to), r->exclusive);

	assert_status(status, blocked(m, r) ? DFS_BUSY : DFS_OK);
	if (status == DFS_OK) {
		hold(m, r);
		return;
	}
	/* What is told is a lock that is in the way. */
	const struct dfs_lock_conflict *c = &m->bed.conflict;
	bool found = false;

	for (unsigned o = 0; o < OWNERS && !found; o++)
		for (unsigned cell = r->from; cell <= r->to && !found; cell++) {
			const char *slash = strchr(name_of(o), '/') + 1;

			found = o != r->owner &&
				m->cells[r->file][cell][o] == (c->range.exclusive ? 2 : 1) &&
				(r->exclusive || c->range.exclusive) &&
				strlen(slash) == c->owner_len &&
				memcmp(slash, c->owner, c->owner_len) == 0 &&
				c->range.start <= first_byte(m, cell) &&
				c->range.end >= last_byte(m, cell);
		}
	g_assert_true(found);
}

static void
lock_or_wait(struct model *m, const struct request *r)
{
	struct model_wait *w = &m->waits[r->owner];
	unsigned order = ++m->clock;
	bool stuck = blocked(m, r), line = in_line(m, r, order);
	bool dead = stuck && circle(m, r, order, false);
	enum dfs_status status =
		bed_wait(&m->bed, &w->w, name_of(r->owner), r->file, first_byte(m, r->from),
			 last_byte(m, r->to), r->exclusive);

	if (dead) {
		assert_status(status, DFS_DEADLOCK);
		m->deadlocks++;
		return;
	}
	g_assert_true(status == DFS_OK || status == DFS_BUSY);
	g_assert_true(status == DFS_OK || stuck || line);
	*w = (struct model_wait){.w = w->w, .r = *r, .active = true, .order = order};
	for (unsigned o = 0; o < OWNERS; o++)
		if (m->waits[o].active)
			m->waits[o].may_overtake |=
				may_overtake(m, &m->waits[o].r, m->waits[o].order);
	if (status == DFS_BUSY)
		return;
	if (stuck) /* until a circle was opened for another, who gave something up */
		settle(m);
	g_assert_false(blocked(m, r));
	g_assert_true(!line || stuck || w->may_overtake);
	m->overtakes += line;
	w->active = false;
	hold(m, r);
}

static void
unlock(struct model *m, const struct request *r)
{
	release(m, r);
	assert_status(bed_unlock(&m->bed, name_of(r->owner), r->file, first_byte(m, r->from),
				 last_byte(m, r->to)),
		      DFS_OK);
}

static void
test(struct model *m, const struct request *r)
{
	assert_status(bed_test(&m->bed, name_of(r->owner), r->file, first_byte(m, r->from),
			       last_byte(m, r->to), r->exclusive),
		      blocked(m, r) ? DFS_BUSY : DFS_OK);
}

static void
end_wait(struct model *m, unsigned owner)
{
	struct model_wait *w = &m->waits[owner];

	if (!w->active)
		return;
	g_assert_cmpuint(w->w.calls, ==, 1);
	assert_status(w->w.status, DFS_NOENT);
	w->active = false;
}

static void
cancel(struct model *m, unsigned owner)
{
	const struct request *r = &m->waits[owner].r;

	assert_status(bed_cancel(&m->bed, name_of(owner), r->file, first_byte(m, r->from),
				 last_byte(m, r->to), r->exclusive),
		      DFS_OK);
	end_wait(m, owner);
}

static void
forget_owner(struct model *m, unsigned owner)
{
	for (unsigned f = 0; f < FILES; f++)
		release(m, &(struct request){owner, f, 0, CELLS - 1, false});
	end_wait(m, owner);
}

static void
drop_client(struct model *m, unsigned client)
{
	char name[8];

	g_snprintf(name, sizeof name, "c%u", client);
	bed_drop_client(&m->bed, name);
	for (unsigned i = 0; i < PER_CLIENT; i++)
		forget_owner(m, client * PER_CLIENT + i);
}

static void
step(struct model *m)
{
	struct request r = {
		.owner = (unsigned)g_test_rand_int_range(0, OWNERS),
		.file = (unsigned)g_test_rand_int_range(0, FILES),
		.from = (unsigned)g_test_rand_int_range(0, CELLS),
		.exclusive = g_test_rand_bit(),
	};
	int what = g_test_rand_int_range(0, 100);

	r.to = (unsigned)g_test_rand_int_range((int)r.from, CELLS);
	if (g_test_rand_bit())
		r.to = MIN(r.to, r.from + 3);
	if (m->waits[r.owner].active && what < 60)
		what = what < 20 ? 60 : 99; /* it cannot ask for more */
	if (what < 20)
		lock(m, &r);
	else if (what < 60)
		lock_or_wait(m, &r);
	else if (what < 85)
		unlock(m, &r);
	else if (what < 93)
		test(m, &r);
	else if (what < 94)
		drop_client(m, r.owner / PER_CLIENT);
	else if (m->waits[r.owner].active)
		cancel(m, r.owner);
	check(m);
}

static void
play(const uint64_t *points)
{
	unsigned steps = g_test_thorough() ? 3000000 : 200000;
	struct model *m = g_new0(struct model, 1);

	bed_open(&m->bed);
	m->points = points;
	for (unsigned i = 0; i < steps; i++)
		step(m);
	for (unsigned c = 0; c < CLIENTS; c++) {
		drop_client(m, c);
		check(m);
	}
	g_test_message("%" G_GUINT64_FORMAT " waits granted, %" G_GUINT64_FORMAT
		       " deadlocks, %" G_GUINT64_FORMAT " overtaken",
		       m->grants, m->deadlocks, m->overtakes);
	g_assert_cmpuint(m->grants, >, 0);
	g_assert_cmpuint(m->deadlocks, >, 0);
	g_assert_cmpuint(m->overtakes, >, 0);
	bed_close(&m->bed);
	g_free(m);
}

static void
bytes(void)
{
	play(small_points);
}

static void
whole_range(void)
{
	play(large_points);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/bytes", bytes);
	g_test_add_func("/model/whole-range", whole_range);
	return g_test_run();
}
