/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "adapters/nfs/nsm/table.h"
#include "base/log.h"

struct dropped {
	union nfs_address address;
	char name[NSM_NAME_MAX + 1];
};

/* All that hold locks are to be told; the list of them, *n long (free it), NULL: none or no memory. */
static struct dropped *
crash_locked(struct nfs_nsm *nsm, uint32_t *n)
{
	struct dropped *list = malloc((nsm->n_peers + 1) * sizeof *list);

	*n = 0;
	for (unsigned i = 0; list && i < NSM_BUCKETS; i++)
		for (struct nsm_peer *p = nsm->peers[i]; p; p = p->next) {
			if (!p->held)
				continue;
			list[*n].address = p->address;
			strcpy(list[(*n)++].name, p->name);
			nsm->n_untold += !p->untold;
			p->untold = true;
			p->tries = 0;
			p->due = 0;
		}
	nsm->state += 2;
	nsm->seq++;
	return list;
}

/* As if this server had crashed: locks are lost, the state number grows, and those who held some are
 * told.  For tests of clients; from this host only. */
enum dfs_status
nsm1_simu_crash(struct nfs_call *call)
{
	struct nfs_nsm *nsm = call->access->service->nsm;
	struct dropped *list;
	uint32_t n;

	if (!nsm_from_this_host(call))
		return DFS_OK;
	if (call->ctx.nonblock)
		return DFS_AGAIN;
	pthread_mutex_lock(&nsm->mu);
	list = crash_locked(nsm, &n);
	dfs_ctx_ticket(&call->ctx, nsm->gate, nsm->seq, NSM_LEVEL);
	pthread_mutex_unlock(&nsm->mu);
	dfs_log(DFS_LOG_WARN, "a crash is simulated: the locks of %u clients are dropped", n);
	for (uint32_t i = 0; i < n && nsm->restarted; i++)
		nsm->restarted(nsm->restarted_arg, &list[i].address, list[i].name);
	free(list);
	nsm_tell(nsm);
	return DFS_OK;
}
