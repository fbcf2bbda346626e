/* SPDX-License-Identifier: MIT */
#include <dittofs/metadata_store.h>

#include "metadata/permission.h"

bool
dfs_in_group(const struct dfs_identity *id, uint32_t gid)
{
	if (id->gid == gid)
		return true;
	for (uint32_t i = 0; i < id->ngids; i++)
		if (id->gids[i] == gid)
			return true;
	return false;
}

bool
dfs_may(const struct dfs_identity *id, const struct dfs_attr *attr, uint32_t want)
{
	uint32_t bits;

	if (id->uid == 0)
		return !(want & DFS_MAY_EXEC) || attr->type == DFS_TYPE_DIR || (attr->mode & 0111);
	if (id->uid == attr->uid)
		bits = attr->mode >> 6;
	else if (dfs_in_group(id, attr->gid))
		bits = attr->mode >> 3;
	else
		bits = attr->mode;
	return (bits & want) == want;
}

bool
dfs_may_read_content(const struct dfs_identity *id, const struct dfs_attr *attr)
{
	return id->uid == attr->uid || dfs_may(id, attr, DFS_MAY_READ) ||
	       dfs_may(id, attr, DFS_MAY_EXEC);
}

bool
dfs_may_write_content(const struct dfs_identity *id, const struct dfs_attr *attr)
{
	return id->uid == attr->uid || dfs_may(id, attr, DFS_MAY_WRITE);
}

bool
dfs_may_remove(const struct dfs_identity *id, const struct dfs_attr *dir,
	       const struct dfs_attr *child)
{
	if (!dfs_may(id, dir, DFS_MAY_WRITE | DFS_MAY_EXEC))
		return false;
	return !(dir->mode & DFS_MODE_STICKY) || id->uid == 0 || id->uid == dir->uid ||
	       id->uid == child->uid;
}

uint32_t
dfs_mode_without_suid(uint32_t mode)
{
	mode &= ~DFS_MODE_SUID;
	/* Without group execution the bit means mandatory locking on some systems: kept. */
	return mode & 0010 ? mode & ~DFS_MODE_SGID : mode;
}
