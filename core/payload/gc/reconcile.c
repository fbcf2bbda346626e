/* SPDX-License-Identifier: MIT
 *
 * The reconciliation: all objects below the share's prefix are listed and compared with what the
 * metadata store names.
 *
 * An object that nothing names and that is older than a day, by its version, is reported: in the log,
 * in a counter, and as a named state of the share.  Only a later run that finds it again, and is told
 * to erase, records it as dead.  So an operator has the time between two runs to notice that the
 * metadata store was restored from an older copy.  Any error ends a run before it has erased a thing:
 * what is erased is decided after the whole list was seen.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"
#include "base/log.h"
#include "payload/file.h"

#define PIECE 256
#define MIN_AGE (24 * 3600 * DFS_SECOND)
#define MARK "gc.orphan/" /* then the object's key below the share's prefix */
#define MARK_LEN (sizeof MARK - 1)
#define REPORTS_LOGGED 20 /* of a run; the others are counted */
#define REPORTS_MAX 100000

struct object {
	struct dfs_content_id content;
	uint64_t block, version;
	bool orphan;
};

/* What a mark's value says, little endian: the runs that have seen the orphan first and last. */
struct mark {
	uint64_t first, last;
};

struct run {
	struct dfs_payload *payload;
	struct dfs_reconcile_report *report;
	uint64_t began; /* ns since 1970: names the run in marks */
	uint32_t n;
	struct object objects[PIECE];
	char last[DFS_KEY_MAX + 1];
	bool more;
};

static bool
stopped(const struct run *run)
{
	struct dfs_gc *gc = &run->payload->gc;
	bool stop;

	pthread_mutex_lock(&gc->mu);
	stop = gc->stop;
	pthread_mutex_unlock(&gc->mu);
	return stop;
}

static int
collect(void *arg, const char *key, uint64_t length)
{
	struct run *run = arg;
	struct object *o = &run->objects[run->n];

	snprintf(run->last, sizeof run->last, "%s", key);
	run->report->objects++;
	if (!dfs_block_key_parse(key, run->payload->prefix, &o->content, &o->block, &o->version)) {
		run->report->strange++;
		return 1;
	}
	if (o->version > run->began - MIN_AGE) {
		run->report->young++;
		return 1;
	}
	o->orphan = false;
	run->more = ++run->n == PIECE;
	return !run->more;
}

static int
cross_off(void *arg, const struct dfs_dead_record *rec)
{
	struct run *run = arg;

	for (uint32_t i = 0; i < run->n; i++) {
		struct object *o = &run->objects[i];

		if (o->version == rec->version && o->block == rec->block &&
		    memcmp(&o->content, &rec->content, sizeof rec->content) == 0)
			o->orphan = false;
	}
	return 1;
}

static void
mark_key(const struct object *o, char *key)
{
	char full[DFS_BLOCK_KEY_MAX];

	dfs_block_key(full, "", &o->content, o->block, o->version);
	memcpy(key, MARK, MARK_LEN);
	strcpy(key + MARK_LEN, full + 1); /* 88 bytes at most */
}

/* Note in the orphan's mark that this run has seen it. */
static enum dfs_status
mark(struct run *run, struct dfs_txn *txn, const struct object *o)
{
	struct dfs_payload *payload = run->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct mark mark = {htole64(run->began), 0}, before;
	uint32_t len = sizeof before;
	char key[DFS_STATE_KEY_MAX];
	enum dfs_status st;

	if (run->report->orphans >= REPORTS_MAX)
		return DFS_OK;
	mark_key(o, key);
	st = metadata->ops.get_state(metadata->inst, txn, payload->share_id, key,
				     (uint32_t)strlen(key), &before, &len);
	if (st != DFS_OK && st != DFS_NOENT)
		return st;
	if (st == DFS_OK && len == sizeof before)
		mark.first = before.first;
	mark.last = htole64(run->began);
	return metadata->ops.put_state(metadata->inst, txn, payload->share_id, key,
				       (uint32_t)strlen(key), &mark, sizeof mark);
}

/* Which of the piece nothing names. */
static enum dfs_status
compare(struct run *run, struct dfs_txn *txn)
{
	struct dfs_metadata_store *metadata = run->payload->metadata;
	enum dfs_status st = DFS_OK;
	uint32_t orphans = 0;

	for (uint32_t i = 0; i < run->n && st == DFS_OK; i++) {
		struct object *o = &run->objects[i];
		bool named;

		st = dfs_object_named(run->payload, txn, &o->content, o->block, o->version, &named);
		o->orphan = !named;
		orphans += !named;
	}
	if (st == DFS_OK && orphans > 0)
		st = metadata->ops.scan_dead(metadata->inst, txn, run->payload->share_id, NULL,
					     cross_off, run);
	return st;
}

static enum dfs_status
mark_orphans(void *arg, struct dfs_txn *txn)
{
	struct run *run = arg;
	enum dfs_status st = compare(run, txn);

	for (uint32_t i = 0; i < run->n && st == DFS_OK; i++)
		if (run->objects[i].orphan)
			st = mark(run, txn, &run->objects[i]);
	return st;
}

/* Whether the piece has orphans.  As a rule it has none, and then nothing is written. */
static enum dfs_status
look_for_orphans(struct run *run, bool *any)
{
	struct dfs_metadata_store *metadata = run->payload->metadata;
	enum dfs_status st;
	unsigned tries = 0;

	do {
		struct dfs_txn *txn;

		st = dfs_metadata_begin(metadata, NULL, DFS_TXN_READ, &txn);
		if (st != DFS_OK)
			continue;
		st = compare(run, txn);
		dfs_metadata_abort(metadata, txn);
	} while (dfs_metadata_again(NULL, &st, &tries));
	*any = false;
	for (uint32_t i = 0; i < run->n; i++)
		*any |= run->objects[i].orphan;
	return st;
}

static enum dfs_status
report_piece(struct run *run)
{
	bool any;
	enum dfs_status st = look_for_orphans(run, &any);

	if (st != DFS_OK || !any)
		return st;
	/* Compared once more: what is marked is an orphan in the transaction that marks it. */
	st = dfs_metadata_update(run->payload->metadata, mark_orphans, run, NULL);
	for (uint32_t i = 0; i < run->n && st == DFS_OK; i++) {
		char key[DFS_STATE_KEY_MAX];

		if (!run->objects[i].orphan || run->report->orphans++ >= REPORTS_LOGGED)
			continue;
		mark_key(&run->objects[i], key);
		dfs_log(DFS_LOG_WARN, "share %s: nothing names the object %s/%s",
			run->payload->prefix, run->payload->prefix, key + MARK_LEN);
	}
	return st;
}

/* --- after the whole list ------------------------------------------------------------------ */

struct marks {
	struct run *run;
	uint32_t n, dead;
	struct {
		char key[DFS_STATE_KEY_MAX];
		bool seen, before; /* by this run; by one before it too */
	} marks[PIECE];
	char last[DFS_STATE_KEY_MAX];
};

static int
collect_mark(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t len)
{
	struct marks *m = arg;
	struct mark mark = {0, 0};
	char text[DFS_STATE_KEY_MAX];

	snprintf(text, sizeof text, "%.*s", (int)key_len, key);
	if (strcmp(text, m->last) <= 0)
		return 1;
	if (len == sizeof mark)
		memcpy(&mark, value, sizeof mark);
	memcpy(m->marks[m->n].key, text, sizeof text);
	m->marks[m->n].seen = le64toh(mark.last) == m->run->began;
	m->marks[m->n].before = le64toh(mark.first) < m->run->began;
	return ++m->n < PIECE;
}

/* The object of a mark, which is not named still, is dead from now on. */
static enum dfs_status
condemn(struct run *run, struct dfs_txn *txn, const char *key, uint32_t *dead)
{
	struct dfs_payload *payload = run->payload;
	char full[DFS_PREFIX_MAX + DFS_STATE_KEY_MAX];
	struct object o;
	enum dfs_status st;
	bool named;

	snprintf(full, sizeof full, "%s/%s", payload->prefix, key + MARK_LEN);
	if (!dfs_block_key_parse(full, payload->prefix, &o.content, &o.block, &o.version))
		return DFS_OK;
	st = dfs_object_named(payload, txn, &o.content, o.block, o.version, &named);
	if (st != DFS_OK || named)
		return st;
	++*dead;
	return dfs_object_put_dead(payload, txn, dfs_clock_real(), &o.content, o.block, o.version);
}

static enum dfs_status
settle_marks(void *arg, struct dfs_txn *txn)
{
	struct marks *m = arg;
	struct dfs_payload *payload = m->run->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	bool erase = payload->gc.reconcile == DFS_GC_RECONCILE_ERASE;
	enum dfs_status st = DFS_OK;

	m->dead = 0;
	for (uint32_t i = 0; i < m->n && st == DFS_OK; i++) {
		const char *key = m->marks[i].key;
		bool go = m->marks[i].seen && m->marks[i].before && erase;

		if (go)
			st = condemn(m->run, txn, key, &m->dead);
		/* It is gone, or named again: the report is void. */
		if (st == DFS_OK && (go || !m->marks[i].seen))
			st = metadata->ops.del_state(metadata->inst, txn, payload->share_id, key,
						     (uint32_t)strlen(key));
	}
	return st;
}

static enum dfs_status
finish(struct run *run)
{
	struct dfs_metadata_store *metadata = run->payload->metadata;
	struct marks *m = calloc(1, sizeof *m);
	enum dfs_status st = m ? DFS_OK : DFS_NOMEM;

	if (m)
		m->run = run;
	do {
		struct dfs_txn *txn;

		if (st == DFS_OK)
			st = dfs_metadata_begin(metadata, NULL, DFS_TXN_READ, &txn);
		if (st != DFS_OK)
			break;
		m->n = 0;
		st = metadata->ops.scan_state(metadata->inst, txn, run->payload->share_id, MARK,
					      MARK_LEN, collect_mark, m);
		dfs_metadata_abort(metadata, txn);
		if (st == DFS_OK && m->n > 0) {
			memcpy(m->last, m->marks[m->n - 1].key, sizeof m->last);
			st = dfs_metadata_update(metadata, settle_marks, m, NULL);
			if (st == DFS_OK)
				run->report->erased += m->dead;
		}
	} while (st == DFS_OK && m->n == PIECE);
	free(m);
	if (st == DFS_OK && run->report->erased > 0)
		dfs_gc_kick(run->payload);
	return st;
}

static enum dfs_status
list(struct run *run)
{
	char prefix[DFS_PREFIX_MAX + 2];
	enum dfs_status st;

	snprintf(prefix, sizeof prefix, "%s/", run->payload->prefix);
	do {
		run->n = 0;
		run->more = false;
		st = dfs_block_list(run->payload->blocks, prefix, run->last, collect, run);
		if (st == DFS_OK && run->n > 0)
			st = report_piece(run);
		if (st == DFS_OK && stopped(run))
			st = DFS_SHUTDOWN;
	} while (st == DFS_OK && run->more);
	return st;
}

enum dfs_status
dfs_payload_reconcile(struct dfs_payload *payload, struct dfs_reconcile_report *report)
{
	struct run *run = calloc(1, sizeof *run);
	enum dfs_status st = run ? DFS_OK : DFS_NOMEM;

	memset(report, 0, sizeof *report);
	if (run) {
		run->payload = payload;
		run->report = report;
		run->began = (uint64_t)dfs_clock_real();
		st = list(run);
	}
	if (st == DFS_OK)
		st = finish(run);
	free(run);
	dfs_counter_add(dfs_counter_get("payload_reconcile_orphans"), (int64_t)report->orphans);
	if (st == DFS_SHUTDOWN)
		return st;
	if (st != DFS_OK) {
		dfs_counter_add(dfs_counter_get("payload_reconcile_failed"), 1);
		dfs_log(DFS_LOG_WARN,
			"share %s: the reconciliation of objects was given up (%s): %s; nothing is "
			"erased",
			payload->prefix, dfs_status_name(st), dfs_fail_text());
	} else {
		dfs_log(report->orphans ? DFS_LOG_WARN : DFS_LOG_INFO,
			"share %s: %llu objects, %llu of them named by nothing, %llu of those "
			"erased, as an earlier run had reported them; %llu keys are not ours",
			payload->prefix, (unsigned long long)report->objects,
			(unsigned long long)report->orphans, (unsigned long long)report->erased,
			(unsigned long long)report->strange);
	}
	return st;
}
