/* SPDX-License-Identifier: MIT
 *
 * A lock manager for tests, and short calls.  Owners are written "client/owner".
 */
#ifndef DFS_METADATA_LOCK_TEST_BED_H
#define DFS_METADATA_LOCK_TEST_BED_H

#include <glib.h>
#include <string.h>

#include "base/log.h"
#include "metadata/lock/lock.h"

struct bed {
	struct dfs_lock_domain domain;
	struct dfs_locks *locks;
	struct dfs_lock_conflict conflict; /* of the last refusal */
	unsigned unpinned;
};

/* A request that waits. */
struct waiter {
	struct dfs_lock_wait wait;
	unsigned calls;
	enum dfs_status status;
	unsigned order; /* among all completions of the program, from 1 */
};

void bed_open(struct bed *bed);
void bed_close(struct bed *bed);

#define SHARED false
#define EXCLUSIVE true

struct dfs_lock_owner *bed_owner(struct bed *bed, const char *who);
enum dfs_status bed_lock(struct bed *bed, const char *who, uint64_t file, uint64_t start,
			 uint64_t end, bool exclusive);
enum dfs_status bed_wait(struct bed *bed, struct waiter *w, const char *who, uint64_t file,
			 uint64_t start, uint64_t end, bool exclusive);
enum dfs_status bed_test(struct bed *bed, const char *who, uint64_t file, uint64_t start,
			 uint64_t end, bool exclusive);
enum dfs_status bed_unlock(struct bed *bed, const char *who, uint64_t file, uint64_t start,
			   uint64_t end);
enum dfs_status bed_cancel(struct bed *bed, const char *who, uint64_t file, uint64_t start,
			   uint64_t end, bool exclusive);
enum dfs_status bed_share(struct bed *bed, const char *who, uint64_t file, uint32_t access,
			  uint32_t deny);
void bed_unshare(struct bed *bed, const char *who, uint64_t file);
void bed_drop_client(struct bed *bed, const char *client);

#define assert_status(got, want) g_assert_cmpstr(dfs_status_name(got), ==, dfs_status_name(want))

void bed_add(const char *path, void (*fn)(struct bed *bed));

#endif
