/* SPDX-License-Identifier: MIT
 *
 * The commits that the database has, or may have, but that a crash of the database could still take
 * away, each with its write set; and who may write what meanwhile.
 *
 * A commit gets its number just before it is sent, and keeps the keys that it writes to itself until
 * it is answered.  So of two commits that write one row the lower number was first in the database,
 * and applying lost ones again by number is right.  Numbers of acknowledgement are others: they are what
 * the core knows, and what a sync covers.
 *
 * Bounded by its user: journal_full() makes commits durable by themselves.  Thread-safe.
 */
#ifndef POSTGRES_JOURNAL_H
#define POSTGRES_JOURNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "writeset.h"

#define STRIPES 65536u
/* Each has a slot, and one commit in doubt at most. */
#define SESSIONS_MAX 100

/* LOST: the connection went before the answer came; its sender finds out. */
enum entry_state { ENTRY_SENT, ENTRY_LOST, ENTRY_ACKED };

struct entry {
	struct entry *next, *prev; /* by number */
	struct writeset *ws;       /* owned */
	uint64_t number, ack;
	unsigned slot;
	uint32_t holder; /* id of who holds its keys */
	enum entry_state state;
	size_t size;
};

#define READS_MAX 16

/* What a transaction has read: keys, as the sets' hashes, or more than that. */
struct reads {
	uint64_t keys[READS_MAX];
	unsigned n;
	bool all;
};

/* Who holds keys; part of a transaction. */
struct holder {
	uint32_t *stripes;
	uint32_t n, cap;
	uint32_t id;
};

struct journal {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	unsigned waiting;          /* guarded by mu: threads at changed */
	uint32_t *owners;          /* guarded by mu: id of the holder of each stripe, 0: free */
	uint32_t last_id;          /* guarded by mu */
	unsigned holders;          /* guarded by mu */
	uint32_t alone;            /* guarded by mu: id of the holder that wants or has it all */
	struct entry *head, *tail; /* guarded by mu */
	struct entry *doubt[SESSIONS_MAX]; /* guarded by mu: those that are sent and not answered */
	unsigned n_doubt;                  /* guarded by mu */
	uint64_t sent, acked, durable;     /* guarded by mu: the last numbers */
	size_t size, max;                  /* guarded by mu: bytes of the entries */
	bool pinned;                       /* guarded by mu: no entry is freed */
	uint64_t slots[SESSIONS_MAX];      /* guarded by mu: of each, the last durable number */
};

bool journal_init(struct journal *j, size_t max);
void journal_free(struct journal *j);

/* Take the keys of all records of ws, all or none.  A holder that has some already does not wait for
 * others: DFS_AGAIN.  DFS_DELAY: the deadline (monotonic ns).  alone: the set clears sums. */
enum dfs_status journal_hold(struct journal *j, struct holder *h, const struct writeset *ws,
			     bool alone, int64_t deadline);
void journal_release(struct journal *j, struct holder *h);

/* Numbers e; it is in doubt until one of the other two.  durable: its commit waits for the disk, and so
 * makes durable what was acknowledged before; its number of acknowledgement is drawn now, and is
 * above those alone. */
void journal_send(struct journal *j, struct entry *e, bool durable);
/* Its connection is gone. */
void journal_lose(struct journal *j, struct entry *e);
/* It took effect; answers the number of its acknowledgement. */
uint64_t journal_ack(struct journal *j, struct entry *e);
/* It did not.  e is the caller's again. */
void journal_void(struct journal *j, struct entry *e);

/* The number of the last commit that was sent, or of the last claim. */
uint64_t journal_sent(struct journal *j);
/* The last number of acknowledgement. */
uint64_t journal_acked(struct journal *j);
/* A number for a session that takes over a slot. */
uint64_t journal_number(struct journal *j);
/* Until no commit up to this number that writes what was read is in doubt.  DFS_DELAY: the deadline. */
enum dfs_status journal_settled(struct journal *j, uint64_t number, const struct reads *reads,
				int64_t deadline);

/* Acknowledgements up to here are on the database's disk. */
void journal_durable(struct journal *j, uint64_t ack);
/* Whether they are, as far as is known. */
bool journal_is_durable(struct journal *j, uint64_t ack);
/* Whether the entries have their bytes: the next commit has to be durable. */
bool journal_full(struct journal *j);

/* For who looks after a crash of the database, one at a time.  Until no commit up to this number waits
 * for its answer: it is acknowledged, void or lost then.  DFS_DELAY: the deadline. */
enum dfs_status journal_answered(struct journal *j, uint64_t number, int64_t deadline);
/* Keep all entries, until they are unpinned. */
void journal_pin(struct journal *j, bool pinned);
/* The first that is acknowledged, or the next one, by number. */
struct entry *journal_next_acked(struct journal *j, const struct entry *after);
/* The slot's row has this number on the database's disk; what it was before. */
uint64_t journal_slot(struct journal *j, unsigned slot, uint64_t number);

#endif
