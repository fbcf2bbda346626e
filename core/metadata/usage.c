/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "metadata/ns.h"
#include "metadata/usage.h"

#define PIECE 256 /* sums of one transaction */

static const char kept_key[] = "quota.kept";
static const char since_prefix[] = "quota.since.";

#define KEPT_VERSION 1
#define SINCE_VERSION 1
#define SINCE_BYTES 17 /* version, bytes, files; later releases may append */

bool
dfs_usage_supported(const struct dfs_metadata_store *store)
{
	return store->ops.add_usage && store->ops.scan_usage && store->ops.clear_usage;
}

enum dfs_status
dfs_usage_kept(struct dfs_namespace *ns, bool *kept)
{
	struct dfs_metadata_store *st = ns->store;
	unsigned char value[64] = {0};
	uint32_t len = sizeof value;
	struct dfs_txn *txn;
	enum dfs_status status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);

	if (status != DFS_OK)
		return status;
	status = st->ops.get_state(st->inst, txn, ns->rec.id, kept_key, sizeof kept_key - 1, value,
				   &len);
	dfs_metadata_abort(st, txn);
	*kept = status == DFS_OK;
	if (status == DFS_OK && (len < 1 || value[0] != KEPT_VERSION))
		return dfs_fail(DFS_VERSION, "share %s: its sums of usage have a newer format",
				ns->rec.name);
	return status == DFS_NOENT ? DFS_OK : status;
}

static uint32_t
since_key(char *key, size_t size, uint32_t kind, uint32_t id)
{
	return (uint32_t)snprintf(key, size, "%s%u.%u", since_prefix, kind, id);
}

enum dfs_status
dfs_usage_put_since(struct dfs_namespace *ns, struct dfs_txn *txn, uint32_t kind, uint32_t id,
		    const struct dfs_quota_since *since)
{
	struct dfs_metadata_store *st = ns->store;
	uint64_t times[2] = {htole64((uint64_t)since->bytes), htole64((uint64_t)since->files)};
	unsigned char value[SINCE_BYTES] = {SINCE_VERSION};
	char key[DFS_STATE_KEY_MAX];
	uint32_t len = since_key(key, sizeof key, kind, id);

	if (!since->bytes && !since->files)
		return st->ops.del_state(st->inst, txn, ns->rec.id, key, len);
	memcpy(value + 1, times, sizeof times);
	return st->ops.put_state(st->inst, txn, ns->rec.id, key, len, value, sizeof value);
}

/* A piece of a visit in pieces. */
struct piece {
	struct dfs_namespace *ns;
	unsigned n;
	struct dfs_usage_record sums[PIECE];
};

static int
take_sum(void *arg, const struct dfs_usage_record *rec)
{
	struct piece *p = arg;

	p->sums[p->n++] = *rec;
	return p->n < PIECE;
}

enum dfs_status
dfs_usage_each(struct dfs_namespace *ns, dfs_usage_fn fn, void *arg)
{
	struct dfs_metadata_store *st = ns->store;
	uint32_t kind = 0, id = 0;
	struct piece piece;

	do {
		struct dfs_txn *txn;
		enum dfs_status status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);

		if (status != DFS_OK)
			return status;
		piece.n = 0;
		status = st->ops.scan_usage(st->inst, txn, ns->rec.id, kind, id, take_sum, &piece);
		dfs_metadata_abort(st, txn);
		if (status != DFS_OK)
			return status;
		for (unsigned i = 0; i < piece.n; i++)
			if (!fn(arg, &piece.sums[i]))
				return DFS_OK;
		if (piece.n > 0) {
			kind = piece.sums[piece.n - 1].kind;
			id = piece.sums[piece.n - 1].id + 1;
			kind += id == 0; /* the last there is */
		}
	} while (piece.n == PIECE && kind <= DFS_USAGE_GROUP);
	return DFS_OK;
}

static int
load_sum(void *arg, const struct dfs_usage_record *rec)
{
	const struct dfs_quota_charge charge = {rec->id, rec->id, 1u << rec->kind, rec->bytes,
						rec->files};

	if (rec->kind < DFS_QUOTA_KINDS)
		dfs_quota_change(arg, &charge, NULL, NULL);
	return 1;
}

static int
load_since(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct dfs_quota_since since;
	unsigned kind, id;
	uint64_t times[2];
	char text[DFS_STATE_KEY_MAX + 1];

	memcpy(text, key, key_len);
	text[key_len] = 0;
	if (value_len < SINCE_BYTES || *(const unsigned char *)value != SINCE_VERSION ||
	    sscanf(text + sizeof since_prefix - 1, "%u.%u", &kind, &id) != 2)
		return 1; /* a grace time that begins anew is no harm */
	memcpy(times, (const unsigned char *)value + 1, sizeof times);
	since.bytes = (int64_t)le64toh(times[0]);
	since.files = (int64_t)le64toh(times[1]);
	dfs_quota_since_stored(arg, kind, id, &since);
	return 1;
}

static enum dfs_status
put_times(void *arg, struct dfs_txn *txn)
{
	struct piece *p = arg;
	enum dfs_status status = DFS_OK;

	for (unsigned i = 0; i < p->n && status == DFS_OK; i++) {
		const struct dfs_usage_record *sum = &p->sums[i];
		struct dfs_quota_since since = {0, 0};

		/* Whatever it answers: the transaction may be one that is tried again. */
		dfs_quota_since_changed(p->ns->quota, sum->kind, sum->id, &since);
		status = dfs_usage_put_since(p->ns, txn, sum->kind, sum->id, &since);
	}
	return status;
}

/* A limit that was passed by being lowered has a time of which no transaction told the store: it would
 * begin anew at every start. */
static enum dfs_status
store_times(struct dfs_namespace *ns)
{
	struct piece piece = {.ns = ns};
	enum dfs_status status = DFS_OK;

	while (status == DFS_OK &&
	       (piece.n = dfs_quota_since_unstored(ns->quota, piece.sums, PIECE)) > 0)
		status = dfs_metadata_update(ns->store, put_times, &piece, NULL);
	return status;
}

enum dfs_status
dfs_usage_load(struct dfs_namespace *ns)
{
	struct dfs_metadata_store *st = ns->store;
	struct dfs_txn *txn;
	enum dfs_status status = dfs_usage_each(ns, load_sum, ns->quota);

	if (status == DFS_OK)
		status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);
	if (status != DFS_OK)
		return status;
	/* Behind the sums: whoever is below his limit now has no time. */
	status = st->ops.scan_state(st->inst, txn, ns->rec.id, since_prefix,
				    sizeof since_prefix - 1, load_since, ns->quota);
	dfs_metadata_abort(st, txn);
	return status == DFS_OK ? store_times(ns) : status;
}

struct sums {
	struct dfs_namespace *ns;
	struct dfs_usage_record *list;
	size_t n, cap, at; /* at: what the transaction begins with */
};

static void
collect(void *arg, const struct dfs_usage_record *sum)
{
	struct sums *s = arg;

	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->list = realloc(s->list, s->cap * sizeof *s->list);
		if (!s->list)
			abort();
	}
	s->list[s->n++] = *sum;
}

static enum dfs_status
clear(void *arg, struct dfs_txn *txn)
{
	struct dfs_namespace *ns = ((struct sums *)arg)->ns;
	struct dfs_metadata_store *st = ns->store;
	enum dfs_status status =
		st->ops.del_state(st->inst, txn, ns->rec.id, kept_key, sizeof kept_key - 1);

	return status == DFS_OK ? st->ops.clear_usage(st->inst, txn, ns->rec.id) : status;
}

struct keys {
	struct dfs_namespace *ns;
	unsigned n;
	uint32_t len[PIECE];
	char key[PIECE][DFS_STATE_KEY_MAX];
};

static int
take_key(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct keys *k = arg;

	memcpy(k->key[k->n], key, key_len);
	k->len[k->n++] = key_len;
	return k->n < PIECE;
}

static enum dfs_status
clear_times_piece(void *arg, struct dfs_txn *txn)
{
	struct keys *k = arg;
	struct dfs_metadata_store *st = k->ns->store;
	enum dfs_status status;

	k->n = 0;
	status = st->ops.scan_state(st->inst, txn, k->ns->rec.id, since_prefix,
				    sizeof since_prefix - 1, take_key, k);
	for (unsigned i = 0; i < k->n && status == DFS_OK; i++)
		status = st->ops.del_state(st->inst, txn, k->ns->rec.id, k->key[i], k->len[i]);
	return status;
}

/* The sums, and since when they are above limits.  Those times are left until the sums are begun anew
 * where the server ends in between: without sums nobody reads them. */
static enum dfs_status
clear_all(struct sums *sums)
{
	struct keys *keys = malloc(sizeof *keys);
	enum dfs_status status;

	if (!keys)
		return dfs_fail(DFS_NOMEM, "no memory to clear the sums of usage");
	keys->ns = sums->ns;
	status = dfs_metadata_update(sums->ns->store, clear, sums, NULL);
	do {
		keys->n = 0;
		if (status == DFS_OK)
			status =
				dfs_metadata_update(sums->ns->store, clear_times_piece, keys, NULL);
	} while (status == DFS_OK && keys->n == PIECE);
	free(keys);
	return status;
}

static enum dfs_status
write_piece(void *arg, struct dfs_txn *txn)
{
	const struct sums *s = arg;
	struct dfs_metadata_store *st = s->ns->store;
	const unsigned char value[] = {KEPT_VERSION};
	enum dfs_status status = DFS_OK;
	size_t end = s->at + PIECE < s->n ? s->at + PIECE : s->n;

	for (size_t i = s->at; i < end && status == DFS_OK; i++)
		status = st->ops.add_usage(st->inst, txn, s->ns->rec.id, &s->list[i]);
	if (status == DFS_OK && end == s->n)
		status = st->ops.put_state(st->inst, txn, s->ns->rec.id, kept_key,
					   sizeof kept_key - 1, value, sizeof value);
	return status;
}

enum dfs_status
dfs_usage_begin(struct dfs_namespace *ns, struct dfs_quota *quota)
{
	struct sums sums = {.ns = ns};
	enum dfs_status status;

	dfs_quota_each(quota, collect, &sums);
	status = clear_all(&sums);
	DFS_FAILPOINT("usage-cleared");
	do {
		if (status == DFS_OK)
			status = dfs_metadata_update(ns->store, write_piece, &sums, NULL);
		sums.at += PIECE;
	} while (status == DFS_OK && sums.at < sums.n);
	DFS_FAILPOINT("usage-kept");
	free(sums.list);
	return status == DFS_OK ? store_times(ns) : status;
}

enum dfs_status
dfs_usage_end(struct dfs_namespace *ns)
{
	struct sums sums = {.ns = ns};

	if (!dfs_usage_supported(ns->store))
		return DFS_OK;
	return clear_all(&sums);
}
