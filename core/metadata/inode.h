/* SPDX-License-Identifier: MIT
 *
 * Inodes in memory, and the cache that bounds them.
 *
 * Locks, outermost first: namespace rename lock; inode locks (a directory before its children,
 * sets by dfs_inode_lock_set); the store's transaction; cache shard; hash bucket.  A change to
 * `attr` and `flags` needs the inode's lock and the bucket's; reading needs either.  (atime and
 * used change under the bucket's alone.)  A record in a transaction is always a snapshot of memory
 * taken inside that transaction, and one transaction at a time has the inode in hand (metadata/charge.h):
 * so what is committed last is the newest state, also where the store runs transactions side by side.
 */
#ifndef DFS_METADATA_INODE_H
#define DFS_METADATA_INODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "base/ctx.h"
#include "base/lock.h"
#include "metadata/attr.h"
#include "metadata/namespace.h"
#include "metadata/store.h"

struct dfs_file;
struct dfs_quota_charge;

#define DFS_INODE_SHARDS 64 /* of the cache */

/* struct dfs_inode.state, guarded by the bucket's lock */
#define DFS_STATE_REFERENCED (1u << 0)  /* used since the clock hand passed */
#define DFS_STATE_DIRTY (1u << 1)       /* on the store's list, which holds a reference */
#define DFS_STATE_UNPUBLISHED (1u << 2) /* length or times wait for the flush of the content */
#define DFS_STATE_CHANGED (1u << 3)     /* differs from what the store held when it was loaded */
#define DFS_STATE_GONE (1u << 4)        /* its record is deleted */
#define DFS_STATE_HASHED (1u << 5)
#define DFS_STATE_HELD (1u << 6)      /* a transaction puts or deletes it: metadata/charge.h */
#define DFS_STATE_UNSURE (1u << 7)    /* `stored` may be wrong: the record tells */
#define DFS_STATE_UNCOUNTED (1u << 8) /* no record is counted in the sums of usage */

#define DFS_REFS_FORGOTTEN 0x80000000u /* unhashed: freed with the last reference */

/* What the record says of usage.  used: the bytes allocated in the map rows, for regular files; where
 * no usage is kept uid and gid may be old. */
struct dfs_inode_stored {
	uint64_t used;
	uint32_t uid, gid;
};

struct dfs_inode {
	/* One cache line for whoever walks a chain, the clock above all. */
	struct dfs_inode *hash_next; /* bucket lock */
	struct dfs_namespace *ns;
	uint64_t fileid, generation; /* never change while cached, and so does type: no lock */
	uint32_t type;
	uint32_t state;
	_Atomic(struct dfs_file *) file; /* made at the first use of the content */
	_Atomic uint32_t refs;        /* grows under the bucket's lock only; DFS_REFS_FORGOTTEN */
	uint32_t flags;               /* DFS_INODE_HAS_VERIFIER, DFS_INODE_ORPHAN */
	struct dfs_inode *dirty_next; /* the store's dirty list */

	struct dfs_attr attr;
	union {
		uint64_t parent;        /* directories */
		uint64_t stable_length; /* others: what the record may say while content is dirty */
	};
	uint64_t verifier;
	struct dfs_inode_stored stored; /* guarded by the bucket's lock */
	struct dfs_log_cut cut;
	uint64_t revision; /* of the content, as the record has it; bucket lock */
	struct dfs_content_id content;
	_Atomic uint32_t opens; /* changed under the inode's lock */
	_Atomic uint32_t cuts;  /* files: odd during a truncation, grows by two with each */
	struct dfs_lock lock;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct dfs_inode) <= 256, "four cache lines for each inode");

/* --- finding ------------------------------------------------------------------------------ */

/* Copy the attributes of a cached inode; no reference is taken.  False: not cached. */
bool dfs_inode_peek(struct dfs_namespace *ns, uint64_t fileid, struct dfs_attr *attr);
/* For a peek or find that follows soon. */
void dfs_inode_prefetch(struct dfs_namespace *ns, uint64_t fileid);
/* The next step of it, once what that asked for is there. */
void dfs_inode_prefetch_chain(struct dfs_namespace *ns, uint64_t fileid);
/* A new reference, or NULL: not cached. */
struct dfs_inode *dfs_inode_find(struct dfs_namespace *ns, uint64_t fileid);
/* A new reference; loads the record if need be.  DFS_NOENT: there is no such inode. */
enum dfs_status dfs_inode_get(const struct dfs_ctx *ctx, struct dfs_namespace *ns, uint64_t fileid,
			      struct dfs_inode **inode);
/* NULL is allowed.  Does not wait, neither for a flush of a removed file that is under way. */
void dfs_inode_unref(struct dfs_inode *inode);
/* The same, but for that flush; not NULL. */
void dfs_inode_drop(struct dfs_inode *inode);

/* Position of the cache's history for fileid; take it before reading the store. */
uint32_t dfs_inode_epoch(struct dfs_namespace *ns, uint64_t fileid);
/* The same for ids that only the read itself will tell: all are taken before its transaction begins. */
struct dfs_inode_epochs {
	uint32_t of[DFS_INODE_SHARDS];
};
void dfs_inode_epochs_take(struct dfs_namespace *ns, struct dfs_inode_epochs *epochs);
uint32_t dfs_inode_epoch_then(const struct dfs_inode_epochs *epochs, const struct dfs_namespace *ns,
			      uint64_t fileid);
/* Cache a record that was read from the store after `epoch` was taken.  Answers a reference (of
 * the cached inode if there is one already), or NULL: the record may be outdated, read again. */
struct dfs_inode *dfs_inode_insert(struct dfs_namespace *ns, const struct dfs_inode_record *rec,
				   uint32_t epoch);

/* --- locking ------------------------------------------------------------------------------ */

/* DFS_AGAIN (nonblock), DFS_DELAY (deadline). */
enum dfs_status dfs_inode_lock(const struct dfs_ctx *ctx, struct dfs_inode *inode);
void dfs_inode_unlock(struct dfs_inode *inode);
/* Lock several (n <= 4; NULL entries and repetitions are skipped), never waiting for one while
 * holding another: so there is no order to keep and no deadlock. */
enum dfs_status dfs_inode_lock_set(const struct dfs_ctx *ctx, struct dfs_inode **inodes,
				   unsigned n);
void dfs_inode_unlock_set(struct dfs_inode **inodes, unsigned n);

/* --- state -------------------------------------------------------------------------------- */

/* Everything that a record holds, from memory. */
struct dfs_inode_image {
	struct dfs_attr attr;
	union { /* as in struct dfs_inode */
		uint64_t parent, stable_length;
	};
	struct dfs_log_cut cut;
	uint32_t flags, state;
};

void dfs_attr_from_record(struct dfs_attr *attr, const struct dfs_inode_record *rec);
void dfs_inode_attr(struct dfs_inode *inode, struct dfs_attr *attr);
void dfs_inode_image(struct dfs_inode *inode, struct dfs_inode_image *image);

#define DFS_PUBLISH_ATIME (1u << 0)   /* take atime from attr, too */
#define DFS_PUBLISH_USED (1u << 1)    /* take used from the content, too */
#define DFS_PUBLISH_LAZY (1u << 2)    /* the record follows with the next write-back */
#define DFS_PUBLISH_CONTENT (1u << 3) /* length and times go out with the content's flush */
/* Make attr the inode's attributes; inode lock held.  With DFS_PUBLISH_USED attr->used is set. */
void dfs_inode_publish(struct dfs_inode *inode, struct dfs_attr *attr, unsigned how);
/* The same, and what was reserved of the quotas for it is used or given back in one step. */
void dfs_inode_publish_reserved(struct dfs_inode *inode, struct dfs_attr *attr, unsigned how,
				const struct dfs_quota_charge *reserved);
/* Take used from the content, which may have become less in the background. */
void dfs_inode_settled(struct dfs_inode *inode);
/* Put the whole image back or in (rollback, removal, moves); inode lock held.  reserved (NULL:
 * nothing): what was reserved of the quotas for it, used or given back in the same step. */
void dfs_inode_set_image(struct dfs_inode *inode, const struct dfs_inode_image *image,
			 const struct dfs_quota_charge *reserved);
/* The record is deleted: nobody finds the inode any more; it is freed with its last reference. */
void dfs_inode_forget(struct dfs_inode *inode);
/* Raise atime only (relatime, decided by the caller); written lazily. */
void dfs_inode_set_atime(struct dfs_inode *inode, int64_t atime);
/* Queue for the next write-back. */
void dfs_inode_mark_dirty(struct dfs_inode *inode);

/* Put the record, as memory has it now, into txn.  DFS_STALE: it is gone.  DFS_AGAIN: another
 * transaction has it in hand. */
enum dfs_status dfs_inode_put(struct dfs_inode *inode, struct dfs_txn *txn);
/* The same where txn changes the bytes that are allocated in the content's map rows. */
enum dfs_status dfs_inode_put_rows(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows);
/* The content's flush writes the record itself: length as it is, rows as above. */
enum dfs_status dfs_inode_publish_content(struct dfs_inode *inode, struct dfs_txn *txn,
					  int64_t rows);
/* Delete the record.  DFS_AGAIN as above. */
enum dfs_status dfs_inode_del(struct dfs_inode *inode, struct dfs_txn *txn);

/* What the content's owner (core/fs) lends to this layer. */
struct dfs_content_ops {
	bool (*busy)(const struct dfs_file *file);
	void (*free)(struct dfs_file *file);
	uint64_t (*used)(const struct dfs_file *file); /* bytes allocated, dirty ones included */
	void (*discard)(struct dfs_file *file);        /* it will not be flushed any more */
	/* Delete rows and objects; blocking. */
	enum dfs_status (*reclaim)(void *arg, const struct dfs_content_id *content);
};

#endif
