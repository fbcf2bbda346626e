/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "adapters/nfs/nsm/table.h"
#include "base/clock.h"
#include "base/log.h"

struct nsm_peer **
nsm_bucket(struct nfs_nsm *nsm, const union nfs_address *address)
{
	return &nsm->peers[nfs_address_hash(address) % NSM_BUCKETS];
}

struct nsm_peer *
nsm_find_locked(struct nfs_nsm *nsm, const union nfs_address *address, const char *name)
{
	for (struct nsm_peer *p = *nsm_bucket(nsm, address); p; p = p->next)
		if (nfs_address_same(&p->address, address) && strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static bool
is_full_locked(struct nfs_nsm *nsm, const union nfs_address *address)
{
	uint32_t n = 0;

	for (struct nsm_peer *p = *nsm_bucket(nsm, address); p; p = p->next)
		n += nfs_address_same(&p->address, address);
	return nsm->n_peers >= NSM_PEERS_MAX || n >= NSM_PEERS_ADDRESS_MAX;
}

struct nsm_peer *
nsm_add_locked(struct nfs_nsm *nsm, const union nfs_address *address, const char *name)
{
	struct nsm_peer **bucket = nsm_bucket(nsm, address), *p;

	if (is_full_locked(nsm, address))
		nsm_prune_locked(nsm, true);
	if (is_full_locked(nsm, address))
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->address = *address;
	nfs_address_set_port(&p->address, 0);
	strcpy(p->name, name);
	p->next = *bucket;
	*bucket = p;
	nsm->n_peers++;
	return p;
}

void
nsm_prune_locked(struct nfs_nsm *nsm, bool all)
{
	int64_t now = dfs_clock_mono();

	for (unsigned i = 0; i < NSM_BUCKETS; i++)
		for (struct nsm_peer **at = &nsm->peers[i], *p; (p = *at);) {
			if (p->held || p->untold || p->asking || (!all && p->linger > now)) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			free(p);
			nsm->n_peers--;
			nsm->seq++;
		}
}

bool
nsm_name_matches(const char *a, const char *b)
{
	size_t la = strcspn(a, "."), lb = strcspn(b, ".");

	if (strcasecmp(a, b) == 0)
		return true;
	return la == lb && la > 0 && (!a[la] || !b[lb]) && strncasecmp(a, b, la) == 0;
}

enum dfs_status
nsm_name(const char *bytes, uint32_t len, char name[NSM_NAME_MAX + 1])
{
	if (len > NSM_NAME_MAX)
		return DFS_NAMETOOLONG;
	if (len == 0 || memchr(bytes, 0, len))
		return DFS_INVAL;
	memcpy(name, bytes, len);
	name[len] = '\0';
	return DFS_OK;
}

static enum dfs_status
sync_file(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	(void)seq; /* the file has all that was there when it was written */
	(void)level;
	return nsm_file_write(arg, durable);
}

struct soon {
	struct dfs_gate_waiter waiter;
};

static void
soon_done(struct dfs_gate_waiter *waiter, enum dfs_status status)
{
	(void)status; /* the gate logs a failure, and the next change tries again */
	free(waiter);
}

void
nsm_write_soon(struct nfs_nsm *nsm)
{
	struct soon *soon = calloc(1, sizeof *soon);

	if (!soon)
		return;
	pthread_mutex_lock(&nsm->mu);
	soon->waiter.seq = nsm->seq;
	pthread_mutex_unlock(&nsm->mu);
	soon->waiter.level = NSM_LEVEL;
	soon->waiter.done = soon_done;
	dfs_gate_wait(nsm->gate, &soon->waiter);
}

enum dfs_status
nfs_nsm_new(const char *state_dir, struct dfs_lane *lane, struct nfs_nsm **out)
{
	struct nfs_nsm *nsm = calloc(1, sizeof *nsm);
	enum dfs_status status;

	if (!nsm)
		return dfs_fail(DFS_NOMEM, "no memory for the status monitor");
	pthread_mutex_init(&nsm->mu, NULL);
	nsm->lane = lane;
	nsm->dir = strdup(state_dir);
	if (gethostname(nsm->own_name, sizeof nsm->own_name - 1) < 0 || !nsm->own_name[0])
		strcpy(nsm->own_name, "localhost");
	nsm->gate = dfs_gate_new("nsm", sync_file, nsm);
	dfs_gate_retry(nsm->gate);
	status = nsm->dir ? nsm_file_read(nsm) : DFS_NOMEM;
	if (status == DFS_OK)
		status = nsm_file_write(nsm, &nsm->written);
	if (status != DFS_OK) {
		nfs_nsm_free(nsm);
		return status;
	}
	*out = nsm;
	return DFS_OK;
}

static void
free_watches(struct nsm_watch *list)
{
	while (list) {
		struct nsm_watch *w = list;
		list = w->next;
		free(w);
	}
}

void
nfs_nsm_free(struct nfs_nsm *nsm)
{
	if (!nsm)
		return;
	dfs_gate_free(nsm->gate);
	/* Without those that hold nothing any more; a failure leaves some in, which are told for
	 * nothing. */
	nsm_prune_locked(nsm, true);
	if (nsm->written && nsm->written != nsm->seq)
		nsm_file_write(nsm, &nsm->written);
	for (unsigned i = 0; i < NSM_BUCKETS; i++)
		while (nsm->peers[i]) {
			struct nsm_peer *p = nsm->peers[i];
			nsm->peers[i] = p->next;
			free(p);
		}
	free_watches(nsm->watches);
	free_watches(nsm->lapsed);
	pthread_mutex_destroy(&nsm->mu);
	free(nsm->dir);
	free(nsm);
}

void
nfs_nsm_stop(struct nfs_nsm *nsm)
{
	atomic_store(&nsm->stopping, true);
}

void
nfs_nsm_on_restart(struct nfs_nsm *nsm, nfs_nsm_restarted_fn fn, void *arg)
{
	nsm->restarted = fn;
	nsm->restarted_arg = arg;
}

uint32_t
nfs_nsm_state(struct nfs_nsm *nsm)
{
	uint32_t state;

	pthread_mutex_lock(&nsm->mu);
	state = nsm->state;
	pthread_mutex_unlock(&nsm->mu);
	return state;
}

uint32_t
nfs_nsm_peers(struct nfs_nsm *nsm)
{
	uint32_t n;

	pthread_mutex_lock(&nsm->mu);
	n = nsm->n_peers;
	pthread_mutex_unlock(&nsm->mu);
	return n;
}

uint32_t
nfs_nsm_untold(struct nfs_nsm *nsm)
{
	uint32_t n;

	pthread_mutex_lock(&nsm->mu);
	n = nsm->n_untold;
	pthread_mutex_unlock(&nsm->mu);
	return n;
}

bool
nsm_from_this_host(const struct nfs_call *call)
{
	union nfs_address from;

	nfs_address_set(&from, &call->access->peer.sa);
	return nfs_address_loopback(&from) && nfs_address_port(&from) < IPPORT_RESERVED;
}

/* The peer as it is remembered from now on, or NULL. */
static struct nsm_peer *
hold_locked(struct nfs_nsm *nsm, const struct nfs_access *access, const char *name, uint32_t state)
{
	union nfs_address address;
	struct nsm_peer *peer;

	nfs_address_set(&address, &access->peer.sa);
	if (address.sa.sa_family == AF_UNSPEC)
		return NULL;
	peer = nsm_find_locked(nsm, &address, name);
	if (!peer) {
		peer = nsm_add_locked(nsm, &address, name);
		if (peer)
			peer->seq = ++nsm->seq;
	}
	if (!peer || peer->held)
		return peer;
	peer->held = true;
	/* While it holds something its state stays what it was when it began to: by that its
	 * notice is told from one that comes again. */
	peer->state = state;
	peer->local = access->local;
	nfs_address_set_port(&peer->local, 0);
	return peer;
}

enum dfs_status
nfs_nsm_monitor(struct nfs_nsm *nsm, const struct nfs_access *access, const char *bytes,
		uint32_t len, uint32_t state, struct dfs_ctx *ctx)
{
	char name[NSM_NAME_MAX + 1];
	enum dfs_status status = nsm_name(bytes, len, name);
	struct nsm_peer *peer;
	uint64_t seq;

	if (status != DFS_OK)
		return status;
	pthread_mutex_lock(&nsm->mu);
	peer = hold_locked(nsm, access, name, state);
	seq = peer ? peer->seq : 0;
	pthread_mutex_unlock(&nsm->mu);
	if (!peer)
		return dfs_fail(DFS_NOSPC, "the status monitor can remember no more clients");
	if (!dfs_gate_passed(nsm->gate, seq, NSM_LEVEL))
		dfs_ctx_ticket(ctx, nsm->gate, seq, NSM_LEVEL);
	return DFS_OK;
}

void
nfs_nsm_forget(struct nfs_nsm *nsm, const union nfs_address *address, const char *bytes,
	       uint32_t len)
{
	char name[NSM_NAME_MAX + 1];
	union nfs_address at;
	struct nsm_peer *peer;

	nfs_address_set(&at, &address->sa);
	if (at.sa.sa_family == AF_UNSPEC || nsm_name(bytes, len, name) != DFS_OK)
		return;
	pthread_mutex_lock(&nsm->mu);
	peer = nsm_find_locked(nsm, &at, name);
	if (peer && peer->held) {
		peer->held = false;
		peer->linger = dfs_clock_mono() + NSM_LINGER;
	}
	pthread_mutex_unlock(&nsm->mu);
}
