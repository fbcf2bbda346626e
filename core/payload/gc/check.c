/* SPDX-License-Identifier: MIT
 *
 * The recount: all rows of the share are walked, and what they name is compared with the records of
 * shared and of dead objects and with the block store.
 *
 * Rows and records are one snapshot; the store is asked afterwards, and an object that it does not have
 * counts only when it is named still.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "payload/file.h"

/* An object that a row names, or several references summed up. */
struct named {
	uint64_t version, block, refs;
	/* The row's; of a shared one the record's, once it is known. */
	struct dfs_content_id content;
	uint32_t length; /* bytes that are needed */
	bool shared, recorded;
};

struct check {
	struct dfs_payload *payload;
	struct dfs_check_report *report;
	struct named *list;
	uint64_t n, cap;
	enum dfs_status status; /* of a callback */
};

static struct named *
add(struct check *c)
{
	if (c->n == c->cap) {
		uint64_t cap = c->cap ? 2 * c->cap : 1024;
		struct named *list = realloc(c->list, cap * sizeof *list);

		if (!list) {
			c->status = DFS_NOMEM;
			return NULL;
		}
		c->list = list;
		c->cap = cap;
	}
	return &c->list[c->n++];
}

static int
see_row(void *arg, const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
	const struct dfs_segment *segs, uint32_t n)
{
	struct check *c = arg;

	c->report->rows++;
	for (uint32_t i = 0; i < n; i++) {
		struct named *o;

		if (!dfs_segment_in_object(&segs[i]) || dfs_row_has(segs, i, segs[i].version))
			continue;
		o = add(c);
		if (!o)
			return 0;
		c->report->references++;
		*o = (struct named){.version = segs[i].version,
				    .block = block,
				    .refs = 1,
				    .content = *content,
				    .length = dfs_row_reach(segs, n, segs[i].version),
				    .shared = segs[i].flags & DFS_SEGMENT_SHARED};
	}
	return 1;
}

static int
by_version(const void *a, const void *b)
{
	uint64_t x = ((const struct named *)a)->version, y = ((const struct named *)b)->version;

	return x < y ? -1 : x > y;
}

static struct named *
find(const struct check *c, uint64_t version)
{
	const struct named key = {.version = version};

	return c->n ? bsearch(&key, c->list, c->n, sizeof key, by_version) : NULL;
}

/* One entry for each object. */
static void
sum_up(struct check *c)
{
	uint64_t n = 0;

	if (c->n)
		qsort(c->list, c->n, sizeof *c->list, by_version);
	for (uint64_t i = 0; i < c->n; i++) {
		struct named *o = &c->list[i], *last = n ? &c->list[n - 1] : NULL;

		if (!last || last->version != o->version) {
			c->list[n++] = *o;
			continue;
		}
		/* Two rows, and one of them takes it for its own. */
		if (!last->shared || !o->shared) {
			c->report->wrong_refs++;
			last->shared = true;
		}
		last->refs++;
		if (last->length < o->length)
			last->length = o->length;
	}
	c->n = n;
	c->report->objects = n;
}

static int
see_object(void *arg, const struct dfs_object_record *rec)
{
	struct check *c = arg;
	struct named *o = find(c, rec->version);

	if (!o || !o->shared || o->refs != rec->refs || o->length > rec->length) {
		dfs_log(DFS_LOG_ERROR,
			"share %s: the object %016llx has a record of %llu references to %u bytes; "
			"rows have %llu to %u",
			c->payload->prefix, (unsigned long long)rec->version,
			(unsigned long long)rec->refs, rec->length,
			(unsigned long long)(o ? o->refs : 0), o ? o->length : 0);
		c->report->wrong_refs++;
	}
	if (o) {
		o->recorded = true;
		o->content = rec->content;
		o->block = rec->block;
	}
	return 1;
}

static int
see_dead(void *arg, const struct dfs_dead_record *rec)
{
	struct check *c = arg;
	const struct named *o = find(c, rec->version);

	c->report->dead++;
	if (o && o->block == rec->block &&
	    memcmp(&o->content, &rec->content, sizeof rec->content) == 0) {
		dfs_log(DFS_LOG_ERROR, "share %s: the object %016llx is dead, and a row names it",
			c->payload->prefix, (unsigned long long)rec->version);
		c->report->live_dead++;
	}
	return 1;
}

static enum dfs_status
snapshot(struct check *c)
{
	static const struct dfs_content_id first;
	struct dfs_payload *payload = c->payload;
	struct dfs_metadata_store *m = payload->metadata;
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(m, NULL, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	st = m->ops.scan_rows(m->inst, txn, payload->share_id, &first, 0, see_row, c);
	if (st == DFS_OK)
		st = c->status;
	sum_up(c);
	if (st == DFS_OK)
		st = m->ops.scan_objects(m->inst, txn, payload->share_id, 0, see_object, c);
	for (uint64_t i = 0; i < c->n && st == DFS_OK; i++)
		c->report->missing_records += c->list[i].shared && !c->list[i].recorded;
	if (st == DFS_OK)
		st = m->ops.scan_dead(m->inst, txn, payload->share_id, NULL, see_dead, c);
	dfs_metadata_abort(m, txn);
	return st;
}

/* Whether it is named now, as it was in the snapshot. */
static enum dfs_status
still_named(struct check *c, const struct named *o, bool *named)
{
	struct dfs_metadata_store *m = c->payload->metadata;
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(m, NULL, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	st = dfs_object_named(c->payload, txn, &o->content, o->block, o->version, named);
	dfs_metadata_abort(m, txn);
	return st;
}

static enum dfs_status
ask_store(struct check *c, const struct named *o)
{
	char key[DFS_BLOCK_KEY_MAX];
	uint64_t length = 0;
	enum dfs_status st;
	bool named = true;

	if (o->shared && !o->recorded)
		return DFS_OK; /* nobody knows where it lies */
	dfs_block_key(key, c->payload->prefix, &o->content, o->block, o->version);
	st = dfs_block_head(c->payload->blocks, key, &length);
	if (st != DFS_NOENT && st != DFS_OK)
		return st;
	if (st == DFS_OK && length >= o->length)
		return DFS_OK;
	if (still_named(c, o, &named) != DFS_OK || !named)
		return DFS_OK;
	dfs_log(DFS_LOG_ERROR, "share %s: the object %s %s", c->payload->prefix, key,
		st == DFS_OK ? "is too short" : "is missing");
	if (st == DFS_OK)
		c->report->short_objects++;
	else
		c->report->missing_objects++;
	return DFS_OK;
}

enum dfs_status
dfs_payload_check(struct dfs_payload *payload, struct dfs_check_report *report)
{
	struct check c = {.payload = payload, .report = report};
	enum dfs_status st;

	memset(report, 0, sizeof *report);
	st = snapshot(&c);
	for (uint64_t i = 0; i < c.n && st == DFS_OK; i++)
		st = ask_store(&c, &c.list[i]);
	free(c.list);
	return st;
}

bool
dfs_check_sound(const struct dfs_check_report *r)
{
	return !(r->wrong_refs || r->missing_records || r->live_dead || r->missing_objects ||
		 r->short_objects);
}
