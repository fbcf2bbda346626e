/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "payload/wal/test-disk.h"

#define SECTOR 512u
#define N_INODES 512
#define N_FDS 256
#define FOLDER 100000
#define N_FAULTS 4

struct write {
	struct write *next;
	uint64_t offset, len; /* whole sectors but at the file's end */
	unsigned char bytes[];
};

struct inode {
	unsigned char *now, *durable;
	uint64_t room, size, durable_size;
	struct write *writes, **tail; /* not synced */
	unsigned fds;
	int lock; /* fd, -1: nobody */
	bool mapped;
	bool used;
};

struct name {
	char *name;
	int inode;
};

struct step { /* a change of the folder that was not synced */
	char *name;
	int inode; /* -1: unlinked */
};

struct fault {
	enum sim_op op;
	char *prefix;
	unsigned skip, times;
	int error;
};

struct sim {
	pthread_mutex_t mu;
	struct dfs_disk_ops ops;
	uint64_t seed, capacity;
	struct inode inodes[N_INODES];
	int fds[N_FDS]; /* inode, -1: free */
	bool direct[N_FDS];
	GArray *names, *durable_names; /* struct name */
	GArray *steps;
	struct fault faults[N_FAULTS];
	unsigned n_faults;
	int64_t calls_left; /* -1: no end */
	bool frozen, buffered;
};

static uint64_t
chance(struct sim *sim, uint64_t n)
{
	sim->seed ^= sim->seed >> 12;
	sim->seed ^= sim->seed << 25;
	sim->seed ^= sim->seed >> 27;
	return (sim->seed * UINT64_C(2685821657736338717) >> 16) % n;
}

uint64_t
sim_chance(struct sim *sim, uint64_t n)
{
	uint64_t r;

	pthread_mutex_lock(&sim->mu);
	r = chance(sim, n);
	pthread_mutex_unlock(&sim->mu);
	return r;
}

static int
names_find(GArray *names, const char *name)
{
	for (unsigned i = 0; i < names->len; i++)
		if (strcmp(g_array_index(names, struct name, i).name, name) == 0)
			return (int)i;
	return -1;
}

static void
names_set(GArray *names, const char *name, int inode)
{
	int i = names_find(names, name);
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

static void
names_clear(GArray *names)
{
	for (unsigned i = 0; i < names->len; i++)
		g_free(g_array_index(names, struct name, i).name);
	g_array_set_size(names, 0);
}

static const char *
name_of(struct sim *sim, int inode)
{
	for (unsigned i = 0; i < sim->names->len; i++)
		if (g_array_index(sim->names, struct name, i).inode == inode)
			return g_array_index(sim->names, struct name, i).name;
	return "";
}

/* A call that changes something.  0: go on; 1: it has its effect but the answer is lost. */
static int
admit(struct sim *sim, enum sim_op op, const char *name)
{
	if (sim->frozen)
		return -EIO;
	if (op != SIM_READ && sim->calls_left >= 0 && sim->calls_left-- == 0) {
		sim->frozen = true;
		return chance(sim, 2) ? 1 : -EIO;
	}
	for (unsigned i = 0; i < sim->n_faults; i++) {
		struct fault *f = &sim->faults[i];

		if (f->op != op || !g_str_has_prefix(name, f->prefix) || !f->times)
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		f->times--;
		return f->error ? -f->error : 2;
	}
	return 0;
}

static void
writes_drop(struct inode *in)
{
	while (in->writes) {
		struct write *w = in->writes;

		in->writes = w->next;
		g_free(w);
	}
	in->tail = &in->writes;
}

static void
inode_reserve(struct inode *in, uint64_t size)
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
	writes_drop(in);
	g_free(in->now);
	g_free(in->durable);
	memset(in, 0, sizeof *in);
}

static int
inode_new(struct sim *sim)
{
	for (int i = 0; i < N_INODES; i++)
		if (!sim->inodes[i].used) {
			sim->inodes[i] = (struct inode){.used = true, .lock = -1};
			sim->inodes[i].tail = &sim->inodes[i].writes;
			return i;
		}
	g_assert_not_reached();
}

static bool
fits(struct sim *sim, uint64_t more)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < sim->names->len; i++)
		sum += sim->inodes[g_array_index(sim->names, struct name, i).inode].size;
	return sum + more <= sim->capacity;
}

static void
step_add(struct sim *sim, const char *name, int inode)
{
	struct step step = {g_strdup(name), inode};

	g_array_append_val(sim->steps, step);
	names_set(sim->names, name, inode);
}

static void
steps_done(struct sim *sim, unsigned n)
{
	for (unsigned i = 0; i < sim->steps->len; i++) {
		struct step *s = &g_array_index(sim->steps, struct step, i);

		if (i < n)
			names_set(sim->durable_names, s->name, s->inode);
		g_free(s->name);
	}
	g_array_set_size(sim->steps, 0);
}

/* Inodes that no name and no descriptor has go. */
static void
collect(struct sim *sim)
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

static int
sim_open_folder(void *ctx, const char *path, bool make)
{
	return FOLDER;
}

static int
open_locked(struct sim *sim, const char *name, int flags)
{
	int at = names_find(sim->names, name), inode, fd, r = 0;

	if (sim->frozen)
		return -EIO;
	if ((flags & O_DIRECT) && sim->buffered)
		return -EINVAL;
	if (at >= 0 && (flags & O_EXCL))
		return -EEXIST;
	if (at < 0 && !(flags & O_CREAT))
		return -ENOENT;
	if (at < 0) {
		r = admit(sim, SIM_CREATE, name);
		if (r < 0)
			return r;
		inode = inode_new(sim);
		step_add(sim, name, inode);
	} else {
		inode = g_array_index(sim->names, struct name, at).inode;
	}
	for (fd = 0; fd < N_FDS && sim->fds[fd] >= 0; fd++)
		;
	g_assert_cmpint(fd, <, N_FDS);
	if (r == 1)
		return -EIO;
	sim->fds[fd] = inode;
	sim->direct[fd] = flags & O_DIRECT;
	sim->inodes[inode].fds++;
	return fd;
}

static int
sim_open(void *ctx, int folder, const char *name, int flags)
{
	struct sim *sim = ctx;
	int r;

	g_assert_cmpint(folder, ==, FOLDER);
	pthread_mutex_lock(&sim->mu);
	r = open_locked(sim, name, flags);
	pthread_mutex_unlock(&sim->mu);
	return r;
}

static int
sim_close(void *ctx, int fd)
{
	struct sim *sim = ctx;

	if (fd == FOLDER)
		return 0;
	pthread_mutex_lock(&sim->mu);
	g_assert_cmpint(sim->fds[fd], >=, 0);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	in->fds--;
	if (in->lock == fd)
		in->lock = -1;
	sim->fds[fd] = -1;
	collect(sim);
	pthread_mutex_unlock(&sim->mu);
	return 0;
}

static bool
aligned(struct sim *sim, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	uint64_t bits = offset;

	for (int i = 0; i < n; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return !sim->direct[fd] || bits % SECTOR == 0;
}

static ssize_t
sim_preadv(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	struct sim *sim = ctx;
	ssize_t done = 0;
	int r;

	pthread_mutex_lock(&sim->mu);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	g_assert_true(aligned(sim, fd, iov, n, offset));
	r = admit(sim, SIM_READ, sim->n_faults ? name_of(sim, sim->fds[fd]) : "");
	for (int i = 0; i < n && r == 0; i++) {
		uint64_t have = offset < in->size ? in->size - offset : 0;
		uint64_t len = have < iov[i].iov_len ? have : iov[i].iov_len;

		if (len)
			memcpy(iov[i].iov_base, in->now + offset, len);
		offset += len;
		done += (ssize_t)len;
	}
	pthread_mutex_unlock(&sim->mu);
	return r < 0 ? r : done;
}

static ssize_t
sim_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	struct sim *sim = ctx;
	uint64_t len = 0;
	ssize_t answer;
	int r;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	pthread_mutex_lock(&sim->mu);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	g_assert_true(aligned(sim, fd, iov, n, offset));
	r = admit(sim, SIM_WRITE, sim->n_faults ? name_of(sim, sim->fds[fd]) : "");
	if (r == 2)
		len = (len / 2 + SECTOR - 1) / SECTOR * SECTOR;
	answer = r < 0 ? r : r == 1 ? -EIO : (ssize_t)len;
	if (r >= 0 && offset + len > in->size && !fits(sim, offset + len - in->size))
		answer = r = -ENOSPC;
	if (r >= 0) {
		struct write *w = g_malloc(sizeof *w + len);
		uint64_t at = 0;

		inode_reserve(in, offset + len);
		*w = (struct write){.offset = offset, .len = len};
		for (int i = 0; i < n && at < len; i++) {
			uint64_t part = iov[i].iov_len < len - at ? iov[i].iov_len : len - at;

			memcpy(w->bytes + at, iov[i].iov_base, part);
			at += part;
		}
		memcpy(in->now + offset, w->bytes, len);
		if (offset + len > in->size)
			in->size = offset + len;
		*in->tail = w;
		in->tail = &w->next;
	}
	pthread_mutex_unlock(&sim->mu);
	return answer;
}

static void
inode_sync(struct inode *in)
{
	if (in->mapped && in->size)
		memcpy(in->durable, in->now, in->size);
	for (struct write *w = in->writes; w; w = w->next)
		memcpy(in->durable + w->offset, w->bytes, w->len);
	writes_drop(in);
	in->durable_size = in->size;
}

static int
sim_datasync(void *ctx, int fd)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	r = admit(sim, SIM_SYNC, sim->n_faults ? name_of(sim, sim->fds[fd]) : "");
	if (r >= 0)
		inode_sync(&sim->inodes[sim->fds[fd]]);
	pthread_mutex_unlock(&sim->mu);
	return r == 1 ? -EIO : r;
}

static int
sim_sync_folder(void *ctx, int folder)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	r = admit(sim, SIM_SYNC, ".");
	if (r >= 0)
		steps_done(sim, sim->steps->len);
	pthread_mutex_unlock(&sim->mu);
	return r == 1 ? -EIO : r;
}

static int
sim_allocate(void *ctx, int fd, uint64_t length)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	r = admit(sim, SIM_ALLOCATE, sim->n_faults ? name_of(sim, sim->fds[fd]) : "");
	if (r >= 0 && length > in->size && !fits(sim, length - in->size))
		r = -ENOSPC;
	if (r >= 0 && length > in->size) {
		inode_reserve(in, length);
		in->size = length;
	}
	pthread_mutex_unlock(&sim->mu);
	return r == 1 ? -EIO : r;
}

static int
sim_unlink(void *ctx, int folder, const char *name)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	r = sim->frozen ? -EIO : names_find(sim->names, name) < 0 ? -ENOENT : 0;
	if (r == 0)
		r = admit(sim, SIM_UNLINK, name);
	if (r >= 0)
		step_add(sim, name, -1);
	pthread_mutex_unlock(&sim->mu);
	return r == 1 ? -EIO : r;
}

static int64_t
sim_size(void *ctx, int fd)
{
	struct sim *sim = ctx;
	int64_t size;

	pthread_mutex_lock(&sim->mu);
	size = sim->frozen ? -EIO : (int64_t)sim->inodes[sim->fds[fd]].size;
	pthread_mutex_unlock(&sim->mu);
	return size;
}

static int
sim_list(void *ctx, int folder, const char *prefix, int (*fn)(void *arg, const char *name),
	 void *arg)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	r = sim->frozen ? -EIO : 0;
	for (unsigned i = 0; i < sim->names->len && r == 0; i++) {
		const char *name = g_array_index(sim->names, struct name, i).name;

		if (g_str_has_prefix(name, prefix) && !fn(arg, name))
			break;
	}
	pthread_mutex_unlock(&sim->mu);
	return r;
}

static int
sim_lock(void *ctx, int fd)
{
	struct sim *sim = ctx;
	int r = 0;

	pthread_mutex_lock(&sim->mu);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	if (sim->frozen)
		r = -EIO;
	else if (in->lock >= 0 && in->lock != fd)
		r = -EAGAIN;
	else
		in->lock = fd;
	pthread_mutex_unlock(&sim->mu);
	return r;
}

/* What is stored through a map cannot be seen, nor refused; it counts as written and not synced. */
static int
sim_map(void *ctx, int fd, uint64_t length, void **map)
{
	struct sim *sim = ctx;

	pthread_mutex_lock(&sim->mu);
	struct inode *in = &sim->inodes[sim->fds[fd]];
	g_assert_cmpuint(length, <=, in->size);
	in->mapped = true;
	*map = in->now;
	pthread_mutex_unlock(&sim->mu);
	return 0;
}

static int
sim_unmap(void *ctx, void *map, uint64_t length)
{
	return 0;
}

static int
sim_sync_map(void *ctx, void *map, uint64_t offset, uint64_t len)
{
	struct sim *sim = ctx;
	int r;

	pthread_mutex_lock(&sim->mu);
	r = admit(sim, SIM_SYNC, "seg-");
	for (unsigned i = 0; i < N_INODES && r >= 0; i++)
		if (sim->inodes[i].now == map)
			memcpy(sim->inodes[i].durable + offset, (char *)map + offset, len);
	pthread_mutex_unlock(&sim->mu);
	return r == 1 ? -EIO : r;
}

struct sim *
sim_new(uint64_t seed)
{
	struct sim *sim = g_new0(struct sim, 1);

	pthread_mutex_init(&sim->mu, NULL);
	sim->seed = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	sim->capacity = UINT64_MAX / 2;
	sim->calls_left = -1;
	memset(sim->fds, -1, sizeof sim->fds);
	sim->names = g_array_new(FALSE, FALSE, sizeof(struct name));
	sim->durable_names = g_array_new(FALSE, FALSE, sizeof(struct name));
	sim->steps = g_array_new(FALSE, FALSE, sizeof(struct step));
	sim->ops = (struct dfs_disk_ops){
		.ctx = sim,
		.open_folder = sim_open_folder,
		.open = sim_open,
		.close = sim_close,
		.preadv = sim_preadv,
		.pwritev = sim_pwritev,
		.datasync = sim_datasync,
		.sync_folder = sim_sync_folder,
		.allocate = sim_allocate,
		.unlink = sim_unlink,
		.size = sim_size,
		.list = sim_list,
		.lock = sim_lock,
		.map = sim_map,
		.unmap = sim_unmap,
		.sync_map = sim_sync_map,
	};
	return sim;
}

void
sim_free(struct sim *sim)
{
	steps_done(sim, 0);
	names_clear(sim->names);
	names_clear(sim->durable_names);
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

const struct dfs_disk_ops *
sim_ops(struct sim *sim)
{
	return &sim->ops;
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
	unsigned kept = manners[chance(sim, G_N_ELEMENTS(manners))];
	uint64_t size = chance(sim, 2) ? in->size : in->durable_size;

	/* Through maps. */
	for (uint64_t at = 0; in->mapped && at < in->size; at += SECTOR)
		if (memcmp(in->now + at, in->durable + at, SECTOR) != 0 &&
		    chance(sim, 256) < kept)
			memcpy(in->durable + at, in->now + at, SECTOR);
	/* Newer versions of a sector overwrite older ones, where both got there. */
	for (struct write *w = in->writes; w; w = w->next)
		for (uint64_t at = 0; at < w->len; at += SECTOR) {
			uint64_t len = w->len - at < SECTOR ? w->len - at : SECTOR;

			if (kept < 256 && chance(sim, 256) >= kept)
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
	steps_done(sim, (unsigned)chance(sim, sim->steps->len + 1));
	names_clear(sim->names);
	for (unsigned i = 0; i < sim->durable_names->len; i++) {
		struct name *n = &g_array_index(sim->durable_names, struct name, i);

		names_set(sim->names, n->name, n->inode);
	}
	collect(sim);
	for (int i = 0; i < N_INODES; i++) {
		struct inode *in = &sim->inodes[i];

		if (!in->used)
			continue;
		inode_crash(sim, in);
		writes_drop(in);
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
	sim->faults[sim->n_faults++] =
		(struct fault){op, g_strdup(prefix), skip, times, error};
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
	int at = names_find(sim->names, name);
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
	inode = inode_new(sim);
	in = &sim->inodes[inode];
	inode_reserve(in, size);
	memcpy(in->now, bytes, size);
	memcpy(in->durable, bytes, size);
	in->size = in->durable_size = size;
	names_set(sim->names, name, inode);
	names_set(sim->durable_names, name, inode);
}

void
sim_remove(struct sim *sim, const char *name)
{
	names_set(sim->names, name, -1);
	names_set(sim->durable_names, name, -1);
	collect(sim);
}
