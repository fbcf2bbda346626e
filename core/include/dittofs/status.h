/* SPDX-License-Identifier: MIT
 *
 * Status codes shared by the core, the plugins and the adapters.
 *
 * The numbers are part of the plugin ABI: they are never reused or reordered, only
 * appended to.  They are ours and never the host's errno values, which differ between
 * systems.  Text for people goes through the host table's fail() (host.h) and never
 * decides behaviour.
 */
#ifndef DITTOFS_STATUS_H
#define DITTOFS_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

enum dfs_status {
	DFS_OK = 0,
	DFS_AGAIN = 1,        /* would block (no side effect yet), or a serialisation failure */
	DFS_NOENT = 2,        /* no such name, inode, record or object */
	DFS_EXIST = 3,        /* the name, record or object is there already */
	DFS_NOTDIR = 4,       /* a directory is needed */
	DFS_ISDIR = 5,        /* a directory is not allowed here */
	DFS_NOTEMPTY = 6,     /* the directory has entries */
	DFS_PERM = 7,         /* the caller is not the owner, or lacks the privilege */
	DFS_ACCESS = 8,       /* permission bits or share rules forbid it */
	DFS_INVAL = 9,        /* an argument is out of its range or contradicts another */
	DFS_NAMETOOLONG = 10, /* name over 255 bytes, path over 4096 */
	DFS_NOSPC = 11,       /* the device, store or share is full */
	DFS_DQUOT = 12,       /* the user's or group's quota is used up */
	DFS_FBIG = 13,        /* beyond the largest file size */
	DFS_ROFS = 14,        /* the share or the store is read-only */
	DFS_MLINK = 15,       /* too many hard links */
	DFS_XDEV = 16,        /* the two objects lie in different shares */
	DFS_STALE = 17,       /* the handle's file is gone */
	DFS_BADHANDLE = 18,   /* not a handle of this server */
	DFS_IO = 19,          /* the store failed; fail() holds the reason */
	DFS_NOTSUP = 20,      /* the operation is not offered by this store or share */
	DFS_TOOSMALL = 21,    /* the caller's buffer cannot take even one entry */
	DFS_BADCOOKIE = 22,   /* not a cookie of this directory */
	DFS_NOTSYNC = 23,     /* the guard (ctime) does not match */
	DFS_BADTYPE = 24,     /* an object of this type cannot be made here */
	DFS_DELAY = 25,       /* busy: the client shall try again later (JUKEBOX) */
	DFS_TIMEDOUT = 26,    /* the deadline passed */
	DFS_CORRUPT = 27,     /* stored bytes fail their check */
	DFS_TOOBIG = 28,      /* a key, record or object is over the store's limit */
	DFS_BUSY = 29,        /* in use by another process or instance */
	DFS_NOMEM = 30,       /* a bounded allocation failed */
	DFS_SHUTDOWN = 31,    /* the instance is being stopped */
	DFS_CONFIG = 32,      /* the configuration is refused */
	DFS_VERSION = 33,     /* stored data has a newer or unknown format */
	DFS_FENCED = 34,      /* another server has taken the share over */
	DFS_DEADLOCK = 35,    /* waiting for the lock would never end */
	/* After a restart: only locks that were held before are granted now. */
	DFS_GRACE = 36,
};

#ifdef __cplusplus
}
#endif
#endif
