/* SPDX-License-Identifier: MIT
 *
 * READDIRPLUS over one large folder.  An operation is a call; each slot goes through the folder
 * from the start to the end and again.  At each end the number of names and the sum of their
 * numbers must be right, so no name is missing or comes twice.
 */
#include "session.h"
#include "workload.h"

bool
list_prepare(struct bench *b, const struct workload *w)
{
	b->dirs = g_new(struct fh, 1);
	return session_make_dir(b, (uint32_t)b->opt->entries, &b->dirs[0]) &&
	       (b->opt->prepared || prepare_names(b, &b->dirs[0], 'e', (uint64_t)b->opt->entries));
}

bool
list_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_READDIRPLUS;
	s->dir = &t->b->dirs[0];
	s->prefix = 'e';
	return true;
}

/* At the end, or past it because the server goes round in circles. */
static bool
over(const struct thread *t, const struct slot *s)
{
	return t->res.eof || s->seen > (uint64_t)t->b->opt->entries;
}

enum done
list_done(struct thread *t, struct slot *s)
{
	uint64_t n = (uint64_t)t->b->opt->entries;

	if (!over(t, s))
		return DONE;
	if (s->seen != n || s->sum != n * (n - 1) / 2)
		engine_error(t,
			     "READDIRPLUS: a listing of %" G_GUINT64_FORMAT
			     " names where %" G_GUINT64_FORMAT " are",
			     s->seen, n);
	s->off = s->cookie_verf = s->seen = s->sum = 0;
	return DONE;
}

static enum done
whole_done(struct thread *t, struct slot *s)
{
	bool last = over(t, s);

	list_done(t, s);
	return last ? DONE : MORE;
}

/* One listing from start to end, in case the measured time was too short for any. */
bool
list_check(struct bench *b, const struct workload *w)
{
	const struct phase ph = {
		.name = "compare", .next = list_next, .done = whole_done, .limit = 1};

	return engine_run(b, &ph);
}

bool
list_clean(struct bench *b, const struct workload *w)
{
	bool ok = prepare_remove(b, b->dirs, 1, 'e', 0, (uint64_t)b->opt->entries, NFS3_REMOVE);

	session_remove_dir(b, (uint32_t)b->opt->entries);
	g_clear_pointer(&b->dirs, g_free);
	return ok;
}
