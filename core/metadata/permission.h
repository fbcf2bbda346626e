/* SPDX-License-Identifier: MIT
 *
 * Who may do what, from mode bits (POSIX.1-2017 4.5), the sticky bit and ownership.
 */
#ifndef DFS_METADATA_PERMISSION_H
#define DFS_METADATA_PERMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "metadata/attr.h"

#define DFS_MAY_EXEC 1u /* search, for directories */
#define DFS_MAY_WRITE 2u
#define DFS_MAY_READ 4u

#define DFS_MODE_SUID 04000u
#define DFS_MODE_SGID 02000u
#define DFS_MODE_STICKY 01000u

bool dfs_in_group(const struct dfs_identity *id, uint32_t gid);
/* All bits of want.  uid 0 may everything but execute a file without any x bit. */
bool dfs_may(const struct dfs_identity *id, const struct dfs_attr *attr, uint32_t want);
/* Content of a regular file over a protocol without open: the owner may, whatever the bits say,
 * because the file may have been open before they changed; who may execute may read. */
bool dfs_may_read_content(const struct dfs_identity *id, const struct dfs_attr *attr);
bool dfs_may_write_content(const struct dfs_identity *id, const struct dfs_attr *attr);
/* Take the entry of child out of dir: write and search, and the sticky bit's owners only. */
bool dfs_may_remove(const struct dfs_identity *id, const struct dfs_attr *dir,
		    const struct dfs_attr *child);
/* Mode after a write, truncation or change of owner by somebody who is not uid 0. */
uint32_t dfs_mode_without_suid(uint32_t mode);

#endif
