/* SPDX-License-Identifier: MIT
 *
 * HTTP transfers on one thread per instance.
 *
 * A caller describes a transfer, hands it to engine_run() and sleeps until it has ended; the
 * engine's thread moves the bytes of all transfers over connections that it keeps open (libcurl's
 * multi interface).  Nothing here knows S3.  A transfer always ends: connecting, the first
 * byte of the answer, the rate, and the whole have their limits.
 */
#ifndef BLOCK_S3_TRANSFER_H
#define BLOCK_S3_TRANSFER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <dittofs/block_store.h>

#include "text.h"

/* Nanoseconds, except for the rate; none is 0. */
struct limits {
	uint64_t connect;    /* name, TCP and TLS */
	uint64_t response;   /* from the last byte sent to the first one received */
	uint64_t stall;      /* so long may the rate stay below stall_rate */
	uint64_t stall_rate; /* bytes/s */
	uint64_t total;
};

/* What is kept of an answer's headers; texts are "" and numbers -1 when absent. */
struct answer {
	int status;
	int64_t length;      /* Content-Length */
	int64_t range_first; /* Content-Range */
	int64_t range_total;
	int64_t date; /* seconds since 1970 */
	char request_id[80], region[64], location[512], etag[80];
	char crc[9], crc_table[257], crc_table_2[257]; /* our own metadata: see check.h */
	char checksum[13];                             /* x-amz-checksum-crc32c */
	struct text body; /* what take() does not get; body.max bounds it */
};

enum ending {
	END_ANSWERED,  /* with whatever status */
	END_FAILED,    /* no connection, or it broke */
	END_TRUNCATED, /* closed before all of the body had come */
	END_TIMED_OUT,
	END_REFUSED, /* by begin() or take() */
	END_STOPPED, /* the engine is being stopped */
	END_NOMEM,
};

struct transfer {
	/* What is asked, filled by the caller and borrowed until the transfer has ended. */
	const char *method, *url;
	struct curl_slist *headers;
	const struct dfs_span *spans; /* of the body; NULL: none */
	uint64_t length;
	bool direct; /* never through the proxy */
	struct limits limits;
	void *arg; /* of the two functions, which run on the engine's thread */
	/* The headers of a 2xx answer are there; false: go no further. */
	bool (*begin)(struct transfer *t);
	/* Body of a 2xx answer; false: go no further.  NULL: the body is kept in the answer. */
	bool (*take)(struct transfer *t, const unsigned char *data, size_t len);

	/* How it ended. */
	enum ending ending;
	struct answer answer;
	char why[256]; /* unless END_ANSWERED or END_REFUSED */
	bool reused;   /* the connection was an old one */

	/* The engine's. */
	struct transfer *next, **prev;
	CURL *easy;
	pthread_cond_t ended;
	bool done;              /* guarded by the engine's mu */
	uint64_t span, in_span; /* where reading the body stands */
	uint64_t sent, moved;   /* bytes of the body sent; of both directions */
	uint64_t deadline;      /* monotonic ns, here and below */
	uint64_t connected, last_sent;
	bool answered;
	uint64_t mark[8], mark_at; /* moved, at eighths of limits.stall; when the next is due */
	uint32_t n_marks;
	char curl_error[CURL_ERROR_SIZE];
};

struct engine;

struct engine_options {
	uint32_t max_connections;
	const char *proxy;   /* "": none; copied, as are the others */
	const char *ca_file; /* NULL: the system's */
	bool tls_verify;
};

/* NULL: no memory or no thread. */
struct engine *engine_new(const struct engine_options *options);
/* End all transfers, and each one to come, as stopped. */
void engine_stop(struct engine *e);
/* No transfer runs. */
void engine_free(struct engine *e);

/* Returns when the transfer has ended.  Any thread. */
void engine_run(struct engine *e, struct transfer *t);
/* Frees what the answer holds. */
void transfer_clear(struct transfer *t);

uint64_t monotonic_ns(void);

#endif
