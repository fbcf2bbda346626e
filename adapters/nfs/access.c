/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "adapters/nfs/access.h"
#include "runtime/runtime.h"

#define PORT_PRIVILEGED 1024

void
nfs_access_init(struct nfs_access *access, const struct nfs_service *service,
		const struct sockaddr *peer)
{
	memset(access, 0, sizeof *access);
	access->service = service;
	if (peer->sa_family == AF_INET)
		memcpy(&access->peer.in, peer, sizeof access->peer.in);
	else if (peer->sa_family == AF_INET6)
		memcpy(&access->peer.in6, peer, sizeof access->peer.in6);
	else
		access->peer.sa.sa_family = AF_UNSPEC;
}

void
nfs_access_clear(struct nfs_access *access)
{
	for (unsigned i = 0; i < NFS_ACCESS_ENTRIES; i++)
		if (access->decisions[i].share)
			dfs_share_unref(access->decisions[i].share);
	memset(access->decisions, 0, sizeof access->decisions);
}

static uint16_t
peer_port(const struct nfs_access *access)
{
	if (access->peer.sa.sa_family == AF_INET)
		return ntohs(access->peer.in.sin_port);
	return ntohs(access->peer.in6.sin6_port);
}

/* What the rules say now. */
static void
decide(const struct nfs_access *access, struct dfs_share *share, uint64_t epoch,
       struct nfs_decision *d)
{
	struct dfs_client_rule rule;

	*d = (struct nfs_decision){.share = share, .epoch = epoch, .slot = share->slot};
	if (access->peer.sa.sa_family == AF_UNSPEC ||
	    !dfs_share_match(share, &access->peer.sa, &rule))
		return;
	d->admitted = !rule.secure || peer_port(access) < PORT_PRIVILEGED;
	d->read_only = rule.read_only || share->read_only;
	d->squash = rule.squash;
	d->anon_uid = rule.anon_uid;
	d->anon_gid = rule.anon_gid;
}

static void
squash(struct dfs_identity *id, const struct nfs_decision *d, bool anonymous)
{
	if (anonymous || d->squash == DFS_SQUASH_ALL) {
		id->uid = d->anon_uid;
		id->gid = d->anon_gid;
		id->ngids = 0;
		return;
	}
	if (d->squash == DFS_SQUASH_NONE)
		return;
	if (id->uid == 0)
		id->uid = d->anon_uid;
	if (id->gid == 0)
		id->gid = d->anon_gid;
	for (uint32_t i = 0; i < id->ngids; i++)
		if (id->gids[i] == 0)
			id->gids[i] = d->anon_gid;
}

static enum dfs_status
enter(struct nfs_call *call, const struct nfs_decision *d)
{
	call->ctx.share = d->share;
	call->ctx.read_only = d->read_only;
	if (!d->admitted)
		return DFS_ACCESS;
	squash(&call->ctx.id, d, call->flavor == 0);
	return DFS_OK;
}

enum dfs_status
nfs_call_share(struct nfs_call *call, struct dfs_share *share)
{
	struct nfs_decision d;

	nfs_call_drop_share(call);
	decide(call->access, share, 0, &d);
	dfs_share_ref(share);
	call->share_held = true;
	return enter(call, &d);
}

/* Not in the cache: look the share up and remember what its rules say. */
static __attribute__((noinline)) enum dfs_status
slot_miss(struct nfs_call *call, uint32_t slot, uint64_t epoch)
{
	struct nfs_access *access = call->access;
	struct dfs_share *share = dfs_runtime_share_by_slot(access->service->runtime, slot);
	struct nfs_decision *d = NULL;
	enum dfs_status status;

	if (!call->ctx.nonblock) {
		if (!share)
			return DFS_STALE;
		status = nfs_call_share(call, share);
		dfs_share_unref(share);
		return status;
	}
	for (unsigned i = 0; i < NFS_ACCESS_ENTRIES; i++)
		if (access->decisions[i].share && access->decisions[i].slot == slot)
			d = &access->decisions[i];
	if (!share) {
		if (d) { /* the share is leaving and waits for its references */
			dfs_share_unref(d->share);
			d->share = NULL;
		}
		return DFS_STALE;
	}
	if (!d)
		d = &access->decisions[access->next++ % NFS_ACCESS_ENTRIES];
	if (d->share)
		dfs_share_unref(d->share);
	/* The epoch was read before the rules: a reload in between leaves an entry that is out of
	 * date already, never one that is stale for ever. */
	decide(access, share, epoch, d);
	return enter(call, d);
}

enum dfs_status
nfs_call_slot(struct nfs_call *call, uint32_t slot)
{
	struct nfs_access *access = call->access;
	uint64_t epoch = dfs_runtime_epoch(access->service->runtime);

	nfs_call_drop_share(call);
	if (call->ctx.nonblock) {
		for (unsigned i = 0; i < NFS_ACCESS_ENTRIES; i++) {
			struct nfs_decision *d = &access->decisions[i];
			if (d->share && d->slot == slot && d->epoch == epoch)
				return enter(call, d);
		}
	}
	return slot_miss(call, slot, epoch);
}

void
nfs_call_hold_share(struct nfs_call *call)
{
	if (!call->ctx.share || call->share_held)
		return;
	dfs_share_ref(call->ctx.share);
	call->share_held = true;
}

void
nfs_call_drop_share(struct nfs_call *call)
{
	if (call->share_held)
		dfs_share_unref(call->ctx.share);
	call->share_held = false;
	call->ctx.share = NULL;
}
