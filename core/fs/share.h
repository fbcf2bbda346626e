/* SPDX-License-Identifier: MIT
 *
 * A share: a tree of files on one metadata store and one block store, under a path.
 *
 * Reference-counted; the runtime holds one reference while the share is listed.  A reload may
 * change read_only and the client rules, which are immutable and replaced as a whole; all else
 * stays as it was opened.
 */
#ifndef DFS_FS_SHARE_H
#define DFS_FS_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <dittofs/status.h>

#include "base/hash.h"
#include "base/lock.h"
#include "config/rules.h"

struct dfs_block_store;
struct dfs_cache;
struct dfs_inode_cache;
struct dfs_lane;
struct dfs_lock_domain;
struct dfs_locks;
struct dfs_metadata_store;
struct dfs_namespace;
struct dfs_payload;
struct dfs_recovered;
struct dfs_server_identity;
struct dfs_wal;
struct dfs_workers;

struct dfs_share {
	_Atomic uint32_t refs;
	uint32_t slot; /* names the share in handles: the low 32 bits of its uuid */
	char name[64];
	char *path; /* "/export": absolute, no trailing slash but for "/" */
	uint8_t uuid[16];
	uint64_t fsid;                  /* from the uuid: stable across restarts */
	struct dfs_hash_key handle_key; /* from the uuid and the server's secret */
	uint64_t root_fileid, root_generation;
	enum dfs_durability durability;
	_Atomic bool read_only; /* dfs_share_set_read_only */
	struct dfs_namespace *ns;
	struct dfs_payload *payload;
	struct dfs_locks *locks;    /* metadata/lock/lock.h */
	struct dfs_lane *lane;      /* where its blocking operations run */
	struct dfs_lock rules_lock; /* held for as long as a rule is read */
	const struct dfs_share_rules
		*rules; /* guarded by rules_lock: a reload replaces and frees them */
	struct dfs_block_store *blocks;
	struct dfs_recovered *recovered; /* the log's; NULL: none */
	struct dfs_wal *wal;             /* NULL: none */
	bool log_taken;                  /* nothing of an earlier opening is in the log alone */
};

/* What dfs_share_open needs; everything is borrowed until dfs_share_close, strings and rules
 * are copied. */
struct dfs_share_options {
	const char *name; /* 1..63 bytes; the share's row in the store */
	const char *path;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_inode_cache *inodes;  /* metadata/namespace.h */
	struct dfs_cache *pages;         /* payload/payload.h */
	struct dfs_workers *workers;     /* the share's lane is made on them */
	struct dfs_wal *wal;             /* NULL: none */
	struct dfs_recovered *recovered; /* what the log had, NULL: nothing */
	/* Where the metadata store is one that several servers share: who we are, and whether the share
	 * is taken over from whoever has it. */
	const struct dfs_server_identity *self;
	bool take_over;
	struct dfs_lock_domain *lock_domain; /* the server's */
	enum dfs_durability durability;
	bool read_only;
	enum dfs_stuck_write stuck_write;
	uint64_t log_quota; /* bytes of the log that the share may hold, 0: the default */
	bool dedup;         /* blocks of equal content are one object */
	int64_t gc_grace;   /* as in struct dfs_payload_options, and so the next two */
	uint32_t gc_reconcile;
	int64_t gc_reconcile_interval;
	struct dfs_flush_options flush;
	struct dfs_hash_key secret;           /* the server's, for handle keys */
	const struct dfs_share_rules *rules;  /* NULL: the default */
	const struct dfs_quota_rules *quotas; /* NULL: what is used is not kept */
	/* Of a root directory that is made now; mode 0: 0755. */
	uint32_t root_mode, root_uid, root_gid;
};

/* Find or create the share in its stores, with one reference (the runtime's).  Blocking; main
 * thread.  DFS_BUSY: another server writes to it.  dfs_fail_text() explains a failure; then *share is NULL, or
 * one that is only to be closed: what it has begun may keep its stores. */
enum dfs_status dfs_share_open(const struct dfs_share_options *options, struct dfs_share **share);
/* Wait until the caller's reference is the last, until the time idle (monotonic ns); then write everything
 * back until deadline, and close.  DFS_BUSY: there were other references at idle; the share stays open and
 * is not freed. */
enum dfs_status dfs_share_close(struct dfs_share *share, int64_t idle, int64_t deadline);
/* Whether another server writes to the share, or may begin to: here it is read-only. */
bool dfs_share_follows(const struct dfs_share *share);
/* False: it stays read-only, because another server writes to it; the next opening asks again. */
bool dfs_share_set_read_only(struct dfs_share *share, bool on);
/* Replace the client rules (copied; NULL: the default).  Main thread. */
void dfs_share_set_rules(struct dfs_share *share, const struct dfs_share_rules *rules);

/* Other limits from now on (copied; NULL: none).  False: the share was opened without quotas, so what
 * is used is not known until it is opened with them.  Main thread. */
bool dfs_share_set_quotas(struct dfs_share *share, const struct dfs_quota_rules *quotas);

struct dfs_share *dfs_share_ref(struct dfs_share *share);
void dfs_share_unref(struct dfs_share *share);

/* Copies the first rule that matches the peer (AF_INET or AF_INET6); false: none, access refused. */
bool dfs_share_match(struct dfs_share *share, const struct sockaddr *peer,
		     struct dfs_client_rule *rule);

#endif
