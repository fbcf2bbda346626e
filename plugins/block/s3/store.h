/* SPDX-License-Identifier: MIT
 *
 * Inside the S3 block store: the instance, a request, and what its operations share.
 *
 * The object a/b/c is the S3 object KEY_PREFIXa/b/c of the bucket.  Every operation is one HTTP
 * request, or a few.  What costs nothing and decides nothing is tried again here (a connection that
 * had died, another region, a clock that is wrong, keys that have ended); whether and when to try
 * again after a failure is the core's business.  Locks: mu.
 */
#ifndef BLOCK_S3_STORE_H
#define BLOCK_S3_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/block_check.h>

#include "check.h"
#include "credentials.h"
#include "sign.h"
#include "site.h"
#include "transfer.h"

#define PREFIX_MAX 256
#define MAX_CONNECTIONS 64
#define SECOND UINT64_C(1000000000)

enum tristate { AUTO, YES, NO };
enum encryption { ENCRYPTION_NONE, ENCRYPTION_AES256, ENCRYPTION_KMS };

struct s3_config {
	const char *bucket, *region, *endpoint, *key_prefix;
	uint32_t path_style; /* enum path_style */
	const char *access_key, *secret_key, *session_token;
	const char *credentials_file, *profile;
	uint32_t conditional_put, checksum, content_md5; /* enum tristate */
	uint32_t encryption;                             /* enum encryption */
	const char *kms_key;
	uint64_t part_size;
	int64_t max_connections;
	uint64_t connect_timeout, response_timeout, stall_timeout, stall_rate, request_timeout;
	const char *proxy, *ca_file;
	uint8_t tls_verify;
};

/* What a put may ask of a server beyond storing, and a server may not know. */
enum feature {
	FEATURE_CONDITIONAL = 1 << 0, /* If-None-Match: * */
	FEATURE_CHECKSUM = 1 << 1,    /* x-amz-checksum-crc32c */
	FEATURE_MD5 = 1 << 2,         /* Content-MD5 */
};

struct store {
	const struct dfs_host *host;
	struct engine *engine;
	struct chain *chain;
	char *bucket, *key_prefix, *kms_key;
	size_t prefix_len;
	enum encryption encryption;
	uint64_t part_size;
	struct limits limits;
	_Atomic uint32_t features;      /* enum feature bits in use */
	uint32_t optional;              /* bits that may be dropped when refused */
	_Atomic int64_t skew;           /* seconds that the server's clock is ahead */
	_Atomic uint64_t bucket_seen;   /* monotonic ns; 0: not yet */
	_Atomic bool no_delete_objects; /* the server has only DELETE of single objects */
	bool has_cleaner;
	pthread_t cleaner; /* runs clean_uploads once */
	pthread_mutex_t mu;
	struct site site; /* guarded by mu */
};

#define QUERY_ROOM 8
#define HEADER_ROOM 16

/* One request, with all that it takes to try it again.  Texts are borrowed. */
struct request {
	const char *what; /* "putting": for sentences */
	const char *method;
	const char *key; /* the dfs key, without the prefix; NULL: of the bucket */
	struct pair query[QUERY_ROOM];
	uint32_t n_query;
	struct pair header[HEADER_ROOM]; /* beyond those that every request has; lower case */
	uint32_t n_headers;
	const struct dfs_span *spans; /* of the body */
	uint32_t n_spans;
	uint64_t length;
	size_t body_max;  /* of an answer that is kept, 0: as of errors */
	uint64_t timeout; /* ns, 0: as configured */
	bool patient;     /* the first byte of the answer may take as long as the whole */
	bool (*begin)(struct transfer *t);
	bool (*take)(struct transfer *t, const unsigned char *data, size_t len);
	void *arg;
	bool (*accepts)(int status); /* NULL: 2xx */
	bool quiet;                  /* a failure is not told through fail() */

	/* The answer, and what its body said when it is an error. */
	struct transfer transfer;
	char code[64], message[256], region[64];
};

/* request.c.  DFS_OK: an answer that is accepted.  All else has had its fail() unless quiet.  The caller ends
 * it with request_clear in each case. */
enum dfs_status request_run(struct store *s, struct request *r);
void request_query(struct request *r, const char *name, const char *value);
void request_header(struct request *r, const char *name, const char *value);
void request_clear(struct request *r);
#define REQUEST_AUTO __attribute__((cleanup(request_clear))) struct request

/* error.c */
/* Text of a server, for a log line: control characters become spaces. */
void error_copy(char *to, size_t size, const char *from);
/* Read the error document of an answer into code, message and region. */
void error_read(struct request *r);
/* The status for how the request ended, with the whole sentence. */
enum dfs_status error_fail(struct store *s, struct request *r);
/* As request_run, for what is answered 200 before the server knows whether it will succeed: DFS_OK
 * when the body has this leaf, whose text is copied unless `to` is NULL. */
enum dfs_status request_leaf(struct store *s, struct request *r, const char *path, char *to,
			     size_t size);
enum dfs_status error_status(int http, const char *code, bool bucket);
/* DFS_OK, or why no S3 object can have this key. */
enum dfs_status store_check_key(struct store *s, const char *key);

/* put.c.  store_put without the limit of an object: parts above part_size. */
enum dfs_status put_object(struct store *s, const char *key, const struct dfs_span *spans,
			   uint32_t n, uint64_t length);
/* Headers of whatever begins an object: encryption. */
void put_encryption(struct store *s, struct request *r);

/* multipart.c */
enum dfs_status multipart_put(struct store *s, const char *key, const struct dfs_span *spans,
			      uint32_t n, uint64_t length, const struct check *check);
bool multipart_abort(struct store *s, const char *key, const char *id);

/* clean.c: abort uploads under our prefix that began more than a day ago. */
void clean_uploads(struct store *s);

/* A page of a list: keys without the prefix. */
struct page {
	uint32_t n;
	char *key[1000];
	uint64_t length[1000];
	bool more;
	struct text token; /* of the next page */
};
/* list.c: the first page, or the one behind that in page. */
enum dfs_status list_page(struct store *s, const char *prefix, const char *after,
			  struct page *page);
/* page.c: read an answer into an empty page; what does not begin with prefix, or does not sort after
 * `after`, is left out.  last: the last key of the page before, "" for none. */
enum page_trouble { PAGE_GOOD, PAGE_NOMEM, PAGE_OUT_OF_ORDER, PAGE_MALFORMED };
enum page_trouble page_parse(struct page *page, const char *data, size_t len,
			     const char *key_prefix, const char *prefix, const char *after,
			     const char *last);
void page_clear(struct page *page);

enum dfs_status store_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n,
			  uint32_t flags);
enum dfs_status store_copy(void *inst, const char *from, const char *to, uint32_t flags);
enum dfs_status store_get(void *inst, const char *key, uint64_t offset, uint64_t length,
			  const struct dfs_sink *sink, uint32_t flags);
enum dfs_status store_head(void *inst, const char *key, uint64_t *length, uint32_t flags);
enum dfs_status store_erase(void *inst, const char *key, uint32_t flags);
enum dfs_status store_erase_prefix(void *inst, const char *prefix);
enum dfs_status store_list(void *inst, const char *prefix, const char *after, dfs_object_fn fn,
			   void *arg);
enum dfs_status store_health(void *inst);

#endif
