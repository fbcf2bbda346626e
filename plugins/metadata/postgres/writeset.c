/* SPDX-License-Identifier: MIT */
#include "writeset.h"

#include <stdlib.h>

#define LINEAR 12 /* records that are searched without an index */

void
writeset_free(struct writeset *ws)
{
	if (!ws)
		return;
	free(ws->bytes);
	free(ws->records);
	free(ws->index);
	free(ws->ranges);
	free(ws->adds);
	free(ws->clears);
	free(ws->fences);
	free(ws);
}

bool
writeset_empty(const struct writeset *ws)
{
	return !ws || !(ws->n || ws->n_ranges || ws->n_adds || ws->n_clears || ws->n_fences);
}

size_t
writeset_size(const struct writeset *ws)
{
	return sizeof(*ws) + ws->cap + ws->cap_records * sizeof(*ws->records) +
	       (ws->index ? (ws->index_mask + 1) * sizeof(*ws->index) : 0) +
	       ws->n_ranges * sizeof(*ws->ranges) + ws->n_adds * sizeof(*ws->adds) +
	       ws->n_clears * sizeof(*ws->clears) + ws->n_fences * sizeof(*ws->fences);
}

static uint64_t
hash_bytes(uint64_t h, const unsigned char *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	while (n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

/* ---- a row ---- */

static bool
room(struct writeset *ws, size_t n)
{
	size_t cap = ws->cap ? ws->cap : 1024;
	unsigned char *bytes;

	if (ws->failed || n > WRITESET_MAX - ws->len) {
		ws->failed = true;
		return false;
	}
	if (ws->len + n <= ws->cap)
		return true;
	while (cap < ws->len + n)
		cap *= 2;
	bytes = realloc(ws->bytes, cap);
	if (!bytes) {
		ws->failed = true;
		return false;
	}
	ws->bytes = bytes;
	ws->cap = cap;
	return true;
}

void
writeset_begin(struct writeset *ws, enum kind kind, enum ws_op op)
{
	ws->failed = false;
	ws->row_at = ws->len;
	ws->row_kind = kind;
	ws->row_op = op;
}

void
writeset_bytes(struct writeset *ws, const void *bytes, uint32_t len)
{
	if (!room(ws, 4 + (size_t)len))
		return;
	put_be32(ws->bytes + ws->len, len);
	if (len)
		memcpy(ws->bytes + ws->len + 4, bytes, len);
	ws->len += 4 + len;
}

void
writeset_null(struct writeset *ws)
{
	if (!room(ws, 4))
		return;
	put_be32(ws->bytes + ws->len, UINT32_MAX);
	ws->len += 4;
}

void
writeset_int2(struct writeset *ws, uint16_t v)
{
	unsigned char b[2] = {(unsigned char)(v >> 8), (unsigned char)v};

	writeset_bytes(ws, b, 2);
}

void
writeset_int4(struct writeset *ws, uint32_t v)
{
	unsigned char b[4];

	put_be32(b, v);
	writeset_bytes(ws, b, 4);
}

void
writeset_int8(struct writeset *ws, uint64_t v)
{
	unsigned char b[8];

	put_be64(b, v);
	writeset_bytes(ws, b, 8);
}

/* ---- records by key ---- */

static struct ws_record *
find(struct writeset *ws, uint64_t hash, const unsigned char *key, uint32_t key_len)
{
	if (!ws->index) {
		for (uint32_t i = 0; i < ws->n; i++) {
			struct ws_record *r = &ws->records[i];

			if (r->hash == hash && r->kind == ws->row_kind && r->key_len == key_len &&
			    !memcmp(ws->bytes + r->at, key, key_len))
				return r;
		}
		return NULL;
	}
	for (uint32_t i = (uint32_t)hash & ws->index_mask; ws->index[i];
	     i = (i + 1) & ws->index_mask) {
		struct ws_record *r = &ws->records[ws->index[i] - 1];

		if (r->hash == hash && r->kind == ws->row_kind && r->key_len == key_len &&
		    !memcmp(ws->bytes + r->at, key, key_len))
			return r;
	}
	return NULL;
}

static void
index_add(struct writeset *ws, uint32_t number)
{
	uint32_t i = (uint32_t)ws->records[number].hash & ws->index_mask;

	while (ws->index[i])
		i = (i + 1) & ws->index_mask;
	ws->index[i] = number + 1;
}

/* Room for one record more, in the array and in the index. */
static bool
grow(struct writeset *ws)
{
	uint32_t cap = ws->cap_records ? ws->cap_records * 2 : 8, *index;

	if (ws->n == ws->cap_records) {
		struct ws_record *records = realloc(ws->records, cap * sizeof(*records));

		if (!records)
			return false;
		ws->records = records;
		ws->cap_records = cap;
	}
	if (ws->n < LINEAR || (ws->index && ws->n < ws->index_mask / 2))
		return true;
	cap = ws->index ? (ws->index_mask + 1) * 2 : 64;
	index = calloc(cap, sizeof(*index));
	if (!index)
		return false;
	free(ws->index);
	ws->index = index;
	ws->index_mask = cap - 1;
	for (uint32_t i = 0; i < ws->n; i++)
		index_add(ws, i);
	return true;
}

static uint32_t
row_key_len(const struct writeset *ws)
{
	struct row row;
	const unsigned char *p = ws->bytes + ws->row_at;

	return (uint32_t)(row_split(&row, p, kinds[ws->row_kind].n_keys) - p);
}

bool
writeset_end(struct writeset *ws)
{
	const unsigned char *key = ws->bytes + ws->row_at;
	struct ws_record *r;
	uint32_t key_len;
	uint64_t hash;

	if (ws->failed) {
		ws->len = ws->row_at;
		return false;
	}
	key_len = row_key_len(ws);
	hash = hash_bytes(ws->row_kind + 1, key, key_len);
	r = find(ws, hash, key, key_len);
	if (!r) {
		if (!grow(ws)) {
			ws->len = ws->row_at;
			return false;
		}
		r = &ws->records[ws->n];
		r->hash = hash;
		r->kind = ws->row_kind;
		r->key_len = key_len;
		r->at = ws->row_at;
		if (ws->index)
			index_add(ws, ws->n);
		ws->n++;
	}
	r->op = ws->row_op;
	r->at = ws->row_at;
	r->len = (uint32_t)(ws->len - ws->row_at);
	r->sent = false;
	return true;
}

const struct ws_record *
writeset_find(struct writeset *ws)
{
	const unsigned char *key = ws->bytes + ws->row_at;
	const struct ws_record *r = NULL;

	if (!ws->failed) {
		uint32_t key_len = row_key_len(ws);

		ws->asked = hash_bytes(ws->row_kind + 1, key, key_len);
		r = find(ws, ws->asked, key, key_len);
	}
	ws->len = ws->row_at;
	return r && r->op != WS_GONE ? r : NULL;
}

/* ---- what is not a row ---- */

/* A list that grows by one; NULL: no memory. */
static void *
more(void *list, uint32_t n, size_t size)
{
	return (n & (n - 1)) ? list : realloc(list, (n ? 2 * (size_t)n : 1) * size);
}

bool
writeset_del_range(struct writeset *ws, uint32_t share, const struct dfs_content_id *content,
		   uint64_t from, uint64_t to)
{
	struct ws_range *ranges;

	if (from >= to)
		return true;
	ranges = more(ws->ranges, ws->n_ranges, sizeof(*ranges));
	if (!ranges)
		return false;
	ws->ranges = ranges;
	for (uint32_t i = 0; i < ws->n; i++) {
		struct ws_record *r = &ws->records[i];
		struct row row;

		if (r->kind != K_MAP || r->op == WS_GONE)
			continue;
		row_split(&row, ws->bytes + r->at, 3);
		if (row_int(&row, 0) == share && !memcmp(row.bytes[1], content->bytes, 16) &&
		    row_int(&row, 2) >= from && row_int(&row, 2) < to)
			r->op = WS_GONE;
	}
	ranges[ws->n_ranges++] = (struct ws_range){share, false, *content, from, to};
	return true;
}

bool
writeset_add(struct writeset *ws, uint32_t share, const struct ws_add *add, enum dfs_status *st)
{
	struct ws_add *adds, *a = NULL;
	int64_t bytes, files;

	*st = DFS_NOMEM;
	for (uint32_t i = 0; i < ws->n_adds && !a; i++)
		if (ws->adds[i].share == share && ws->adds[i].kind == add->kind &&
		    ws->adds[i].id == add->id)
			a = &ws->adds[i];
	if (!a) {
		adds = more(ws->adds, ws->n_adds, sizeof(*adds));
		if (!adds)
			return false;
		ws->adds = adds;
		a = &adds[ws->n_adds++];
		*a = (struct ws_add){.share = share, .kind = add->kind, .id = add->id};
	}
	*st = DFS_INVAL;
	if (__builtin_add_overflow(a->bytes, add->bytes, &bytes) ||
	    __builtin_add_overflow(a->files, add->files, &files))
		return false;
	a->unsent_bytes = (int64_t)((uint64_t)a->unsent_bytes + (uint64_t)add->bytes);
	a->unsent_files = (int64_t)((uint64_t)a->unsent_files + (uint64_t)add->files);
	a->bytes = bytes;
	a->files = files;
	*st = DFS_OK;
	return true;
}

bool
writeset_clear(struct writeset *ws, uint32_t share)
{
	struct ws_clear *clears = more(ws->clears, ws->n_clears, sizeof(*clears));

	if (!clears)
		return false;
	ws->clears = clears;
	clears[ws->n_clears++] = (struct ws_clear){share, false};
	for (uint32_t i = 0; i < ws->n_adds; i++)
		if (ws->adds[i].share == share) {
			ws->adds[i].bytes = ws->adds[i].files = 0;
			ws->adds[i].unsent_bytes = ws->adds[i].unsent_files = 0;
		}
	return true;
}

bool
writeset_fence(struct writeset *ws, uint32_t share, uint64_t epoch)
{
	struct ws_fence *fences = more(ws->fences, ws->n_fences, sizeof(*fences));

	if (!fences)
		return false;
	ws->fences = fences;
	fences[ws->n_fences++] = (struct ws_fence){share, epoch};
	return true;
}

bool
writeset_unsent(const struct writeset *ws)
{
	for (uint32_t i = 0; i < ws->n; i++)
		if (!ws->records[i].sent && ws->records[i].op != WS_GONE)
			return true;
	for (uint32_t i = 0; i < ws->n_ranges; i++)
		if (!ws->ranges[i].sent)
			return true;
	for (uint32_t i = 0; i < ws->n_clears; i++)
		if (!ws->clears[i].sent)
			return true;
	for (uint32_t i = 0; i < ws->n_adds; i++)
		if (ws->adds[i].unsent_bytes || ws->adds[i].unsent_files)
			return true;
	return false;
}

void
writeset_mark(struct writeset *ws, bool sent)
{
	for (uint32_t i = 0; i < ws->n; i++)
		ws->records[i].sent = sent;
	for (uint32_t i = 0; i < ws->n_ranges; i++)
		ws->ranges[i].sent = sent;
	for (uint32_t i = 0; i < ws->n_clears; i++)
		ws->clears[i].sent = sent;
	for (uint32_t i = 0; i < ws->n_adds; i++) {
		ws->adds[i].unsent_bytes = sent ? 0 : ws->adds[i].bytes;
		ws->adds[i].unsent_files = sent ? 0 : ws->adds[i].files;
	}
}
