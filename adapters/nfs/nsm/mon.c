/* SPDX-License-Identifier: MIT
 *
 * What programs of this host ask of its status monitor: SM_MON, SM_UNMON, SM_UNMON_ALL (X/Open XNFS
 * chapter 11).  From this host only, and notices go to the lock manager's program only, which are rules
 * of ours: otherwise anybody could have this host call what they like.
 */
#include <stdlib.h>

#include "adapters/nfs/nlm/nlm.h"
#include "adapters/nfs/nsm/table.h"
#include "base/log.h"

#define STAT_SUCC 0u
#define STAT_FAIL 1u

/* struct my_id.  False: what it says cannot be remembered; check args.bad. */
static bool
get_user(struct xdr_in *args, struct nsm_watch *w)
{
	uint32_t len;
	const unsigned char *user = xdr_opaque(args, NSM_STRING_MAX, &len);

	w->program = xdr_u32(args);
	w->version = xdr_u32(args);
	w->procedure = xdr_u32(args);
	return !args->bad && nsm_name((const char *)user, len, w->user) == DFS_OK;
}

/* struct mon_id. */
static bool
get_watch(struct xdr_in *args, struct nsm_watch *w)
{
	uint32_t len;
	const unsigned char *host = xdr_opaque(args, NSM_STRING_MAX, &len);
	bool good = !args->bad && nsm_name((const char *)host, len, w->host) == DFS_OK;

	return get_user(args, w) && good;
}

static bool
same_user(const struct nsm_watch *a, const struct nsm_watch *b)
{
	return a->program == b->program && a->version == b->version &&
	       a->procedure == b->procedure && strcmp(a->user, b->user) == 0;
}

/* False: there are too many. */
static bool
add_locked(struct nfs_nsm *nsm, const struct nsm_watch *w)
{
	struct nsm_watch *at = nsm->watches;

	while (at && (!same_user(at, w) || strcmp(at->host, w->host) != 0))
		at = at->next;
	if (!at) {
		if (nsm->n_watches >= NSM_WATCHES_MAX || !(at = calloc(1, sizeof *at)))
			return false;
		*at = *w;
		at->next = nsm->watches;
		nsm->watches = at;
		nsm->n_watches++;
	} else if (memcmp(at->priv, w->priv, sizeof at->priv) == 0) {
		return true;
	}
	memcpy(at->priv, w->priv, sizeof at->priv);
	nsm->seq++;
	return true;
}

enum dfs_status
nsm1_mon(struct nfs_call *call)
{
	struct nfs_nsm *nsm = call->access->service->nsm;
	struct nsm_watch w = {0};
	bool good = get_watch(&call->args, &w);
	const unsigned char *priv = xdr_fixed(&call->args, NSM_PRIV_SIZE);
	uint32_t state;
	uint64_t seq = 0;

	if (call->args.bad)
		return DFS_INVAL;
	memcpy(w.priv, priv, NSM_PRIV_SIZE);
	good = good && nsm_from_this_host(call) && w.program == NLM_PROGRAM;
	pthread_mutex_lock(&nsm->mu);
	if (good) {
		good = add_locked(nsm, &w);
		seq = nsm->seq;
	}
	state = nsm->state;
	pthread_mutex_unlock(&nsm->mu);
	if (good && !dfs_gate_passed(nsm->gate, seq, NSM_LEVEL))
		dfs_ctx_ticket(&call->ctx, nsm->gate, seq, NSM_LEVEL);
	xdr_put_u32(&call->out, good ? STAT_SUCC : STAT_FAIL);
	xdr_put_u32(&call->out, state);
	return DFS_OK;
}

/* Drop the watches of w's user; of all hosts, or of w's. */
static enum dfs_status
drop(struct nfs_call *call, const struct nsm_watch *w, bool all)
{
	struct nfs_nsm *nsm = call->access->service->nsm;
	uint32_t state;

	pthread_mutex_lock(&nsm->mu);
	for (struct nsm_watch **at = &nsm->watches, *old; w && (old = *at);) {
		if (!same_user(old, w) || (!all && strcmp(old->host, w->host) != 0)) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		free(old);
		nsm->n_watches--;
		nsm->seq++; /* written with the next change: a host told for nothing is no harm */
	}
	state = nsm->state;
	pthread_mutex_unlock(&nsm->mu);
	xdr_put_u32(&call->out, state);
	return DFS_OK;
}

enum dfs_status
nsm1_unmon(struct nfs_call *call)
{
	struct nsm_watch w = {0};
	bool good = get_watch(&call->args, &w);

	if (call->args.bad)
		return DFS_INVAL;
	return drop(call, good && nsm_from_this_host(call) ? &w : NULL, false);
}

enum dfs_status
nsm1_unmon_all(struct nfs_call *call)
{
	struct nsm_watch w = {0};
	bool good = get_user(&call->args, &w);

	if (call->args.bad)
		return DFS_INVAL;
	return drop(call, good && nsm_from_this_host(call) ? &w : NULL, true);
}
