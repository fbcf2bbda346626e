/* SPDX-License-Identifier: MIT
 *
 * A small NFSv3 client for tests: makes a procedure's arguments by hand, runs the procedure in
 * process, and takes the result apart to its last byte.
 */
#ifndef NFS_TEST_CLIENT_H
#define NFS_TEST_CLIENT_H

#include "adapters/nfs/nfs3/nfs3.h"
#include "adapters/nfs/test-runtime.h"

struct tfh {
	unsigned char bytes[NFS_HANDLE_SIZE];
};

struct tattr {
	bool known;
	uint32_t type, mode, nlink, uid, gid, major, minor;
	uint64_t size, used, fsid, fileid;
	int64_t atime, mtime, ctime;
};

struct twcc {
	bool known; /* before */
	uint64_t size;
	int64_t mtime, ctime;
	struct tattr after;
};

struct tentry {
	char name[256];
	uint64_t fileid, cookie;
	struct tattr attr;
	bool has_fh;
	struct tfh fh;
};

#define TEST_ENTRIES 1024

/* A reply; what a procedure does not return stays zero. */
struct treply {
	uint32_t status;
	bool has_fh;
	struct tfh fh;
	struct tattr attr, dir;
	struct twcc wcc, wcc2;
	uint32_t count, committed, granted;
	bool eof;
	uint64_t verf;
	const unsigned char *data; /* until the next call */
	uint32_t len;
};

#define SET_MODE(m)                                                                                \
	(struct dfs_setattr)                                                                       \
	{                                                                                          \
		.mask = DFS_SET_MODE, .mode = (m)                                                  \
	}
#define SET_SIZE(n)                                                                                \
	(struct dfs_setattr)                                                                       \
	{                                                                                          \
		.mask = DFS_SET_LENGTH, .length = (n)                                              \
	}

/* The connection that the calls below go over. */
extern struct test_conn *tconn;

/* Be this user, with no supplementary group. */
void t_as(uint32_t uid, uint32_t gid);
struct tfh t_root(const struct dfs_share *share);

struct treply t_getattr(struct tfh fh);
struct treply t_setattr(struct tfh fh, struct dfs_setattr set, const int64_t *guard);
struct treply t_lookup(struct tfh dir, const char *name);
struct treply t_lookup_bytes(struct tfh dir, const char *name, uint32_t len);
struct treply t_access(struct tfh fh, uint32_t wanted);
struct treply t_readlink(struct tfh fh);
struct treply t_read(struct tfh fh, uint64_t offset, uint32_t count);
struct treply t_write(struct tfh fh, uint64_t offset, const void *data, uint32_t len,
		      enum dfs_stable stable);
/* From pages, as the RPC layer receives large ones. */
struct treply t_write_direct(struct tfh fh, uint64_t offset, const void *data, uint32_t len);
struct treply t_create(struct tfh dir, const char *name, enum dfs_create_how how,
		       struct dfs_setattr set, uint64_t verifier);
struct treply t_create_bytes(struct tfh dir, const char *name, uint32_t len);
struct treply t_mkdir(struct tfh dir, const char *name, uint32_t mode);
struct treply t_symlink(struct tfh dir, const char *name, const char *text);
struct treply t_mknod(struct tfh dir, const char *name, uint32_t type, uint32_t major,
		      uint32_t minor);
struct treply t_remove(struct tfh dir, const char *name);
struct treply t_rmdir(struct tfh dir, const char *name);
struct treply t_rename(struct tfh from, const char *name, struct tfh to, const char *new_name);
struct treply t_link(struct tfh fh, struct tfh dir, const char *name);
/* Entries after cookie into entries (at most TEST_ENTRIES); *n. */
struct treply t_readdir(struct tfh dir, uint64_t cookie, uint32_t count, struct tentry *entries,
			uint32_t *n);
struct treply t_readdirplus(struct tfh dir, uint64_t cookie, uint32_t dircount, uint32_t maxcount,
			    struct tentry *entries, uint32_t *n);
struct treply t_fsstat(struct tfh fh, struct dfs_statfs *st);
struct treply t_fsinfo(struct tfh fh);
struct treply t_pathconf(struct tfh fh, uint32_t *linkmax, uint32_t *name_max);
struct treply t_commit(struct tfh fh, uint64_t offset, uint32_t count);

#endif
