/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/hash.h"
#include "base/log.h"
#include "payload/key.h"
#include "payload/offload/download.h"
#include "payload/offload/metrics.h"
#include "payload/row.h"
#include "payload/store.h"

#define PARTS_MAX 16 /* waited for together */

static struct dfs_download *
download_of(struct dfs_transfer *t)
{
	return DFS_CONTAINER_OF(t, struct dfs_download, t);
}

static struct dfs_download **
place(struct dfs_offload *o, const struct dfs_download_key *id)
{
	return &o->downloads[dfs_hash_u64(dfs_content_hash(&id->content), id->block) %
			     (sizeof o->downloads / sizeof o->downloads[0])];
}

static void
list_locked(struct dfs_download *d)
{
	struct dfs_download **at = place(d->t.offload, &d->id);

	d->next = *at;
	*at = d;
	d->listed = true;
}

static void
unlist_locked(struct dfs_download *d)
{
	struct dfs_download **at = place(d->t.offload, &d->id);

	if (!d->listed)
		return;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->listed = false;
}

static bool
has(const struct dfs_download *d, uint32_t offset)
{
	return d->offset <= offset && offset < d->offset + d->length;
}

/* The one that brings byte `offset` of the object; else *end is cut to where the next begins. */
static struct dfs_download *
find_locked(struct dfs_offload *o, const struct dfs_download_key *id, uint32_t offset,
	    uint32_t *end)
{
	for (struct dfs_download *d = *place(o, id); d; d = d->next) {
		if (!dfs_download_key_same(&d->id, id))
			continue;
		if (has(d, offset))
			return d;
		if (d->offset > offset && d->offset < *end)
			*end = d->offset;
	}
	return NULL;
}

static void *
first_space(void *ctx, uint64_t *len)
{
	struct dfs_download *d = ctx;

	if (!d->first_byte)
		d->first_byte = dfs_clock_mono();
	return d->landing.sink.space(&d->landing, len);
}

static int
first_give(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	struct dfs_download *d = ctx;

	if (!d->first_byte)
		d->first_byte = dfs_clock_mono();
	return d->landing.sink.give(&d->landing, buf, data, len);
}

static enum dfs_status
download_call(struct dfs_transfer *t)
{
	struct dfs_download *d = download_of(t);
	struct dfs_block_store *store = t->offload->store;
	struct dfs_sink sink = {d, first_give, first_space};
	enum dfs_status st;

	dfs_landing_piece(&d->landing, d->at, d->length);
	st = dfs_block_get_direct(store, NULL, d->key, d->offset, d->length, &sink);
	if (d->landing.no_memory)
		return dfs_fail(DFS_NOMEM, "no memory for a download");
	if (st != DFS_OK)
		return st;
	if (d->landing.at != d->landing.end)
		return dfs_fail(DFS_IO, "block store %s: %s: %u of %u bytes delivered", store->name,
				d->key, d->landing.at - d->at, d->length);
	d->pages = dfs_landing_take(&d->landing, d->at, d->offset, d->length);
	if (!d->pages)
		return dfs_fail(DFS_NOMEM, "no memory for a download");
	t->bytes = d->length;
	return DFS_OK;
}

static void
download_ended(struct dfs_transfer *t)
{
	struct dfs_download *d = download_of(t);
	const struct dfs_offload_metrics *m = dfs_offload_metrics();

	unlist_locked(d);
	if (t->status != DFS_OK)
		return;
	dfs_histogram_add(&m->get_ttfb_seconds, d->first_byte - t->began);
	if (d->waiters > 0 || !d->buffer)
		return;
	dfs_download_buffer_set(d->buffer, &d->id, d->pages);
}

static void
download_free(struct dfs_transfer *t)
{
	struct dfs_download *d = download_of(t);

	dfs_landing_release(&d->landing);
	dfs_pages_unref(d->pages);
	dfs_download_buffer_unref(d->buffer);
	free(d);
}

/* One that nobody knows yet, with one reference; NULL: no memory.  at: of the block. */
static struct dfs_download *
download_new(struct dfs_offload *o, enum dfs_entry_class class, const char *key, uint32_t offset,
	     uint32_t length, uint32_t at)
{
	struct dfs_download *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	strncpy(d->key, key, DFS_KEY_MAX);
	d->offset = offset;
	d->length = length;
	d->at = at;
	dfs_landing_init(&d->landing);
	dfs_transfer_init(&d->t, o, class);
	d->t.call = download_call;
	d->t.ended = download_ended;
	d->t.free = download_free;
	return d;
}

/* Bytes [offset, end) of an object that somebody needs, and where they come from. */
struct part {
	struct dfs_download_key id;
	uint32_t offset, end, at; /* at: of the block */
	struct dfs_pages *pages;  /* they are here */
	struct dfs_download *download;
	bool joined; /* somebody else has started it */
};

/* What has landed of the part's first bytes; cuts the part to it.  Who needs it gets it, and all of it
 * is taken out of the buffer; for a prefetch it is enough that it is there. */
static bool
part_landed(const struct dfs_download_source *src, struct part *p, enum dfs_entry_class class)
{
	struct dfs_pages *pages = dfs_download_buffer_get(src->buffer, &p->id);

	if (!pages)
		return false;
	/* Other bytes of the object stay for whoever comes for them. */
	if (p->offset < pages->offset || p->offset >= pages->offset + pages->length) {
		dfs_pages_unref(pages);
		return false;
	}
	if (class == DFS_DEMAND_GET && p->offset == pages->offset &&
	    p->end >= pages->offset + pages->length &&
	    dfs_download_buffer_delete(src->buffer, &p->id))
		dfs_counter_add(dfs_offload_metrics()->prefetch_used, 1);
	if (p->end > pages->offset + pages->length)
		p->end = pages->offset + pages->length;
	if (class == DFS_DEMAND_GET)
		p->pages = pages;
	else
		dfs_pages_unref(pages);
	return true;
}

/* Take what has landed of the part's first bytes, join their download or start one; cuts the part to
 * what comes of it. */
static enum dfs_status
part_start(const struct dfs_download_source *src, struct part *p, enum dfs_entry_class class)
{
	struct dfs_offload *o = src->offload;
	char key[DFS_BLOCK_KEY_MAX];
	struct dfs_download *d, *mine;
	enum dfs_status st = DFS_OK;
	uint32_t end;

	if (part_landed(src, p, class))
		return DFS_OK;
	dfs_block_key(key, src->prefix, &src->content, src->block, p->id.counter);
	/* Allocated before the lock, thrown away when it turns out to be on its way. */
	mine = download_new(o, class, key, p->offset, p->end - p->offset, p->at);
	if (!mine)
		return DFS_NOMEM;
	mine->id = p->id;
	mine->t.object = dfs_hash_u64(p->id.counter, p->id.block) | 1;
	mine->buffer = dfs_download_buffer_ref(src->buffer);
	mine->t.entry.free_running = class == DFS_PREFETCH_GET;
	dfs_offload_lock(o);
	end = p->end;
	d = find_locked(o, &p->id, p->offset, &end);
	if (d) {
		if (class == DFS_DEMAND_GET)
			dfs_counter_add(dfs_offload_metrics()->joins, 1);
		if (d->offset + d->length < end)
			end = d->offset + d->length;
		dfs_transfer_ref_locked(&d->t);
		dfs_transfer_raise_locked(&d->t, class);
	} else if (!part_landed(src, p, class)) { /* it may have since the first look */
		mine->length = end - p->offset;
		list_locked(mine);
		st = dfs_transfer_start_locked(&mine->t, &src->content);
		if (st == DFS_OK)
			d = mine;
		if (st == DFS_OK && class == DFS_PREFETCH_GET)
			dfs_counter_add(dfs_offload_metrics()->prefetch_issued, 1);
	}
	if (d) {
		d->waiters += class == DFS_DEMAND_GET;
		p->end = end;
		p->download = d;
		p->joined = d != mine;
	}
	dfs_offload_unlock(o);
	if (d != mine)
		dfs_transfer_unref(&mine->t);
	return st;
}

/* Wait for the part's download, and take what it brought. */
static enum dfs_status
part_wait(const struct dfs_download_source *src, struct part *p, int64_t deadline)
{
	struct dfs_offload *o = src->offload;
	struct dfs_download *d = p->download;
	enum dfs_status st =
		dfs_transfer_wait(&d->t, deadline, o->times.demand / DFS_OFFLOAD_TRIES);

	p->download = NULL;
	if (st == DFS_OK)
		p->pages = dfs_pages_ref(d->pages);
	dfs_offload_lock(o);
	d->waiters--;
	if (st == DFS_TIMEDOUT && d->t.done && d->t.status == DFS_OK) {
		st = DFS_OK; /* it ended just now */
		p->pages = dfs_pages_ref(d->pages);
	} else if (st == DFS_TIMEDOUT) {
		unlist_locked(d); /* who comes after one that hangs does not join it */
	}
	dfs_offload_unlock(o);
	dfs_transfer_unref(&d->t);
	return st;
}

static void
part_drop(const struct dfs_download_source *src, struct part *p)
{
	dfs_pages_unref(p->pages);
	if (p->download) {
		dfs_offload_lock(src->offload);
		p->download->waiters--;
		dfs_offload_unlock(src->offload);
		dfs_transfer_unref(&p->download->t);
	}
}

/* Deliver [p->offset, end) to l, whatever that takes; p may have begun with the first of it. */
static enum dfs_status
part_get(const struct dfs_download_source *src, struct part *p, uint32_t end, int64_t deadline,
	 struct dfs_landing *l)
{
	unsigned tries = 0;

	while (p->offset < end) {
		enum dfs_status st = DFS_OK;

		if (!p->pages && !p->download) {
			p->end = end;
			st = part_start(src, p, DFS_DEMAND_GET);
		}
		if (st == DFS_OK && !p->pages)
			st = part_wait(src, p, deadline);
		if (st != DFS_OK) {
			tries++;
			/* A second look at what failed its check. */
			if (!(st == DFS_CORRUPT && tries == 1) &&
			    !dfs_offload_again(src->offload, st, tries, deadline))
				return st;
			continue;
		}
		dfs_landing_piece(l, p->at, p->end - p->offset);
		if (!dfs_pages_deliver(p->pages, p->offset, p->end - p->offset, &l->sink))
			return DFS_NOMEM;
		/* It may bring more than was known when the part was cut out. */
		if (p->joined &&
		    (p->offset > p->pages->offset || p->end < p->pages->offset + p->pages->length))
			dfs_download_buffer_set(src->buffer, &p->id, p->pages);
		dfs_pages_unref(p->pages);
		p->pages = NULL;
		p->at += p->end - p->offset;
		p->offset = p->end;
	}
	dfs_offload_good(src->offload, tries > 0);
	return DFS_OK;
}

static struct part
part_of(const struct dfs_download_source *src, const struct dfs_segment *seg)
{
	return (struct part){.id = {src->content, src->block, seg->version},
			     .offset = seg->offset,
			     .end = seg->offset + seg->length,
			     .at = seg->at};
}

enum dfs_status
dfs_download_segments(const struct dfs_download_source *src, const struct dfs_ctx *ctx,
		      const struct dfs_segment *segs, uint32_t n, struct dfs_landing *l)
{
	int64_t deadline = dfs_offload_deadline(src->offload, ctx);
	enum dfs_status st = DFS_OK;
	struct part parts[PARTS_MAX];

	for (uint32_t first = 0; first < n && st == DFS_OK; first += PARTS_MAX) {
		uint32_t count = n - first < PARTS_MAX ? n - first : PARTS_MAX;

		for (uint32_t i = 0; i < count; i++) {
			parts[i] = part_of(src, &segs[first + i]);
			/* One that cannot start says so when its turn comes. */
			if (st == DFS_OK)
				st = part_start(src, &parts[i], DFS_DEMAND_GET);
		}
		st = DFS_OK;
		for (uint32_t i = 0; i < count; i++) {
			const struct dfs_segment *seg = &segs[first + i];

			if (st == DFS_OK)
				st = part_get(src, &parts[i], seg->offset + seg->length, deadline,
					      l);
			part_drop(src, &parts[i]);
		}
	}
	return dfs_offload_status(st);
}

enum dfs_status
dfs_download_landed(const struct dfs_download_source *src, const struct dfs_segment *segs,
		    uint32_t n, struct dfs_landing *l)
{
	struct dfs_pages *found[PARTS_MAX];
	enum dfs_status st = n > PARTS_MAX ? DFS_AGAIN : DFS_OK;
	uint32_t k = 0;

	for (; k < n && st == DFS_OK; k++) {
		const struct part p = part_of(src, &segs[k]);

		found[k] = dfs_download_buffer_get(src->buffer, &p.id);
		if (!found[k] || p.offset < found[k]->offset ||
		    p.end > found[k]->offset + found[k]->length)
			st = DFS_AGAIN;
	}
	for (uint32_t i = 0; i < k; i++) {
		const struct part p = part_of(src, &segs[i]);

		if (st == DFS_OK && dfs_download_buffer_delete(src->buffer, &p.id))
			dfs_counter_add(dfs_offload_metrics()->prefetch_used, 1);
		dfs_landing_piece(l, p.at, p.end - p.offset);
		if (st == DFS_OK &&
		    !dfs_pages_deliver(found[i], p.offset, p.end - p.offset, &l->sink))
			st = DFS_NOMEM;
		dfs_pages_unref(found[i]);
	}
	return st;
}

/* [offset, offset + length) of the segment's object is here or comes: grow over it. */
static void
grow(const struct dfs_segment *s, uint32_t offset, uint32_t length, uint32_t *first, uint32_t *last)
{
	uint32_t lo = offset > s->offset ? offset : s->offset, hi = offset + length;

	if (hi > s->offset + s->length)
		hi = s->offset + s->length;
	lo = (s->at + (lo - s->offset)) / DFS_PAGE_SIZE;
	hi = (s->at + (hi - s->offset) - 1) / DFS_PAGE_SIZE;
	*first = lo < *first ? lo : *first;
	*last = hi > *last ? hi : *last;
}

void
dfs_download_extent(const struct dfs_download_source *src, const struct dfs_segment *segs,
		    uint32_t n, uint32_t *first, uint32_t *last)
{
	const uint32_t from = *first * DFS_PAGE_SIZE, to = (*last + 1) * DFS_PAGE_SIZE;

	for (uint32_t i = 0; i < n; i++) {
		const struct dfs_segment *s = &segs[i];
		uint32_t lo = s->at > from ? s->at : from;
		uint32_t hi = s->at + s->length < to ? s->at + s->length : to;
		struct part p = part_of(src, s);
		struct dfs_pages *pages;

		if (lo >= hi || !dfs_segment_in_object(s))
			continue;
		lo = s->offset + (lo - s->at);
		hi = s->offset + (hi - s->at);
		pages = dfs_download_buffer_get(src->buffer, &p.id);
		if (pages && pages->offset < hi && pages->offset + pages->length > lo)
			grow(s, pages->offset, pages->length, first, last);
		dfs_pages_unref(pages);
		dfs_offload_lock(src->offload);
		while (lo < hi) {
			uint32_t next = hi;
			struct dfs_download *d = find_locked(src->offload, &p.id, lo, &next);

			if (d)
				grow(s, d->offset, d->length, first, last);
			lo = d ? d->offset + d->length : next;
		}
		dfs_offload_unlock(src->offload);
	}
}

void
dfs_download_prefetch(const struct dfs_download_source *src, const struct dfs_segment *segs,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		struct part p = part_of(src, &segs[i]);
		uint32_t end;

		/* An object's pieces one behind the other are one download. */
		for (i++; i < n && segs[i].version == p.id.counter && segs[i].offset == p.end; i++)
			p.end += segs[i].length;
		end = p.end;
		while (p.offset < end) {
			p.end = end;
			if (part_start(src, &p, DFS_PREFETCH_GET) != DFS_OK)
				return;
			if (p.download)
				dfs_transfer_unref(&p.download->t);
			p.download = NULL;
			p.at += p.end - p.offset;
			p.offset = p.end;
		}
	}
}
