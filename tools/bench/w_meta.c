/* SPDX-License-Identifier: MIT
 *
 * Workloads that only ask: NULL, GETATTR, ACCESS, LOOKUP.
 */
#include "workload.h"

bool
null_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_NULL;
	return true;
}

bool
meta_prepare(struct bench *b, const struct workload *w)
{
	b->n_meta = b->opt->files ? (unsigned)b->opt->files : w->files;
	return prepare_objects(b, 'g', b->n_meta, &b->meta);
}

bool
meta_clean(struct bench *b, const struct workload *w)
{
	g_clear_pointer(&b->meta, g_free);
	return prepare_remove(b, &b->dir, 1, 'g', 0, b->n_meta, NFS3_REMOVE);
}

static struct object *
any(struct thread *t)
{
	return &t->b->meta[engine_random(t, t->b->n_meta)];
}

bool
getattr_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_GETATTR;
	s->object = any(t);
	return true;
}

bool
access_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_ACCESS;
	s->object = any(t);
	return true;
}

bool
lookup_next(struct thread *t, struct conn *c, struct slot *s)
{
	s->proc = NFS3_LOOKUP;
	s->object = any(t);
	s->dir = s->object->dir;
	s->prefix = s->object->prefix;
	s->index = s->object->index;
	return true;
}
