/* SPDX-License-Identifier: MIT
 *
 * The epochs under which this server writes its shares.
 *
 * Each commit reads the rows of the shares that it changes, in the transaction itself.  As everybody is
 * serializable, a commit that passes was before the other server's taking over, and before whatever that
 * server has read since: had that read missed the commit, the database would refuse it.
 */
#include <stdlib.h>

#include "records.h"

enum dfs_status
fence_set(void *inst, uint32_t share, uint64_t epoch)
{
	struct fences *f = &((struct store *)inst)->fences;
	enum dfs_status st = DFS_OK;
	unsigned i = 0;

	pthread_mutex_lock(&f->mu);
	while (i < f->n && f->list[i].share != share)
		i++;
	if (epoch && i == f->n) {
		struct ws_fence *list = realloc(f->list, (f->n + 1) * sizeof(*list));

		if (list) {
			f->list = list;
			f->n++;
		} else {
			st = DFS_NOMEM;
		}
	}
	if (st == DFS_OK && epoch)
		f->list[i] = (struct ws_fence){share, epoch};
	else if (!epoch && i < f->n)
		f->list[i] = f->list[--f->n];
	pthread_mutex_unlock(&f->mu);
	return st;
}

/* Whether ws changes records of the share and does not put its row. */
static bool
concerns(const struct writeset *ws, uint32_t share)
{
	bool found = false;
	struct row row;

	for (uint32_t i = 0; i < ws->n; i++) {
		const struct ws_record *r = &ws->records[i];

		if (r->op == WS_GONE)
			continue;
		row_split(&row, ws->bytes + r->at, 1);
		if (row_int(&row, 0) != share)
			continue;
		if (r->kind == K_SHARE && r->op == WS_PUT)
			return false;
		found = true;
	}
	for (uint32_t i = 0; i < ws->n_ranges; i++)
		found |= ws->ranges[i].share == share;
	for (uint32_t i = 0; i < ws->n_clears; i++)
		found |= ws->clears[i].share == share;
	for (uint32_t i = 0; i < ws->n_adds; i++)
		found |= ws->adds[i].share == share;
	return found;
}

bool
fence_fill(struct store *s, struct writeset *ws)
{
	struct fences *f = &s->fences;
	bool done = true;

	ws->n_fences = 0;
	pthread_mutex_lock(&f->mu);
	for (unsigned i = 0; done && i < f->n; i++)
		if (concerns(ws, f->list[i].share))
			done = writeset_fence(ws, f->list[i].share, f->list[i].epoch);
	pthread_mutex_unlock(&f->mu);
	return done;
}
