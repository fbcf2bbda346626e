/* SPDX-License-Identifier: MIT
 *
 * What survives a restart: the names of clients that hold locks.
 *
 * A client's record is written before its first lock is acknowledged and erased some time after its
 * last one is gone.  Whoever has a record at a start may reclaim what it held until the grace period
 * ends, and nobody else gets anything new.  The end is durable before anything new is granted: the
 * records of those who did not reclaim are erased first, so that none of them can reclaim after the
 * next restart what another had in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "metadata/lock/table.h"
#include "metadata/store.h"

#define PREFIX "lock-client/"
#define PREFIX_LEN (sizeof PREFIX - 1)
#define KEY_LEN (PREFIX_LEN + 32)
#define ERASE_MAX 256     /* records of one transaction */
#define ERASING_WAIT 1000 /* us between looks */

static void
state_key(const void *client, uint32_t len, char key[KEY_LEN + 1])
{
	static const struct dfs_hash_key one = {1, 2}, two = {3, 4};

	snprintf(key, KEY_LEN + 1, PREFIX "%016llx%016llx",
		 (unsigned long long)dfs_siphash(&one, client, len),
		 (unsigned long long)dfs_siphash(&two, client, len));
}

/* --- at a start --- */

struct load {
	struct dfs_locks *locks;
	bool no_memory;
};

/* Whatever the limit of names is now: a record that nobody knows of would be erased by no end of a
 * grace period, and let its client reclaim at a later start what others had in between. */
static int
load_one(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t len)
{
	struct load *load = arg;
	struct dfs_locks *locks = load->locks;
	struct lock_client *client;

	(void)key;
	(void)key_len;
	if (len == 0 || len > DFS_LOCK_CLIENT_MAX)
		return 1;
	client = lock_client_get(locks, value, len, true);
	if (!client) {
		load->no_memory = true;
		return 0;
	}
	/* The reference goes with the record. */
	client->saved = LOCK_SAVED;
	client->known = client->waiting = true;
	atomic_fetch_add(&locks->unreclaimed, 1);
	return 1;
}

enum dfs_status
lock_clients_load(struct dfs_locks *locks)
{
	struct dfs_metadata_store *st = locks->store;
	uint64_t grace = (uint64_t)locks->domain->grace;
	struct load load = {locks, false};
	enum dfs_status status;
	struct dfs_txn *txn;

	if (!st)
		return DFS_OK;
	status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);
	if (status != DFS_OK)
		return status;
	status = st->ops.scan_state(st->inst, txn, locks->share, PREFIX, PREFIX_LEN, load_one,
				    &load);
	dfs_metadata_abort(st, txn);
	if (status == DFS_OK && load.no_memory)
		return dfs_fail(DFS_NOMEM, "no memory for the clients that held locks");
	if (status == DFS_OK && atomic_load(&locks->unreclaimed) > 0) {
		locks->grace_end = dfs_clock_mono() + (int64_t)grace;
		atomic_store(&locks->phase, LOCK_PHASE_GRACE);
		dfs_log(DFS_LOG_INFO,
			"share %u of store %s: %u clients held locks: only they get any for %llu s",
			locks->share, st->name, atomic_load(&locks->unreclaimed),
			(unsigned long long)(grace / (uint64_t)DFS_SECOND));
	}
	return status;
}

/* --- erasing --- */

struct erase {
	struct dfs_locks *locks;
	struct lock_client **list;
	uint32_t n;
};

static enum dfs_status
erase_records(void *arg, struct dfs_txn *txn)
{
	const struct erase *e = arg;
	struct dfs_metadata_store *st = e->locks->store;
	enum dfs_status status = DFS_OK;
	char key[KEY_LEN + 1];

	for (uint32_t i = 0; i < e->n && status == DFS_OK; i++) {
		state_key(e->list[i]->bytes, e->list[i]->len, key);
		status = st->ops.del_state(st->inst, txn, e->locks->share, key, KEY_LEN);
	}
	return status;
}

/* Mark those of list (references) that may go, erase them, and drop the references. */
static enum dfs_status
erase(struct dfs_locks *locks, struct lock_client **list, uint32_t n, uint64_t *seq,
      bool (*may)(const struct lock_client *client))
{
	struct erase e = {locks, list, 0};
	enum dfs_status status = DFS_OK;

	for (uint32_t i = 0; i < n; i++) {
		struct lock_client *client = list[i];
		bool go;

		dfs_lock_acquire(&client->mu);
		go = client->saved == LOCK_SAVED && e.n < ERASE_MAX && may(client);
		if (go)
			client->saved = LOCK_ERASING;
		dfs_lock_release(&client->mu);
		if (go)
			list[e.n++] = client;
		else
			lock_client_put(locks, client);
	}
	if (e.n > 0)
		status = dfs_metadata_update(locks->store, erase_records, &e, seq);
	DFS_FAILPOINT("lock-clients-erased");
	for (uint32_t i = 0; i < e.n; i++) {
		dfs_lock_acquire(&list[i]->mu);
		list[i]->saved = status == DFS_OK ? LOCK_UNSAVED : LOCK_SAVED;
		list[i]->doubt = status != DFS_OK;
		dfs_lock_release(&list[i]->mu);
		if (status == DFS_OK)
			lock_client_put(locks, list[i]); /* the record's */
		lock_client_put(locks, list[i]);
	}
	return status;
}

static bool
did_not_reclaim(const struct lock_client *client)
{
	return client->known && !client->reclaimed;
}

/* An operation under way has an owner. */
static bool
has_nothing(const struct lock_client *client)
{
	return !client->owners;
}

/* --- the grace period --- */

static void
see_end(struct dfs_locks *locks)
{
	int grace = LOCK_PHASE_GRACE;

	if (atomic_load_explicit(&locks->phase, memory_order_acquire) == LOCK_PHASE_GRACE &&
	    (atomic_load(&locks->unreclaimed) == 0 || dfs_clock_mono() >= locks->grace_end))
		atomic_compare_exchange_strong(&locks->phase, &grace, LOCK_PHASE_ENDING);
}

/* Blocking; `ending` held. */
static enum dfs_status
end_grace_locked(struct dfs_locks *locks)
{
	uint64_t seq = atomic_load(&locks->purged_seq);
	enum dfs_status status = DFS_OK;
	bool more = true;

	while (more && status == DFS_OK) {
		uint32_t n, waiting = 0;
		struct lock_client **list = lock_clients_list(locks, NULL, NULL, &n);

		if (!list)
			return DFS_NOMEM;
		for (uint32_t i = 0; i < n; i++) {
			dfs_lock_acquire(&list[i]->mu);
			waiting += did_not_reclaim(list[i]) && list[i]->saved == LOCK_SAVED;
			dfs_lock_release(&list[i]->mu);
		}
		more = waiting > ERASE_MAX;
		status = erase(locks, list, n, &seq, did_not_reclaim);
		free(list);
	}
	if (status != DFS_OK)
		return status;
	atomic_store(&locks->purged_seq, seq);
	atomic_store_explicit(&locks->phase, LOCK_PHASE_OPEN, memory_order_release);
	return DFS_OK;
}

/* Blocking, for another's end of it until deadline (monotonic ns; then DFS_DELAY).  One at a time: a
 * second would see records that are being erased as erased, and grant before that is committed. */
static enum dfs_status
end_grace(struct dfs_locks *locks, int64_t deadline)
{
	enum dfs_status status = DFS_OK;

	if (!dfs_lock_until(&locks->ending, deadline))
		return DFS_DELAY;
	if (atomic_load_explicit(&locks->phase, memory_order_acquire) == LOCK_PHASE_ENDING)
		status = end_grace_locked(locks);
	dfs_lock_release(&locks->ending);
	return status;
}

bool
dfs_locks_in_grace(struct dfs_locks *locks)
{
	see_end(locks);
	return atomic_load_explicit(&locks->phase, memory_order_acquire) == LOCK_PHASE_GRACE;
}

/* Client's lock held. */
static void
stop_waiting(struct dfs_locks *locks, struct lock_client *client)
{
	if (client->waiting)
		atomic_fetch_sub(&locks->unreclaimed, 1);
	client->waiting = false;
}

void
lock_client_forfeit(struct dfs_locks *locks, struct lock_client *client)
{
	dfs_lock_acquire(&client->mu);
	stop_waiting(locks, client);
	client->known = false;
	dfs_lock_release(&client->mu);
}

/* --- before a lock is granted --- */

static void
ticket(struct dfs_locks *locks, struct dfs_ctx *ctx, uint64_t seq)
{
	struct dfs_gate *gate = locks->store->gate;

	if (gate && seq && !dfs_gate_passed(gate, seq, locks->level))
		dfs_ctx_ticket(ctx, gate, seq, locks->level);
}

static enum dfs_status
put_record(struct dfs_locks *locks, const struct dfs_ctx *ctx, const struct lock_client *client,
	   uint64_t *seq)
{
	struct dfs_metadata_store *st = locks->store;
	char key[KEY_LEN + 1];
	enum dfs_status status;
	unsigned tries = 0;

	state_key(client->bytes, client->len, key);
	do {
		struct dfs_txn *txn;

		status = dfs_metadata_begin(st, ctx, DFS_TXN_WRITE, &txn);
		if (status != DFS_OK)
			continue;
		status = st->ops.put_state(st->inst, txn, locks->share, key, KEY_LEN, client->bytes,
					   client->len);
		if (status == DFS_OK)
			status = dfs_metadata_commit(st, txn, seq);
		else
			dfs_metadata_abort(st, txn);
	} while (dfs_metadata_again(ctx, &status, &tries));
	DFS_FAILPOINT("lock-client-put");
	return status;
}

static enum dfs_status
remember(struct dfs_locks *locks, struct dfs_ctx *ctx, struct lock_client *client)
{
	enum lock_saved saved;
	enum dfs_status status;
	uint64_t seq;
	bool doubt;

	for (;;) {
		dfs_lock_acquire(&client->mu);
		saved = client->saved;
		doubt = client->doubt;
		seq = client->saved_seq;
		dfs_lock_release(&client->mu);
		if (saved != LOCK_ERASING)
			break;
		/* It was idle a moment ago. */
		if (ctx->nonblock)
			return DFS_AGAIN;
		if (dfs_clock_mono() > ctx->deadline)
			return DFS_DELAY;
		/* Rare, and as long as one commit: no condition is kept for it in each client. */
		usleep(ERASING_WAIT);
	}
	/* Its owner keeps others from erasing it meanwhile. */
	if (saved == LOCK_UNSAVED || doubt) {
		seq = 0;
		status = put_record(locks, ctx, client, &seq);
		if (status != DFS_OK)
			return status;
		dfs_lock_acquire(&client->mu);
		if (client->saved == LOCK_UNSAVED) {
			client->saved = LOCK_SAVED;
			atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
		}
		client->doubt = false;
		if (seq > client->saved_seq)
			client->saved_seq = seq;
		dfs_lock_release(&client->mu);
	}
	ticket(locks, ctx, seq);
	return DFS_OK;
}

/* In the grace period.  DFS_GRACE: not yet. */
static enum dfs_status
admit_in_grace(struct dfs_locks *locks, struct lock_client *client, bool reclaim)
{
	enum dfs_status status = DFS_GRACE;

	dfs_lock_acquire(&client->mu);
	if (reclaim) {
		status = client->known && client->saved == LOCK_SAVED ? DFS_OK : DFS_PERM;
		client->reclaimed |= status == DFS_OK;
	} else if (client->reclaimed) {
		/* Clients reclaim everything before they ask for anything new. */
		stop_waiting(locks, client);
	}
	dfs_lock_release(&client->mu);
	return status;
}

enum dfs_status
dfs_locks_admit(struct dfs_locks *locks, struct dfs_ctx *ctx, struct dfs_lock_owner *owner,
		bool reclaim, bool remembered)
{
	enum dfs_status status;

	if (dfs_locks_in_grace(locks)) {
		status = admit_in_grace(locks, owner->client, reclaim);
		if (status != DFS_GRACE || dfs_locks_in_grace(locks))
			return status;
	}
	if (reclaim)
		return DFS_PERM;
	if (atomic_load_explicit(&locks->phase, memory_order_acquire) == LOCK_PHASE_ENDING) {
		if (ctx->nonblock)
			return DFS_AGAIN;
		status = end_grace(locks, ctx->deadline);
		if (status != DFS_OK)
			return status;
	}
	if (!locks->store)
		return DFS_OK;
	ticket(locks, ctx, atomic_load(&locks->purged_seq));
	return remembered ? remember(locks, ctx, owner->client) : DFS_OK;
}

enum dfs_status
dfs_locks_remembered(struct dfs_locks *locks, struct dfs_lock_owner *owner, int64_t deadline)
{
	uint64_t seq;

	if (!locks->store || !locks->store->gate)
		return DFS_OK;
	dfs_lock_acquire(&owner->client->mu);
	seq = owner->client->saved_seq;
	dfs_lock_release(&owner->client->mu);
	if (seq < atomic_load(&locks->purged_seq))
		seq = atomic_load(&locks->purged_seq);
	if (!seq || dfs_gate_passed(locks->store->gate, seq, locks->level))
		return DFS_OK;
	return dfs_gate_wait_sync(locks->store->gate, seq, locks->level, deadline);
}

void
dfs_locks_tidy(struct dfs_locks *locks)
{
	struct lock_client **list;
	uint32_t n;

	if (!locks->store || dfs_locks_in_grace(locks))
		return;
	/* Whoever else is at it will end it. */
	if (atomic_load(&locks->phase) == LOCK_PHASE_ENDING && end_grace(locks, 0) != DFS_OK)
		return;
	list = lock_clients_list(locks, NULL, NULL, &n);
	if (list)
		erase(locks, list, n, NULL, has_nothing);
	free(list);
}
