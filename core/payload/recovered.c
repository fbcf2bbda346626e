/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "payload/recovered.h"

struct share {
	struct share *next;
	uint8_t uuid[16];
	uint64_t segments; /* pinned once each */
	struct dfs_recovered_slice *slices;
	uint32_t n, cap;
	bool left; /* what is in the log of it is not here */
};

struct dfs_recovered {
	struct dfs_wal *wal;
	pthread_mutex_t mu;
	struct share *shares; /* guarded by mu */
};

static struct share **
find_locked(struct dfs_recovered *r, const uint8_t uuid[16])
{
	struct share **link = &r->shares;

	while (*link && memcmp((*link)->uuid, uuid, sizeof(*link)->uuid) != 0)
		link = &(*link)->next;
	return link;
}

/* mu held, or nobody else is there yet. */
static struct share *
share_of(struct dfs_recovered *r, const uint8_t uuid[16])
{
	struct share *s = *find_locked(r, uuid);

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	memcpy(s->uuid, uuid, sizeof s->uuid);
	s->next = r->shares;
	r->shares = s;
	return s;
}

static enum dfs_status
take_record(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at,
	    bool damaged)
{
	struct dfs_recovered *r = arg;
	struct share *s;
	uint64_t segment;

	if (record->type != DFS_WAL_WRITE || record->len == 0)
		return DFS_OK;
	segment = 1ull << DFS_WAL_SEGMENT(at);
	s = share_of(r, record->share);
	if (!s)
		return DFS_NOMEM;
	if (s->n == s->cap) {
		uint32_t cap = s->cap ? 2 * s->cap : 1024;
		void *bigger = realloc(s->slices, cap * sizeof s->slices[0]);

		if (!bigger)
			return DFS_NOMEM;
		s->slices = bigger;
		s->cap = cap;
	}
	s->slices[s->n++] = (struct dfs_recovered_slice){
		.lsn = lsn,
		.content = record->content,
		.fileid = record->fileid,
		.offset = record->offset,
		.length = record->length,
		.change = record->change,
		.mtime = record->mtime,
		.at = at,
		.len = record->len,
		.damaged = damaged,
	};
	if (!(s->segments & segment)) {
		s->segments |= segment;
		dfs_wal_pin(r->wal, segment);
	}
	return DFS_OK;
}

struct dfs_recovered *
dfs_recovered_new(struct dfs_wal *wal, struct dfs_wal_recovery *found)
{
	struct dfs_recovered *r = calloc(1, sizeof *r);
	enum dfs_status st;

	if (!r) {
		dfs_fail(DFS_NOMEM, "no memory for the recovery of the log");
		return NULL;
	}
	r->wal = wal;
	pthread_mutex_init(&r->mu, NULL);
	st = dfs_wal_recover(wal, take_record, r, found);
	if (st == DFS_OK)
		return r;
	if (st == DFS_NOMEM)
		dfs_fail(st, "no memory for what the log holds");
	dfs_recovered_free(r);
	return NULL;
}

void
dfs_recovered_free(struct dfs_recovered *r)
{
	if (!r)
		return;
	while (r->shares) {
		struct share *s = r->shares;

		r->shares = s->next;
		free(s->slices);
		free(s);
	}
	pthread_mutex_destroy(&r->mu);
	free(r);
}

static int
by_content(const void *a, const void *b)
{
	const struct dfs_recovered_slice *x = a, *y = b;
	int c = memcmp(&x->content, &y->content, sizeof x->content);

	if (c != 0)
		return c;
	return x->lsn < y->lsn ? -1 : x->lsn > y->lsn;
}

enum dfs_status
dfs_recovered_take(struct dfs_recovered *r, const uint8_t uuid[16], dfs_recovered_fn fn, void *arg)
{
	enum dfs_status st = DFS_OK;
	struct share *s;

	pthread_mutex_lock(&r->mu);
	s = *find_locked(r, uuid);
	pthread_mutex_unlock(&r->mu);
	if (!s)
		return DFS_OK;
	if (s->left)
		return dfs_fail(DFS_BUSY, "the log has data of it that was not in the block store "
					  "when it was closed: restart the server");
	qsort(s->slices, s->n, sizeof s->slices[0], by_content);
	for (uint32_t i = 0, end; i < s->n && st == DFS_OK; i = end) {
		for (end = i + 1;
		     end < s->n && memcmp(&s->slices[end].content, &s->slices[i].content,
					  sizeof s->slices[i].content) == 0;
		     end++)
			;
		st = fn(arg, &s->slices[i], end - i);
	}
	if (st != DFS_OK)
		return st;
	pthread_mutex_lock(&r->mu);
	*find_locked(r, uuid) = s->next;
	pthread_mutex_unlock(&r->mu);
	dfs_wal_unpin(r->wal, s->segments);
	free(s->slices);
	free(s);
	return DFS_OK;
}

void
dfs_recovered_leave(struct dfs_recovered *r, const uint8_t uuid[16])
{
	struct share *s;

	if (!r)
		return;
	pthread_mutex_lock(&r->mu);
	s = share_of(r, uuid);
	if (s)
		s->left = true;
	pthread_mutex_unlock(&r->mu);
}

uint64_t
dfs_recovered_left(const struct dfs_recovered *r)
{
	uint64_t n = 0;

	for (const struct share *s = r->shares; s; s = s->next)
		n += s->n;
	return n;
}
