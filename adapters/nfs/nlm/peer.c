/* SPDX-License-Identifier: MIT
 *
 * Clients that hold or await something, for the status monitor: who joins is told to it before the
 * answer, who has nothing any more some time later.
 */
#include <stdlib.h>

#include "adapters/nfs/nlm/service.h"
#include "runtime/runtime.h"

static struct nlm_peer **
find_locked(struct nlm *nlm, const union nfs_address *address, const struct nlm_bytes *name)
{
	uint64_t hash = dfs_siphash(&nlm->peer_key, name->data, name->len);
	struct nlm_peer **at = &nlm->peers[hash % NLM_PEER_BUCKETS];

	while (*at && ((*at)->len != name->len || memcmp((*at)->name, name->data, name->len) != 0 ||
		       !nfs_address_same(&(*at)->address, address)))
		at = &(*at)->next;
	return at;
}

/* at: the end of its bucket. */
static struct nlm_peer *
add_locked(struct nlm *nlm, struct nlm_peer **at, const union nfs_address *address,
	   const struct nlm_bytes *name)
{
	struct nlm_peer *peer;

	if (nlm->n_peers == NLM_PEERS_MAX)
		return NULL;
	peer = malloc(sizeof *peer + name->len);
	if (!peer)
		return NULL;
	*peer = (struct nlm_peer){.address = *address, .len = name->len};
	memcpy(peer->name, name->data, name->len);
	*at = peer;
	nlm->n_peers++;
	return peer;
}

static void
drop_locked(struct nlm *nlm, struct nlm_peer **at)
{
	struct nlm_peer *peer = *at;

	*at = peer->next;
	nlm->n_peers--;
	free(peer);
}

enum dfs_status
nlm_peer_enter(struct nlm *nlm, struct nfs_call *call, const struct nlm_args *args)
{
	const struct nlm_outside *o = &nlm->outside;
	union nfs_address address;
	struct nlm_peer *peer, **at;
	enum dfs_status status;
	bool known;

	if (!o->monitor)
		return DFS_OK;
	nfs_address_set(&address, &call->access->peer.sa);
	dfs_lock_acquire(&nlm->peers_mu);
	at = find_locked(nlm, &address, &args->caller);
	known = *at;
	peer = known ? *at : add_locked(nlm, at, &address, &args->caller);
	status = peer ? o->monitor(o->arg, call->access, (const char *)args->caller.data,
				   args->caller.len, args->state, &call->ctx)
		      : DFS_NOMEM;
	if (status == DFS_OK)
		peer->users++;
	else if (peer && !known)
		drop_locked(nlm, at);
	dfs_lock_release(&nlm->peers_mu);
	return status;
}

void
nlm_peer_leave(struct nlm *nlm, struct nfs_call *call, const struct nlm_args *args)
{
	union nfs_address address;

	if (!nlm->outside.monitor)
		return;
	nfs_address_set(&address, &call->access->peer.sa);
	dfs_lock_acquire(&nlm->peers_mu);
	(*find_locked(nlm, &address, &args->caller))->users--;
	dfs_lock_release(&nlm->peers_mu);
}

struct question {
	const struct nlm_client *client;
	bool has;
};

static void
ask(void *arg, struct dfs_share *share)
{
	struct question *q = arg;

	q->has |= dfs_locks_has_client(share->locks, q->client->bytes, q->client->len);
}

static bool
has_something(struct nlm *nlm, const struct nlm_peer *peer)
{
	struct nlm_client client;
	struct question q = {&client, peer->users > 0};

	if (q.has)
		return true;
	nlm_client_of(&client, &peer->address, peer->name, peer->len);
	dfs_runtime_each_share(nlm->runtime, ask, &q);
	return q.has;
}

static void
tidy_bucket_locked(struct nlm *nlm, struct nlm_peer **at)
{
	struct nlm_peer *peer;

	while ((peer = *at)) {
		if (has_something(nlm, peer)) {
			at = &peer->next;
			continue;
		}
		if (nlm->outside.forget)
			nlm->outside.forget(nlm->outside.arg, &peer->address, peer->name,
					    peer->len);
		drop_locked(nlm, at);
	}
}

void
nlm_peers_tidy(struct nlm *nlm)
{
	for (unsigned i = 0; i < NLM_PEER_BUCKETS; i++) {
		dfs_lock_acquire(&nlm->peers_mu);
		tidy_bucket_locked(nlm, &nlm->peers[i]);
		dfs_lock_release(&nlm->peers_mu);
	}
}

void
nlm_peers_free(struct nlm *nlm)
{
	struct nlm_peer *next;

	for (unsigned i = 0; i < NLM_PEER_BUCKETS; i++)
		for (struct nlm_peer *peer = nlm->peers[i]; peer; peer = next) {
			next = peer->next;
			free(peer);
		}
}
