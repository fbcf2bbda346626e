/* SPDX-License-Identifier: MIT
 *
 * READ and WRITE over the data files, and the mix.
 *
 * Sequential streams: each connection walks its own file, block by block and round again.  Random
 * ones choose file and block anew each time, which 4 KiB blocks do unless --pattern says otherwise.
 * Measured writes carry generation 1, so the check afterwards sees whether each reached its place.
 */
#include "workload.h"

#define COMPARE_WRITTEN 64
#define RANDOM_BLOCK (16u << 10)

enum { MIX_GETATTR = 40, MIX_LOOKUP = 60, MIX_READ = 85 };

static void
place(struct thread *t, struct conn *c, struct slot *s)
{
	struct bench *b = t->b;
	uint64_t file, block;

	if (b->opt->pattern == PATTERN_RANDOM ||
	    (b->opt->pattern == PATTERN_AUTO && b->block <= RANDOM_BLOCK)) {
		file = engine_random(t, b->n_data);
		block = engine_random(t, (uint32_t)b->blocks);
	} else {
		uint64_t at = c->cursor++;
		file = (c->index + at / b->blocks * (unsigned)b->opt->connections) % b->n_data;
		block = at % b->blocks;
	}
	s->object = &b->data[file];
	s->off = block * b->block;
	s->len = b->block;
}

bool
read_next(struct thread *t, struct conn *c, struct slot *s)
{
	unsigned one_in = (unsigned)t->b->opt->verify;

	place(t, c, s);
	s->proc = NFS3_READ;
	s->sample = one_in && t->reads++ % one_in == 0;
	return true;
}

/* An unstable WRITE, or the COMMIT that its file is due. */
static void
next_unstable(struct thread *t, struct conn *c, struct slot *s)
{
	place(t, c, s);
	uint64_t *dirty = &t->dirty[s->object - t->b->data];
	if (*dirty >= (uint64_t)t->b->opt->commit_every) {
		*dirty = 0;
		s->proc = NFS3_COMMIT;
		s->counted = false;
		return;
	}
	*dirty += s->len;
	s->proc = NFS3_WRITE;
	s->stable = WRITE_UNSTABLE;
}

bool
write_next(struct thread *t, struct conn *c, struct slot *s)
{
	next_unstable(t, c, s);
	if (s->proc == NFS3_COMMIT && c->cursor)
		c->cursor--;
	s->generation = 1;
	return true;
}

bool
syncwrite_next(struct thread *t, struct conn *c, struct slot *s)
{
	place(t, c, s);
	s->proc = NFS3_WRITE;
	s->stable = WRITE_FILE_SYNC;
	s->generation = 1;
	return true;
}

enum done
write_done(struct thread *t, struct slot *s)
{
	struct bench *b = t->b;

	if (s->proc == NFS3_WRITE)
		__atomic_store_n(&b->written[s->object - b->data][s->off / b->block], 1,
				 __ATOMIC_RELAXED);
	return DONE;
}

bool
data_check(struct bench *b, const struct workload *w)
{
	return b->echo || prepare_compare(b, COMPARE_WRITTEN);
}

bool
data_clean(struct bench *b, const struct workload *w)
{
	prepare_clean_data(b);
	return prepare_remove(b, &b->dir, 1, 'f', 0, b->n_data, NFS3_REMOVE);
}

bool
mixed_prepare(struct bench *b, const struct workload *w)
{
	return meta_prepare(b, w) && prepare_data(b, w);
}

bool
mixed_next(struct thread *t, struct conn *c, struct slot *s)
{
	uint32_t draw = engine_random(t, 100);

	s->generation = 0;
	if (draw < MIX_GETATTR)
		return getattr_next(t, c, s);
	if (draw < MIX_LOOKUP)
		return lookup_next(t, c, s);
	if (draw < MIX_READ)
		return read_next(t, c, s);
	next_unstable(t, c, s);
	return true;
}

bool
mixed_clean(struct bench *b, const struct workload *w)
{
	return meta_clean(b, w) & data_clean(b, w);
}
