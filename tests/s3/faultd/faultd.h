/* SPDX-License-Identifier: MIT
 *
 * faultd: an S3 server in memory that fails on request.
 *
 * A thread per connection, objects as immutable buffers in one ordered map.  What goes wrong is
 * said by rules, which a test sets through the control URL (see control.c).  It serves benchmarks
 * too: with a fixed latency it is a remote of known speed.  Locks: that of the bucket map, that of
 * the rules; never both.
 */
#ifndef FAULTD_H
#define FAULTD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>
#include <openssl/ssl.h>

#define BODY_MAX (1u << 30)

/* ---- http.c: one connection ---- */

struct conn {
	int fd;
	SSL *ssl; /* NULL: plain */
	size_t begin, end;
	char buf[65536];
};

struct request {
	char *head; /* owns all texts below */
	const char *method, *path, *query, *host;
	const char *name[64], *value[64]; /* lower-case names */
	unsigned n_headers;
	unsigned char *body;
	uint64_t length;
};

bool conn_read_request(struct conn *c, struct request *r);
void request_free(struct request *r);
/* NULL when absent. */
const char *request_header(const struct request *r, const char *name);
bool conn_write(struct conn *c, const void *data, uint64_t len);
/* What it still sends is dropped. */
void conn_wait_gone(struct conn *c);

/* ---- rule.c: what goes wrong ---- */

enum fault {
	FAULT_NONE,
	FAULT_STATUS,   /* arg: HTTP status; text: S3 code.  Nothing is done */
	FAULT_LOST,     /* done, but answered 500 */
	FAULT_ZOMBIE,   /* answered 504, and done arg ms later */
	FAULT_STALL,    /* nothing is done, no answer ever */
	FAULT_RESET,    /* the connection is reset after arg bytes of the body */
	FAULT_TRUNCATE, /* it is closed after arg bytes of the body */
	FAULT_HANG,     /* the body stops after arg bytes */
	FAULT_SLOW,     /* the body comes at arg bytes/s */
	FAULT_CORRUPT,  /* byte arg of the body is changed */
	FAULT_OMIT,     /* a list leaves out its first arg keys */
	FAULT_CLOSE,    /* the connection is closed without an answer */
	FAULT_REDIRECT, /* 307 to the host in text */
	FAULT_WRONG,    /* the answer claims other bytes of the object than were asked for */
	FAULT_INSIDE,   /* a copy is not done, and a 200 has the S3 code in text in its body */
};

struct rule {
	enum fault fault;
	char method[8], match[256]; /* "*" is any; match: part of the key */
	int64_t count;              /* -1: for ever */
	int64_t arg;
	char text[256];
};

/* One line, as in control.c's head; false: it is none. */
bool rule_add(const char *line);
void rule_clear(void);
/* The rule for a request, used up by one; fault is FAULT_NONE when there is none. */
struct rule rule_for(const char *method, const char *key);

/* ---- the server's state ---- */

struct settings {
	_Atomic int64_t latency_us, jitter_us; /* before each answer: latency +- jitter */
	_Atomic int64_t tail_percent, tail_us; /* so many of them wait for tail_us instead */
	_Atomic int64_t clock;                 /* seconds that our clock is ahead */
	_Atomic bool no_conditional, no_checksum, no_delete, no_range, no_metadata;
	_Atomic uint64_t requests, answered, connections, puts, gets, bytes_sent;
};
extern struct settings settings;

/* Keys and region that requests must be signed with; NULL secret: nothing is verified. */
struct identity {
	char *access_key, *secret_key, *token, *region;
};
void identity_set(const char *access_key, const char *secret_key, const char *token);
void identity_region(const char *region);
/* g_free each; a copy, since a test may change them. */
struct identity identity_get(void);
void identity_clear(struct identity *i);

void latency_wait(void);
int64_t clock_now(void);

/* ---- store.c: buckets and objects ---- */

struct object {
	_Atomic unsigned refs;
	unsigned char *data;
	uint64_t length;
	char *etag;    /* with its quotes */
	char *headers; /* "x-amz-meta-...: ...\r\n" lines */
	int64_t time;
};

void bucket_make(const char *bucket);
bool bucket_exists(const char *bucket);
struct object *object_new(unsigned char *data, uint64_t length, const char *headers);
void object_unref(struct object *o);
/* A reference; NULL: absent. */
struct object *object_get(const char *bucket, const char *key);
/* Takes the reference over.  False: only_new, and it is there. */
bool object_put(const char *bucket, const char *key, struct object *o, bool only_new);
void object_erase(const char *bucket, const char *key);
/* Visit what begins with prefix and sorts after `after`, in order, until fn returns false. */
void object_walk(const char *bucket, const char *prefix, const char *after,
		 bool (*fn)(void *arg, const char *key, const struct object *o), void *arg);

/* ---- answer.c ---- */

struct exchange {
	struct conn *conn;
	struct request request;
	char *bucket, *key; /* decoded; key "" for the bucket */
	GHashTable *query;  /* decoded */
	struct rule rule;
	bool keep; /* the connection */
};

/* Send an answer, with what the rule does to it.  headers: whole lines, or "". */
void answer(struct exchange *x, int status, const char *headers, const void *body, uint64_t length);
/* The same for HEAD: a length, no body. */
void answer_head(struct exchange *x, int status, const char *headers, uint64_t length);
void answer_error(struct exchange *x, int status, const char *code, const char *more);
void answer_xml(struct exchange *x, GString *xml);
const char *query_of(const struct exchange *x, const char *name);

/* ---- the operations ---- */

bool verify(struct exchange *x);       /* verify.c; false: it has answered */
void control(struct exchange *x);      /* control.c */
void serve(struct exchange *x);        /* s3.c */
void list_objects(struct exchange *x); /* list.c */
void delete_objects(struct exchange *x);
bool multipart(struct exchange *x); /* multipart.c; false: no such request */
/* Headers of a request that an object keeps; g_free. */
char *kept_headers(const struct request *r);

#endif
