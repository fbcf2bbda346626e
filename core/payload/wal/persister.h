/* SPDX-License-Identifier: MIT
 *
 * How a segment's bytes come to lie on disk.  The format is the same for all persisters, so a log
 * may be opened with another than it was written with.  `null` has no table: a server or a share
 * of durability `none` simply has no log.
 *
 * Functions answer 0 or the negative of an errno value.
 */
#ifndef DFS_PAYLOAD_WAL_PERSISTER_H
#define DFS_PAYLOAD_WAL_PERSISTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct dfs_wal;
struct wal_segment;

struct wal_persister_ops {
	const char *name;
	/* Open seg's file and set seg->fd; seg->align: what append must be given. */
	int (*open)(struct dfs_wal *wal, struct wal_segment *seg, int flags);
	/* All bytes of iov (1 to 1024, changed by the call) at offset; the log's thread, or the
	 * background's on a segment that is not in use yet. */
	int (*append)(struct dfs_wal *wal, struct wal_segment *seg, struct iovec *iov, int n,
		      uint64_t offset);
	/* What was appended to [from, to) survives the loss of power. */
	int (*sync)(struct dfs_wal *wal, struct wal_segment *seg, uint64_t from, uint64_t to);
	/* Read len bytes; any thread. */
	int (*recover)(struct dfs_wal *wal, struct wal_segment *seg, void *data, uint32_t len,
		       uint64_t offset);
	void (*close)(struct dfs_wal *wal, struct wal_segment *seg);
};

extern const struct wal_persister_ops wal_persister_file;
extern const struct wal_persister_ops wal_persister_mmap;

#endif
