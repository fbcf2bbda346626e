/* SPDX-License-Identifier: MIT
 *
 * The context of one request: who asks, on which share, how long it may take, and what its
 * reply must not precede.
 *
 * It lives in the adapter's request object; one thread uses it at a time.  A handler runs
 * straight through with nonblock set; if a layer answers DFS_AGAIN before any side effect, the
 * dispatcher runs the same handler again on a worker with nonblock cleared.
 *
 * Reply gating: a mutating operation changes memory, commits, and leaves tickets here.  The
 * dispatcher holds the finished reply until every ticket's gate is durable up to its position.
 */
#ifndef DFS_BASE_CTX_H
#define DFS_BASE_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

struct dfs_share;
struct dfs_gate;

#define DFS_GIDS_MAX 16 /* supplementary groups of AUTH_SYS, RFC 5531 appendix A */
#define DFS_TICKETS_MAX 4

/* The caller after squashing. */
struct dfs_identity {
	uint32_t uid, gid;
	uint32_t ngids;
	uint32_t gids[DFS_GIDS_MAX];
};

struct dfs_ticket {
	struct dfs_gate *gate;
	uint64_t seq;
	uint32_t level; /* enum dfs_sync_level */
};

struct dfs_ctx {
	struct dfs_identity id;
	struct dfs_share *share; /* borrowed: the adapter holds the reference */
	bool nonblock;           /* on an event loop: answer DFS_AGAIN rather than wait */
	bool read_only;          /* the client rule's access is ro */
	uint8_t n_tickets;
	int64_t deadline; /* monotonic ns; every wait ends here with DFS_DELAY */
	struct dfs_ticket tickets[DFS_TICKETS_MAX];
};

/* Remember that the reply must wait for gate's position seq at level.  Merges with an earlier
 * ticket of the same gate. */
void dfs_ctx_ticket(struct dfs_ctx *ctx, struct dfs_gate *gate, uint64_t seq, uint32_t level);

#endif
