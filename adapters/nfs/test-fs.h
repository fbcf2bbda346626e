/* SPDX-License-Identifier: MIT
 *
 * A core/fs that answers what a test has set and notes what it was asked, in place of
 * libdittofs's.
 */
#ifndef NFS_TEST_FS_H
#define NFS_TEST_FS_H

#include "fs/fs.h"

struct test_fs {
	enum dfs_status status;
	struct dfs_attr attr, dir_attr;
	struct dfs_wcc wcc[2];
	unsigned calls;
	struct dfs_ref ref, ref2;
	char name[300], name2[300];
	struct dfs_setattr set;
	bool guarded;
	int64_t guard;
	uint64_t offset, verifier, cookie;
	uint32_t len, how, wanted, major, minor;
	unsigned char data[300000];
	struct dfs_read read;
	struct dfs_statfs statfs;
	struct dfs_dir_entry entries[64];
	uint32_t n_entries;
};

extern struct test_fs test_fs;

#endif
