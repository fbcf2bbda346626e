/* SPDX-License-Identifier: MIT
 *
 * Objects that were put and never named, because the server ended in between.
 *
 * A flush whose transaction did not come about leaves its slices in the log, so what the log still has
 * after a crash tells which contents to look at: of those, and those alone, the objects are listed.
 * One of the last run's versions that nothing names is recorded as dead; nobody can have read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "payload/file.h"

#define PIECE 256

struct row_look {
	uint64_t block, version;
	bool named;
};

static int
look(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct row_look *l = arg;

	l->named = block == l->block && dfs_row_has(segs, n, l->version);
	return 0;
}

enum dfs_status
dfs_object_named(struct dfs_payload *payload, struct dfs_txn *txn,
		 const struct dfs_content_id *content, uint64_t block, uint64_t version,
		 bool *named)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct row_look l = {block, version, false};
	struct dfs_object_record rec = {.size = sizeof rec};
	enum dfs_status st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, content,
						    block, look, &l);

	*named = l.named;
	if (st != DFS_OK || l.named)
		return st;
	st = metadata->ops.get_object(metadata->inst, txn, payload->share_id, version, &rec);
	*named = st == DFS_OK && rec.block == block &&
		 memcmp(&rec.content, content, sizeof *content) == 0;
	return st == DFS_NOENT ? DFS_OK : st;
}

static void
add_suspect(struct dfs_gc *gc, const struct dfs_content_id *content)
{
	pthread_mutex_lock(&gc->mu);
	if (gc->n_suspects == gc->cap_suspects) {
		uint32_t cap = gc->cap_suspects ? 2 * gc->cap_suspects : 16;
		struct dfs_content_id *list = realloc(gc->suspects, cap * sizeof *list);

		/* Without memory its orphans are left to the reconciliation. */
		if (list) {
			gc->suspects = list;
			gc->cap_suspects = cap;
		}
	}
	if (gc->n_suspects < gc->cap_suspects)
		gc->suspects[gc->n_suspects++] = *content;
	pthread_mutex_unlock(&gc->mu);
}

static bool
take_suspect(struct dfs_gc *gc, struct dfs_content_id *content)
{
	bool any;

	pthread_mutex_lock(&gc->mu);
	any = gc->n_suspects > 0 && !gc->stop;
	if (any)
		*content = gc->suspects[--gc->n_suspects];
	pthread_mutex_unlock(&gc->mu);
	return any;
}

void
dfs_payload_suspect(struct dfs_payload *payload, const struct dfs_content_id *content)
{
	struct dfs_gc *gc = &payload->gc;

	if (gc->left_version == gc->first_version)
		return;
	add_suspect(gc, content);
	dfs_gc_reap_by(payload, dfs_clock_coarse());
}

struct piece {
	struct dfs_payload *payload;
	const struct dfs_content_id *content;
	uint64_t from, to; /* versions that are looked at: [from, to) */
	uint32_t n, dead;
	struct {
		uint64_t block, version;
	} objects[PIECE];
	char last[DFS_KEY_MAX + 1];
};

static int
collect(void *arg, const char *key, uint64_t length)
{
	struct piece *p = arg;
	struct dfs_content_id content;
	uint64_t block, version;

	snprintf(p->last, sizeof p->last, "%s", key);
	if (!dfs_block_key_parse(key, p->payload->prefix, &content, &block, &version) ||
	    memcmp(&content, p->content, sizeof content) != 0 || version < p->from ||
	    version >= p->to)
		return 1;
	p->objects[p->n].block = block;
	p->objects[p->n].version = version;
	return ++p->n < PIECE;
}

/* Record those of the piece that nothing names. */
static enum dfs_status
bury(void *arg, struct dfs_txn *txn)
{
	struct piece *p = arg;
	enum dfs_status st = DFS_OK;

	p->dead = 0;
	for (uint32_t i = 0; i < p->n && st == DFS_OK; i++) {
		uint64_t block = p->objects[i].block, version = p->objects[i].version;
		bool named;

		st = dfs_object_named(p->payload, txn, p->content, block, version, &named);
		if (st != DFS_OK || named)
			continue;
		p->dead++;
		/* It may be recorded already, since an earlier moment: both records have their grace. */
		st = dfs_object_put_dead(p->payload, txn, dfs_clock_real(), p->content, block,
					 version);
	}
	return st;
}

static enum dfs_status
search(struct dfs_payload *payload, const struct dfs_content_id *content, struct piece *p)
{
	char prefix[DFS_BLOCK_KEY_MAX];
	enum dfs_status st;

	dfs_block_prefix(prefix, payload->prefix, content);
	p->payload = payload;
	p->content = content;
	p->last[0] = '\0';
	do {
		p->n = 0;
		st = dfs_block_list(payload->blocks, prefix, p->last, collect, p);
		if (st == DFS_OK && p->n > 0) {
			st = dfs_metadata_update(payload->metadata, bury, p, NULL);
			if (st == DFS_OK)
				dfs_counter_add(dfs_counter_get("payload_gc_orphans"), p->dead);
		}
	} while (st == DFS_OK && p->n == PIECE);
	return st;
}

enum dfs_status
dfs_orphans_of_content(struct dfs_payload *payload, const struct dfs_content_id *content)
{
	struct piece *p = malloc(sizeof *p);
	enum dfs_status st = DFS_NOMEM;

	if (p) {
		p->from = 0;
		p->to = UINT64_MAX;
		st = search(payload, content, p);
	}
	free(p);
	return st;
}

enum dfs_status
dfs_orphans_of_last_run(struct dfs_payload *payload)
{
	struct dfs_gc *gc = &payload->gc;
	struct piece *p = malloc(sizeof *p);
	enum dfs_status st = p ? DFS_OK : DFS_NOMEM;
	struct dfs_content_id content;

	if (p) {
		p->from = gc->left_version;
		p->to = gc->first_version;
	}
	/* A replay may add some meanwhile. */
	while (st == DFS_OK && take_suspect(gc, &content)) {
		st = search(payload, &content, p);
		if (st != DFS_OK)
			add_suspect(gc, &content);
	}
	if (st != DFS_OK)
		dfs_log(DFS_LOG_WARN,
			"share %s: what the last run has put in vain is not looked for yet (%s): "
			"%s",
			payload->prefix, dfs_status_name(st), dfs_fail_text());
	free(p);
	return st;
}
