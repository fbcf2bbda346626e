/* SPDX-License-Identifier: MIT
 *
 * What the tests of dfs-conform-metadata share.  Private to this program.
 */
#ifndef CONFORM_METADATA_H
#define CONFORM_METADATA_H

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "tools/conform/load.h"
#include "tools/conform/tap.h"

#define SHARE 1u

/* An open instance in a folder of its own. */
struct md {
	struct conform *c;
	const struct dfs_metadata_ops *ops;
	void *inst;
	char *dir;
};

/* False: the test has failed, and there is nothing to close. */
bool md_open(struct conform *c, struct md *m);
/* The same for a test of several threads, which is skipped where the store is called by one. */
bool md_open_threads(struct conform *c, struct md *m);
/* Close and open again on the same folder. */
bool md_reopen(struct md *m);
void md_close(struct md *m);

bool md_volatile(const struct conform *c);
/* May calls carry DFS_NONBLOCK? */
bool md_nonblock(const struct conform *c);
bool md_serial(const struct conform *c);

/* NULL: the test has failed.  No other transaction is about, so DFS_AGAIN is a failure. */
struct dfs_txn *md_begin(struct md *m, uint32_t mode);
/* True when it was committed. */
bool md_commit(struct md *m, struct dfs_txn *txn);
/* From threads: begins again on DFS_AGAIN, within a bound. */
struct dfs_txn *md_begin_retry(struct md *m, uint32_t mode);

/* What is done in a transaction. */
typedef enum dfs_status (*md_work_fn)(struct md *m, struct dfs_txn *txn, void *arg);
/* One transaction: committed, or ended if mode is DFS_TXN_READ, when work answers DFS_OK.  Made anew
 * while the store answers DFS_AGAIN, as the core does, within a bound.  seq: of the commit, or NULL. */
enum dfs_status md_transact(struct md *m, uint32_t mode, md_work_fn work, void *arg, uint64_t *seq);
/* The same, by a test that is alone with the store: DFS_AGAIN is answered, but for --repeat. */
enum dfs_status md_transact_alone(struct md *m, uint32_t mode, md_work_fn work, void *arg,
				  uint64_t *seq);

void md_start(pthread_t *t, void *(*fn)(void *), void *arg);
/* Run fn in n threads at the same time, each with an index of its own from 0, to the end of all. */
void md_crew(struct md *m, unsigned n, void (*fn)(struct md *m, unsigned index));

/* Records made from a number; check answers whether rec is the one. */
void md_inode(struct dfs_inode_record *rec, uint64_t fileid, uint64_t salt);
bool md_inode_equal(const struct dfs_inode_record *a, const struct dfs_inode_record *b);
void md_dirent(struct dfs_dirent_record *rec, uint64_t cookie, const char *name);
void md_content(struct dfs_content_id *content, uint64_t n);

/* One transaction each, with everything checked. */
void md_put_inode(struct md *m, uint32_t share, uint64_t fileid, uint64_t salt);
void md_put_dirent(struct md *m, uint64_t dir, uint64_t cookie, const char *name);
/* The status of a get in a read transaction of its own. */
enum dfs_status md_get_inode(struct md *m, uint32_t share, uint64_t fileid,
			     struct dfs_inode_record *rec);
/* A counter kept as state; 0 when absent. */
uint64_t md_get_number(struct md *m, struct dfs_txn *txn, const char *key, enum dfs_status *status);

/* Collects the cookies of a scan, at most max. */
struct md_cookies {
	GArray *cookies; /* uint64_t */
	unsigned max;    /* 0: all */
};
int md_collect(void *arg, const struct dfs_dirent_record *rec);
enum dfs_status md_try_scan(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir,
			    uint64_t from, unsigned max, GArray **found);
/* The same, that must succeed. */
GArray *md_scan(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
		unsigned max);

/* Has the store sums of usage?  If not, the test is skipped. */
bool md_usage(struct conform *c);
/* Adds to a sum in an open transaction. */
enum dfs_status md_add_usage(struct md *m, struct dfs_txn *txn, uint32_t share, uint32_t kind,
			     uint32_t id, int64_t bytes, int64_t files);
/* The sum in a transaction; zeros when there is none. */
struct dfs_usage_record md_get_usage(struct md *m, struct dfs_txn *txn, uint32_t share,
				     uint32_t kind, uint32_t id);

extern const struct conform_test metadata_life_tests[], metadata_record_tests[],
	metadata_object_tests[], metadata_usage_tests[], metadata_shared_tests[],
	metadata_scan_tests[], metadata_txn_tests[], metadata_nonblock_tests[],
	metadata_thread_tests[], metadata_limit_tests[], metadata_crash_tests[],
	metadata_leak_tests[], metadata_model_tests[];
extern const struct conform_role metadata_roles[];

#endif
