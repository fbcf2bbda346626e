/* SPDX-License-Identifier: MIT
 *
 * The inside of the lock service: waits, grants, peers, and what the procedures share.
 */
#ifndef NFS_NLM_SERVICE_H
#define NFS_NLM_SERVICE_H

#include "adapters/nfs/nlm/nlm.h"
#include "adapters/nfs/nlm/types.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "io/worker.h"

#define NLM_GRANT_BUCKETS 256u
#define NLM_BLOCKS_MAX 65536u        /* of the server; up to 5 KiB each */
#define NLM_BLOCKS_ADDRESS_MAX 4096u /* of one address, or the few whose hashes collide */
#define NLM_BLOCK_COUNTERS 4096u
#define NLM_PEERS_MAX 65536u
#define NLM_PEER_BUCKETS 4096u

/* A client's bytes in the lock manager: kind, address (IPv4 in its IPv6 form), name. */
#define NLM_CLIENT_KIND 'N'
#define NLM_CLIENT_HEAD 17u

struct nlm_client {
	uint32_t len;
	unsigned char bytes[NLM_CLIENT_HEAD + NLM_STRING_MAX];
};
void nlm_client_of(struct nlm_client *client, const union nfs_address *peer, const void *name,
		   uint32_t len);

/* What a call asks: whose lock, in which file, and where. */
struct nlm_request {
	struct nlm_request *next, **prev; /* mu: of LOCKs under way */
	const struct nlm_args *args;
	bool message;  /* to be answered by a call */
	uint32_t slot; /* of the share */
	struct dfs_ref ref;
	struct dfs_lock_range range;
	struct dfs_lock_who who; /* client and owner */
	struct nlm_client client;
	unsigned char owner[DFS_LOCK_OWNER_MAX];
};

/* What a LOCK that blocks is in; state.c says what leads from one to another. */
enum nlm_block_state {
	NLM_BLOCK_WAITING,
	NLM_BLOCK_RESTING,
	NLM_BLOCK_TELLING,
	NLM_BLOCK_ANSWERED,
	NLM_BLOCK_GIVING_UP,
	NLM_BLOCK_OVER,
};

/* A LOCK that blocks. */
struct nlm_block {
	struct dfs_lock_wait wait; /* first */
	struct dfs_task task;
	struct nlm *nlm;
	struct nlm_block *next, **prev; /* mu */
	enum nlm_block_state state;     /* mu */
	uint32_t tries;                 /* mu: tellings that have ended */
	int64_t due;                    /* mu: of the next one */
	uint32_t stat;                  /* mu: what GRANTED_RES said, if ANSWERED */
	bool told;                      /* mu: the last one may have arrived; no answer has come */
	bool unsure;                    /* mu: the same of an earlier one */
	bool is_known;                  /* mu: a part of it is its owner's otherwise: */
	struct dfs_lock_range known;    /* mu: that lies in here */
	union nfs_address peer, local;
	uint32_t version;
	bool datagram; /* came by UDP, and is answered so */
	bool message;  /* came as LOCK_MSG: answered by GRANTED_MSG */
	uint32_t slot; /* of the share */
	struct dfs_ref ref;
	struct dfs_lock_range range;
	uint64_t cookie;
	_Atomic uint32_t *of_address; /* the counter of its address's blocks */
	struct nlm_args args;         /* spans into bytes */
	struct nlm_client client;
	uint32_t owner_len;
	unsigned char owner[DFS_LOCK_OWNER_MAX];
	unsigned char bytes[];
};

struct nlm_peer {
	struct nlm_peer *next;
	union nfs_address address;
	uint32_t users; /* requests under way */
	uint32_t len;
	char name[];
};

struct nlm {
	struct dfs_runtime *runtime;
	struct nlm_outside outside;
	struct dfs_lane *lane;
	struct dfs_hash_key peer_key;
	struct dfs_lock peers_mu;
	struct nlm_peer *peers[NLM_PEER_BUCKETS]; /* peers_mu */
	uint32_t n_peers;                         /* peers_mu */
	struct dfs_lock mu;
	struct nlm_block *waits[NLM_GRANT_BUCKETS];    /* mu */
	struct nlm_block *grants[NLM_GRANT_BUCKETS];   /* mu */
	uint32_t n_grants;                             /* mu */
	struct nlm_request *asking[NLM_GRANT_BUCKETS]; /* mu: LOCKs under way */
	bool stopping;                                 /* mu */
	_Atomic uint64_t cookie;
	_Atomic uint32_t n_blocks; /* waiting or granted */
	_Atomic uint32_t n_blocks_of[NLM_BLOCK_COUNTERS];
	int64_t try_every; /* ns between call-backs, but for the first few */
	struct dfs_task tidy_task;
	_Atomic bool tidying;
	unsigned ticks;
};

/* Have a worker run task; mu held.  False: too many wait, or the service stops. */
bool nlm_submit_locked(struct nlm *nlm, struct dfs_task *task);

/* --- block.c --- */

/* A copy of what a grant will need; NULL: no memory, or a limit. */
struct nlm_block *nlm_block_new(struct nfs_call *call, const struct nlm_request *request);
void nlm_block_free(struct nlm_block *block); /* NULL is allowed */

/* --- grant.c --- */

/* A block's wait has ended; a task tells the client. */
void nlm_granted(struct dfs_lock_wait *wait, enum dfs_status status);
/* CANCEL of what waits no more.  True: it was granted, and is not told any more; *kept: what of it is its owner's
 * otherwise lies in there, and it is empty (its end before its start) if nothing is. */
bool nlm_grants_cancelled(struct nlm *nlm, const struct nlm_request *request,
			  struct dfs_lock_range *kept);
/* What the block's owner held of it before it was asked for. */
void nlm_block_held(struct nlm *nlm, struct nlm_block *block, const struct dfs_lock_range *held);
/* UNLOCK: what lies within is not told any more. */
void nlm_grants_unlocked(struct nlm *nlm, const struct nlm_request *request);
/* Around a LOCK, during which nothing that it asks for is taken back.  block: its own, may be NULL.
 * False: something of this owner is being taken back there: the client is to come again, and there is
 * nothing to end. */
bool nlm_lock_begin(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block);
/* block: NULL also if it waits now.  granted: at once, and that is told: the grant of the same is
 * settled, and what else is there is not taken back before this is unlocked.  Threads of a process
 * are one owner: what lies within may be another's wait, which is told. */
void nlm_lock_end(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block,
		  bool granted);
/* Forget a client's grants. */
void nlm_grants_drop(struct nlm *nlm, const struct nlm_client *client);
/* GRANTED_RES has come. */
void nlm_grants_answer(struct nlm *nlm, const union nfs_address *peer,
		       const struct nlm_bytes *cookie, uint32_t stat);

/* Tell those again that are due. */
void nlm_grants_due(struct nlm *nlm);

/* --- tell.c --- */

/* The task of a block. */
void nlm_tell(struct dfs_task *task);

/* --- peer.c --- */

/* Around a request that may leave a lock or wait behind. */
enum dfs_status nlm_peer_enter(struct nlm *nlm, struct nfs_call *call, const struct nlm_args *args);
void nlm_peer_leave(struct nlm *nlm, struct nfs_call *call, const struct nlm_args *args);
/* Forget those who have nothing any more. */
void nlm_peers_tidy(struct nlm *nlm);
void nlm_peers_free(struct nlm *nlm);

/* --- operations --- */

struct nlm_operation {
	void (*get)(struct xdr_in *in, uint32_t version, struct nlm_args *args);
	bool share;     /* of share modes: there is no range */
	bool monitored; /* may leave something behind: the caller is watched before */
	bool gives_back; /* needs no right: what a client holds whose rule has gone must not stay for ever */
	enum dfs_status (*run)(struct nfs_call *call, struct nlm_request *request,
			       struct nlm_result *res);
	/* What is answered to a status, also to one that comes before run; NULL: that. */
	enum dfs_status (*answer_of)(enum dfs_status status);
	void (*put)(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		    const struct nlm_result *res);
	enum nlm_proc_number message; /* the call that answers a message */
};

extern const struct nlm_operation nlm_op_test, nlm_op_lock, nlm_op_nm_lock, nlm_op_cancel,
	nlm_op_unlock, nlm_op_share, nlm_op_unshare;

/* A call that is answered by its reply. */
enum dfs_status nlm_run(struct nfs_call *call, const struct nlm_operation *op);
/* One that is answered by another call. */
enum dfs_status nlm_run_message(struct nfs_call *call, const struct nlm_operation *op);

static inline struct nlm *
nlm_of(const struct nfs_call *call)
{
	return call->access->service->nlm;
}

#endif
