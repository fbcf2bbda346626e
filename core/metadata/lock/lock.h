/* SPDX-License-Identifier: MIT
 *
 * The lock manager of a share: byte ranges, share modes, and who waits for them.
 *
 * One for all protocols: an owner is a client record and opaque bytes, both chosen by the adapter.
 * A file that holds or awaits nothing has no record here.  Ranges are owner-based as POSIX's: an
 * owner's new lock replaces what it had there.  Any thread; nothing here blocks but the functions
 * that say so, which write client records for reclaim.  No lock of this folder but `ending` is held
 * while a callback or a store runs, and none is held on return.
 *
 * Locks, outermost first: `ending` (the end of the grace period; held over the store, by workers
 * only), `waits` (who waits for whom), a shard of files, a shard of owners, the table of clients, a
 * client.
 */
#ifndef DFS_METADATA_LOCK_H
#define DFS_METADATA_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "config/rules.h"

struct dfs_lock_owner;
struct dfs_locks;
struct dfs_metadata_store;

#define DFS_LOCK_EOF UINT64_MAX     /* end of a range that grows with the file */
#define DFS_LOCK_CLIENT_MAX 1152u   /* bytes that name a client */
#define DFS_LOCK_OWNER_MAX 1032u    /* bytes that name an owner of a client */
#define DFS_LOCK_FILE_WAITS 256u    /* waiters of one file: each grant looks through them */
#define DFS_LOCK_FILE_SHARES 1024u  /* share modes of one file */
#define DFS_LOCK_CLIENT_WAITS 1024u /* waiters of one client */

/* What the whole server may hold; shared by its shares. */
struct dfs_lock_domain {
	uint64_t max_locks;        /* ranges and share modes */
	uint64_t max_client_locks; /* of those, one client's on one share */
	int64_t grace;             /* ns after a start in which only reclaims are taken */
	_Atomic uint64_t locks;
	_Atomic uint64_t bytes; /* of owners and clients; at most 256 for each of max_locks */
};

struct dfs_lock_who {
	const void *client, *owner;
	uint32_t client_len, owner_len; /* 1..DFS_LOCK_CLIENT_MAX, 1..DFS_LOCK_OWNER_MAX */
};

struct dfs_lock_range {
	uint64_t start, end; /* both included; start <= end */
	bool exclusive;
};

/* A lock that is in the way. */
struct dfs_lock_conflict {
	struct dfs_lock_range range;
	uint32_t owner_len;
	unsigned char owner[DFS_LOCK_OWNER_MAX];
};

/* A request that waits; the caller's memory until done() is called, which happens once, on any
 * thread and with no lock held, possibly before the function that queued it returns.
 *   DFS_OK        the range is the owner's
 *   DFS_NOENT     cancelled, or the owner's or client's locks were dropped
 *   DFS_NOMEM     its turn came, but the owner's client or the server holds all it may
 *   DFS_SHUTDOWN  the share is closed */
struct dfs_lock_wait {
	void (*done)(struct dfs_lock_wait *wait, enum dfs_status status);
	const void *session; /* for dfs_locks_cancel_session; NULL: none */

	/* The manager's; guarded by `waits`, those of the queue by the file's shard too. */
	struct dfs_lock_owner *owner; /* a reference */
	uint64_t fileid;
	struct dfs_lock_range range;
	struct dfs_lock_wait *next, *prev;           /* the file's queue, a ring */
	struct dfs_lock_wait *own_next, **own_prev;  /* the owner's */
	struct dfs_lock_wait *all_next, **all_prev;  /* the manager's */
	struct dfs_lock_wait *walk_next, *walk_from; /* of the search for a deadlock */
	uint32_t walk;                               /* the last search that saw it */
	bool walk_fair;         /* walk_from waits for it only out of fairness */
	bool overtake;          /* earlier waiters do not hold it back */
	enum dfs_status status; /* for done() */
};

/* What keeps a file that lost its last name while it had a record here; the first member of the
 * caller's own. */
struct dfs_lock_pin {
	struct dfs_lock_pin *next;
};

/* What a call has left to its caller to do once that has released its locks. */
struct dfs_lock_done {
	struct dfs_lock_wait *head, **tail;
	struct dfs_lock_pin *pins;
};
void dfs_lock_done_init(struct dfs_lock_done *done);
void dfs_lock_done_run(struct dfs_locks *locks, struct dfs_lock_done *done);

/* --- life --------------------------------------------------------------------------------- */

struct dfs_locks_options {
	struct dfs_lock_domain *domain;   /* outlives the manager */
	struct dfs_metadata_store *store; /* NULL: clients are not remembered */
	uint32_t share;                   /* the share's id in the store */
	enum dfs_durability durability;
	/* A file that was pinned has nothing here any more; no lock is held. */
	void (*unpin)(void *arg, struct dfs_lock_pin *pin);
	void *arg;
};

/* Reads the clients that may reclaim; blocking.  dfs_fail_text explains. */
enum dfs_status dfs_locks_open(const struct dfs_locks_options *options, struct dfs_locks **locks);
/* Ends all waits with DFS_SHUTDOWN and forgets all locks; clients that hold any stay remembered.
 * Blocking; no owner is held and nobody calls any more.  NULL is allowed. */
void dfs_locks_close(struct dfs_locks *locks);

/* --- owners ------------------------------------------------------------------------------- */

/* A reference, made if need be.  DFS_NOMEM: no memory, or a limit. */
enum dfs_status dfs_lock_owner_get(struct dfs_locks *locks, const struct dfs_lock_who *who,
				   struct dfs_lock_owner **owner);
/* A reference if the owner is known, which it is while it has anything; else NULL. */
struct dfs_lock_owner *dfs_lock_owner_find(struct dfs_locks *locks, const struct dfs_lock_who *who);
void dfs_lock_owner_put(struct dfs_locks *locks,
			struct dfs_lock_owner *owner); /* NULL is allowed */

/* --- ranges ------------------------------------------------------------------------------- */

/* DFS_OK: locked.  DFS_BUSY: another's lock is in the way: *conflict (may be NULL) says which, and
 * with wait the request is queued, perhaps behind others only (then *conflict is not set).
 * DFS_EXIST: with wait, the owner waits for exactly this already.  DFS_DEADLOCK: with wait, it would
 * wait for itself.  DFS_NOMEM: a limit.  A request without wait is not held back by those that wait;
 * one with it is, in the order of their coming. */
enum dfs_status dfs_locks_lock(struct dfs_locks *locks, struct dfs_lock_owner *owner,
			       uint64_t fileid, const struct dfs_lock_range *range,
			       struct dfs_lock_wait *wait, struct dfs_lock_conflict *conflict,
			       struct dfs_lock_done *done);
/* DFS_OK: it could be locked now.  DFS_BUSY.  owner NULL: one that holds nothing. */
enum dfs_status dfs_locks_test(struct dfs_locks *locks, const struct dfs_lock_owner *owner,
			       uint64_t fileid, const struct dfs_lock_range *range,
			       struct dfs_lock_conflict *conflict);
/* Whether all of the range is the owner's; an exclusive one, exclusively. */
bool dfs_locks_holds(struct dfs_locks *locks, const struct dfs_lock_owner *owner, uint64_t fileid,
		     const struct dfs_lock_range *range);
/* The smallest range that has all that the owner holds of `range`, of which only start and end count.  False:
 * nothing. */
bool dfs_locks_held_of(struct dfs_locks *locks, const struct dfs_lock_owner *owner, uint64_t fileid,
		       const struct dfs_lock_range *range, struct dfs_lock_range *held);
/* Of the range only start and end count.  DFS_NOMEM: splitting a lock needs memory, of which there
 * is none, or the client or the server holds twice what it may; nothing was unlocked. */
enum dfs_status dfs_locks_unlock(struct dfs_locks *locks, struct dfs_lock_owner *owner,
				 uint64_t fileid, const struct dfs_lock_range *range,
				 struct dfs_lock_done *done);
/* End the owner's wait for exactly this.  DFS_NOENT: there is none. */
enum dfs_status dfs_locks_cancel(struct dfs_locks *locks, struct dfs_lock_owner *owner,
				 uint64_t fileid, const struct dfs_lock_range *range,
				 struct dfs_lock_done *done);
/* End all waits of a session. */
void dfs_locks_cancel_session(struct dfs_locks *locks, const void *session);

/* --- share modes -------------------------------------------------------------------------- */

#define DFS_SHARE_READ 1u
#define DFS_SHARE_WRITE 2u

/* What the owner does with the file and what others shall not (DFS_SHARE_*); replaces the owner's
 * earlier one.  DFS_BUSY: another's access or deny is in the way.  DFS_NOMEM: a limit. */
enum dfs_status dfs_locks_share(struct dfs_locks *locks, struct dfs_lock_owner *owner,
				uint64_t fileid, uint32_t access, uint32_t deny,
				struct dfs_lock_done *done);
/* Also when there is none. */
void dfs_locks_unshare(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
		       struct dfs_lock_done *done);

/* --- all at once -------------------------------------------------------------------------- */

/* Drop the ranges, share modes and waits of every client whose name fn accepts; answers how many
 * there were.  What they had to reclaim is theirs no more. */
uint32_t dfs_locks_drop_clients(struct dfs_locks *locks,
				bool (*fn)(void *arg, const void *client, uint32_t len), void *arg);
/* Whether the client holds or awaits anything. */
bool dfs_locks_has_client(struct dfs_locks *locks, const void *client, uint32_t len);
/* Ranges and share modes held. */
uint64_t dfs_locks_held(const struct dfs_locks *locks);

/* The file loses its last name.  True: it has a record, which takes pin over. */
bool dfs_locks_pin(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_pin *pin);
/* Cheap and possibly outdated unless the file's locking is excluded: whether there is a record. */
bool dfs_locks_has_file(struct dfs_locks *locks, uint64_t fileid);

/* --- restarts ----------------------------------------------------------------------------- */

/* Before a lock or share mode is asked for: DFS_OK, DFS_GRACE (only reclaims now) or, for a
 * reclaim, DFS_PERM (no grace period, or a client that held nothing).  With remember the client will
 * be admitted to reclaim after a restart: its record is written, ctx gets a ticket.  May answer
 * DFS_AGAIN on a loop, else DFS_DELAY or what the store fails with. */
enum dfs_status dfs_locks_admit(struct dfs_locks *locks, struct dfs_ctx *ctx,
				struct dfs_lock_owner *owner, bool reclaim, bool remember);
/* Whether only reclaims are taken now. */
bool dfs_locks_in_grace(struct dfs_locks *locks);
/* Wait until the owner's client is remembered durably.  Blocking until deadline (monotonic ns). */
enum dfs_status dfs_locks_remembered(struct dfs_locks *locks, struct dfs_lock_owner *owner,
				     int64_t deadline);
/* Forget clients that hold nothing any more, and end a grace period that is over; blocking, bounded.
 * To be called now and then. */
void dfs_locks_tidy(struct dfs_locks *locks);

#endif
