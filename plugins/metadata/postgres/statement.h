/* SPDX-License-Identifier: MIT
 *
 * The statements that every session prepares: their texts are made from the tables of kind.h.
 *
 * Unqualified names mean the store's schema, which is the session's search path.
 */
#ifndef POSTGRES_STATEMENT_H
#define POSTGRES_STATEMENT_H

#include <stdbool.h>

#include "kind.h"

enum statement {
	S_BEGIN,
	S_BEGIN_READ,
	S_COMMIT,
	S_ROLLBACK,
	S_DURABLE, /* this transaction's commit waits for the disk */
	S_SLOT,    /* instance, slot, number; SLOT_FAILS: the slot was claimed by another session */
	S_FENCE,   /* share, epoch; FENCE_FAILS: the share has another */
	S_SYNC,
	S_PING,
	S_STATS,
	S_DEL_RANGE,    /* share, content, from, to */
	S_USAGE_ADD,    /* slot and arrays: share, kind, id, bytes, files */
	S_USAGE_CLEAR,  /* share */
	S_USAGE_SCAN,   /* share, kind, id, limit */
	S_FIND_OBJECT,  /* share, hash */
	S_GET_INODES,   /* share, array of file ids */
	S_SCAN_LISTING, /* as S_SCAN_DIRENTS, each row with its inode */
	/* In each: equal columns, the first key, a limit. */
	S_SCAN_SHARES,
	S_SCAN_DIRENTS,
	S_SCAN_MAP,
	S_SCAN_ROWS,
	S_SCAN_OBJECTS,
	S_SCAN_DEAD,
	S_SCAN_ORPHANS,
	S_SCAN_STATE, /* with an upper bound after the first key */
	/* One of each kind. */
	S_GET,                  /* keys */
	S_PUT = S_GET + KINDS,  /* all columns */
	S_PUTS = S_PUT + KINDS, /* an array for each column */
	S_DEL = S_PUTS + KINDS, /* keys */
	S_DELS = S_DEL + KINDS, /* an array for each key */
	STATEMENTS = S_DELS + KINDS,
};

#define SLOT_FAILS "23502"  /* SQLSTATE: NULL where it may not be */
#define FENCE_FAILS "22012" /* SQLSTATE: division by zero */

/* What makes plans go by the indexes alone, so that what a transaction has read is known by its keys and
 * not as a whole table. */
#define PLAN_SETTINGS                                                                              \
	"SET plan_cache_mode = force_generic_plan;"                                                \
	"SET enable_indexscan = on;"                                                               \
	"SET enable_nestloop = on;"                                                                \
	"SET enable_seqscan = off;"                                                                \
	"SET enable_bitmapscan = off;"                                                             \
	"SET enable_hashjoin = off;"                                                               \
	"SET enable_mergejoin = off;"                                                              \
	"SET max_parallel_workers_per_gather = 0;"                                                 \
	"SET jit = off"

static inline bool
statement_writes(enum statement s)
{
	return s == S_SLOT || s == S_FENCE || s == S_DEL_RANGE || s == S_USAGE_ADD ||
	       s == S_USAGE_CLEAR || s >= S_PUT;
}

struct statements {
	char *text[STATEMENTS];
	char name[STATEMENTS][8];
};

bool statements_make(struct statements *s);
void statements_free(struct statements *s);

/* How a scan's statement begins: so many columns are equal, then come the ordered ones. */
struct scan_info {
	enum kind kind;
	unsigned n_equal, n_ordered;
};

/* scan: S_SCAN_LISTING..S_SCAN_STATE. */
struct scan_info statement_scan(enum statement scan);

#endif
