/* SPDX-License-Identifier: MIT
 *
 * Looking at a segment's bytes through a window, in large reads.
 */
#ifndef DFS_PAYLOAD_WAL_SCAN_H
#define DFS_PAYLOAD_WAL_SCAN_H

#include "payload/wal/log.h"

struct wal_scan {
	struct dfs_wal *wal;
	struct wal_segment *seg;
	uint64_t nonce;        /* of seg's epoch */
	unsigned char *window; /* of two batches at most */
	uint64_t at, len;      /* what it holds of seg */
};

void wal_scan_new(struct wal_scan *scan, struct dfs_wal *wal);
void wal_scan_free(struct wal_scan *scan);
void wal_scan_segment(struct wal_scan *scan, struct wal_segment *seg);
/* len bytes (at most WAL_BATCH_MAX) at offset, both in whole pages; NULL: they cannot be read. */
const unsigned char *wal_scan_view(struct wal_scan *scan, uint64_t offset, uint32_t len);
/* Whether a batch begins at offset. */
bool wal_scan_header(struct wal_scan *scan, uint64_t offset, struct wal_header *h);
/* The first batch at *offset or behind it whose records are all above `above`; *offset: its place.
 * False: there is none. */
bool wal_scan_find(struct wal_scan *scan, uint64_t *offset, uint64_t above, struct wal_header *h);

#endif
