/* SPDX-License-Identifier: MIT
 *
 * The parts of a measurement.  A *slot* is one request in flight; a connection has `depth` of
 * them, a thread some connections and one epoll.  A *phase* is a stream of requests: preparation,
 * the measured run, its checks and the clean-up are all phases of the same engine.  What a thread
 * does not own alone is atomic, or changes only between phases.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <glib.h>

#include "call.h"
#include "hist.h"
#include "nfs3.h"
#include "options.h"
#include "rxbuf.h"
#include "txq.h"

/* How the handles of our own echo begin. */
#define ECHO_MAGIC "DFSECHO1"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

/* An object that requests name; the key makes its name, "f00000012". */
struct object {
	struct fh fh;
	uint64_t fileid;
	const struct fh *dir;
	uint32_t index;
	char prefix;
};

struct slot {
	uint32_t xid;
	bool busy;
	bool sample;  /* compare the data of this READ */
	bool counted; /* an operation of the workload, not a COMMIT in between */
	uint8_t step;
	uint8_t proc;
	uint8_t stable;
	uint8_t create_mode;
	uint8_t generation; /* of the data */
	uint64_t turn;      /* of a bounded phase: which of its operations this is */
	uint64_t t_start;   /* of the operation, ns */
	uint64_t t_sent;    /* of this request, ns */
	uint64_t retry_at;  /* 0, or when to send again after JUKEBOX */
	/* the arguments */
	struct object *object;
	const struct fh *dir;
	uint32_t index, len;
	char prefix, to_prefix;
	uint64_t off; /* READ and WRITE; READDIRPLUS: the cookie */
	uint64_t cookie_verf;
	/* READDIRPLUS: what the listing has so far; RENAME: how many there were */
	uint64_t seen, sum;
	struct object own; /* an object that lives only as long as the operation */
};

struct conn {
	struct thread *t;
	int fd;
	unsigned index;
	bool want_out;
	struct rxbuf rx;
	struct slot *bypass; /* whose READ data is on its way past the buffer */
	uint8_t *sample;     /* where the data of a sampled READ goes then */
	struct txq tx;
	struct slot *slots;
	uint64_t cursor; /* sequential workloads: the next block */
};

/* Sums of a phase; all uint64_t, merged as an array. */
struct tally {
	uint64_t ops, entries, bytes, calls, commits, jukebox, errors, verified;
};

struct thread {
	struct bench *b;
	unsigned id;
	int epoll;
	struct conn *conns;
	unsigned n_conns;
	uint64_t now, next_check, rng;
	unsigned inflight, waiting;
	uint64_t reads; /* for the choice of the sample */
	struct tally tally;
	struct hist hist, commit_hist;
	uint8_t *scratch;
	uint64_t *dirty; /* per data file: bytes since the last COMMIT */
	bool have_verf;
	uint64_t verf;
	/* what the last checked reply gave */
	struct {
		struct fh fh;
		bool have_fh, eof;
		uint32_t status;
	} res;
};

enum done { DONE, MORE };

struct phase {
	const char *name;
	/* Choose the slot's next request; false: nothing is left for it. */
	bool (*next)(struct thread *t, struct conn *c, struct slot *s);
	/* After a good reply: DONE, or MORE when the slot's fields tell the operation's next
	 * request. NULL: always DONE. */
	enum done (*done)(struct thread *t, struct slot *s);
	uint64_t limit; /* operations in all, numbered by slot.turn; 0: no bound */
	double seconds; /* 0: no bound */
	void *arg;
	uint32_t tolerated; /* an NFS status that counts as success; 0: none */
};

struct bench {
	const struct options *opt;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct call_head head;
	struct rpc_client *control; /* one request at a time, for the rest */
	struct fh root, folder, dir, *dirs;
	char *run_name;
	uint32_t read_max, write_max;
	bool echo; /* the peer is our own echo, which remembers nothing */

	struct thread *threads;
	unsigned n_threads, slot_bits, conn_bits;
	uint32_t xid_base;

	const struct phase *phase;
	uint64_t t_stop;
	_Atomic uint64_t next; /* operations handed out in this phase */
	atomic_bool abort;
	pthread_mutex_t mu;
	char *error; /* guarded by mu: the first error of the run, in words */

	/* the objects of the run */
	struct object *data, *meta;
	unsigned n_data, n_meta;
	uint64_t blocks; /* of a data file, in the workload's block size */
	uint32_t block;
	uint8_t **written; /* per data file and block: the generation that it must have */
	uint8_t *renamed;
	uint64_t made; /* names that the measured phases have used up */
};

/* engine.c */
bool engine_open(struct bench *b);
void engine_close(struct bench *b);
/* Run a phase to its end.  Tallies and histograms are reset at its start.  False: the run is dead
 * (a connection broke, a reply was no reply, a deadline passed); b->error tells. */
bool engine_run(struct bench *b, const struct phase *phase);
struct tally engine_tally(const struct bench *b);
/* Note an NFS-level error: counted, the first one is kept in words. */
void engine_error(struct thread *t, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Note an error after which the connection cannot be used. */
void engine_fatal(struct bench *b, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
uint64_t engine_now(void);

/* loop.c: serve the thread's connections until the phase is over. */
void loop_run(struct thread *t);

/* A random number below n (n < 2^32). */
static inline uint32_t
engine_random(struct thread *t, uint32_t n)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return (uint32_t)(((t->rng >> 32) * n) >> 32);
}

/* request.c: queue the slot's request on the connection. */
bool request_send(struct thread *t, struct conn *c, struct slot *s);

/* reply.c */
enum verdict { VERDICT_OK, VERDICT_RETRY, VERDICT_ERROR, VERDICT_FATAL };
/* Check the results of the slot's call.  A READ leaves *data where its data begins, of which
 * in->end may cut off a part that has not arrived; it is compared by reply_compare. */
enum verdict reply_check(struct thread *t, struct slot *s, struct xdrr *in, const uint8_t **data);
/* Compare a sampled READ. */
bool reply_compare(struct thread *t, struct slot *s, const uint8_t *data);

#endif
