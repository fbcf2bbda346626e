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

/* The shares as they are now, with references: what is done to them may take time. */
static void
collect(void *arg, struct dfs_share *share)
{
	g_ptr_array_add(arg, dfs_share_ref(share));
}

static GPtrArray *
shares_of(struct nlm *nlm)
{
	GPtrArray *shares = g_ptr_array_new_with_free_func((GDestroyNotify)dfs_share_unref);

	dfs_runtime_each_share(nlm->runtime, collect, shares);
	return shares;
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
cancel_waits(struct nlm *nlm)
{
	g_autoptr(GPtrArray) shares = shares_of(nlm);

	for (guint i = 0; i < shares->len; i++) {
		struct dfs_share *share = g_ptr_array_index(shares, i);

		dfs_locks_cancel_session(share->locks, nlm);
	}
}

void
nlm_stop(struct nlm *nlm)
{
	bool before;

	dfs_lock_acquire(&nlm->mu);
	before = nlm->stopping;
	nlm->stopping = true;
	dfs_lock_release(&nlm->mu);
	/* Nothing is submitted any more; what runs may still call out. */
	if (!before)
		dfs_lane_free(nlm->lane);
	cancel_waits(nlm);
}

void
nlm_free(struct nlm *nlm)
{
	if (!nlm)
		return;
	nlm_stop(nlm); /* once more: a LOCK that ran on when that gave up may have queued a wait */
	nlm_grants_drop(nlm, NULL);
	nlm_peers_free(nlm);
	free(nlm);
}

static void
tidy(struct dfs_task *task)
{
	struct nlm *nlm = DFS_CONTAINER_OF(task, struct nlm, tidy_task);
	g_autoptr(GPtrArray) shares = shares_of(nlm);

	for (guint i = 0; i < shares->len; i++) {
		struct dfs_share *share = g_ptr_array_index(shares, i);

		dfs_locks_tidy(share->locks);
	}
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

void
nlm_peer_restarted(void *arg, const union nfs_address *peer, const char *name)
{
	struct nlm *nlm = arg;
	g_autoptr(GPtrArray) shares = shares_of(nlm);
	size_t len = strlen(name);
	struct nlm_client client;

	if (len > NLM_STRING_MAX)
		return;
	nlm_client_of(&client, peer, name, (uint32_t)len);
	for (guint i = 0; i < shares->len; i++) {
		struct dfs_share *share = g_ptr_array_index(shares, i);

		dfs_locks_drop_clients(share->locks, is_client, &client);
	}
	nlm_grants_drop(nlm, &client);
}
