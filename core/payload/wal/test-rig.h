/* SPDX-License-Identifier: MIT
 *
 * A log for tests: records whose bytes follow from their number, and what a recovery found.
 */
#ifndef DFS_PAYLOAD_WAL_TEST_RIG_H
#define DFS_PAYLOAD_WAL_TEST_RIG_H

#include <glib.h>

#include "payload/wal/log.h"

#define KIB 1024u
#define MIB (1024u * 1024)

struct found {
	uint64_t lsn;
	struct dfs_wal_record record;
	dfs_wal_at at;
	bool damaged;
};

struct rig {
	struct dfs_wal_config config;
	struct dfs_wal *wal;
	struct dfs_wal_recovery recovery;
	GArray *found;     /* struct found, of the last recovery */
	bool keep;         /* pin what recovery finds */
	uint64_t segments; /* pinned, each once */
	char *folder;      /* when the disk is the real one */
};

/* disk NULL: the real one, in a new temporary folder. */
void rig_init(struct rig *rig, const struct dfs_disk_ops *disk);
enum dfs_status rig_open(struct rig *rig);  /* without recovery */
enum dfs_status rig_start(struct rig *rig); /* open and recover */
void rig_close(struct rig *rig);
void rig_free(struct rig *rig); /* closed already */
/* One WRITE of len bytes, which follow from fileid; asserts that it is taken.  Its LSN. */
uint64_t rig_append(struct rig *rig, uint64_t fileid, uint32_t len, dfs_wal_at *at);
enum dfs_status rig_try(struct rig *rig, uint64_t fileid, uint32_t len, uint64_t *segments,
			uint64_t *lsn, dfs_wal_at *at);
enum dfs_status rig_sync(struct rig *rig, uint64_t lsn, uint32_t level);
void rig_fill(uint64_t fileid, unsigned char *bytes, uint32_t len);
/* Whether the payload at `at` is what fileid's is. */
bool rig_reads(struct rig *rig, uint64_t fileid, dfs_wal_at at, uint32_t len);
/* Find i of the last recovery. */
struct found *rig_found(struct rig *rig, unsigned i);
int64_t rig_soon(void);

#endif
