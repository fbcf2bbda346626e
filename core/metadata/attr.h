/* SPDX-License-Identifier: MIT
 *
 * What the core says about a file: its reference, its attributes, a name as it came in.
 */
#ifndef DFS_METADATA_ATTR_H
#define DFS_METADATA_ATTR_H

#include <stdint.h>

struct dfs_ref {
	uint64_t fileid, generation;
};

struct dfs_attr {
	uint32_t type; /* enum dfs_file_type */
	uint32_t mode, nlink, uid, gid;
	uint32_t rdev_major, rdev_minor;
	uint64_t fileid, generation;
	uint64_t length, used, change;
	int64_t atime, mtime, ctime, btime; /* ns since 1970 */
};

/* A name as it came in: 1..255 bytes, no '/' or NUL; the functions check and answer DFS_INVAL,
 * DFS_NAMETOOLONG.  "." and ".." are valid for lookup only. */
struct dfs_name {
	const char *bytes;
	uint32_t len;
};

#endif
