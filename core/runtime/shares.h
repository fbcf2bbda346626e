/* SPDX-License-Identifier: MIT
 *
 * The runtime's table of shares.  Look-ups from any thread; changes by the main thread.
 */
#ifndef DFS_RUNTIME_SHARES_H
#define DFS_RUNTIME_SHARES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <glib.h>

#include "config/config.h"
#include "fs/share.h"
#include "runtime/stores.h"

struct dfs_cache;
struct dfs_inode_cache;
struct dfs_lock_domain;
struct dfs_recovered;
struct dfs_wal;
struct dfs_workers;

struct dfs_shares {
	pthread_rwlock_t mu;
	GPtrArray *list; /* guarded by mu: struct dfs_share, one reference each */
	_Atomic uint64_t epoch;
	/* Main thread: those that left the table and could not be closed, being in use. */
	GPtrArray *closing;
	/* Main thread: names of those whose stores did not answer, and still use what they had. */
	GPtrArray *lost;
};

/* What opening a share takes besides its row. */
struct dfs_shares_env {
	const struct dfs_stores *stores;
	struct dfs_inode_cache *inodes;
	struct dfs_cache *pages;
	struct dfs_workers *workers;
	struct dfs_wal *wal;             /* NULL: none */
	struct dfs_recovered *recovered; /* what the log had; NULL: nothing */
	struct dfs_lock_domain *locks;
	struct dfs_hash_key secret;
	const struct dfs_server_identity *self;
	const char *const *take_over; /* names of shares to take from other servers; NULL: none */
};

void dfs_shares_init(struct dfs_shares *shares);
void dfs_shares_clear(struct dfs_shares *shares);

/* Make the table what config says: open new shares, replace rules, take out what left.  All or
 * nothing: false leaves the table as it was, *error (g_free) says why.  Shares that left are added
 * to *left, to be closed by dfs_shares_close once nobody looks them up any more. */
bool dfs_shares_apply(struct dfs_shares *shares, const struct dfs_config *config,
		      const struct dfs_shares_env *env, GPtrArray *left, char **error);
/* Close shares that left the table, and those of earlier times, side by side; idle, deadline: of
 * dfs_share_close.  One whose closing has not returned at `end` (monotonic ns) is left as it is.
 * False: one could not be closed or was still in use (logged); in use, it is kept for the next call, and
 * no share of its name is opened meanwhile.  After one whose stores did not answer it is false for ever:
 * no store may be closed. */
bool dfs_shares_close(struct dfs_shares *shares, GPtrArray *left, int64_t idle, int64_t deadline,
		      int64_t end);
/* Whether all that left the table, or was opened in vain, is closed. */
bool dfs_shares_are_closed(const struct dfs_shares *shares);
/* Take all out. */
void dfs_shares_take_all(struct dfs_shares *shares, GPtrArray *left);

struct dfs_share *dfs_shares_by_slot(struct dfs_shares *shares, uint32_t slot);
struct dfs_share *dfs_shares_by_path(struct dfs_shares *shares, const char *path,
				     const char **rest);
void dfs_shares_each(struct dfs_shares *shares, void (*fn)(void *arg, struct dfs_share *share),
		     void *arg);
/* Those that left the table and are still in use.  Main thread. */
void dfs_shares_each_leaving(struct dfs_shares *shares,
			     void (*fn)(void *arg, struct dfs_share *share), void *arg);

#endif
