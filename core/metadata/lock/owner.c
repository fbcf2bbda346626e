/* SPDX-License-Identifier: MIT
 *
 * Clients and their owners: interned while anything refers to them.
 */
#include <stdlib.h>
#include <string.h>

#include "metadata/lock/table.h"

#define BYTES_EACH 256 /* of owners and clients, for each lock that the server may hold */
#define SPLIT_LIMITS 2 /* what is split by an unlock may pass the limits of locks so many times */

static bool
charge(struct dfs_locks *locks, size_t bytes, bool force)
{
	struct dfs_lock_domain *d = locks->domain;
	uint64_t now = atomic_fetch_add_explicit(&d->bytes, bytes, memory_order_relaxed) + bytes;

	if (force || now <= d->max_locks * BYTES_EACH)
		return true;
	atomic_fetch_sub_explicit(&d->bytes, bytes, memory_order_relaxed);
	return false;
}

static void
uncharge(struct dfs_locks *locks, size_t bytes)
{
	atomic_fetch_sub_explicit(&locks->domain->bytes, bytes, memory_order_relaxed);
}

static struct lock_client *
find_client_locked(struct dfs_locks *locks, uint64_t id, const void *bytes, uint32_t len)
{
	struct lock_link *link = lock_hash_first(&locks->clients, id);

	for (; link; link = lock_hash_next(link)) {
		struct lock_client *client = (struct lock_client *)link;

		if (client->len == len && memcmp(client->bytes, bytes, len) == 0) {
			atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
			return client;
		}
	}
	return NULL;
}

struct lock_client *
lock_client_find(struct dfs_locks *locks, const void *bytes, uint32_t len)
{
	struct lock_client *client;

	dfs_lock_acquire(&locks->clients_mu);
	client = find_client_locked(locks, dfs_siphash(&locks->key, bytes, len), bytes, len);
	dfs_lock_release(&locks->clients_mu);
	return client;
}

struct lock_client *
lock_client_get(struct dfs_locks *locks, const void *bytes, uint32_t len, bool force)
{
	uint64_t id = dfs_siphash(&locks->key, bytes, len);
	struct lock_client *client;

	dfs_lock_acquire(&locks->clients_mu);
	client = find_client_locked(locks, id, bytes, len);
	if (!client && charge(locks, sizeof *client + len, force)) {
		client = calloc(1, sizeof *client + len);
		if (client) {
			client->link.id = id;
			client->len = len;
			memcpy(client->bytes, bytes, len);
			atomic_init(&client->refs, 1);
		}
		if (!client || !lock_hash_add(&locks->clients, &client->link)) {
			uncharge(locks, sizeof *client + len);
			free(client);
			client = NULL;
		}
	}
	dfs_lock_release(&locks->clients_mu);
	return client;
}

/* True: the last reference is gone, and with it what `mu` guards no more shows it. */
static bool
drop_ref(_Atomic uint32_t *refs, struct dfs_lock *mu)
{
	uint32_t n = atomic_load_explicit(refs, memory_order_relaxed);

	while (n > 1)
		if (atomic_compare_exchange_weak_explicit(refs, &n, n - 1, memory_order_release,
							  memory_order_relaxed))
			return false;
	dfs_lock_acquire(mu);
	if (atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) != 1) {
		dfs_lock_release(mu);
		return false;
	}
	return true; /* mu is held */
}

void
lock_client_put(struct dfs_locks *locks, struct lock_client *client)
{
	if (!drop_ref(&client->refs, &locks->clients_mu))
		return;
	lock_hash_del(&locks->clients, &client->link);
	dfs_lock_release(&locks->clients_mu);
	uncharge(locks, sizeof *client + client->len);
	free(client);
}

struct lock_client **
lock_clients_list(struct dfs_locks *locks, bool (*fn)(void *arg, const void *client, uint32_t len),
		  void *arg, uint32_t *n)
{
	struct lock_client **list;

	*n = 0;
	dfs_lock_acquire(&locks->clients_mu);
	list = calloc(locks->clients.n ? locks->clients.n : 1, sizeof *list);
	for (uint64_t i = 0; list && locks->clients.n && i <= locks->clients.mask; i++) {
		struct lock_link *link = locks->clients.buckets[i];

		for (; link; link = link->next) {
			struct lock_client *client = (struct lock_client *)link;

			if (fn && !fn(arg, client->bytes, client->len))
				continue;
			atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
			list[(*n)++] = client;
		}
	}
	dfs_lock_release(&locks->clients_mu);
	return list;
}

static uint64_t
owner_id(struct dfs_locks *locks, const struct dfs_lock_who *who)
{
	return dfs_siphash(&locks->key, who->client, who->client_len) * 3 +
	       dfs_siphash(&locks->key, who->owner, who->owner_len);
}

static struct lock_owner_shard *
owner_shard(struct dfs_locks *locks, uint64_t id)
{
	return &locks->owners[dfs_hash_u64(id, 1) % LOCK_OWNER_SHARDS];
}

static struct dfs_lock_owner *
find_owner_locked(struct lock_owner_shard *shard, uint64_t id, const struct dfs_lock_who *who)
{
	struct lock_link *link = lock_hash_first(&shard->owners, id);

	for (; link; link = lock_hash_next(link)) {
		struct dfs_lock_owner *owner = (struct dfs_lock_owner *)link;

		if (owner->len == who->owner_len && owner->client->len == who->client_len &&
		    memcmp(owner->bytes, who->owner, who->owner_len) == 0 &&
		    memcmp(owner->client->bytes, who->client, who->client_len) == 0) {
			lock_owner_ref(owner);
			return owner;
		}
	}
	return NULL;
}

struct dfs_lock_owner *
dfs_lock_owner_find(struct dfs_locks *locks, const struct dfs_lock_who *who)
{
	uint64_t id = owner_id(locks, who);
	struct lock_owner_shard *shard = owner_shard(locks, id);
	struct dfs_lock_owner *owner;

	dfs_lock_acquire(&shard->mu);
	owner = find_owner_locked(shard, id, who);
	dfs_lock_release(&shard->mu);
	return owner;
}

static struct dfs_lock_owner *
owner_new(struct dfs_locks *locks, uint64_t id, const struct dfs_lock_who *who)
{
	size_t size = sizeof(struct dfs_lock_owner) + who->owner_len;
	struct dfs_lock_owner *owner;

	if (!charge(locks, size, false))
		return NULL;
	owner = calloc(1, size);
	if (owner)
		owner->client = lock_client_get(locks, who->client, who->client_len, false);
	if (!owner || !owner->client) {
		uncharge(locks, size);
		free(owner);
		return NULL;
	}
	owner->link.id = id;
	owner->len = who->owner_len;
	memcpy(owner->bytes, who->owner, who->owner_len);
	atomic_init(&owner->refs, 1);
	return owner;
}

static void
owner_free(struct dfs_locks *locks, struct dfs_lock_owner *owner)
{
	lock_client_put(locks, owner->client);
	uncharge(locks, sizeof *owner + owner->len);
	free(owner);
}

enum dfs_status
dfs_lock_owner_get(struct dfs_locks *locks, const struct dfs_lock_who *who,
		   struct dfs_lock_owner **out)
{
	uint64_t id = owner_id(locks, who);
	struct lock_owner_shard *shard = owner_shard(locks, id);
	struct dfs_lock_owner *owner, *mine;

	dfs_lock_acquire(&shard->mu);
	*out = find_owner_locked(shard, id, who);
	dfs_lock_release(&shard->mu);
	if (*out)
		return DFS_OK;
	mine = owner_new(locks, id, who);
	if (!mine)
		return DFS_NOMEM;
	dfs_lock_acquire(&shard->mu);
	owner = find_owner_locked(shard, id, who);
	if (!owner && lock_hash_add(&shard->owners, &mine->link)) {
		dfs_lock_acquire(&mine->client->mu);
		mine->next = mine->client->owners;
		mine->prev = &mine->client->owners;
		if (mine->next)
			mine->next->prev = &mine->next;
		mine->client->owners = mine;
		dfs_lock_release(&mine->client->mu);
		owner = mine;
	}
	dfs_lock_release(&shard->mu);
	if (owner != mine)
		owner_free(locks, mine);
	*out = owner;
	return owner ? DFS_OK : DFS_NOMEM;
}

void
dfs_lock_owner_put(struct dfs_locks *locks, struct dfs_lock_owner *owner)
{
	struct lock_owner_shard *shard;

	if (!owner)
		return;
	shard = owner_shard(locks, owner->link.id);
	if (!drop_ref(&owner->refs, &shard->mu))
		return;
	lock_hash_del(&shard->owners, &owner->link);
	dfs_lock_acquire(&owner->client->mu);
	*owner->prev = owner->next;
	if (owner->next)
		owner->next->prev = owner->prev;
	dfs_lock_release(&owner->client->mu);
	dfs_lock_release(&shard->mu);
	owner_free(locks, owner);
}

void
lock_owners_clear(struct dfs_locks *locks)
{
	for (unsigned i = 0; i < LOCK_OWNER_SHARDS; i++)
		lock_hash_clear(&locks->owners[i].owners);
}

bool
lock_count(struct dfs_locks *locks, struct lock_client *client, uint64_t n, bool split)
{
	struct dfs_lock_domain *d = locks->domain;
	uint64_t times = split ? SPLIT_LIMITS : 1;
	uint64_t all = atomic_fetch_add_explicit(&d->locks, n, memory_order_relaxed) + n;
	bool good;

	dfs_lock_acquire(&client->mu);
	good = all <= times * d->max_locks && client->n_locks + n <= times * d->max_client_locks;
	if (good)
		client->n_locks += n;
	dfs_lock_release(&client->mu);
	if (good)
		atomic_fetch_add_explicit(&locks->n_locks, n, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&d->locks, n, memory_order_relaxed);
	return good;
}

void
lock_uncount(struct dfs_locks *locks, struct lock_client *client, uint64_t n)
{
	dfs_lock_acquire(&client->mu);
	client->n_locks -= n;
	dfs_lock_release(&client->mu);
	atomic_fetch_sub_explicit(&locks->domain->locks, n, memory_order_relaxed);
	atomic_fetch_sub_explicit(&locks->n_locks, n, memory_order_relaxed);
}
