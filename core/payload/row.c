/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "payload/payload.h"
#include "payload/row.h"

#define UNIT 4096u /* as DFS_UNIT */

/* b continues a, in the block and in the object. */
static bool
continues(const struct dfs_segment *a, const struct dfs_segment *b)
{
	return a->version == b->version && a->flags == b->flags && a->at + a->length == b->at &&
	       ((a->flags & DFS_SEGMENT_ZERO) || a->offset + a->length == b->offset);
}

/* Append to out, joining what continues the last one. */
static bool
append(struct dfs_row *out, struct dfs_segment seg)
{
	struct dfs_segment *last;

	if (seg.length == 0)
		return true;
	if (out->n > 0) {
		last = &out->segs[out->n - 1];
		if (continues(last, &seg)) {
			last->length += seg.length;
			return true;
		}
	}
	if (out->n == DFS_ROW_MAX)
		return false;
	out->segs[out->n++] = seg;
	return true;
}

struct dfs_segment
dfs_segment_part(const struct dfs_segment *s, uint32_t from, uint32_t to)
{
	struct dfs_segment r = *s;

	if (from > r.at) {
		if (!(r.flags & DFS_SEGMENT_ZERO))
			r.offset += from - r.at;
		r.length -= from - r.at;
		r.at = from;
	}
	if (r.at + r.length > to)
		r.length = to - r.at;
	return r;
}

/* Let seg, or nothing (hole), take the place of what lies where it does. */
static bool
replace(struct dfs_row *row, const struct dfs_segment *seg, bool hole)
{
	struct dfs_row out;
	uint32_t from = seg->at, to = seg->at + seg->length;
	bool put = hole, ok = true;

	out.n = 0;
	for (uint32_t i = 0; i < row->n; i++) {
		const struct dfs_segment *s = &row->segs[i];
		uint32_t end = s->at + s->length;

		if (s->at < from)
			ok = ok &&
			     append(&out, dfs_segment_part(s, s->at, end < from ? end : from));
		if (!put && end > from) {
			ok = ok && append(&out, *seg);
			put = true;
		}
		if (end > to)
			ok = ok && append(&out, dfs_segment_part(s, s->at > to ? s->at : to, end));
	}
	if (!put)
		ok = ok && append(&out, *seg);
	if (ok) {
		row->n = out.n;
		memcpy(row->segs, out.segs, out.n * sizeof out.segs[0]);
	}
	return ok;
}

bool
dfs_row_overlay(struct dfs_row *row, const struct dfs_segment *seg)
{
	/* The common case: it lies behind all others. */
	if (row->n == 0 || row->segs[row->n - 1].at + row->segs[row->n - 1].length <= seg->at)
		return append(row, *seg);
	return replace(row, seg, false);
}

bool
dfs_row_punch(struct dfs_row *row, uint32_t from, uint32_t to)
{
	const struct dfs_segment hole = {.at = from, .length = to - from};

	return replace(row, &hole, true);
}

uint64_t
dfs_row_bytes(const struct dfs_row *row)
{
	uint64_t units = 0;
	uint32_t next = 0; /* first unit not counted yet */

	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t from = row->segs[i].at / UNIT;
		uint32_t end = (row->segs[i].at + row->segs[i].length + UNIT - 1) / UNIT;

		if (row->segs[i].flags & DFS_SEGMENT_HOLE)
			continue;
		if (from < next)
			from = next;
		if (end > from)
			units += end - from;
		next = end;
	}
	return units * UNIT;
}

bool
dfs_row_resolve(struct dfs_row *row, const struct dfs_segment *segs, uint32_t n)
{
	row->n = 0;
	if (n > DFS_SEGMENTS_MAX)
		return false;
	for (uint32_t i = n; i-- > 0;) {
		const struct dfs_segment *s = &segs[i];

		if (s->length == 0 || s->at >= DFS_BLOCK_SIZE ||
		    s->length > DFS_BLOCK_SIZE - s->at || s->offset >= DFS_BLOCK_SIZE ||
		    s->length > DFS_BLOCK_SIZE - s->offset)
			return false;
		if (!dfs_row_overlay(row, s))
			return false;
	}
	return true;
}

uint32_t
dfs_row_clip(struct dfs_segment *segs, uint32_t n, uint32_t end)
{
	while (n > 0 && segs[n - 1].at >= end)
		n--;
	if (n > 0 && segs[n - 1].at + segs[n - 1].length > end)
		segs[n - 1].length = end - segs[n - 1].at;
	return n;
}

bool
dfs_row_has(const struct dfs_segment *segs, uint32_t n, uint64_t version)
{
	for (uint32_t i = 0; i < n; i++)
		if (segs[i].version == version && dfs_segment_in_object(&segs[i]))
			return true;
	return false;
}

uint32_t
dfs_row_reach(const struct dfs_segment *segs, uint32_t n, uint64_t version)
{
	uint32_t reach = 0;

	for (uint32_t i = 0; i < n; i++)
		if (segs[i].version == version && dfs_segment_in_object(&segs[i]) &&
		    reach < segs[i].offset + segs[i].length)
			reach = segs[i].offset + segs[i].length;
	return reach;
}
