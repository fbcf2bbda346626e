/* SPDX-License-Identifier: MIT
 *
 * The lock service's life, its ticks, and clients that have restarted.
 */
#include <glib.h>
#include <stdlib.h>
#include <sys/random.h>

#include "adapters/nfs/nlm/service.h"
#include "base/container.h"
#include "runtime/runtime.h"

#define LANE_QUEUE 65536u
#define TIDY_TICKS 30u
#define TRY_EVERY (10 * DFS_SECOND)

static void tidy(struct dfs_task *task);

struct nlm *
nlm_new(struct dfs_runtime *runtime, struct dfs_workers *workers, const struct nlm_outside *outside)
{
	struct nlm *nlm = calloc(1, sizeof *nlm);

	if (!nlm)
		return NULL;
	nlm->runtime = runtime;
	if (outside)
		nlm->outside = *outside;
	nlm->lane = dfs_lane_new(workers, 0, LANE_QUEUE);
	nlm->tidy_task.run = tidy;
	nlm->try_every = TRY_EVERY;
	/* Names are the clients' choice; that they do not collide is ours. */
	if (getrandom(&nlm->peer_key, sizeof nlm->peer_key, 0) != sizeof nlm->peer_key)
		nlm->peer_key.k0 = (uint64_t)dfs_clock_real();
	/* Cookies of an earlier life are not taken for ours. */
	atomic_init(&nlm->cookie, (uint64_t)dfs_clock_real());
	return nlm;
}

static void
collect(void *arg, struct dfs_share *share)
{
	g_array_append_val(arg, share->slot);
}

/* Visit the shares as they are now, with a reference of one at a time: what is done to one may take long,
 * for ever if its store hangs, and must not keep the others from being closed. */
static void
each_share(struct nlm *nlm, void (*fn)(struct dfs_share *share, void *arg), void *arg)
{
	g_autoptr(GArray) slots = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	dfs_runtime_each_share(nlm->runtime, collect, slots);
	for (guint i = 0; i < slots->len; i++) {
		struct dfs_share *share =
			dfs_runtime_share_by_slot(nlm->runtime, g_array_index(slots, uint32_t, i));

		if (share)
			fn(share, arg);
		dfs_share_unref(share);
	}
}

bool
nlm_submit_locked(struct nlm *nlm, struct dfs_task *task)
{
	return !nlm->stopping && dfs_lane_submit(nlm->lane, task);
}

static bool
submit(struct nlm *nlm, struct dfs_task *task)
{
	bool taken;

	dfs_lock_acquire(&nlm->mu);
	taken = nlm_submit_locked(nlm, task);
	dfs_lock_release(&nlm->mu);
	return taken;
}

static void
cancel_waits_of(struct dfs_share *share, void *nlm)
{
	dfs_locks_cancel_session(share->locks, nlm);
}

static void
cancel_waits_of_leaving(void *nlm, struct dfs_share *share)
{
	cancel_waits_of(share, nlm);
}

/* A wait holds no reference of its share, which may have been taken out meanwhile. */
static void
cancel_waits(struct nlm *nlm)
{
	each_share(nlm, cancel_waits_of, nlm);
	dfs_runtime_each_leaving(nlm->runtime, cancel_waits_of_leaving, nlm);
}

bool
nlm_stop(struct nlm *nlm, int64_t deadline)
{
	bool ended;

	dfs_lock_acquire(&nlm->mu);
	nlm->stopping = true;
	dfs_lock_release(&nlm->mu);
	/* Nothing is submitted any more; what runs may still call out, or wait for a store. */
	ended = dfs_lane_wait(nlm->lane, deadline);
	cancel_waits(nlm);
	return ended;
}

void
nlm_free(struct nlm *nlm)
{
	if (!nlm)
		return;
	/* Once more: a LOCK that ran on when that gave up may have queued a wait. */
	nlm_stop(nlm, INT64_MAX);
	dfs_lane_free(nlm->lane);
	nlm_grants_drop(nlm, NULL);
	nlm_peers_free(nlm);
	free(nlm);
}

static void
tidy_one(struct dfs_share *share, void *arg)
{
	(void)arg;
	dfs_locks_tidy(share->locks);
}

static void
tidy(struct dfs_task *task)
{
	struct nlm *nlm = DFS_CONTAINER_OF(task, struct nlm, tidy_task);

	each_share(nlm, tidy_one, NULL);
	nlm_peers_tidy(nlm);
	atomic_store(&nlm->tidying, false);
}

void
nlm_tick(struct nlm *nlm)
{
	nlm_grants_due(nlm);
	if (++nlm->ticks % TIDY_TICKS != 0 || atomic_exchange(&nlm->tidying, true))
		return;
	if (!submit(nlm, &nlm->tidy_task))
		atomic_store(&nlm->tidying, false);
}

static bool
is_client(void *arg, const void *client, uint32_t len)
{
	const struct nlm_client *want = arg;

	return len == want->len && memcmp(client, want->bytes, len) == 0;
}

static void
drop_client_of(struct dfs_share *share, void *client)
{
	dfs_locks_drop_clients(share->locks, is_client, client);
}

void
nlm_peer_restarted(void *arg, const union nfs_address *peer, const char *name)
{
	struct nlm *nlm = arg;
	size_t len = strlen(name);
	struct nlm_client client;

	if (len > NLM_STRING_MAX)
		return;
	nlm_client_of(&client, peer, name, (uint32_t)len);
	each_share(nlm, drop_client_of, &client);
	nlm_grants_drop(nlm, &client);
}
