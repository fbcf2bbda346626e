/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "adapters/nfs/nsm/table.h"
#include "base/log.h"

typedef char peer_name[NSM_NAME_MAX + 1];

/* The peers at this address that go by this name and whose notice is a new one, of whom there are
 * NSM_PEERS_ADDRESS_MAX at most; they are noted as told of. */
static unsigned
take_restarted(struct nfs_nsm *nsm, const union nfs_address *from, const char *name, uint32_t state,
	       peer_name *names)
{
	char text[NFS_ADDRESS_TEXT];
	unsigned found = 0;

	nfs_address_text(from, text);
	pthread_mutex_lock(&nsm->mu);
	for (struct nsm_peer *p = *nsm_bucket(nsm, from); p && found < NSM_PEERS_ADDRESS_MAX;
	     p = p->next) {
		if (!p->held || !nfs_address_same(&p->address, from) ||
		    (!nsm_name_matches(p->name, name) && strcmp(name, text) != 0))
			continue;
		if (p->state != 0 && p->state == state)
			continue; /* the one that it holds its locks in */
		p->state = state;
		strcpy(names[found++], p->name);
	}
	pthread_mutex_unlock(&nsm->mu);
	return found;
}

/* A host has restarted (X/Open XNFS 11: SM_NOTIFY).  The reply is void, whatever comes of it. */
enum dfs_status
nsm1_notify(struct nfs_call *call)
{
	struct nfs_nsm *nsm = call->access->service->nsm;
	char text[NFS_ADDRESS_TEXT];
	union nfs_address from;
	peer_name name, *names;
	uint32_t len, state;
	const unsigned char *bytes = xdr_opaque(&call->args, NSM_STRING_MAX, &len);
	unsigned n;

	state = xdr_u32(&call->args);
	if (call->args.bad)
		return DFS_INVAL;
	if (nsm_name((const char *)bytes, len, name) != DFS_OK)
		return DFS_OK; /* nobody is remembered by such a name */
	if (call->ctx.nonblock)
		return DFS_AGAIN; /* dropping locks can take a while */
	names = malloc(NSM_PEERS_ADDRESS_MAX * sizeof *names);
	if (!names)
		return DFS_NOMEM; /* it comes again */
	nfs_address_set(&from, &call->access->peer.sa);
	nfs_address_text(&from, text);
	n = take_restarted(nsm, &from, name, state, names);
	if (n == 0)
		dfs_log(DFS_LOG_DEBUG, "%s says that %.64s has restarted: nothing is held by it",
			text, name);
	for (unsigned i = 0; i < n; i++) {
		dfs_log(DFS_LOG_INFO, "%s (%s) has restarted: its locks are dropped", names[i],
			text);
		if (nsm->restarted)
			nsm->restarted(nsm->restarted_arg, &from, names[i]);
	}
	free(names);
	nsm_pass_on(nsm, name, &from, state);
	return DFS_OK;
}
