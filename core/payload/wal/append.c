/* SPDX-License-Identifier: MIT
 *
 * Appending: a record gets its number and its place while it is queued; nothing is written here.
 *
 * The last batch of the queue takes records until it is full or the log's thread wants it, so the
 * place of a payload is known as soon as the record has it: behind the batch's page, whose size
 * does not depend on how many descriptors it will hold.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "payload/wal/log.h"

#define SPARE_MAX 64

/* The bytes of spans that have no buffer go into one of the log's. */
static unsigned char *
copy_room(struct wal_pending *p, uint64_t len, struct dfs_buf **buf)
{
	*buf = dfs_buf_alloc((uint32_t)len);
	if (*buf)
		return (*buf)->data;
	/* The pool is at its limit.  What was accepted so far must still become durable. */
	p->copy = malloc(len);
	if (!p->copy)
		abort();
	return p->copy;
}

static struct wal_pending *
pending_new(uint32_t len, const struct dfs_span *spans, uint32_t n)
{
	struct wal_pending *p = calloc(1, sizeof *p + n * sizeof *spans);
	unsigned char *copy = NULL;
	struct dfs_buf *buf = NULL;
	uint64_t loose = 0;

	if (!p)
		abort();
	p->len = len;
	for (uint32_t i = 0; i < n; i++)
		loose += spans[i].buf ? 0 : spans[i].len;
	if (loose)
		copy = copy_room(p, loose, &buf);
	for (uint32_t i = 0; i < n; i++) {
		struct dfs_span *to = &p->spans[p->n];

		if (spans[i].len == 0)
			continue;
		*to = spans[i];
		if (spans[i].buf) {
			dfs_buf_ref(to->buf);
		} else {
			memcpy(copy, spans[i].data, spans[i].len);
			to->data = copy;
			copy += spans[i].len;
			to->buf = buf; /* its one reference goes to the first span that has it */
			buf = NULL;
		}
		p->crc = dfs_crc32c(p->crc, to->data, to->len);
		p->n++;
	}
	p->paged = p->n && p->spans[0].len >= WAL_PAGE &&
		   ((uintptr_t)p->spans[0].data & (WAL_PAGE - 1)) == 0;
	return p;
}

void
wal_pending_free(struct wal_pending *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		dfs_buf_unref(p->spans[i].buf);
	free(p->copy);
	free(p);
}

static struct wal_batch *
batch_new_locked(struct dfs_wal *wal)
{
	struct wal_batch *b = wal->spare;
	unsigned char *page;

	if (b) {
		wal->spare = b->next;
		wal->n_spare--;
		page = b->page;
	} else {
		b = malloc(sizeof *b);
		page = aligned_alloc(WAL_PAGE, WAL_PAGE);
		if (!b || !page)
			abort();
		/* No byte of the process's memory that was not meant for the disk gets there. */
		memset(page, 0, WAL_PAGE);
	}
	memset(b, 0, sizeof *b);
	b->page = page;
	b->refs = 1;
	b->tail = &b->head;
	b->fill = WAL_PAGE;
	b->segment = wal->head->index;
	b->offset = wal->head_offset;
	b->epoch = wal->head->epoch;
	b->first = atomic_load_explicit(&wal->last, memory_order_relaxed) + 1;
	wal->head->unwritten++;
	*wal->queue_tail = b;
	wal->queue_tail = &b->next;
	wal->open = b;
	return b;
}

void
wal_batch_free(struct wal_batch *b)
{
	free(b->page);
	free(b);
}

void
wal_batch_unref_locked(struct dfs_wal *wal, struct wal_batch *b)
{
	if (--b->refs)
		return;
	while (b->head) {
		struct wal_pending *p = b->head;

		b->head = p->next;
		wal_pending_free(p);
	}
	if (wal->n_spare == SPARE_MAX) {
		wal_batch_free(b);
		return;
	}
	b->next = wal->spare;
	wal->spare = b;
	wal->n_spare++;
}

void
wal_batch_seal_locked(struct dfs_wal *wal)
{
	struct wal_batch *b = wal->open;

	if (!b)
		return;
	b->sealed = true;
	b->fill = (uint32_t)wal_page_up(b->fill);
	wal->head_offset += b->fill;
	wal->open = NULL;
}

/* Where p's payload would begin in a batch that is filled to `fill`. */
static uint32_t
place(uint32_t fill, const struct wal_pending *p)
{
	uint32_t align = p->paged ? WAL_PAGE : 8;

	return (fill + align - 1) & ~(align - 1);
}

static bool
fits(const struct dfs_wal *wal, const struct wal_batch *b, const struct wal_pending *p)
{
	uint64_t end = (uint64_t)place(b->fill, p) + p->len;

	return b->n < WAL_BATCH_RECORDS && end <= WAL_BATCH_MAX &&
	       b->offset + wal_page_up(end) <= wal->segment_size;
}

/* The batch that takes p; NULL: no segment is free. */
static struct wal_batch *
batch_for_locked(struct dfs_wal *wal, const struct wal_pending *p)
{
	uint64_t need = WAL_PAGE + wal_page_up(p->len);

	if (wal->open && fits(wal, wal->open, p))
		return wal->open;
	wal_batch_seal_locked(wal);
	if (wal->head && wal->head_offset + need <= wal->segment_size)
		return batch_new_locked(wal);
	return wal_segment_next_locked(wal) ? batch_new_locked(wal) : NULL;
}

static enum dfs_status
append_locked(struct dfs_wal *wal, struct wal_pending *p, const struct dfs_wal_record *record,
	      uint64_t *segments, uint64_t *lsn, dfs_wal_at *at)
{
	uint64_t cost = wal_cost(p->len), last;
	struct wal_batch *b;
	struct wal_segment *seg;

	if (atomic_load_explicit(&wal->failed, memory_order_relaxed))
		return dfs_fail(DFS_IO, "the log %s has failed", wal->path);
	/* As with space, what dfs_wal_room leaves of the queue is for who need not ask. */
	if (wal->queue_cost && wal->queue_cost + cost > wal->queue_max + wal->reserve)
		return DFS_AGAIN;
	b = batch_for_locked(wal, p);
	if (!b)
		return DFS_AGAIN;
	seg = &wal->segments[b->segment];
	p->payload = p->len ? place(b->fill, p) : 0;
	if (p->len)
		b->fill = p->payload + p->len;
	wal_desc_put(b->page, b->n++, record, p->payload, p->crc);
	*b->tail = p;
	b->tail = &p->next;
	b->cost += cost;
	last = atomic_load_explicit(&wal->last, memory_order_relaxed) + 1;
	atomic_store_explicit(&wal->last, last, memory_order_release);
	wal->queue_cost += cost;
	wal->queued += p->len;
	wal->appended++;
	wal->bytes += p->len;
	if (segments && !(*segments >> b->segment & 1)) {
		*segments |= UINT64_C(1) << b->segment;
		seg->pins++;
	}
	if (lsn)
		*lsn = last;
	if (at)
		*at = p->len ? DFS_WAL_AT(b->segment, b->offset + p->payload) : 0;
	wal_room_update_locked(wal);
	wal_push_locked(wal);
	return DFS_OK;
}

enum dfs_status
dfs_wal_append(struct dfs_wal *wal, const struct dfs_wal_record *record,
	       const struct dfs_span *spans, uint32_t n, uint64_t *segments, uint64_t *lsn,
	       dfs_wal_at *at)
{
	uint32_t len = wal_payload_len(record);
	struct wal_pending *p;
	enum dfs_status status;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += spans[i].len;
	assert(wal->recovered && sum == len && n <= DFS_WAL_SPANS_MAX);
	if (len > wal->payload_max)
		return dfs_fail(DFS_TOOBIG, "a record of %u bytes in a log that takes %u", len,
				wal->payload_max);
	/* The checksum, too, is made before anything is locked, while the bytes are warm. */
	p = pending_new(len, spans, n);
	pthread_mutex_lock(&wal->mu);
	status = append_locked(wal, p, record, segments, lsn, at);
	pthread_mutex_unlock(&wal->mu);
	if (status != DFS_OK)
		wal_pending_free(p);
	return status;
}

/* The numbers up to lsn are left out between two segments, where a recovery looks for no record. */
static bool
skip_locked(struct dfs_wal *wal, uint64_t lsn)
{
	if (atomic_load_explicit(&wal->last, memory_order_relaxed) >= lsn)
		return true;
	if (!wal_segment_end_locked(wal))
		return false;
	atomic_store_explicit(&wal->last, lsn, memory_order_release);
	return true;
}

enum dfs_status
dfs_wal_advance(struct dfs_wal *wal, uint64_t lsn, int64_t deadline)
{
	/* Says nothing, of nobody; with it the last number that was given is a record's again. */
	const struct dfs_wal_record nothing = {.type = DFS_WAL_MARK};
	enum dfs_status status = DFS_AGAIN;

	if (dfs_wal_last(wal) >= lsn)
		return DFS_OK;
	for (;;) {
		bool skipped;

		pthread_mutex_lock(&wal->mu);
		skipped = skip_locked(wal, lsn);
		pthread_mutex_unlock(&wal->mu);
		if (skipped)
			status = dfs_wal_append(wal, &nothing, NULL, 0, NULL, NULL, NULL);
		if (status != DFS_AGAIN)
			return status;
		if (dfs_clock_mono() > deadline)
			return dfs_fail(DFS_DELAY, "the log %s has no room", wal->path);
		usleep(1000);
	}
}
