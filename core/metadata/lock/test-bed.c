/* SPDX-License-Identifier: MIT */
#include "metadata/lock/test-bed.h"

static void
unpin(void *arg, struct dfs_lock_pin *pin)
{
	(void)pin;
	((struct bed *)arg)->unpinned++;
}

void
bed_open(struct bed *bed)
{
	struct dfs_locks_options o = {.domain = &bed->domain, .unpin = unpin, .arg = bed};

	memset(bed, 0, sizeof *bed);
	bed->domain.max_locks = 100000;
	bed->domain.max_client_locks = 50000;
	assert_status(dfs_locks_open(&o, &bed->locks), DFS_OK);
}

void
bed_close(struct bed *bed)
{
	dfs_locks_close(bed->locks);
	g_assert_cmpuint(bed->domain.locks, ==, 0);
	g_assert_cmpuint(bed->domain.bytes, ==, 0);
}

struct dfs_lock_owner *
bed_owner(struct bed *bed, const char *who)
{
	const char *slash = strchr(who, '/');
	struct dfs_lock_who w = {who, slash + 1, (uint32_t)(slash - who),
				 (uint32_t)strlen(slash + 1)};
	struct dfs_lock_owner *owner;

	assert_status(dfs_lock_owner_get(bed->locks, &w, &owner), DFS_OK);
	return owner;
}

/* The range of a call, its owner, and the end of it. */
#define CALL(bed, who)                                                                             \
	struct dfs_lock_owner *owner = bed_owner(bed, who);                                        \
	struct dfs_lock_done done;                                                                 \
	dfs_lock_done_init(&done)
#define END(bed)                                                                                   \
	dfs_lock_owner_put((bed)->locks, owner);                                                   \
	dfs_lock_done_run((bed)->locks, &done)

enum dfs_status
bed_lock(struct bed *bed, const char *who, uint64_t file, uint64_t start, uint64_t end,
	 bool exclusive)
{
	struct dfs_lock_range range = {start, end, exclusive};
	enum dfs_status status;
	CALL(bed, who);

	status = dfs_locks_lock(bed->locks, owner, file, &range, NULL, &bed->conflict, &done);
	END(bed);
	return status;
}

static void
waited(struct dfs_lock_wait *wait, enum dfs_status status)
{
	static _Atomic unsigned order;
	struct waiter *w = (struct waiter *)wait;

	w->calls++;
	w->status = status;
	w->order = ++order;
}

enum dfs_status
bed_wait(struct bed *bed, struct waiter *w, const char *who, uint64_t file, uint64_t start,
	 uint64_t end, bool exclusive)
{
	struct dfs_lock_range range = {start, end, exclusive};
	enum dfs_status status;
	CALL(bed, who);

	memset(w, 0, sizeof *w);
	w->wait.done = waited;
	status = dfs_locks_lock(bed->locks, owner, file, &range, &w->wait, &bed->conflict, &done);
	END(bed);
	return status;
}

enum dfs_status
bed_test(struct bed *bed, const char *who, uint64_t file, uint64_t start, uint64_t end,
	 bool exclusive)
{
	struct dfs_lock_range range = {start, end, exclusive};
	enum dfs_status status;
	CALL(bed, who);

	status = dfs_locks_test(bed->locks, owner, file, &range, &bed->conflict);
	END(bed);
	return status;
}

enum dfs_status
bed_unlock(struct bed *bed, const char *who, uint64_t file, uint64_t start, uint64_t end)
{
	struct dfs_lock_range range = {start, end, false};
	enum dfs_status status;
	CALL(bed, who);

	status = dfs_locks_unlock(bed->locks, owner, file, &range, &done);
	END(bed);
	return status;
}

enum dfs_status
bed_cancel(struct bed *bed, const char *who, uint64_t file, uint64_t start, uint64_t end,
	   bool exclusive)
{
	struct dfs_lock_range range = {start, end, exclusive};
	enum dfs_status status;
	CALL(bed, who);

	status = dfs_locks_cancel(bed->locks, owner, file, &range, &done);
	END(bed);
	return status;
}

enum dfs_status
bed_share(struct bed *bed, const char *who, uint64_t file, uint32_t access, uint32_t deny)
{
	enum dfs_status status;
	CALL(bed, who);

	status = dfs_locks_share(bed->locks, owner, file, access, deny, &done);
	END(bed);
	return status;
}

void
bed_unshare(struct bed *bed, const char *who, uint64_t file)
{
	CALL(bed, who);

	dfs_locks_unshare(bed->locks, owner, file, &done);
	END(bed);
}

static bool
is_client(void *arg, const void *client, uint32_t len)
{
	return len == strlen(arg) && memcmp(client, arg, len) == 0;
}

void
bed_drop_client(struct bed *bed, const char *client)
{
	dfs_locks_drop_clients(bed->locks, is_client, (void *)(uintptr_t)client);
}

static void
set_up(struct bed *bed, gconstpointer fn)
{
	(void)fn;
	bed_open(bed);
}

static void
run(struct bed *bed, gconstpointer fn)
{
	((void (*)(struct bed *))(uintptr_t)fn)(bed);
}

static void
tear_down(struct bed *bed, gconstpointer fn)
{
	(void)fn;
	bed_close(bed);
}

void
bed_add(const char *path, void (*fn)(struct bed *bed))
{
	g_test_add(path, struct bed, (gconstpointer)(uintptr_t)fn, set_up, run, tear_down);
}
