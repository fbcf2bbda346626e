/* SPDX-License-Identifier: MIT
 *
 * A metadata store for tests: one sorted map under one lock, with faults on demand.
 *
 * It outlives the instance: what one opening committed, the next one finds, so that tests can
 * reopen.  Commits that were not synced can be dropped, as a loss of power would.
 */
#ifndef DFS_METADATA_TEST_STORE_H
#define DFS_METADATA_TEST_STORE_H

#include <stdatomic.h>

#include "metadata/store.h"
#include "plugin/registry.h"

struct test_store; /* the medium */

struct test_store *test_store_new(void);
void test_store_free(struct test_store *ts);
/* A plugin entry whose instances lie on ts.  volatile: as a store in memory declares itself;
 * otherwise as one that must be synced, of the TRY thread model. */
const struct dfs_plugin_entry *test_store_entry(struct test_store *ts, bool is_volatile);
/* Entries that are asked for from now on say that several servers may have the store open. */
void test_store_share(struct test_store *ts);

/* The next n write transactions of the calling thread answer status from commit (and change nothing). */
void test_store_fail_commits(struct test_store *ts, unsigned n, enum dfs_status status);
/* begin with DFS_NONBLOCK answers DFS_AGAIN while on. */
void test_store_busy(struct test_store *ts, bool on);
/* Loss of power: from now on writes and syncs fail, and of the commits that were not synced yet the
 * `keep` first survive.  Answers how many there were. */
unsigned test_store_lose_power(struct test_store *ts, unsigned keep);
/* How many commits a loss of power could take now. */
unsigned test_store_unsynced(struct test_store *ts);
void test_store_power_on(struct test_store *ts);
/* Every transaction sleeps so long in begin; ns. */
void test_store_stall(struct test_store *ts, int64_t ns);
uint64_t test_store_commits(struct test_store *ts);
uint64_t test_store_syncs(struct test_store *ts);
/* Records of a kind: 'i' inodes, 'd' entries, 'o' orphans, 'l' link texts, 'm' map rows,
 * 'b' objects, 'x' dead objects. */
unsigned test_store_count(struct test_store *ts, char kind);

#endif
