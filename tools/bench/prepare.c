/* SPDX-License-Identifier: MIT
 *
 * What comes before and after the measured phase: files made, filled, compared, removed.  These
 * are phases of the same engine, so they go through all connections at full depth.
 */

#include "pattern.h"
#include "session.h"
#include "workload.h"

#define FILL_BLOCK (1u << 20)
#define COMPARE_PREPARED 8

static bool
objects_next(struct thread *t, struct conn *c, struct slot *s)
{
	struct object *o = &((struct object *)t->b->phase->arg)[s->turn];

	s->object = o;
	s->proc = NFS3_CREATE;
	s->create_mode = CREATE_UNCHECKED;
	s->dir = o->dir;
	s->prefix = o->prefix;
	s->index = o->index;
	return true;
}

static enum done
objects_done(struct thread *t, struct slot *s)
{
	if (s->proc == NFS3_GETATTR)
		return DONE;
	if (t->res.have_fh) {
		s->object->fh = t->res.fh;
		s->proc = NFS3_GETATTR;
	} else {
		s->proc = NFS3_LOOKUP;
	}
	return MORE;
}

bool
prepare_objects(struct bench *b, char prefix, unsigned n, struct object **objects)
{
	struct object *o = *objects = g_new0(struct object, n);
	const struct phase ph = {.name = "prepare: create",
				 .next = objects_next,
				 .done = objects_done,
				 .limit = n,
				 .arg = o};

	for (unsigned i = 0; i < n; i++) {
		o[i].dir = &b->dir;
		o[i].prefix = prefix;
		o[i].index = i;
	}
	return engine_run(b, &ph);
}

struct names {
	const struct fh *dirs;
	unsigned n_dirs;
	char prefix;
	uint64_t first;
	uint8_t proc;
};

static bool
names_next(struct thread *t, struct conn *c, struct slot *s)
{
	const struct names *n = t->b->phase->arg;
	uint64_t i = n->first + s->turn;

	s->proc = n->proc;
	s->create_mode = CREATE_GUARDED;
	s->dir = &n->dirs[i % n->n_dirs];
	s->prefix = n->prefix;
	s->index = (uint32_t)i;
	return true;
}

bool
prepare_names(struct bench *b, const struct fh *dir, char prefix, uint64_t n)
{
	struct names names = {dir, 1, prefix, 0, NFS3_CREATE};
	const struct phase ph = {
		.name = "prepare: create", .next = names_next, .limit = n, .arg = &names};

	return n == 0 || engine_run(b, &ph);
}

bool
prepare_remove(struct bench *b, const struct fh *dirs, unsigned n_dirs, char prefix, uint64_t first,
	       uint64_t n, uint8_t proc)
{
	struct names names = {dirs, n_dirs, prefix, first, proc};
	const struct phase ph = {.name = "clean up",
				 .next = names_next,
				 .limit = n,
				 .arg = &names,
				 .tolerated = NFS3ERR_NOENT};

	return n == 0 || engine_run(b, &ph);
}

static bool
fill_next(struct thread *t, struct conn *c, struct slot *s)
{
	uint64_t size = (uint64_t)t->b->opt->file_size, step = *(uint64_t *)t->b->phase->arg;
	uint64_t per_file = (size + step - 1) / step;

	s->object = &t->b->data[s->turn / per_file];
	s->proc = NFS3_WRITE;
	s->stable = WRITE_UNSTABLE;
	s->off = s->turn % per_file * step;
	s->len = (uint32_t)MIN(step, size - s->off);
	return true;
}

static bool
fill(struct bench *b)
{
	uint64_t step = MIN(FILL_BLOCK, b->write_max & ~4095u);
	uint64_t per_file = ((uint64_t)b->opt->file_size + step - 1) / step;
	const struct phase ph = {.name = "prepare: fill",
				 .next = fill_next,
				 .limit = per_file * b->n_data,
				 .arg = &step};

	return engine_run(b, &ph) && prepare_commit(b);
}

static bool
commit_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->object = &t->b->data[s->turn];
	s->proc = NFS3_COMMIT;
	return true;
}

bool
prepare_commit(struct bench *b)
{
	const struct phase ph = {.name = "commit", .next = commit_next, .limit = b->n_data};

	return engine_run(b, &ph);
}

static bool
compare_next(struct thread *t, struct conn *c, struct slot *s)
{
	struct bench *b = t->b;
	uint32_t file = (uint32_t)(s->turn % b->n_data);
	uint32_t block = engine_random(t, (uint32_t)b->blocks);

	s->object = &b->data[file];
	s->proc = NFS3_READ;
	s->off = (uint64_t)block * b->block;
	s->len = b->block;
	s->generation = b->written[file][block];
	s->sample = true;
	return true;
}

bool
prepare_compare(struct bench *b, unsigned per_file)
{
	const struct phase ph = {
		.name = "compare", .next = compare_next, .limit = (uint64_t)per_file * b->n_data};

	return engine_run(b, &ph);
}

bool
prepare_data(struct bench *b, const struct workload *w)
{
	const struct options *o = b->opt;
	unsigned n = (unsigned)(w->files || o->files == 0 ? o->connections : o->files);

	b->block = w->block ? w->block : (uint32_t)o->block;
	if (b->block > b->read_max || b->block > b->write_max) {
		engine_fatal(b, "%s: the server takes at most %u bytes to read, %u to write",
			     w->name, b->read_max, b->write_max);
		return false;
	}
	if (o->file_size % b->block != 0) {
		engine_fatal(b, "%s: --file-size is no multiple of the block of %u bytes", w->name,
			     b->block);
		return false;
	}
	b->blocks = (uint64_t)o->file_size / b->block;
	if (b->blocks > 1u << 28) {
		engine_fatal(b, "%s: more than 2^28 blocks in a file", w->name);
		return false;
	}
	b->n_data = n;
	b->written = g_new(uint8_t *, n);
	for (unsigned i = 0; i < n; i++)
		b->written[i] = g_malloc0(b->blocks);
	for (unsigned i = 0; i < b->n_threads; i++) {
		g_free(b->threads[i].dirty);
		b->threads[i].dirty = g_new0(uint64_t, n);
	}
	return prepare_objects(b, 'f', n, &b->data) &&
	       (o->prepared || (fill(b) && prepare_compare(b, COMPARE_PREPARED)));
}

bool
prepare_clean_data(struct bench *b)
{
	for (unsigned i = 0; i < b->n_data; i++)
		g_free(b->written[i]);
	g_clear_pointer(&b->written, g_free);
	g_clear_pointer(&b->data, g_free);
	return true;
}
