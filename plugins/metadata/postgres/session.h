/* SPDX-License-Identifier: MIT
 *
 * One connection to the database, in pipeline mode.
 *
 * No call of libpq here blocks: all waiting is poll() with a deadline, and a session that does not
 * answer by then is dropped.  A session is used by one thread at a time.
 *
 * A batch is any number of session_send, then session_sync, then session_next for each, or
 * session_answer for both; the answers of a batch whose sender does not care (session_forget) are
 * skipped by the next one.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "clock.h"
#include "param.h"
#include "statement.h"

struct row;
struct store;

/* The connection is gone or never came to be; what was asked may or may not have happened. */
#define LOST DFS_DELAY
/* The database refuses what its administrator can mend: a right, a table that is gone.  Clients are told to
 * come again later. */
#define REFUSED DFS_BUSY

#define PREDECESSORS_MAX 8

struct session {
	struct store *s;
	unsigned slot;
	PGconn *pg;                   /* NULL: not connected */
	unsigned at;                  /* which of the hosts, of pg or of the last attempt */
	uint64_t system;              /* identifier of the database of pg, */
	uint32_t line;                /* and its timeline; 0: it does not tell */
	unsigned era;                 /* the store's when the slot was claimed; 0: it was not yet */
	int backend;                  /* of pg */
	int before[PREDECESSORS_MAX]; /* backends that may still hold the slot's row */
	unsigned n_before;
	unsigned asked;    /* statements of the batch that is being sent or read */
	unsigned skip;     /* batches before it whose answers nobody wants */
	uint64_t claimed;  /* what its slot's row held when this session took it over */
	uint64_t claiming; /* the first claim since then, which may be in the row; 0: none */
	bool writes;       /* the statements that change anything are prepared */
	bool fresh;        /* it was opened, and the pool has not seen it serve since */
	bool proven;       /* it has served a request since it was opened */
	char error[400];   /* the last failure, one line */
	char sqlstate[6];
	struct session *next; /* in the pool's list */
};

/* connect.c: connects to one of the hosts and makes the session's settings; DFS_CONFIG: all refuse, and
 * will go on to. */
enum dfs_status session_connect(struct session *c, int64_t deadline);
/* connect.c: prepares the statements that only read; the session is in pipeline mode from here on. */
enum dfs_status session_prepare(struct session *c, int64_t deadline);
/* connect.c: those that write, if they are not; between two batches.  For each its table must be free of whoever keeps
 * writers out, so that a session which opens, reads and learns what became of a commit is not held up by that.
 * Drops c if it fails. */
enum dfs_status session_prepare_writes(struct session *c, int64_t deadline);
void session_drop(struct session *c);
/* Whether nothing has been heard of the connection's end while it was idle. */
bool session_alive(struct session *c);
/* Into c->error: the first line of a message of libpq, which may hold whatever the other side has sent. */
void session_note(struct session *c, const char *message);
/* Drops c, whose connection has failed, and notes why; answers LOST. */
enum dfs_status session_lost(struct session *c);
/* The connection is of no use any more, though it may still be there, for this reason.  LOST. */
enum dfs_status session_abandon(struct session *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Until the socket is ready for one of the events of poll(); LOST: the deadline has passed. */
enum dfs_status session_wait(struct session *c, short events, int64_t deadline);

enum dfs_status session_send(struct session *c, enum statement stmt, const struct params *p);
enum dfs_status session_sync(struct session *c);
/* The next statement's answer; PQclear it.  *res is set with DFS_OK alone.  A statement that fails has
 * its status, and the sentence in c->error; those after it in the batch answer DFS_AGAIN, unsaid. */
enum dfs_status session_next(struct session *c, int64_t deadline, PGresult **res);
/* Ends the batch and takes all its answers: its first failure, or that of the connection, and otherwise
 * the last statement's answer in *res; PQclear it. */
enum dfs_status session_answer(struct session *c, int64_t deadline, PGresult **res);
/* The rest of the batch.  The first failure, or that of the connection. */
enum dfs_status session_finish(struct session *c, int64_t deadline);
/* Send the batch; its answers are skipped. */
void session_forget(struct session *c);

/* Multiple statements without parameters and answers, as one string; outside of pipeline mode. */
enum dfs_status session_script(struct session *c, const char *sql, int64_t deadline);
/* The one value that a query answers, as text; outside of pipeline mode. */
enum dfs_status session_value(struct session *c, const char *sql, int64_t deadline, char *text,
			      size_t size);
/* In pipeline mode: one statement alone. */
enum dfs_status session_ask(struct session *c, const char *text, const struct params *p,
			    int64_t deadline, PGresult **res);

/* Row i of an answer. */
void row_of_result(struct row *row, const PGresult *res, int i);

#endif
