/* SPDX-License-Identifier: MIT
 *
 * What a recovery of the log found, by share and content, until the share is opened and takes it.
 *
 * The segments that hold it stay pinned for that long, so a share that is not in the configuration
 * any more keeps its slices in the log.  Any thread; a share is opened or closed by one at a time.
 */
#ifndef DFS_PAYLOAD_RECOVERED_H
#define DFS_PAYLOAD_RECOVERED_H

#include "payload/wal/wal.h"

struct dfs_recovered;

struct dfs_recovered_slice {
	uint64_t lsn;
	struct dfs_content_id content;
	uint64_t fileid, offset, length, change;
	int64_t mtime;
	dfs_wal_at at;
	uint32_t len;
	bool damaged;
};

/* Recover the log into a new set.  NULL: dfs_fail_text() says why. */
struct dfs_recovered *dfs_recovered_new(struct dfs_wal *wal, struct dfs_wal_recovery *found);
/* What nobody took stays pinned. */
void dfs_recovered_free(struct dfs_recovered *recovered);

/* All slices of one content, in order.  Not DFS_OK: the visit ends with it. */
typedef enum dfs_status (*dfs_recovered_fn)(void *arg, const struct dfs_recovered_slice *slices,
					    uint32_t n);
/* Visit what there is of the share; then, if all went well, it is gone from the set and its pins with
 * it: fn has pinned what it keeps. */
enum dfs_status dfs_recovered_take(struct dfs_recovered *recovered, const uint8_t share[16],
				   dfs_recovered_fn fn, void *arg);
/* The share closes with slices in the log that only a recovery finds again: until then nobody may take
 * it (DFS_BUSY).  recovered: may be NULL. */
void dfs_recovered_leave(struct dfs_recovered *recovered, const uint8_t share[16]);
/* How many slices nobody has taken. */
uint64_t dfs_recovered_left(const struct dfs_recovered *recovered);

#endif
