/* SPDX-License-Identifier: MIT
 *
 * The network status monitor (program 100024, version 1; X/Open XNFS chapter 11), which tells peers that
 * hold locks of each other that one of them has lost its memory.
 *
 * Two kinds of peer.  A client that holds locks of this server (nfs_nsm_monitor, called by the lock
 * manager): it is told when the server restarts, so that it reclaims, and when it tells that it has
 * restarted, its locks go.  And a host that a program of this host has asked to watch (SM_MON, from
 * loopback only: the kernel's own NFS client does that where we are the registered monitor): its
 * notices are passed on to that program.
 *
 * Peers and the state number, odd and larger with every start, are one small file of the server's state
 * folder, written whole and renamed.  Not the metadata stores: the number is the server's, not a
 * share's, peers must be told of shares that live in memory, too, and the file must be there before any
 * store is asked.  A lock's reply waits for the file by a gate, so one write serves all that
 * came meanwhile.
 *
 * A notice is believed only from the address that the locks were taken from, and then only for the
 * name that they were taken under: nobody drops another host's locks by knowing its name.  (UDP
 * source addresses can be forged; who can do that in the server's network can do it to every status
 * monitor.)  The same notice again does nothing: the peer may hold new locks by then.
 *
 * Any thread but where it is said.  Locks: mu, innermost; nothing is called with it held.
 */
#ifndef NFS_NSM_H
#define NFS_NSM_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"

#define NSM_PROGRAM 100024
#define NSM_STRING_MAX 1024u /* SM_MAXSTRLEN */
#define NSM_PRIV_SIZE 16u    /* SM_PRIV_SIZE */
#define NSM_NAME_MAX 255u    /* of a peer that is remembered */
#define NSM_PEERS_MAX 16384u
#define NSM_PEERS_ADDRESS_MAX 256u /* names of one address: nobody fills the table alone */
#define NSM_WATCHES_MAX 256u       /* SM_MON */

enum nsm_proc_number {
	SM_NULL = 0,
	SM_STAT = 1,
	SM_MON = 2,
	SM_UNMON = 3,
	SM_UNMON_ALL = 4,
	SM_SIMU_CRASH = 5,
	SM_NOTIFY = 6,
};
#define NSM_PROCS 7u

struct dfs_lane;
struct dfs_gate;
struct nfs_nsm;

/* The peer has restarted: drop all locks that it holds.  name: its caller_name as it was given to
 * nfs_nsm_monitor.  On a worker; may block.  It stays held until nfs_nsm_forget: who
 * holds the locks alone knows whether it has taken new ones meanwhile. */
typedef void (*nfs_nsm_restarted_fn)(void *arg, const union nfs_address *peer, const char *name);

/* Read the file, advance the state number, write it.  Nobody is told yet.  state_dir: where; lane:
 * for what may block; both borrowed.  DFS_IO: dfs_fail_text says why. */
enum dfs_status nfs_nsm_new(const char *state_dir, struct dfs_lane *lane, struct nfs_nsm **nsm);
/* No request and no call is under way; NULL is allowed. */
void nfs_nsm_free(struct nfs_nsm *nsm);
/* Who drops locks; before the first request. */
void nfs_nsm_on_restart(struct nfs_nsm *nsm, nfs_nsm_restarted_fn fn, void *arg);
/* Begin to tell the peers of the life before.  caller outlives the notices: it is stopped before
 * nsm is freed. */
void nfs_nsm_start(struct nfs_nsm *nsm, struct nfs_caller *caller);

/* Look for no more names of hosts: nsm is about to be freed. */
void nfs_nsm_stop(struct nfs_nsm *nsm);

/* This server's state number: odd. */
uint32_t nfs_nsm_state(struct nfs_nsm *nsm);

/* The peer is about to hold a lock, or to wait for one: remember it.  ctx gets a ticket unless that is
 * durable already: no reply that grants precedes it.  name: caller_name.  state: that of its own
 * monitor if the request told it, else 0.  Cheap, does not block.  Who calls this and nfs_nsm_forget for
 * one peer orders the two.
 * DFS_NAMETOOLONG, DFS_INVAL (empty, or with a NUL), DFS_NOSPC: too many peers, in all or of this
 * address, or no memory. */
enum dfs_status nfs_nsm_monitor(struct nfs_nsm *nsm, const struct nfs_access *access,
				const char *name, uint32_t len, uint32_t state,
				struct dfs_ctx *ctx);
/* It holds and waits for nothing any more.  The file follows with the next write. */
void nfs_nsm_forget(struct nfs_nsm *nsm, const union nfs_address *peer, const char *name,
		    uint32_t len);

/* Peers that are remembered, those still to be told included; for tests. */
uint32_t nfs_nsm_peers(struct nfs_nsm *nsm);
/* Of those, the ones to be told; for tests. */
uint32_t nfs_nsm_untold(struct nfs_nsm *nsm);

/* Procedures. */
extern const struct nfs_proc nsm1_procs[NSM_PROCS];

enum dfs_status nsm1_null(struct nfs_call *call);
enum dfs_status nsm1_stat(struct nfs_call *call);
enum dfs_status nsm1_mon(struct nfs_call *call);
enum dfs_status nsm1_unmon(struct nfs_call *call);
enum dfs_status nsm1_unmon_all(struct nfs_call *call);
enum dfs_status nsm1_simu_crash(struct nfs_call *call);
enum dfs_status nsm1_notify(struct nfs_call *call);

#endif
