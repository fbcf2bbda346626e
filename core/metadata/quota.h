/* SPDX-License-Identifier: MIT
 *
 * What a share, its users and its groups use, in memory, and the limits of it.
 *
 * A sum is that of the attributes in memory (attr.used, one file for each inode) of all inodes, and of
 * what operations under way have reserved: so a limit holds exactly, whoever races.  It runs ahead of
 * the store's own sums, which follow the records (metadata/charge.h), by what is not written yet.
 *
 * Any thread; one lock, innermost: nothing is called with it held.  It is taken under hash buckets'
 * locks.
 */
#ifndef DFS_METADATA_QUOTA_H
#define DFS_METADATA_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "config/rules.h"

struct dfs_quota;

#define DFS_QUOTA_KINDS 3 /* of enum dfs_usage_kind */
#define DFS_QUOTA_ALL ((1u << DFS_QUOTA_KINDS) - 1)

/* Whose, and how much. */
struct dfs_quota_charge {
	uint32_t uid, gid;
	uint32_t kinds; /* bits 1 << enum dfs_usage_kind */
	int64_t bytes, files;
};

/* rules: copied.  NULL: no memory. */
struct dfs_quota *dfs_quota_new(const struct dfs_quota_rules *rules);
void dfs_quota_free(struct dfs_quota *quota);
/* Other limits from now on (copied). */
void dfs_quota_set_rules(struct dfs_quota *quota, const struct dfs_quota_rules *rules);
/* For tests: ns since 1970. */
void dfs_quota_set_clock(struct dfs_quota *quota, int64_t (*now)(void));

/* Add what charge says where the limits allow it.  exempt: the caller is uid 0, whom the limits of
 * users and groups do not bind.  DFS_NOSPC: the share's limit; DFS_DQUOT: a user's or a group's;
 * DFS_DELAY: no memory.  Then nothing has changed. */
enum dfs_status dfs_quota_reserve(struct dfs_quota *quota, const struct dfs_quota_charge *charge,
				  bool exempt);
/* Give back what was reserved. */
void dfs_quota_release(struct dfs_quota *quota, const struct dfs_quota_charge *charge);
/* Whatever the limits: add one charge and take off others, in one step; NULL: none. */
void dfs_quota_change(struct dfs_quota *quota, const struct dfs_quota_charge *add,
		      const struct dfs_quota_charge *off, const struct dfs_quota_charge *off2);

/* A sum; zeros when there is none. */
void dfs_quota_usage(struct dfs_quota *quota, uint32_t kind, uint32_t id, int64_t *bytes,
		     int64_t *files);
/* Visit all sums, in no order; fn may call nothing of this. */
void dfs_quota_each(struct dfs_quota *quota,
		    void (*fn)(void *arg, const struct dfs_usage_record *sum), void *arg);

/* The tightest limits that bind an owner, UINT64_MAX: none, and what is left below them. */
struct dfs_quota_room {
	uint64_t bytes_total, bytes_free, files_total, files_free;
};
void dfs_quota_room(struct dfs_quota *quota, uint32_t uid, uint32_t gid,
		    struct dfs_quota_room *room);

/* Since when a sum of bytes, of files has been above its soft limit; ns since 1970, 0: it is not. */
struct dfs_quota_since {
	int64_t bytes, files;
};
/* True: it differs from what was given to _stored or answered here last; the caller stores it. */
bool dfs_quota_since_changed(struct dfs_quota *quota, uint32_t kind, uint32_t id,
			     struct dfs_quota_since *since);
/* Fill list with kind and id of at most n sums for which it would answer true; how many. */
unsigned dfs_quota_since_unstored(struct dfs_quota *quota, struct dfs_usage_record *list,
				  unsigned n);
/* What the store has, at opening. */
void dfs_quota_since_stored(struct dfs_quota *quota, uint32_t kind, uint32_t id,
			    const struct dfs_quota_since *since);
/* A transaction failed: nobody knows what the store has. */
void dfs_quota_since_unknown(struct dfs_quota *quota);

#endif
