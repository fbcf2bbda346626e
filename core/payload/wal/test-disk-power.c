/* SPDX-License-Identifier: MIT
 *
 * The simulated disk's files and names, and what happens to them: loss of power, failures, a hand
 * that changes bytes.
 */
#include <string.h>

#include "payload/wal/test-disk-sim.h"

int
sim_names_find(GArray *names, const char *name)
{
	for (unsigned i = 0; i < names->len; i++)
		if (strcmp(g_array_index(names, struct name, i).name, name) == 0)
			return (int)i;
	return -1;
}

void
sim_names_set(GArray *names, const char *name, int inode)
{
	int i = sim_names_find(names, name);
	struct name entry = {NULL, inode};

	if (i >= 0) {
		g_free(g_array_index(names, struct name, i).name);
		g_array_remove_index(names, (unsigned)i);
	}
	if (inode < 0)
		return;
	entry.name = g_strdup(name);
	g_array_append_val(names, entry);
}

void
sim_names_clear(GArray *names)
{
	for (unsigned i = 0; i < names->len; i++)
		g_free(g_array_index(names, struct name, i).name);
	g_array_set_size(names, 0);
}

void
sim_writes_drop(struct inode *in)
{
	while (in->writes) {
		struct write *w = in->writes;

		in->writes = w->next;
		g_free(w);
	}
	in->tail = &in->writes;
}

void
sim_inode_reserve(struct inode *in, uint64_t size)
{
	uint64_t room = (size + SECTOR - 1) / SECTOR * SECTOR;

	if (room <= in->room)
		return;
	g_assert_false(in->mapped);
	in->now = g_realloc(in->now, room);
	in->durable = g_realloc(in->durable, room);
	memset(in->now + in->room, 0, room - in->room);
	memset(in->durable + in->room, 0, room - in->room);
	in->room = room;
}

static void
inode_free(struct inode *in)
{
	sim_writes_drop(in);
	g_free(in->now);
	g_free(in->durable);
	memset(in, 0, sizeof *in);
}

int
sim_inode_new(struct sim *sim)
{
	for (int i = 0; i < N_INODES; i++)
		if (!sim->inodes[i].used) {
			sim->inodes[i] = (struct inode){.used = true, .lock = -1};
			sim->inodes[i].tail = &sim->inodes[i].writes;
			return i;
		}
	g_assert_not_reached();
}

void
sim_steps_done(struct sim *sim, unsigned n)
{
	for (unsigned i = 0; i < sim->steps->len; i++) {
		struct step *s = &g_array_index(sim->steps, struct step, i);

		if (i < n)
			sim_names_set(sim->durable_names, s->name, s->inode);
		g_free(s->name);
	}
	g_array_set_size(sim->steps, 0);
}

void
sim_collect(struct sim *sim)
{
	bool named[N_INODES] = {false};

	for (unsigned i = 0; i < sim->names->len; i++)
		named[g_array_index(sim->names, struct name, i).inode] = true;
	for (unsigned i = 0; i < sim->durable_names->len; i++)
		named[g_array_index(sim->durable_names, struct name, i).inode] = true;
	for (unsigned i = 0; i < sim->steps->len; i++)
		if (g_array_index(sim->steps, struct step, i).inode >= 0)
			named[g_array_index(sim->steps, struct step, i).inode] = true;
	for (int i = 0; i < N_INODES; i++)
		if (sim->inodes[i].used && !named[i] && !sim->inodes[i].fds)
			inode_free(&sim->inodes[i]);
}

void
sim_free(struct sim *sim)
{
	sim_steps_done(sim, 0);
	sim_names_clear(sim->names);
	sim_names_clear(sim->durable_names);
	for (int i = 0; i < N_INODES; i++)
		if (sim->inodes[i].used)
			inode_free(&sim->inodes[i]);
	for (unsigned i = 0; i < sim->n_faults; i++)
		g_free(sim->faults[i].prefix);
	g_array_free(sim->names, TRUE);
	g_array_free(sim->durable_names, TRUE);
	g_array_free(sim->steps, TRUE);
	pthread_mutex_destroy(&sim->mu);
	g_free(sim);
}

void
sim_freeze(struct sim *sim)
{
	pthread_mutex_lock(&sim->mu);
	sim->frozen = true;
	pthread_mutex_unlock(&sim->mu);
}

void
sim_freeze_after(struct sim *sim, unsigned calls)
{
	pthread_mutex_lock(&sim->mu);
	sim->calls_left = calls;
	pthread_mutex_unlock(&sim->mu);
}

bool
sim_frozen(struct sim *sim)
{
	bool frozen;

	pthread_mutex_lock(&sim->mu);
	frozen = sim->frozen;
	pthread_mutex_unlock(&sim->mu);
	return frozen;
}

/* How a disk forgets: the share of sectors that got there, in 1/256. */
static const unsigned manners[] = {0, 256, 128, 200, 250, 20};

static void
inode_crash(struct sim *sim, struct inode *in)
{
	unsigned kept = manners[sim_draw(sim, G_N_ELEMENTS(manners))];
	uint64_t size = sim_draw(sim, 2) ? in->size : in->durable_size;

	/* Through maps. */
	for (uint64_t at = 0; in->mapped && at < in->size; at += SECTOR)
		if (memcmp(in->now + at, in->durable + at, SECTOR) != 0 &&
		    sim_draw(sim, 256) < kept)
			memcpy(in->durable + at, in->now + at, SECTOR);
	/* Newer versions of a sector overwrite older ones, where both got there. */
	for (struct write *w = in->writes; w; w = w->next)
		for (uint64_t at = 0; at < w->len; at += SECTOR) {
			uint64_t len = w->len - at < SECTOR ? w->len - at : SECTOR;

			if (kept < 256 && sim_draw(sim, 256) >= kept)
				continue;
			memcpy(in->durable + w->offset + at, w->bytes + at, len);
			if (w->offset + at + len > size)
				size = w->offset + at + len;
		}
	in->durable_size = size;
	/* Beyond its end a file has no bytes. */
	if (in->room > size)
		memset(in->durable + size, 0, in->room - size);
}

void
sim_crash(struct sim *sim, bool keep)
{
	for (int i = 0; i < N_FDS; i++)
		g_assert_cmpint(sim->fds[i], ==, -1);
	sim->frozen = false;
	sim->calls_left = -1;
	if (keep)
		return; /* the kernel still has what was not synced */
	sim_steps_done(sim, (unsigned)sim_draw(sim, sim->steps->len + 1));
	sim_names_clear(sim->names);
	for (unsigned i = 0; i < sim->durable_names->len; i++) {
		struct name *n = &g_array_index(sim->durable_names, struct name, i);

		sim_names_set(sim->names, n->name, n->inode);
	}
	sim_collect(sim);
	for (int i = 0; i < N_INODES; i++) {
		struct inode *in = &sim->inodes[i];

		if (!in->used)
			continue;
		inode_crash(sim, in);
		sim_writes_drop(in);
		in->mapped = false;
		in->size = in->durable_size;
		if (in->room)
			memcpy(in->now, in->durable, in->room);
	}
}

void
sim_fail(struct sim *sim, enum sim_op op, const char *prefix, unsigned skip, int error,
	 unsigned times)
{
	pthread_mutex_lock(&sim->mu);
	g_assert_cmpuint(sim->n_faults, <, N_FAULTS);
	sim->faults[sim->n_faults++] = (struct fault){op, g_strdup(prefix), skip, times, error};
	pthread_mutex_unlock(&sim->mu);
}

void
sim_capacity(struct sim *sim, uint64_t bytes)
{
	pthread_mutex_lock(&sim->mu);
	sim->capacity = bytes;
	pthread_mutex_unlock(&sim->mu);
}

void
sim_buffered(struct sim *sim)
{
	sim->buffered = true;
}

unsigned char *
sim_bytes(struct sim *sim, const char *name, uint64_t *size)
{
	int at = sim_names_find(sim->names, name);
	struct inode *in;

	if (at < 0)
		return NULL;
	in = &sim->inodes[g_array_index(sim->names, struct name, at).inode];
	*size = in->size;
	return in->now;
}

void
sim_put(struct sim *sim, const char *name, const void *bytes, uint64_t size)
{
	struct inode *in;
	int inode;

	sim_remove(sim, name);
	inode = sim_inode_new(sim);
	in = &sim->inodes[inode];
	sim_inode_reserve(in, size);
	memcpy(in->now, bytes, size);
	memcpy(in->durable, bytes, size);
	in->size = in->durable_size = size;
	sim_names_set(sim->names, name, inode);
	sim_names_set(sim->durable_names, name, inode);
}

void
sim_remove(struct sim *sim, const char *name)
{
	sim_names_set(sim->names, name, -1);
	sim_names_set(sim->durable_names, name, -1);
	sim_collect(sim);
}
