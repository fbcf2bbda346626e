/* SPDX-License-Identifier: MIT
 *
 * A share: a tree of files on one metadata store and one block store, under a path.
 *
 * Reference-counted; the runtime holds one reference while the share is listed.  What a reload may
 * change (client rules, read_only) sits in an immutable dfs_share_rules, replaced as a whole.
 */
#ifndef DFS_FS_SHARE_H
#define DFS_FS_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/hash.h"

struct dfs_namespace;
struct dfs_payload;
struct dfs_lane;

enum dfs_durability {
	DFS_DURABILITY_NONE = 0,    /* may lose what the process held */
	DFS_DURABILITY_PROCESS = 1, /* survives kill -9 */
	DFS_DURABILITY_POWER = 2,   /* survives loss of power (default) */
};

enum dfs_squash { DFS_SQUASH_NONE = 0, DFS_SQUASH_ROOT = 1, DFS_SQUASH_ALL = 2 };

/* One row of `clients`; the first that matches the peer's address decides. */
struct dfs_client_rule {
	uint8_t addr[16];    /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_len;  /* of the 128-bit form */
	bool read_only;
	uint8_t squash;      /* enum dfs_squash */
	bool secure;         /* source port below 1024 is required */
	uint32_t anon_uid, anon_gid;
};

struct dfs_share_rules {
	uint32_t n;
	struct dfs_client_rule rules[];
};

struct dfs_share {
	_Atomic uint32_t refs;
	uint32_t slot;       /* index in the runtime's table and in handles while listed; never reused for
	                        another share: it is the low 32 bits of the share's uuid */
	char name[64];
	char *path;          /* "/export": absolute, no trailing slash but for "/" */
	uint8_t uuid[16];
	uint64_t fsid;       /* from the uuid: stable across restarts */
	struct dfs_hash_key handle_key; /* from the uuid and the server's secret */
	uint64_t root_fileid, root_generation;
	enum dfs_durability durability;
	bool read_only;
	struct dfs_namespace *ns;
	struct dfs_payload *payload;
	struct dfs_lane *lane; /* where its blocking operations run */
	_Atomic(const struct dfs_share_rules *) rules; /* freed at the next reload but one, or with the share */
};

struct dfs_share *dfs_share_ref(struct dfs_share *share);
void dfs_share_unref(struct dfs_share *share);

/* The first rule that matches the peer (AF_INET or AF_INET6), NULL: none, access refused.  The
 * default without `clients` is 127.0.0.0/8 and ::1, rw, root squash. */
const struct dfs_client_rule *dfs_share_match(const struct dfs_share *share,
                                              const struct sockaddr *peer);

#endif
