/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "payload/wal/scan.h"

/* Two batches of the largest size, so that few are read twice. */
#define WINDOW (2 * WAL_BATCH_MAX)

void
wal_scan_new(struct wal_scan *scan, struct dfs_wal *wal)
{
	uint64_t size = wal->segment_size < WINDOW ? wal->segment_size : WINDOW;

	*scan = (struct wal_scan){.wal = wal, .window = aligned_alloc(WAL_PAGE, size)};
	if (!scan->window)
		abort();
}

void
wal_scan_free(struct wal_scan *scan)
{
	free(scan->window);
}

void
wal_scan_segment(struct wal_scan *scan, struct wal_segment *seg)
{
	scan->seg = seg;
	scan->nonce = wal_nonce(scan->wal->key, seg->epoch);
	scan->len = 0;
}

const unsigned char *
wal_scan_view(struct wal_scan *scan, uint64_t offset, uint32_t len)
{
	struct dfs_wal *wal = scan->wal;
	uint64_t size = wal->segment_size, want;

	if (offset >= scan->at && offset + len <= scan->at + scan->len)
		return scan->window + (offset - scan->at);
	if (offset > size || len > size - offset)
		return NULL;
	scan->at = offset;
	want = size - offset < WINDOW ? size - offset : WINDOW;
	if (wal->persister->recover(wal, scan->seg, scan->window, (uint32_t)want, offset) != 0) {
		/* A bad sector behind what is asked for is no reason to lose it. */
		want = len;
		if (wal->persister->recover(wal, scan->seg, scan->window, len, offset) != 0)
			want = 0;
	}
	scan->len = want;
	return want ? scan->window : NULL;
}

bool
wal_scan_header(struct wal_scan *scan, uint64_t offset, struct wal_header *h)
{
	const unsigned char *page = wal_scan_view(scan, offset, WAL_PAGE);

	return page && wal_header_get(page, scan->seg->epoch, scan->nonce, h) &&
	       h->total <= scan->wal->segment_size - offset;
}

bool
wal_scan_find(struct wal_scan *scan, uint64_t *offset, uint64_t above, struct wal_header *h)
{
	for (; *offset + WAL_PAGE <= scan->wal->segment_size; *offset += WAL_PAGE)
		if (wal_scan_header(scan, *offset, h) && h->first > above)
			return true;
	return false;
}
