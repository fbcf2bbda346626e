/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "payload/landing.h"

static void
zero_to(struct dfs_landing *l, uint32_t p, uint32_t upto)
{
	if (l->valid[p] < upto) {
		memset(l->bufs[p]->data + l->valid[p], 0, upto - l->valid[p]);
		l->valid[p] = upto;
	}
}

static void *
space(void *ctx, uint64_t *len)
{
	struct dfs_landing *l = ctx;
	uint32_t p = l->at / DFS_PAGE_SIZE, in = l->at % DFS_PAGE_SIZE, n = DFS_PAGE_SIZE - in;

	if (n > l->end - l->at)
		n = l->end - l->at;
	if (n == 0) {
		l->no_memory = true;
		return NULL;
	}
	/* A small file's page is a small buffer; a page in pieces takes them all.  A page that was given
	 * is the store's: a later piece of it goes to a copy. */
	if (!l->bufs[p])
		l->bufs[p] = dfs_buf_alloc(in + n);
	if (l->bufs[p] && (l->bufs[p]->len < in + n || !dfs_buf_exclusive(l->bufs[p]))) {
		struct dfs_buf *big = dfs_buf_alloc(DFS_PAGE_SIZE);
		if (big)
			memcpy(big->data, l->bufs[p]->data, l->valid[p]);
		dfs_buf_unref(l->bufs[p]);
		l->bufs[p] = big;
	}
	if (!l->bufs[p]) {
		l->no_memory = true;
		return NULL;
	}
	zero_to(l, p, in);
	l->at += n;
	l->valid[p] = in + n;
	*len = n;
	return l->bufs[p]->data + in;
}

/* Adopt a store's buffer as the page when it is one. */
static int
give(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	struct dfs_landing *l = ctx;
	uint32_t p = l->at / DFS_PAGE_SIZE;

	if (l->at % DFS_PAGE_SIZE != 0 || l->at == l->end || l->bufs[p] || data != buf->data ||
	    len > DFS_PAGE_SIZE || len > l->end - l->at || buf->len > DFS_PAGE_SIZE)
		return 0;
	l->bufs[p] = dfs_buf_ref(buf);
	l->valid[p] = (uint32_t)len;
	l->at += (uint32_t)len;
	return 1;
}

void
dfs_landing_init(struct dfs_landing *l)
{
	memset(l, 0, sizeof *l);
	l->sink = (struct dfs_sink){l, give, space};
}

void
dfs_landing_piece(struct dfs_landing *l, uint32_t at, uint32_t length)
{
	l->at = at;
	l->end = at + length;
}

void
dfs_landing_release(struct dfs_landing *l)
{
	for (uint32_t p = 0; p < DFS_PAGES; p++) {
		dfs_buf_unref(l->bufs[p]);
		l->bufs[p] = NULL;
	}
}

struct dfs_pages *
dfs_landing_take(struct dfs_landing *l, uint32_t at, uint32_t offset, uint32_t length)
{
	uint32_t first = at / DFS_PAGE_SIZE, n = (at + length - 1) / DFS_PAGE_SIZE - first + 1;
	struct dfs_pages *pages = malloc(sizeof *pages + n * sizeof(struct dfs_buf *));

	if (!pages)
		return NULL;
	atomic_init(&pages->refs, 1);
	pages->offset = offset;
	pages->length = length;
	pages->lead = at % DFS_PAGE_SIZE;
	pages->n = n;
	memcpy(pages->bufs, l->bufs + first, n * sizeof(struct dfs_buf *));
	memset(l->bufs + first, 0, n * sizeof(struct dfs_buf *));
	return pages;
}

struct dfs_pages *
dfs_pages_ref(struct dfs_pages *pages)
{
	atomic_fetch_add_explicit(&pages->refs, 1, memory_order_relaxed);
	return pages;
}

void
dfs_pages_unref(struct dfs_pages *pages)
{
	if (!pages || atomic_fetch_sub_explicit(&pages->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < pages->n; i++)
		dfs_buf_unref(pages->bufs[i]);
	free(pages);
}

uint64_t
dfs_pages_size(const struct dfs_pages *pages)
{
	uint64_t size = sizeof *pages + pages->n * sizeof(struct dfs_buf *);

	for (uint32_t i = 0; i < pages->n; i++)
		size += pages->bufs[i]->len;
	return size;
}

bool
dfs_pages_deliver(const struct dfs_pages *pages, uint32_t offset, uint32_t length,
		  const struct dfs_sink *sink)
{
	uint32_t pos = pages->lead + (offset - pages->offset), end = pos + length;
	unsigned char *to = NULL; /* what was lent and is not filled yet */
	uint64_t room = 0;

	while (pos < end) {
		struct dfs_buf *buf = pages->bufs[pos / DFS_PAGE_SIZE];
		uint32_t in = pos % DFS_PAGE_SIZE, n = DFS_PAGE_SIZE - in;

		if (n > end - pos)
			n = end - pos;
		if (room == 0 && sink->give(sink->ctx, buf, buf->data + in, n)) {
			pos += n;
			continue;
		}
		if (room == 0) {
			to = sink->space(sink->ctx, &room);
			if (!to)
				return false;
		}
		if (n > room)
			n = (uint32_t)room;
		memcpy(to, buf->data + in, n);
		to += n;
		room -= n;
		pos += n;
	}
	return true;
}
