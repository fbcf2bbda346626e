/* SPDX-License-Identifier: MIT
 *
 * Reading a payload back: from the queue as long as it is there, else from its segment.
 */
#include <string.h>

#include "base/log.h"
#include "payload/wal/log.h"

static struct wal_batch *
find_locked(struct dfs_wal *wal, unsigned segment, uint64_t offset)
{
	for (struct wal_batch *b = wal->queue; b; b = b->next)
		if (b->segment == segment && offset >= b->offset && offset < b->offset + b->fill)
			return b;
	return NULL;
}

/* The bytes [from, from+len) of p's payload. */
static void
copy_out(const struct wal_pending *p, uint64_t from, unsigned char *data, uint64_t len)
{
	for (uint32_t i = 0; i < p->n && len; i++) {
		uint64_t have = p->spans[i].len, n;

		if (from >= have) {
			from -= have;
			continue;
		}
		n = have - from < len ? have - from : len;
		memcpy(data, (const char *)p->spans[i].data + from, n);
		data += n;
		len -= n;
		from = 0;
	}
}

static enum dfs_status
bad_place(dfs_wal_at at, uint32_t len)
{
	return dfs_fail(DFS_INVAL, "no payload of the log lies at %#llx, %u bytes",
			(unsigned long long)at, len);
}

enum dfs_status
dfs_wal_read(struct dfs_wal *wal, dfs_wal_at at, void *data, uint32_t len)
{
	uint64_t offset = DFS_WAL_OFFSET(at);
	unsigned segment = DFS_WAL_SEGMENT(at);
	const struct wal_pending *found = NULL;
	struct wal_segment *seg;
	struct wal_batch *b;
	int r;

	if (len == 0)
		return DFS_OK;
	if (segment >= DFS_WAL_SEGMENTS_MAX || len > wal->segment_size ||
	    offset > wal->segment_size - len)
		return bad_place(at, len);
	seg = &wal->segments[segment];
	pthread_mutex_lock(&wal->mu);
	b = find_locked(wal, segment, offset);
	if (b) {
		uint64_t in = offset - b->offset;

		for (const struct wal_pending *p = b->head; p; p = p->next)
			if (p->len && in >= p->payload && in + len <= (uint64_t)p->payload + p->len)
				found = p;
		b->refs++;
	}
	pthread_mutex_unlock(&wal->mu);
	if (b) {
		/* Records are only added to it, and this one's bytes do not change. */
		if (found)
			copy_out(found, offset - b->offset - found->payload, data, len);
		pthread_mutex_lock(&wal->mu);
		wal_batch_unref_locked(wal, b);
		pthread_mutex_unlock(&wal->mu);
		return found ? DFS_OK : bad_place(at, len);
	}
	if (seg->fd < 0)
		return bad_place(at, len);
	r = wal->persister->recover(wal, seg, data, len, offset);
	if (r != 0)
		return dfs_fail(DFS_IO, "reading segment %u of the log %s at %llu: %s", segment,
				wal->path, (unsigned long long)offset, strerror(-r));
	return DFS_OK;
}
