/* SPDX-License-Identifier: MIT
 *
 * The PostgreSQL metadata store's own structures.
 *
 * Locks, outermost first: a session (whoever took it from the pool owns it); a transaction's keys in the
 * journal; claim_mu; the mutexes of the pool, the journal and the timeline, none of which is held while
 * waiting for the database.
 */
#ifndef POSTGRES_STORE_H
#define POSTGRES_STORE_H

#include <stdatomic.h>

#include "journal.h"
#include "pool.h"
#include "session.h"
#include "statement.h"

#define UUID_BYTES 16

struct fences {
	pthread_mutex_t mu;
	struct ws_fence *list; /* guarded by mu */
	unsigned n;            /* guarded by mu */
};

#define PAIRS_MAX 24 /* of the connection's parameters */
#define HOST_KEYS 3  /* host, hostaddr, port */

struct hosts {
	unsigned n;
	char *(*places)[HOST_KEYS]; /* n of them; NULL: all is in the parameters */
	_Atomic unsigned first;     /* whom to ask first */
};

/* The database that counts: see timeline.c. */
struct timeline {
	pthread_mutex_t mu;
	uint64_t system;      /* guarded by mu */
	uint32_t line;        /* guarded by mu */
	_Atomic unsigned era; /* grows when another database becomes the one; 0: none is yet */
};

struct postgres_config {
	const char *conninfo, *host, *port, *dbname, *user, *password, *passfile;
	const char *sslrootcert, *sslcert, *sslkey, *schema;
	uint32_t sslmode;
	int64_t max_conns;
	uint64_t connect_timeout, request_timeout; /* ns */
	uint64_t unsynced_size;                    /* bytes */
};

struct store {
	const struct dfs_host *host;
	char *schema, *settings;
	char **keywords, **values; /* of the connection; end with NULL */
	unsigned char instance[UUID_BYTES];
	char tag[40];                              /* of the sessions' application name */
	uint64_t connect_timeout, request_timeout; /* ns */
	struct hosts hosts;
	struct timeline timeline;
	struct statements statements;
	struct journal journal;
	struct pool pool;
	struct fences fences;
	pthread_mutex_t claim_mu;
	pthread_cond_t claim_over; /* on the monotonic clock */
	/* Guarded by claim_mu: a session takes over its slot, one at a time. */
	bool claiming;
	_Atomic bool failed;       /* nothing is written any more: see store_fail */
	_Atomic unsigned piece;    /* rows that the last scan that was stopped had looked at */
	_Atomic bool listing;      /* readers of folders have wanted the inodes, too */
	_Atomic uintptr_t syncing; /* which thread has called sync last */
	_Atomic int64_t told_at;   /* when a refusal was logged last, monotonic ns; 0: never */
	_Atomic int64_t stats_at;  /* when inodes was read, monotonic ns; 0: never */
	_Atomic uint64_t inodes;
};

/* conninfo.c: the values of the option sslmode; the first, 0, leaves it to libpq. */
extern const char *const sslmodes[];
/* Fills keywords, values and settings.  False: no memory. */
bool conninfo_make(struct store *s, const struct postgres_config *cfg);
void conninfo_free(struct store *s);
enum dfs_status conninfo_check(const struct postgres_config *cfg, struct dfs_diag *diag);

/* hosts.c: finds them in the parameters.  False: no memory. */
bool hosts_make(struct store *s);
void hosts_free(struct store *s);
/* Whether there is one port for each of the hosts, or one for all; both may be NULL. */
bool hosts_agree(const char *hosts, const char *ports);
/* Begin to connect to host i. */
PGconn *hosts_connect(struct store *s, unsigned i);

/* timeline.c: ask a new session; LOST: its database is not the one that counts any more. */
enum dfs_status timeline_read(struct session *c, int64_t deadline);
/* Its database becomes the one that counts; LOST: as above. */
enum dfs_status timeline_adopt(struct session *c);
/* Another database has become the one since. */
bool timeline_is_past(const struct session *c);

/* claim.c: connect, prepare, and take over the slot, after what a crash of the database took away was
 * applied again.  c->claimed tells the last commit that the slot has seen. */
enum dfs_status session_open(struct session *c, int64_t deadline);
/* Forget the slots of instances that are gone, and on request one's own. */
void slots_clean(struct session *c, bool own, int64_t deadline);

/* apply.c: queue what of ws was not sent yet (all: everything). */
enum dfs_status apply_send(struct session *c, struct writeset *ws, bool all);

/* fence.c: the fences of the shares that ws changes, into ws.  False: no memory. */
bool fence_fill(struct store *s, struct writeset *ws);

/* Whether this is the thread that has called sync last. */
bool store_is_syncing(struct store *s);
enum dfs_status store_sync(void *inst, uint64_t seq, uint32_t level);
enum dfs_status store_stats(void *inst, struct dfs_metadata_stats *stats);
enum dfs_status store_health(void *inst);

/* service.c: the sentence for what the session has met; answers st. */
enum dfs_status store_explain(struct store *s, const struct session *c, enum dfs_status st);
/* An argument outside of the contract. */
enum dfs_status store_refuse(struct store *s, enum dfs_status st, const char *what);

#endif
