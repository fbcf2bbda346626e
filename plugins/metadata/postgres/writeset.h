/* SPDX-License-Identifier: MIT
 *
 * What a transaction writes, until the database is known to have it for good.
 *
 * The last change of a key counts, so a set holds each key once and its order does not matter but for
 * this: deletions of ranges come before the rows.  Sums of usage are kept as what is added.  Used by
 * one thread at a time; a committed one belongs to the journal.
 */
#ifndef POSTGRES_WRITESET_H
#define POSTGRES_WRITESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "row.h"

enum ws_op { WS_GONE, WS_PUT, WS_DEL }; /* GONE: a range's deletion has taken it out */

struct ws_record {
	uint64_t hash; /* of kind and key */
	size_t at;     /* of the row in bytes; a deletion's holds the keys alone */
	uint32_t len, key_len;
	uint8_t kind, op;
	bool sent; /* to the database, in the open transaction */
};

/* Map rows [from, to) of a content. */
struct ws_range {
	uint32_t share;
	bool sent;
	struct dfs_content_id content;
	uint64_t from, to;
};

/* Added to a sum: all of it, and what of it was not sent yet. */
struct ws_add {
	uint32_t share, kind, id;
	int64_t bytes, files;
	int64_t unsent_bytes, unsent_files;
};

struct ws_clear {
	uint32_t share;
	bool sent;
};

struct ws_fence {
	uint32_t share;
	uint64_t epoch;
};

struct writeset {
	unsigned char *bytes;
	size_t len, cap;
	struct ws_record *records;
	uint32_t n, cap_records;
	uint32_t *index; /* open addressing, number of the record + 1; NULL while there are few */
	uint32_t index_mask;
	struct ws_range *ranges;
	uint32_t n_ranges;
	struct ws_add *adds;
	uint32_t n_adds;
	struct ws_clear *clears;
	uint32_t n_clears;
	struct ws_fence *fences;
	uint32_t n_fences;
	/* the row that is being made */
	size_t row_at;
	uint8_t row_kind, row_op;
	uint64_t asked; /* hash of the key that was looked for last */
	bool failed;    /* no memory, or too large */
};

#define WRITESET_MAX ((size_t)256 << 20) /* bytes of one transaction */

void writeset_free(struct writeset *ws);
bool writeset_empty(const struct writeset *ws);
/* Bytes of memory that it holds, about. */
size_t writeset_size(const struct writeset *ws);

/* A row: begin, each column in order (a deletion: the keys), end.  end answers false when there is no
 * memory or the set is too large; it is as before then. */
void writeset_begin(struct writeset *ws, enum kind kind, enum ws_op op);
void writeset_int2(struct writeset *ws, uint16_t v);
void writeset_int4(struct writeset *ws, uint32_t v);
void writeset_int8(struct writeset *ws, uint64_t v);
void writeset_bytes(struct writeset *ws, const void *bytes, uint32_t len);
void writeset_null(struct writeset *ws);
bool writeset_end(struct writeset *ws);
/* In the place of end, for a key: what the set says about it; NULL: nothing. */
const struct ws_record *writeset_find(struct writeset *ws);

bool writeset_del_range(struct writeset *ws, uint32_t share, const struct dfs_content_id *content,
			uint64_t from, uint64_t to);
/* *st: DFS_INVAL, what is added leaves the range of its type; DFS_NOMEM. */
bool writeset_add(struct writeset *ws, uint32_t share, const struct ws_add *add,
		  enum dfs_status *st);
bool writeset_clear(struct writeset *ws, uint32_t share);
bool writeset_fence(struct writeset *ws, uint32_t share, uint64_t epoch);

/* Whether something was not sent yet. */
bool writeset_unsent(const struct writeset *ws);
void writeset_mark(struct writeset *ws, bool sent);

#endif
