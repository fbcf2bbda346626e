/* SPDX-License-Identifier: MIT
 *
 * Between the payload services and a block store that may be slow, far or broken: one for each
 * open store whose calls can block.
 *
 * A call to the store is a transfer.  It waits in the queue, runs on a thread that only this store
 * can hold up, and its callers wait for it with a deadline: who is tired of waiting leaves, and
 * the transfer, which owns all that it touches, ends alone.  A transfer is tried once; its callers
 * decide about another.  While the breaker is open transfers are refused at once, DFS_DELAY.
 *
 * Locks, outermost first: the file's mu (payload/file.h), the offloader's mu, the worker pool's.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_OFFLOAD_H
#define DFS_PAYLOAD_OFFLOAD_OFFLOAD_H

#include <pthread.h>

#include <dittofs/block_store.h>

#include "base/ctx.h"
#include "io/worker.h"
#include "payload/offload/breaker.h"
#include "payload/offload/queue.h"
#include "payload/offload/retry.h"
#include "payload/offload/window.h"

struct dfs_block_store;
struct dfs_download;
struct dfs_offload;

/* Nanoseconds; a field may be set before the first call. */
struct dfs_offload_times {
	int64_t demand;   /* a read waits at most so long, tries and pauses together */
	int64_t upload;   /* one try of a put or an erase runs at most so long */
	int64_t prefetch; /* one try of a prefetch */
	int64_t slow;     /* a call given up after running for less says nothing about the store */
};

#define DFS_OFFLOAD_TRIES 3

struct dfs_transfer {
	struct dfs_entry entry;
	struct dfs_task task;
	struct dfs_offload *offload;
	/* The call itself: on a thread of the offloader, no lock held. */
	enum dfs_status (*call)(struct dfs_transfer *t);
	/* It has ended, whichever way.  Called once with mu; NULL: nothing to do. */
	void (*ended)(struct dfs_transfer *t);
	/* Nobody knows it any more.  Called without mu. */
	void (*free)(struct dfs_transfer *t);

	uint64_t object; /* what is read, as a hash; 0: nothing is */

	/* Guarded by mu. */
	unsigned refs;
	bool running, done;
	bool probe;    /* of the breaker */
	bool counted;  /* as a failure already */
	bool left;     /* a caller has left before it was done; written by callers */
	bool returned; /* its end is near: nobody leaves any more */
	int64_t began; /* monotonic ns; 0: not yet */
	pthread_cond_t ended_cond;
	int64_t launched;                         /* monotonic ns: it got its slot */
	struct dfs_transfer *run_prev, *run_next; /* in offload->running */
	struct dfs_transfer *next_dead;

	/* Set by call, read when done. */
	enum dfs_status status;
	uint64_t bytes;
	char *text; /* what dfs_fail_text said; NULL: nothing */
};

struct dfs_offload {
	struct dfs_block_store *store;
	struct dfs_offload_times times;
	struct dfs_workers *workers;
	struct dfs_lane *lane;

	pthread_mutex_t mu;
	/* Guarded by mu. */
	struct dfs_queue queue;
	struct dfs_window window[2];
	struct dfs_breaker breaker;
	uint64_t bad_object; /* the last one that could not be read */
	struct dfs_retry_bucket retries;
	unsigned watchers;
	uint64_t random;
	unsigned shown_window[2]; /* what the gauges hold of ours */
	enum dfs_breaker_state shown_state;
	struct dfs_transfer *running, *running_last; /* those that have slots, by age */
	unsigned transfers;                          /* alive, and other work */
	struct dfs_transfer *dead; /* without references, to be freed at the next unlock */
	pthread_cond_t empty;
	bool stop;
	struct dfs_download *downloads[256]; /* under way, by content and block */
};

struct dfs_offload_state {
	enum dfs_breaker_state breaker;
	int64_t breaker_since; /* monotonic ns; 0: never open */
	enum dfs_status breaker_why;
	unsigned window[2], running[2], queued[DFS_ENTRY_CLASSES];
};

/* threads: calls that the store takes at once, 0: no bound.  NULL: no memory. */
struct dfs_offload *dfs_offload_new(struct dfs_block_store *store, unsigned threads);
/* Everybody who uses it is gone.  False: calls are still under way at the deadline (monotonic ns);
 * it and its store are then left to the end of the process. */
bool dfs_offload_free(struct dfs_offload *o, int64_t deadline);
/* Wait until nothing is under way or queued; false: deadline (monotonic ns). */
bool dfs_offload_drain(struct dfs_offload *o, int64_t deadline);
/* Work for it that is no transfer (yet) begins, ends: a drain waits for that too. */
void dfs_offload_enter(struct dfs_offload *o);
void dfs_offload_leave(struct dfs_offload *o);
/* mu; what lost its last reference meanwhile is freed after the unlock. */
void dfs_offload_lock(struct dfs_offload *o);
void dfs_offload_unlock(struct dfs_offload *o);
/* How full of unwritten data the server is, 0 to 1; any thread, quick.  All who watch give the same,
 * and each takes it back. */
void dfs_offload_watch(struct dfs_offload *o, double (*level)(void *arg), void *arg);
void dfs_offload_unwatch(struct dfs_offload *o);
void dfs_offload_get_state(struct dfs_offload *o, struct dfs_offload_state *state);

/* One reference, the caller's.  call, ended and free are set afterwards. */
void dfs_transfer_init(struct dfs_transfer *t, struct dfs_offload *o, enum dfs_entry_class class);
/* Queue it.  DFS_DELAY: the breaker is open; DFS_NOMEM, DFS_SHUTDOWN.  Not DFS_OK: it is done, with
 * that status. */
enum dfs_status dfs_transfer_start(struct dfs_transfer *t, const struct dfs_content_id *content);
enum dfs_status dfs_transfer_start_locked(struct dfs_transfer *t,
					  const struct dfs_content_id *content);
/* Its status, or DFS_TIMEDOUT when it is not done at `deadline`, or not after running for `patience`
 * ns; the failure's text is the thread's then.  Who leaves a queued transfer that nobody else knows
 * takes it back. */
enum dfs_status dfs_transfer_wait(struct dfs_transfer *t, int64_t deadline, int64_t patience);
struct dfs_transfer *dfs_transfer_ref_locked(struct dfs_transfer *t);
void dfs_transfer_unref(struct dfs_transfer *t);
/* Somebody waits for it: a better class. */
void dfs_transfer_raise_locked(struct dfs_transfer *t, enum dfs_entry_class class);

/* Take back all that waits, with status. */
void dfs_transfer_withdraw_all_locked(struct dfs_offload *o, enum dfs_status status,
				      const char *text);
/* Bring the queue's limits and the gauges up to what windows and breaker say. */
void dfs_offload_show_locked(struct dfs_offload *o);

/* When a read that begins now has waited long enough. */
int64_t dfs_offload_deadline(const struct dfs_offload *o, const struct dfs_ctx *ctx);
/* After `tries` tries, the last of which ended with status: pause, and true, when another is worth
 * it before the deadline. */
bool dfs_offload_again(struct dfs_offload *o, enum dfs_status status, unsigned tries,
		       int64_t deadline);
/* A call went well; retried: not at the first try. */
void dfs_offload_good(struct dfs_offload *o, bool retried);
/* The flow of a single call, which belongs to no file that is known: its own. */
struct dfs_content_id dfs_offload_flow(const char *key);

/* What a caller is told: later is better than never. */
static inline enum dfs_status
dfs_offload_status(enum dfs_status status)
{
	return status == DFS_TIMEDOUT || status == DFS_BUSY || status == DFS_SHUTDOWN ||
			       dfs_breaker_refusal(status)
		       ? DFS_DELAY
	       : status == DFS_NOTSUP ? DFS_IO
				      : status;
}

/* dfs_block_erase through the offloader; the caller may block. */
enum dfs_status dfs_offload_erase(struct dfs_offload *o, const struct dfs_ctx *ctx,
				  const char *key);
/* Erase what nobody names when there is time for it; nobody learns how it went. */
void dfs_offload_erase_later(struct dfs_offload *o, const struct dfs_content_id *content,
			     const char *key);

#endif
