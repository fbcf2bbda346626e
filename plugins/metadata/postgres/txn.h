/* SPDX-License-Identifier: MIT
 *
 * Transactions.
 *
 * begin sends nothing.  The first read of the database opens the transaction there, together with the
 * read; what was written before goes with it, if the read could see it.  commit sends whatever is left,
 * the slot's number and COMMIT in one piece.
 *
 * All transactions are SERIALIZABLE.  One that only writes would be safe by itself at a lower level, but not
 * for others: the database follows who read what before somebody else wrote it only when both are
 * serializable, and the share's fence stands on that.  It costs little where nothing is read: inserting
 * over a conflict leaves no trace of reading.
 */
#ifndef POSTGRES_TXN_H
#define POSTGRES_TXN_H

#include "store.h"

struct dfs_txn {
	struct store *s;
	bool write;
	bool has_read;          /* from the database: what was read must hold at the commit */
	bool open;              /* BEGIN has been sent on c */
	enum dfs_status failed; /* every further call answers it */
	struct session *c;      /* NULL: none is needed yet */
	struct writeset *ws;    /* NULL: nothing is written yet */
	struct holder holder;   /* keys that were written to the database already */
	struct reads reads;     /* of a transaction that writes */
	uint64_t read_after;    /* number of the last commit that they may have seen */
	PGresult *listing;      /* rows of S_SCAN_LISTING, for get_inodes */
};

enum dfs_status txn_begin(void *inst, uint32_t mode, struct dfs_txn **txn);
enum dfs_status txn_commit(void *inst, struct dfs_txn *txn, uint64_t *seq);
void txn_abort(void *inst, struct dfs_txn *txn);

/* For writes: the set; NULL: the transaction only reads, or has failed (status in *st). */
struct writeset *txn_writes(struct dfs_txn *txn, enum dfs_status *st);
/* After a change of the set. */
enum dfs_status txn_wrote(struct dfs_txn *txn, bool done);

/* Ask the database.  flush: it must see what the transaction has written. */
enum dfs_status txn_ask(struct dfs_txn *txn, enum statement stmt, const struct params *p,
			bool flush, PGresult **res);

/* A row, columns as in its kind's table.  Answers 0 to stop. */
typedef int (*row_fn)(void *arg, const struct row *row);

/* get: the row with the keys in p, or what the set says.  fn is called once, or not: DFS_NOENT. */
enum dfs_status txn_get(struct dfs_txn *txn, enum kind kind, const struct params *p, row_fn fn,
			void *arg);
/* scan: p holds the equal columns and the first key, and is used up. */
enum dfs_status txn_scan(struct dfs_txn *txn, enum statement scan, struct params *p, row_fn fn,
			 void *arg);

/* Row i of an answer, a record from column `at` on; DFS_CORRUPT, said: it is none. */
enum dfs_status row_of_record(struct store *s, struct row *row, const PGresult *res, int i,
			      enum kind kind, unsigned at);
/* fn for the first record of an answer, which is freed; DFS_NOENT: it has none. */
enum dfs_status txn_first(struct dfs_txn *txn, PGresult *res, enum kind kind, row_fn fn, void *arg);
/* In a set: the keys of a row that is to be looked up or deleted. */
void txn_key(struct writeset *ws, enum kind kind, enum ws_op op, const struct params *p);
/* A deletion by key. */
enum dfs_status txn_del(struct dfs_txn *txn, enum kind kind, const struct params *p);

#endif
