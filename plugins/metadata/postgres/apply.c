/* SPDX-License-Identifier: MIT
 *
 * A write set as statements: one row by itself, many of a kind as arrays.
 *
 * Kinds come in one order, so that servers that write the same rows seldom wait for each other in a circle.
 */
#include <stdlib.h>

#include "array.h"
#include "store.h"

#define ROWS_MAX 1000 /* of one statement */

static enum dfs_status
send_one(struct session *c, const struct writeset *ws, const struct ws_record *r)
{
	const struct kind_info *k = &kinds[r->kind];
	unsigned n = r->op == WS_PUT ? k->n_columns : k->n_keys;
	struct params p = {0};
	struct row row;

	row_split(&row, ws->bytes + r->at, n);
	for (unsigned i = 0; i < n; i++)
		param_bytes(&p, row.bytes[i], row.len[i]);
	return session_send(c, (r->op == WS_PUT ? S_PUT : S_DEL) + r->kind, &p);
}

static enum dfs_status
send_many(struct session *c, const struct writeset *ws, const struct ws_record *const *list,
	  unsigned n)
{
	const struct kind_info *k = &kinds[list[0]->kind];
	bool put = list[0]->op == WS_PUT;
	unsigned columns = put ? k->n_columns : k->n_keys;
	size_t size = columns * ARRAY_HEAD, lens[COLUMNS_MAX] = {0};
	unsigned char *bytes, *at[COLUMNS_MAX], *next;
	bool nulls[COLUMNS_MAX] = {false};
	struct params p = {0};
	enum dfs_status st;
	struct row row;

	for (unsigned r = 0; r < n; r++) {
		row_split(&row, ws->bytes + list[r]->at, columns);
		for (unsigned i = 0; i < columns; i++)
			lens[i] += 4 + (size_t)(row.len[i] > 0 ? row.len[i] : 0);
	}
	for (unsigned i = 0; i < columns; i++)
		size += lens[i];
	next = bytes = malloc(size);
	if (!bytes)
		return DFS_NOMEM;
	for (unsigned i = 0; i < columns; i++) {
		at[i] = next + ARRAY_HEAD;
		param_bytes(&p, next, (int32_t)(ARRAY_HEAD + lens[i]));
		next += ARRAY_HEAD + lens[i];
	}
	for (unsigned r = 0; r < n; r++) {
		row_split(&row, ws->bytes + list[r]->at, columns);
		for (unsigned i = 0; i < columns; i++) {
			size_t len = row.len[i] > 0 ? (size_t)row.len[i] : 0;

			memcpy(at[i], row.bytes[i] - 4, 4 + len);
			at[i] += 4 + len;
			nulls[i] |= row.len[i] < 0;
		}
	}
	for (unsigned i = 0; i < columns; i++)
		array_head((unsigned char *)p.values[i], nulls[i], k->columns[i].type, n);
	st = session_send(c, (put ? S_PUTS : S_DELS) + list[0]->kind, &p);
	free(bytes);
	return st;
}

static enum dfs_status
send_records(struct session *c, struct writeset *ws, bool all, enum kind kind, enum ws_op op)
{
	const struct ws_record *list[ROWS_MAX];
	enum dfs_status st = DFS_OK;
	unsigned n = 0;

	for (uint32_t i = 0; st == DFS_OK && i < ws->n; i++) {
		const struct ws_record *r = &ws->records[i];

		if (r->kind != kind || r->op != op || (r->sent && !all))
			continue;
		list[n++] = r;
		if (n == ROWS_MAX) {
			st = send_many(c, ws, list, n);
			n = 0;
		}
	}
	if (st == DFS_OK && n == 1)
		st = send_one(c, ws, list[0]);
	else if (st == DFS_OK && n)
		st = send_many(c, ws, list, n);
	return st;
}

static enum dfs_status
send_ranges(struct session *c, struct writeset *ws, bool all)
{
	enum dfs_status st = DFS_OK;

	for (uint32_t i = 0; st == DFS_OK && i < ws->n_ranges; i++) {
		const struct ws_range *r = &ws->ranges[i];
		struct params p = {0};

		if (r->sent && !all)
			continue;
		param_int8(&p, r->share);
		param_bytes(&p, r->content.bytes, sizeof(r->content.bytes));
		param_int8(&p, r->from);
		param_int8(&p, r->to);
		st = session_send(c, S_DEL_RANGE, &p);
	}
	for (uint32_t i = 0; st == DFS_OK && i < ws->n_clears; i++) {
		struct params p = {0};

		if (ws->clears[i].sent && !all)
			continue;
		param_int8(&p, ws->clears[i].share);
		st = session_send(c, S_USAGE_CLEAR, &p);
	}
	return st;
}

static enum dfs_status
send_adds(struct session *c, const struct writeset *ws, bool all)
{
	struct params p = {0};
	unsigned char *bytes, *array;
	size_t size = ARRAY_HEAD + (size_t)ws->n_adds * ARRAY_INT8;
	enum dfs_status st;
	unsigned n = 0;

	if (!ws->n_adds)
		return DFS_OK;
	bytes = malloc(5 * size);
	if (!bytes)
		return DFS_NOMEM;
	for (uint32_t i = 0; i < ws->n_adds; i++) {
		const struct ws_add *a = &ws->adds[i];
		const uint64_t v[5] = {a->share, a->kind, a->id,
				       (uint64_t)(all ? a->bytes : a->unsent_bytes),
				       (uint64_t)(all ? a->files : a->unsent_files)};

		if (!v[3] && !v[4])
			continue;
		for (unsigned k = 0; k < 5; k++)
			array_put_int8(bytes + k * size, n, v[k]);
		n++;
	}
	param_int4(&p, c->slot);
	for (unsigned k = 0; k < 5; k++) {
		array = bytes + k * size;
		array_head(array, false, T_INT8, n);
		param_bytes(&p, array, (int32_t)(ARRAY_HEAD + n * ARRAY_INT8));
	}
	st = n ? session_send(c, S_USAGE_ADD, &p) : DFS_OK;
	free(bytes);
	return st;
}

enum dfs_status
apply_send(struct session *c, struct writeset *ws, bool all)
{
	enum dfs_status st = send_ranges(c, ws, all);

	for (unsigned kind = 0; st == DFS_OK && kind < KINDS; kind++) {
		st = send_records(c, ws, all, kind, WS_DEL);
		if (st == DFS_OK)
			st = send_records(c, ws, all, kind, WS_PUT);
	}
	return st == DFS_OK ? send_adds(c, ws, all) : st;
}
