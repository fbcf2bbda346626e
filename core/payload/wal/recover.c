/* SPDX-License-Identifier: MIT
 *
 * Recovery: hands out what the segments hold, in the order of sequence numbers, and decides at a
 * gap whether it is a torn tail, which nobody was promised, or damage to what was acknowledged
 * (see format.h).  Behind a tear all is void, in later segments, too: so what comes back is what
 * was appended up to some moment.
 *
 * Nothing on disk changes before the end, when the superblock closes each segment at its last
 * record: an interrupted recovery is repeated, and what it made void stays void.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "payload/wal/scan.h"

struct recovery {
	struct dfs_wal *wal;
	dfs_wal_recover_fn fn;
	void *arg;
	struct dfs_wal_recovery *found;
	struct wal_scan scan;
	struct wal_segment *order[DFS_WAL_SEGMENTS_MAX];
	unsigned n, i;    /* segments; the one at hand */
	uint64_t durable; /* the highest that was found */
	bool all_seen;    /* whether it is the highest of all */
	uint64_t highest; /* sequence number that was ever given, as far as is known */
	uint64_t good;    /* the last record that was handed out */
	bool torn;
};

static void
note(struct recovery *r, const struct wal_header *h)
{
	if (h->durable > r->durable)
		r->durable = h->durable;
	if (h->first + h->n - 1 > r->highest)
		r->highest = h->first + h->n - 1;
}

/* Whether record lsn, which is not as it was written, had been acknowledged.  Batches from offset
 * of this segment on, and of later ones, may tell. */
static bool
acknowledged(struct recovery *r, uint64_t lsn, uint64_t offset)
{
	struct wal_segment *seg = r->order[r->i];
	struct wal_header h;

	if (lsn <= r->durable || r->all_seen)
		return lsn <= r->durable;
	for (unsigned i = r->i; i < r->n; i++, offset = 0) {
		wal_scan_segment(&r->scan, r->order[i]);
		for (; wal_scan_find(&r->scan, &offset, 0, &h); offset += h.total) {
			note(r, &h);
			r->found->discarded += h.total;
		}
	}
	wal_scan_segment(&r->scan, seg);
	r->all_seen = true;
	if (lsn <= r->durable)
		r->found->discarded = 0; /* none of it is; a tear may still follow */
	return lsn <= r->durable;
}

/* The records [from, to] are lost with the page that described them. */
static void
lost(struct recovery *r, uint64_t from, uint64_t to)
{
	r->found->damaged += to - from + 1;
	r->good = to;
	dfs_log(DFS_LOG_ERROR,
		"wal %s: segment %u is damaged: %llu acknowledged records (%llu to %llu) cannot be "
		"read, nor which files they belong to",
		r->wal->path, r->order[r->i]->index, (unsigned long long)(to - from + 1),
		(unsigned long long)from, (unsigned long long)to);
}

/* Record i of the batch at offset.  bytes: the batch; NULL: its payloads cannot be read. */
static enum dfs_status
record(struct recovery *r, const unsigned char *page, const unsigned char *bytes, uint64_t offset,
       const struct wal_header *h, unsigned i)
{
	struct wal_segment *seg = r->order[r->i];
	uint64_t lsn = h->first + i;
	struct dfs_wal_record rec;
	uint32_t payload, crc, len;
	bool damaged = false;
	dfs_wal_at at = 0;

	if (!wal_desc_get(page, i, &rec, &payload, &crc))
		return dfs_fail(DFS_VERSION, "%s: record %llu has a type that is not known here",
				r->wal->path, (unsigned long long)lsn);
	len = wal_payload_len(&rec);
	if (len) {
		at = DFS_WAL_AT(seg->index, offset + payload);
		if (payload < WAL_PAGE || payload > h->total || len > h->total - payload)
			return dfs_fail(DFS_CORRUPT, "%s: record %llu lies outside of its batch",
					r->wal->path, (unsigned long long)lsn);
		damaged = !bytes || dfs_crc32c(0, bytes + payload, len) != crc;
	}
	if (damaged && !acknowledged(r, lsn, offset + h->total)) {
		r->torn = true;
		r->found->discarded += len;
		return DFS_OK;
	}
	if (damaged) {
		r->found->damaged++;
		dfs_log(DFS_LOG_ERROR,
			"wal %s: segment %u is damaged: %u bytes at %llu of file %llu, which were "
			"acknowledged, do not match their checksum",
			r->wal->path, seg->index, len, (unsigned long long)rec.offset,
			(unsigned long long)rec.fileid);
	}
	DFS_FAILPOINT("recover-record");
	r->found->records++;
	r->found->bytes += len;
	r->good = lsn;
	return r->fn(r->arg, lsn, &rec, at, damaged);
}

static enum dfs_status
batch(struct recovery *r, uint64_t offset, const struct wal_header *h)
{
	uint64_t end = r->order[r->i]->end;
	enum dfs_status status = DFS_OK;
	const unsigned char *bytes;
	unsigned char page[WAL_PAGE];

	note(r, h);
	/* A copy: looking for tears moves the window. */
	memcpy(page, wal_scan_view(&r->scan, offset, WAL_PAGE), WAL_PAGE);
	for (unsigned i = 0; i < h->n && status == DFS_OK && !r->torn; i++) {
		if (end && h->first + i > end)
			break;
		bytes = wal_scan_view(&r->scan, offset, h->total);
		status = record(r, page, bytes, offset, h, i);
	}
	return status;
}

/* No batch with record `expected` lies at offset.  True: go on with the one at *offset. */
static bool
gap(struct recovery *r, uint64_t expected, uint64_t *offset, struct wal_header *h)
{
	uint64_t end = r->order[r->i]->end, last;
	bool more;

	if (!acknowledged(r, expected, *offset)) {
		r->torn = true;
		return false;
	}
	more = wal_scan_find(&r->scan, offset, expected, h);
	last = more ? h->first - 1 : end ? end : r->durable;
	if (end && last > end) {
		last = end;
		more = false;
	}
	if (last > r->durable) {
		/* What was acknowledged ends inside the gap. */
		last = r->durable;
		r->torn = true;
	}
	lost(r, expected, last);
	return more && !r->torn;
}

static enum dfs_status
segment(struct recovery *r)
{
	struct wal_segment *seg = r->order[r->i];
	uint64_t expected = seg->first, offset = 0;
	enum dfs_status status = DFS_OK;
	struct wal_header h;

	wal_scan_segment(&r->scan, seg);
	while (status == DFS_OK && !r->torn && (!seg->end || expected <= seg->end)) {
		bool here = wal_scan_header(&r->scan, offset, &h) && h.first == expected;

		if (!here && !gap(r, expected, &offset, &h))
			break;
		status = batch(r, offset, &h);
		offset += h.total;
		expected = h.first + h.n;
	}
	return status;
}

static int
by_first(const void *a, const void *b)
{
	const struct wal_segment *x = *(struct wal_segment *const *)a;
	const struct wal_segment *y = *(struct wal_segment *const *)b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* What the segment at hand keeps: its records up to the last good one. */
static void
close_segment(struct recovery *r, struct wal_segment *seg)
{
	struct dfs_wal *wal = r->wal;

	pthread_mutex_lock(&wal->mu);
	if (!seg->end || r->torn)
		seg->end = r->good;
	seg->pins--; /* recovery's own */
	if (seg->end < seg->first)
		seg->pins = 0; /* nothing of it is left */
	wal_segment_settle_locked(wal, seg);
	pthread_mutex_unlock(&wal->mu);
}

/* Make what was found as durable as it will be taken for, and begin anew above it. */
static enum dfs_status
finish(struct recovery *r)
{
	struct dfs_wal *wal = r->wal;
	uint64_t now = (uint64_t)dfs_clock_real();
	enum dfs_status status;

	for (unsigned i = 0; i < r->n; i++) {
		struct wal_segment *seg = r->order[i];
		int error;

		if (seg->state != WAL_CLOSED)
			continue;
		error = wal->persister->sync(wal, seg, 0, wal->segment_size);
		if (error != 0)
			return dfs_fail(DFS_IO, "syncing segment %u of %s: %s", seg->index,
					wal->path, strerror(-error));
	}
	if (r->durable > r->highest)
		r->highest = r->durable;
	wal->durable = wal->written = r->highest >= now ? r->highest : now - 1;
	atomic_store(&wal->last, wal->written);
	DFS_FAILPOINT("recover-end");
	status = wal_super_write(wal, false);
	if (status != DFS_OK)
		return status;
	DFS_FAILPOINT("recovered");
	wal->recovered = true;
	pthread_mutex_lock(&wal->mu);
	wal_room_update_locked(wal);
	pthread_mutex_unlock(&wal->mu);
	wal_background_start(wal);
	return DFS_OK;
}

enum dfs_status
dfs_wal_recover(struct dfs_wal *wal, dfs_wal_recover_fn fn, void *arg,
		struct dfs_wal_recovery *found)
{
	struct recovery r = {.wal = wal, .fn = fn, .arg = arg, .found = found};
	enum dfs_status status = DFS_OK;

	assert(!wal->recovered);
	memset(found, 0, sizeof *found);
	found->clean = wal->was_clean;
	r.durable = wal->durable;
	r.highest = dfs_wal_last(wal);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
		if (wal->segments[i].state == WAL_CLOSED) {
			r.order[r.n++] = &wal->segments[i];
			wal->segments[i].pins++;
			if (wal->segments[i].end > r.highest)
				r.highest = wal->segments[i].end;
		}
	qsort(r.order, r.n, sizeof r.order[0], by_first);
	wal_scan_new(&r.scan, wal);
	for (; r.i < r.n && status == DFS_OK; r.i++) {
		if (!r.torn)
			status = segment(&r);
		if (status == DFS_OK)
			close_segment(&r, r.order[r.i]);
	}
	wal_scan_free(&r.scan);
	return status == DFS_OK ? finish(&r) : status;
}
