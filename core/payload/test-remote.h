/* SPDX-License-Identifier: MIT
 *
 * For the tests of uploads and downloads: a store that may block, calls to it that are held up, and
 * files of which each MiB has bytes of its own.
 */
#ifndef DFS_PAYLOAD_TEST_REMOTE_H
#define DFS_PAYLOAD_TEST_REMOTE_H

#include "payload/test-rig.h"

#define MIB (1u << 20)

/* What a write takes and what a read has brought. */
extern unsigned char remote_data[MIB], remote_got[MIB];

/* With the double in the store's place. */
struct rig *remote_rig(void);
/* remote_data becomes what MiB `seed` of a file holds. */
void remote_fill(unsigned seed);
/* Write the first n MiB of the file, each with its own bytes. */
void remote_dirty(struct dfs_file *file, unsigned n);
/* A file of n MiB that is in the store and not in memory. */
struct dfs_file *remote_cold_file(struct rig *rig, uint8_t id, unsigned n);
/* MiB i of the n reads back. */
void remote_assert_mib(struct dfs_file *file, unsigned n, unsigned i);
enum dfs_status remote_read_until(struct dfs_file *file, unsigned n, uint64_t offset, uint32_t len,
				  int64_t deadline);

/* A call on a thread of its own. */
struct remote_job {
	struct dfs_file *file;
	unsigned n, i; /* MiB i of n, of a read */
	enum dfs_status status;
	GThread *thread;
};
void remote_start(struct remote_job *job, GThreadFunc fn);
/* Asserts that it went well. */
void remote_join(struct remote_job *job);
void remote_wait_for(_Atomic unsigned *what, unsigned n);

#endif
