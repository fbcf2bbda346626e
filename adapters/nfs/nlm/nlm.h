/* SPDX-License-Identifier: MIT
 *
 * The network lock manager (program 100021, versions 1, 3 and 4; RFC 1813 appendix II, X/Open XNFS
 * chapters 10 and 11), on NFS's own port, over the lock manager of core/metadata/lock.
 *
 * A client is the address that it calls from and its caller_name; an owner, its svid and oh.  Export
 * rules, squashing and read-only shares hold as for NFS calls.  A LOCK that blocks waits in the lock
 * manager; when its turn has come the client is called back (tell.c).
 *
 * Any thread.  Locks, outermost first: peers_mu (held over the runtime's list of shares, the lock
 * manager, and outside's monitor and forget); mu (held over the lane's queue alone).
 */
#ifndef NFS_NLM_H
#define NFS_NLM_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/address.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/callback/callback.h"

#define NLM_PROGRAM 100021

enum nlm_proc_number {
	NLM_NULL = 0,
	NLM_TEST = 1,
	NLM_LOCK = 2,
	NLM_CANCEL = 3,
	NLM_UNLOCK = 4,
	NLM_GRANTED = 5,
	NLM_TEST_MSG = 6,
	NLM_LOCK_MSG = 7,
	NLM_CANCEL_MSG = 8,
	NLM_UNLOCK_MSG = 9,
	NLM_GRANTED_MSG = 10,
	NLM_TEST_RES = 11,
	NLM_LOCK_RES = 12,
	NLM_CANCEL_RES = 13,
	NLM_UNLOCK_RES = 14,
	NLM_GRANTED_RES = 15,
	NLM_SHARE = 20,
	NLM_UNSHARE = 21,
	NLM_NM_LOCK = 22,
	NLM_FREE_ALL = 23,
};
#define NLM_PROCS_1 16u /* of version 1 */
#define NLM_PROCS 24u   /* of versions 3 and 4 */

struct dfs_runtime;
struct dfs_workers;
struct nlm;

/* What NLM asks of others.  Every member may be NULL: then nobody is called back (a LOCK that would
 * block is denied, and messages are not answered), or nobody watches peers.  monitor and forget are
 * called with peers_mu held: they must not call NLM.  send is called with no lock held. */
struct nlm_outside {
	void *arg;
	/* As nfs_caller_send. */
	enum dfs_status (*send)(void *arg, const struct nfs_target *target, uint32_t procedure,
				const void *args, uint32_t len, int64_t deadline,
				nfs_callback_fn done, void *done_arg);
	/* The caller is about to hold or await a lock: it must be told of a restart.  ctx gets a
	 * ticket.  state: its own monitor's, 0: not known.  Does not block. */
	enum dfs_status (*monitor)(void *arg, const struct nfs_access *access, const char *name,
				   uint32_t len, uint32_t state, struct dfs_ctx *ctx);
	/* It holds and awaits nothing any more.  Does not block. */
	void (*forget)(void *arg, const union nfs_address *peer, const char *name, uint32_t len);
};

/* outside is copied; NULL: nobody. */
struct nlm *nlm_new(struct dfs_runtime *runtime, struct dfs_workers *workers,
		    const struct nlm_outside *outside);
/* Nobody waits from here on.  The main thread; before nfs_caller_stop; may come again.  False: what runs in
 * the background has not ended by deadline (monotonic ns), and nlm cannot be freed. */
bool nlm_stop(struct nlm *nlm, int64_t deadline);
/* No request and no call is under way.  The main thread.  NULL is allowed. */
void nlm_free(struct nlm *nlm);
/* Once a second: call-backs that are due, and tidying.  Never blocks. */
void nlm_tick(struct nlm *nlm);
/* The peer has restarted and holds nothing any more; arg: the struct nlm.  Blocking. */
void nlm_peer_restarted(void *arg, const union nfs_address *peer, const char *name);
/* Grants that clients have not acknowledged; for tests. */
uint32_t nlm_grants(struct nlm *nlm);

extern const struct nfs_proc nlm_procs[NLM_PROCS];

#endif
