/* SPDX-License-Identifier: MIT
 *
 * Workloads that change folders: CREATE, small files, MKDIR, REMOVE, RENAME.  Names are never used
 * twice in a run, except by RENAME, which moves each slot's own files to and fro.
 */
#include "pattern.h"
#include "session.h"
#include "workload.h"

#define SMALL_FILE 4096
#define SMALL_CHECKED 256
#define RENAMES_PER_SLOT 16

/* --folders folders share the new names; one is the run's own folder. */
bool
dirs_prepare(struct bench *b, const struct workload *w)
{
	unsigned n = (unsigned)b->opt->folders;

	b->dirs = g_new(struct fh, n);
	b->dirs[0] = b->dir;
	for (unsigned i = 1; i < n; i++)
		if (!session_make_dir(b, i, &b->dirs[i]))
			return false;
	return true;
}

static bool
dirs_clean(struct bench *b)
{
	for (unsigned i = 1; i < (unsigned)b->opt->folders; i++)
		session_remove_dir(b, i);
	g_clear_pointer(&b->dirs, g_free);
	return true;
}

static void
choose(struct thread *t, struct slot *s, uint8_t proc, char prefix)
{
	struct bench *b = t->b;

	s->proc = proc;
	s->prefix = prefix;
	s->index = (uint32_t)s->turn;
	s->dir = &b->dirs[s->turn % (unsigned)b->opt->folders];
	s->object = NULL;
}

bool
create_next(struct thread *t, struct conn *c, struct slot *s)
{
	choose(t, s, NFS3_CREATE, 'c');
	s->create_mode = CREATE_GUARDED;
	return true;
}

bool
mkdir_next(struct thread *t, struct conn *c, struct slot *s)
{
	choose(t, s, NFS3_MKDIR, 'm');
	return true;
}

enum done
smallfile_done(struct thread *t, struct slot *s)
{
	if (s->proc == NFS3_COMMIT)
		return DONE;
	if (s->proc == NFS3_WRITE) {
		s->proc = NFS3_COMMIT;
		return MORE;
	}
	if (!t->res.have_fh) { /* the server may leave the handle out of CREATE's reply */
		s->proc = NFS3_LOOKUP;
		return MORE;
	}
	s->own.fh = t->res.fh;
	s->own.index = s->index;
	s->own.prefix = s->prefix;
	s->object = &s->own;
	s->proc = NFS3_WRITE;
	s->stable = WRITE_UNSTABLE;
	s->off = 0;
	s->len = SMALL_FILE;
	return MORE;
}

static bool
small_check_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->turn = engine_random(t, (uint32_t)t->b->made);
	choose(t, s, NFS3_LOOKUP, 'c');
	return true;
}

static enum done
small_check_done(struct thread *t, struct slot *s)
{
	if (s->proc == NFS3_READ)
		return DONE;
	s->own.fh = t->res.fh;
	s->own.index = s->index;
	s->own.prefix = s->prefix;
	s->object = &s->own;
	s->proc = NFS3_READ;
	s->off = 0;
	s->len = SMALL_FILE;
	s->sample = true;
	return MORE;
}

bool
smallfile_check(struct bench *b, const struct workload *w)
{
	const struct phase ph = {.name = "compare",
				 .next = small_check_next,
				 .done = small_check_done,
				 .limit = MIN(b->made, SMALL_CHECKED)};

	return b->made == 0 || engine_run(b, &ph);
}

bool
create_clean(struct bench *b, const struct workload *w)
{
	unsigned n = (unsigned)b->opt->folders;

	return prepare_remove(b, b->dirs, n, 'c', 0, b->made, NFS3_REMOVE) & dirs_clean(b);
}

bool
mkdir_clean(struct bench *b, const struct workload *w)
{
	unsigned n = (unsigned)b->opt->folders;

	return prepare_remove(b, b->dirs, n, 'm', 0, b->made, NFS3_RMDIR) & dirs_clean(b);
}

bool
remove_prepare(struct bench *b, const struct workload *w)
{
	return prepare_names(b, &b->dir, 'x', b->opt->ops ? (uint64_t)b->opt->ops : w->ops);
}

bool
remove_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_REMOVE;
	s->dir = &t->b->dir;
	s->prefix = 'x';
	s->index = (uint32_t)s->turn;
	return true;
}

bool
remove_clean(struct bench *b, const struct workload *w)
{
	uint64_t n = b->opt->ops ? (uint64_t)b->opt->ops : w->ops;

	return prepare_remove(b, &b->dir, 1, 'x', b->made, n - b->made, NFS3_REMOVE);
}

static uint64_t
rename_files(const struct bench *b)
{
	return (uint64_t)b->opt->connections * (unsigned)b->opt->depth * RENAMES_PER_SLOT;
}

bool
rename_prepare(struct bench *b, const struct workload *w)
{
	uint64_t n = rename_files(b);

	b->renamed = g_malloc0(n);
	return prepare_names(b, &b->dir, 'a', n);
}

bool
rename_next(struct thread *t, struct conn *c, struct slot *s)
{
	uint64_t slot = (uint64_t)c->index * (unsigned)t->b->opt->depth + (uint64_t)(s - c->slots);

	s->proc = NFS3_RENAME;
	s->dir = &t->b->dir;
	s->index = (uint32_t)(slot * RENAMES_PER_SLOT + s->seen++ % RENAMES_PER_SLOT);
	s->prefix = t->b->renamed[s->index] ? 'b' : 'a';
	s->to_prefix = t->b->renamed[s->index] ? 'a' : 'b';
	return true;
}

enum done
rename_done(struct thread *t, struct slot *s)
{
	t->b->renamed[s->index] ^= 1;
	return DONE;
}

bool
rename_clean(struct bench *b, const struct workload *w)
{
	g_clear_pointer(&b->renamed, g_free);
	return prepare_remove(b, &b->dir, 1, 'a', 0, rename_files(b), NFS3_REMOVE) &&
	       prepare_remove(b, &b->dir, 1, 'b', 0, rename_files(b), NFS3_REMOVE);
}
