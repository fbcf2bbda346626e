/* SPDX-License-Identifier: MIT
 *
 * The inside of the lock manager, for the files of this folder.
 *
 * Sizes count: a range is 72 bytes and a file record 48, both cut from pools.  The caching grants of
 * other protocols (read, write, handle) will be a list beside `shares`, checked by the same rule.
 */
#ifndef DFS_METADATA_LOCK_TABLE_H
#define DFS_METADATA_LOCK_TABLE_H

#include <stddef.h>

#include "base/hash.h"
#include "base/lock.h"
#include "metadata/lock/lock.h"

#define LOCK_FILE_SHARDS 64
#define LOCK_OWNER_SHARDS 16

/* A node of a hash table: the first member. */
struct lock_link {
	struct lock_link *next;
	uint64_t id;
};

struct lock_hash {
	struct lock_link **buckets;
	uint64_t mask, n;
};

/* First node with this id's hash; go on by lock_hash_next. */
struct lock_link *lock_hash_first(const struct lock_hash *h, uint64_t id);
struct lock_link *lock_hash_next(struct lock_link *link);
/* False: no memory for the first buckets. */
bool lock_hash_add(struct lock_hash *h, struct lock_link *link);
void lock_hash_del(struct lock_hash *h, struct lock_link *link);
void lock_hash_clear(struct lock_hash *h);

#define RANGE_EXCLUSIVE ((uintptr_t)1) /* this one */
#define RANGE_BELOW ((uintptr_t)2)     /* some exclusive one in the subtree */
#define RANGE_BITS ((uintptr_t)3)

/* A lock on a range: a node of its file's treap (by start, owner, address), which knows the largest
 * end and whether any is exclusive in each subtree.  Locks that overlap are all shared or all of
 * one owner, so a search for a conflict follows one path.  A node's priority is a hash of its
 * address. */
struct lock_range {
	uint64_t start, end, max_end;    /* file's shard */
	struct lock_range *left, *right; /* file's shard */
	uintptr_t tagged;                /* owner, never changes, and RANGE_*: file's shard */
	struct lock_file *file;          /* never changes */
	struct lock_range *own_next, **own_prev; /* the owner's; client's lock */
};

struct lock_share {
	struct lock_share *next;                 /* file's shard */
	struct lock_file *file;                  /* never changes */
	struct dfs_lock_owner *owner;            /* a reference; never changes */
	struct lock_share *own_next, **own_prev; /* client's lock */
	uint8_t access, deny;                    /* file's shard */
};

/* Guarded by the shard's lock. */
struct lock_file {
	struct lock_link link; /* id: fileid */
	struct lock_range *root;
	struct dfs_lock_wait *waits; /* oldest first, a ring */
	struct lock_share *shares;
	struct dfs_lock_pin *pin; /* NULL: the file has a name */
};

struct dfs_lock_owner {
	struct lock_link link; /* owners' shard */
	struct lock_client *client;
	struct dfs_lock_owner *next, **prev; /* the client's; client's lock */
	struct lock_range *ranges;           /* client's lock */
	struct lock_share *shares;           /* client's lock */
	struct dfs_lock_wait *waits;         /* locks->waits */
	uint32_t walk;                       /* locks->waits: the last search that saw its waits */
	_Atomic uint32_t refs;               /* one for each range, share mode and wait, too */
	uint32_t n_ranges;                   /* client's lock */
	uint32_t len;
	unsigned char bytes[];
};

/* What the store holds of a client. */
enum lock_saved {
	LOCK_UNSAVED,
	LOCK_SAVED,   /* or about to be, by a commit at saved_seq */
	LOCK_ERASING, /* by a tidying: wait */
};

struct lock_client {
	struct lock_link link; /* clients_mu */
	_Atomic uint32_t refs; /* owners, LOCK_SAVED, and passing holders */
	struct dfs_lock mu;
	struct dfs_lock_owner *owners; /* mu */
	uint64_t n_locks;              /* mu */
	uint32_t n_waits;              /* locks->waits */
	enum lock_saved saved;         /* mu */
	uint64_t saved_seq;            /* mu */
	bool doubt;                    /* mu: an erasure failed, but may have been committed */
	bool known;                    /* mu: had locks before the start */
	bool waiting;                  /* mu: has not reclaimed them all, as far as is known */
	bool reclaimed;                /* mu: has reclaimed some */
	uint32_t len;
	unsigned char bytes[];
};

struct lock_file_shard {
	struct dfs_lock mu;
	struct lock_hash files;
} __attribute__((aligned(64)));

struct lock_owner_shard {
	struct dfs_lock mu;
	struct lock_hash owners;
} __attribute__((aligned(64)));

enum lock_phase { LOCK_PHASE_OPEN, LOCK_PHASE_GRACE, LOCK_PHASE_ENDING };

struct dfs_locks {
	struct dfs_lock_domain *domain;
	struct dfs_metadata_store *store; /* NULL: nothing is remembered */
	uint32_t share;
	uint32_t level; /* enum dfs_sync_level of what is remembered */
	struct dfs_hash_key key;
	uint64_t salt;
	void (*unpin)(void *arg, struct dfs_lock_pin *pin);
	void *arg;
	_Atomic uint64_t n_files, n_locks;

	struct dfs_lock ending; /* outermost; the end of the grace period, held over the store */
	struct dfs_lock waits;  /* outermost of the others */
	struct dfs_lock_wait *waiting; /* guarded by waits */
	uint32_t walk;                 /* guarded by waits */

	struct lock_file_shard files[LOCK_FILE_SHARDS];
	struct lock_owner_shard owners[LOCK_OWNER_SHARDS];
	struct dfs_lock clients_mu;
	struct lock_hash clients; /* guarded by clients_mu */

	_Atomic int phase;            /* enum lock_phase */
	_Atomic uint32_t unreclaimed; /* clients with `waiting` */
	int64_t grace_end;            /* monotonic ns; never changes after the opening */
	_Atomic uint64_t purged_seq;  /* the commit that ended the grace period */
};

/* --- range.c: file's shard held --- */

static inline struct dfs_lock_owner *
lock_range_owner(const struct lock_range *r)
{
	return (struct dfs_lock_owner *)(r->tagged & ~RANGE_BITS);
}

static inline bool
lock_range_exclusive(const struct lock_range *r)
{
	return r->tagged & RANGE_EXCLUSIVE;
}

struct lock_range *lock_range_new(void);
void lock_range_free(struct lock_range *r);
void lock_range_insert(struct lock_range **root, struct lock_range *r);
void lock_range_remove(struct lock_range **root, struct lock_range *r);
/* The first by start of those that overlap [start, end], are not owner's, and conflict with a lock
 * that is exclusive or not. */
struct lock_range *lock_range_conflict(struct lock_range *root, const struct dfs_lock_owner *owner,
				       const struct dfs_lock_range *want);
/* Every such one; fn answers false to stop. */
void lock_range_conflicts(struct lock_range *root, const struct dfs_lock_owner *owner,
			  const struct dfs_lock_range *want,
			  bool (*fn)(void *arg, struct lock_range *r), void *arg);
/* The range of owner that begins at start. */
struct lock_range *lock_range_at(struct lock_range *root, const struct dfs_lock_owner *owner,
				 uint64_t start);
/* Any range of owner that overlaps [start, end], or, being exclusive or not as *touching says, lies
 * beside it; touching NULL: only overlaps. */
struct lock_range *lock_range_own(struct lock_range *root, const struct dfs_lock_owner *owner,
				  uint64_t start, uint64_t end, const bool *touching);
bool lock_range_meets(const struct lock_range *r, uint64_t start, uint64_t end,
		      const bool *touching);

/* --- file.c --- */

static inline struct lock_file_shard *
lock_file_shard(struct dfs_locks *locks, uint64_t fileid)
{
	return &locks->files[dfs_hash_u64(fileid, 1) % LOCK_FILE_SHARDS];
}

/* Shard held. */
struct lock_file *lock_file_find(struct lock_file_shard *shard, uint64_t fileid);
struct lock_file *lock_file_make(struct dfs_locks *locks, struct lock_file_shard *shard,
				 uint64_t fileid);
/* Free the record (NULL: none) when it holds nothing; its pin goes to done. */
void lock_file_relax(struct dfs_locks *locks, struct lock_file_shard *shard, struct lock_file *file,
		     struct dfs_lock_done *done);
/* Move the pins of `from`. */
void lock_done_pins(struct dfs_lock_done *to, struct dfs_lock_done *from);

/* --- owner.c --- */

static inline void
lock_owner_ref(struct dfs_lock_owner *owner)
{
	atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed);
}
void lock_owners_clear(struct dfs_locks *locks);
/* A reference if it is there. */
struct lock_client *lock_client_find(struct dfs_locks *locks, const void *bytes, uint32_t len);
/* NULL: no memory, or the limit of names, which `force` passes over. */
struct lock_client *lock_client_get(struct dfs_locks *locks, const void *bytes, uint32_t len,
				    bool force);
void lock_client_put(struct dfs_locks *locks, struct lock_client *client);
/* References of all clients that fn accepts (NULL: all); *n of them, free() the array. */
struct lock_client **lock_clients_list(struct dfs_locks *locks,
				       bool (*fn)(void *arg, const void *client, uint32_t len),
				       void *arg, uint32_t *n);
/* Count n locks more; false: a limit.  split: they come of an unlock, which may pass the limits by
 * as much again: nobody is to hold what he wants to be rid of, nor to make locks without end. */
bool lock_count(struct dfs_locks *locks, struct lock_client *client, uint64_t n, bool split);
void lock_uncount(struct dfs_locks *locks, struct lock_client *client, uint64_t n);

/* --- set.c --- */

enum lock_set { LOCK_SET_NONE, LOCK_SET_SHARED, LOCK_SET_EXCLUSIVE };

/* Make [start, end] of file the owner's in this way; shard held, nobody else is in the way.  *freed:
 * set when others may now have what they could not have before. */
enum dfs_status lock_set(struct dfs_locks *locks, struct lock_file *file,
			 struct dfs_lock_owner *owner, uint64_t start, uint64_t end,
			 enum lock_set how, bool *freed);
/* Let go of one range; shard held. */
void lock_range_drop(struct dfs_locks *locks, struct lock_range *r);

/* --- share_mode.c: file's shard held --- */

/* The owner's, NULL: it has none. */
struct lock_share *lock_share_of(struct lock_file *file, const struct dfs_lock_owner *owner);
void lock_share_drop(struct dfs_locks *locks, struct lock_share *s);

/* --- wait.c --- */

/* Queue, or grant, or refuse; nothing is held. */
enum dfs_status lock_wait_for(struct dfs_locks *locks, struct dfs_lock_owner *owner,
			      uint64_t fileid, const struct dfs_lock_range *range,
			      struct dfs_lock_wait *wait, struct dfs_lock_done *done);
/* Grant what can be granted now; nothing is held. */
void lock_waits_pump(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_done *done);
/* With `waits` held: the same. */
void lock_waits_pump_locked(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_done *done);
/* With `waits` held: take it out with this status. */
void lock_wait_end(struct dfs_locks *locks, struct dfs_lock_wait *w, enum dfs_status status,
		   struct dfs_lock_done *done);
/* With `waits` held: the same to all that match accepts (NULL: to all), and grant what they held
 * back.  status: neither DFS_OK nor DFS_NOMEM, with which a grant ends. */
void lock_waits_end(struct dfs_locks *locks,
		    bool (*match)(const void *arg, const struct dfs_lock_wait *w), const void *arg,
		    enum dfs_status status, struct dfs_lock_done *done);
/* Whether an earlier waiter of the queue holds w back; `waits` or the shard held. */
bool lock_wait_behind(const struct dfs_lock_wait *w, const struct dfs_lock_wait *earlier);

/* --- deadlock.c --- */

/* With `waits` held and w queued.  True: w waits for its own owner.  Waits that do so only because
 * earlier waiters go first are let through instead. */
bool lock_deadlock(struct dfs_locks *locks, struct dfs_lock_wait *w, struct dfs_lock_done *done);

/* --- remember.c --- */

/* It may reclaim nothing (any more). */
void lock_client_forfeit(struct dfs_locks *locks, struct lock_client *client);
enum dfs_status lock_clients_load(struct dfs_locks *locks);

#endif
