/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "payload/wal/test-disk-sim.h"

uint64_t
sim_draw(struct sim *sim, uint64_t n)
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
	r = sim_draw(sim, n);
	pthread_mutex_unlock(&sim->mu);
	return r;
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
		return sim_draw(sim, 2) ? 1 : -EIO;
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
	sim_names_set(sim->names, name, inode);
}

static int
sim_open_folder(void *ctx, const char *path, bool make)
{
	return FOLDER;
}

static int
open_locked(struct sim *sim, const char *name, int flags)
{
	int at = sim_names_find(sim->names, name), inode, fd, r = 0;

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
		inode = sim_inode_new(sim);
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
	sim_collect(sim);
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

		sim_inode_reserve(in, offset + len);
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
	sim_writes_drop(in);
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
		sim_steps_done(sim, sim->steps->len);
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
		sim_inode_reserve(in, length);
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
	r = sim->frozen ? -EIO : sim_names_find(sim->names, name) < 0 ? -ENOENT : 0;
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

const struct dfs_disk_ops *
sim_ops(struct sim *sim)
{
	return &sim->ops;
}
