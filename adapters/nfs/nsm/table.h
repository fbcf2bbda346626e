/* SPDX-License-Identifier: MIT
 *
 * Inside the status monitor: peers, watches, and the file that they are kept in.
 */
#ifndef NFS_NSM_TABLE_H
#define NFS_NSM_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapters/nfs/nsm/nsm.h"
#include "base/clock.h"
#include "io/gate.h"
#include "io/loop.h"

#define NSM_BUCKETS 1024u
#define NSM_LEVEL 0u /* the gate has one */
#define NSM_LINGER                                                                                 \
	(300 * DFS_SECOND) /* a client that locks now and then costs no write each time */

/* A client that holds locks, or held some when the server ended. */
struct nsm_peer {
	struct nsm_peer *next;
	union nfs_address address;
	union nfs_address local; /* how it knows this server */
	uint32_t state;          /* of its monitor; 0: not known */
	uint64_t seq;            /* the change that brought it */
	bool held;               /* by this life of the server */
	bool untold;             /* by the life before: to be told */
	bool asking;             /* a call is under way that names it: it is not freed */
	int64_t linger;          /* not held any more, but remembered until then; monotonic ns */
	uint8_t tries;
	int64_t due; /* monotonic ns of the next try */
	char name[NSM_NAME_MAX + 1];
};

/* What a program of this host asked to watch. */
struct nsm_watch {
	struct nsm_watch *next;
	char host[NSM_NAME_MAX + 1]; /* mon_name: whom */
	char user[NSM_NAME_MAX + 1]; /* my_name, given back in notices */
	uint32_t program, version, procedure;
	unsigned char priv[NSM_PRIV_SIZE];
	uint32_t state; /* the last that was passed on; 0: none */
};

struct nfs_nsm {
	char *dir;
	char own_name[NSM_NAME_MAX + 1]; /* the host's */
	char boot[64];                   /* names this start of the host */
	bool same_boot;                  /* the file was written in it */
	struct dfs_lane *lane;
	struct dfs_gate *gate;
	struct nfs_caller *caller;      /* set once, under mu; NULL: not started */
	nfs_nsm_restarted_fn restarted; /* set before the first request; NULL: nobody holds locks */
	void *restarted_arg;

	_Atomic bool stopping;
	pthread_mutex_t mu;
	/* guarded by mu: */
	bool kicked; /* kick is on its way */
	uint32_t state;
	uint64_t seq;     /* of the last change */
	uint64_t written; /* the last change that is in the file */
	uint32_t n_peers, n_watches, n_lapsed, n_untold;
	struct nsm_peer *peers[NSM_BUCKETS];
	struct nsm_watch *watches;
	struct nsm_watch *lapsed; /* of an earlier start of the host: whom to tell */

	/* The caller's thread's: notices.  kick: of who has set kicked. */
	struct dfs_post kick;
	struct dfs_timer timer;
	uint32_t under_way;
	int64_t give_up; /* monotonic ns */
};

/* table.c */

struct nsm_peer **nsm_bucket(struct nfs_nsm *nsm, const union nfs_address *address);
struct nsm_peer *nsm_find_locked(struct nfs_nsm *nsm, const union nfs_address *address,
				 const char *name);
/* NULL: the table is full, or no memory. */
struct nsm_peer *nsm_add_locked(struct nfs_nsm *nsm, const union nfs_address *address,
				const char *name);
/* Free those that nothing needs; all: those that linger, too. */
void nsm_prune_locked(struct nfs_nsm *nsm, bool all);
/* Same name, whatever the case; or one is the other's first label. */
bool nsm_name_matches(const char *a, const char *b);
/* len bytes as a C string of at most NSM_NAME_MAX; DFS_NAMETOOLONG, DFS_INVAL. */
enum dfs_status nsm_name(const char *bytes, uint32_t len, char name[NSM_NAME_MAX + 1]);
/* Whether a privileged program of this host calls: from loopback and a port below 1024. */
bool nsm_from_this_host(const struct nfs_call *call);
/* Have the file written, without waiting for it. */
void nsm_write_soon(struct nfs_nsm *nsm);

/* file.c */

/* Before the first request.  DFS_OK also if there is none, or if it is damaged: then what could be read
 * is there, and the log says so.  DFS_IO: it cannot be read. */
enum dfs_status nsm_file_read(struct nfs_nsm *nsm);
/* Write all; on the gate's thread, or before it is used. */
enum dfs_status nsm_file_write(struct nfs_nsm *nsm, uint64_t *seq);
/* The text of a file into the table; for the fuzzer.  False: damaged. */
bool nsm_file_parse(struct nfs_nsm *nsm, char *text);

/* tell.c */

/* Tell those that are untold; any thread. */
void nsm_tell(struct nfs_nsm *nsm);
/* When the host itself has restarted, those whom its programs had watched are to be told, too: find
 * their addresses, and forget the watches.  (While the host runs on, its programs still hold what they
 * have locked elsewhere.)  Asks name servers: on a worker. */
void nsm_tell_watched(struct nfs_nsm *nsm);
/* Pass a host's notice on to the programs of this host that watch it; any thread. */
void nsm_pass_on(struct nfs_nsm *nsm, const char *name, const union nfs_address *from,
		 uint32_t state);

#endif
