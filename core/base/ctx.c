/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "base/ctx.h"

void
dfs_ctx_ticket(struct dfs_ctx *ctx, struct dfs_gate *gate, uint64_t seq, uint32_t level)
{
	for (unsigned i = 0; i < ctx->n_tickets; i++) {
		struct dfs_ticket *t = &ctx->tickets[i];
		if (t->gate != gate)
			continue;
		if (seq > t->seq)
			t->seq = seq;
		if (level > t->level)
			t->level = level;
		return;
	}
	assert(ctx->n_tickets < DFS_TICKETS_MAX);
	ctx->tickets[ctx->n_tickets++] = (struct dfs_ticket){gate, seq, level};
}
