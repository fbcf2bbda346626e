/* SPDX-License-Identifier: MIT
 *
 * Random operations on files, and losses of power in between, against the history of every byte.
 *
 * The log lies on a simulated disk, the metadata store forgets commits that were not synced, the
 * block store forgets puts and erases that were not.  After a fault each byte must be what was last
 * acknowledged as stable, or what was written there since; never anything else.
 */
#include <stdlib.h>

#include "fs/op.h"
#include "fs/recount.h"
#include "fs/test-crash.h"
#include "io/gate.h"
#include "payload/file.h"
#include "payload/offload/offload.h"

#define FILES CRASH_FILES
#define LENGTH_MAX CRASH_LENGTH_MAX
#define PENDING_MAX CRASH_PENDING_MAX
#define FIXTURE_LOG (32u << 20)

static struct world *world; /* for the store's operations */
static struct dfs_block_ops real;

static enum dfs_status
block_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	enum dfs_status st = DFS_IO;

	g_mutex_lock(&world->mu);
	if (!world->dead) {
		st = real.put(inst, key, spans, n, flags);
		if (st == DFS_OK)
			g_ptr_array_add(world->puts, g_strdup(key));
	}
	g_mutex_unlock(&world->mu);
	return st;
}

static enum dfs_status
block_erase(void *inst, const char *key, uint32_t flags)
{
	enum dfs_status st = DFS_IO;

	g_mutex_lock(&world->mu);
	if (!world->dead) {
		g_ptr_array_add(world->erases, g_strdup(key));
		st = DFS_OK;
	}
	g_mutex_unlock(&world->mu);
	return st;
}

static enum dfs_status
block_erase_prefix(void *inst, const char *prefix)
{
	return DFS_OK;
}

/* A store without power claims success: nobody can build on it, for the metadata store was the first to
 * go, and a failure would outlive the fault in the gate. */
static enum dfs_status
block_sync(void *inst)
{
	g_mutex_lock(&world->mu);
	if (!world->dead) {
		for (guint i = 0; i < world->erases->len; i++)
			real.erase(inst, world->erases->pdata[i], 0);
		g_ptr_array_set_size(world->erases, 0);
		g_ptr_array_set_size(world->puts, 0);
	}
	g_mutex_unlock(&world->mu);
	return DFS_OK;
}

/* Half of what was not synced is as it was. */
static void
blocks_lose_power(struct world *w)
{
	g_mutex_lock(&w->mu);
	w->dead = true;
	for (guint i = 0; i < w->puts->len; i++)
		if (g_rand_boolean(w->rand))
			real.erase(w->f.blocks->inst, w->puts->pdata[i], 0);
	for (guint i = 0; i < w->erases->len; i++)
		if (g_rand_boolean(w->rand))
			real.erase(w->f.blocks->inst, w->erases->pdata[i], 0);
	g_ptr_array_set_size(w->puts, 0);
	g_ptr_array_set_size(w->erases, 0);
	g_mutex_unlock(&w->mu);
}

/* --- content ------------------------------------------------------------------------------- */

static unsigned char
byte_of(uint64_t stamp, uint32_t offset)
{
	return (unsigned char)((stamp * 0x9e3779b97f4a7c15u >> 56) + offset * 7 + 1) | 1;
}

static void
fill(unsigned char *to, uint64_t stamp, uint32_t offset, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = byte_of(stamp, offset + i);
}

/* A place that likes the borders of units, pages and blocks. */
uint32_t
crash_random_offset(struct world *w)
{
	static const uint32_t grid[] = {1, 4096, 65536, 4u << 20};
	uint32_t g = grid[g_rand_int_range(w->rand, 0, 4)];
	int64_t at = (int64_t)(g_rand_int(w->rand) % (LENGTH_MAX / g)) * g +
		     g_rand_int_range(w->rand, -1, 2) * g_rand_int_range(w->rand, 0, 2);

	return at < 0 ? 0 : (uint32_t)at;
}

static uint32_t
random_len(struct world *w, uint32_t offset)
{
	static const uint32_t most[] = {200, 4096, 4096, 20000, 65536, 300000, 1u << 20};
	uint32_t m = most[g_rand_int_range(w->rand, 0, 7)];
	uint32_t len = g_rand_boolean(w->rand) ? m : 1 + g_rand_int(w->rand) % m;

	return len < LENGTH_MAX - offset ? len : LENGTH_MAX - offset;
}

/* Wait for what the reply would wait for. */
bool
crash_acknowledged(struct dfs_ctx *ctx)
{
	bool ok = true;

	for (unsigned i = 0; i < ctx->n_tickets; i++)
		ok &= dfs_gate_wait_sync(ctx->tickets[i].gate, ctx->tickets[i].seq,
					 ctx->tickets[i].level,
					 dfs_clock_mono() + 60 * DFS_SECOND) == DFS_OK;
	ctx->n_tickets = 0;
	return ok;
}

void
crash_note(struct file *file, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_string_append_vprintf(file->history, fmt, ap);
	va_end(ap);
}

void
crash_settle(struct file *file)
{
	memcpy(file->stable, file->now, LENGTH_MAX);
	file->stable_length = file->length;
	file->n_pending = 0;
}

void
crash_remember(struct file *file, struct pending p)
{
	g_assert_cmpuint(file->n_pending, <, PENDING_MAX);
	file->pending[file->n_pending++] = p;
}

void
crash_commit(struct world *w, struct file *file)
{
	struct dfs_ctx ctx = ctx_as(&w->f, 0, 0);
	struct dfs_wcc wcc;
	uint64_t verifier;

	crash_note(file, "commit\n");
	assert_status(dfs_fs_commit(&ctx, &file->ref, 0, 0, &verifier, &wcc), DFS_OK);
	g_assert_true(crash_acknowledged(&ctx));
	crash_settle(file);
}

void
crash_write(struct world *w, struct file *file, uint32_t offset, uint32_t len, uint64_t stamp,
	    bool stable)
{
	struct dfs_ctx ctx = ctx_as(&w->f, 0, 0);
	enum dfs_stable committed;
	struct dfs_wcc wcc;
	uint64_t verifier;

	if (file->n_pending > PENDING_MAX - 4)
		crash_commit(w, file);
	crash_note(file, "write %u+%u stamp %" G_GUINT64_FORMAT "%s\n", offset, len, stamp,
		   stable ? " stable" : "");
	fill(w->scratch, stamp, offset, len);
	assert_status(dfs_fs_write(&ctx, &file->ref, offset, w->scratch, len,
				   stable ? DFS_FILE_SYNC : DFS_UNSTABLE, &committed, &verifier,
				   &wcc),
		      DFS_OK);
	memcpy(file->now + offset, w->scratch, len);
	file->length = MAX(file->length, offset + len);
	crash_remember(file, (struct pending){.offset = offset, .len = len, .stamp = stamp});
	if (stable) {
		g_assert_true(crash_acknowledged(&ctx));
		crash_settle(file);
	}
}

static void
step_write(struct world *w, struct file *file)
{
	uint32_t offset = crash_random_offset(w), len = random_len(w, offset);
	bool stable = g_rand_int_range(w->rand, 0, 4) == 0;

	if (len > 0)
		crash_write(w, file, offset, len, ++w->stamps, stable);
}

/* ack: wait for the reply. */
void
crash_truncate(struct world *w, struct file *file, bool ack)
{
	struct dfs_ctx ctx = ctx_as(&w->f, 0, 0);
	struct dfs_setattr set = {.mask = DFS_SET_LENGTH, .length = crash_random_offset(w)};
	struct dfs_wcc wcc;

	if (set.length > LENGTH_MAX)
		set.length = LENGTH_MAX;
	crash_note(file, "truncate %u to %u%s\n", file->length, (uint32_t)set.length,
		   ack ? "" : " unacknowledged");
	assert_status(dfs_fs_setattr(&ctx, &file->ref, &set, NULL, &wcc), DFS_OK);
	if (set.length < file->length)
		memset(file->now + set.length, 0, file->length - set.length);
	file->length = (uint32_t)set.length;
	crash_remember(file, (struct pending){.offset = (uint32_t)set.length, .cut = true});
	if (!ack)
		return;
	g_assert_true(crash_acknowledged(&ctx));
	/* What is left of earlier writes is not stable by that; but nothing beyond comes back. */
	memset(file->stable + set.length, 0, LENGTH_MAX - set.length);
	if (file->stable_length > set.length)
		file->stable_length = (uint32_t)set.length;
	for (unsigned i = 0; i + 1 < file->n_pending; i++) {
		struct pending *p = &file->pending[i];

		if (p->cut || p->offset >= set.length)
			p->len = 0;
		else if (p->len > set.length - p->offset)
			p->len = (uint32_t)set.length - p->offset;
	}
}

static void
step_read(struct world *w, struct file *file)
{
	uint32_t offset = crash_random_offset(w), len = random_len(w, offset);
	struct dfs_attr attr;
	struct dfs_read r;
	uint32_t done = 0;

	if (len == 0)
		return;
	assert_status(dfs_fs_read(&w->f.ctx, &file->ref, offset, len, &r, &attr), DFS_OK);
	for (uint32_t i = 0; i < r.n; i++) {
		if (memcmp(r.spans[i].data, file->now + offset + done, r.spans[i].len) != 0)
			g_error("seed %" G_GUINT64_FORMAT ", cycle %u: bytes from %u on are not "
				"what was written",
				w->seed, w->cycle, offset + done);
		done += r.spans[i].len;
	}
	g_assert_cmpuint(done, ==, offset >= file->length ? 0 : MIN(len, file->length - offset));
	dfs_read_release(&r);
}

static struct dfs_file *
content_of(struct world *w, struct file *file, struct dfs_inode **inode)
{
	assert_status(dfs_inode_get(&w->f.ctx, w->f.share->ns, file->ref.fileid, inode), DFS_OK);
	return atomic_load(&(*inode)->file);
}

/* To the block store, or out of memory. */
static void
step_push(struct world *w, struct file *file, bool flush)
{
	struct dfs_ctx ctx = ctx_as(&w->f, 0, 0);
	struct dfs_inode *inode;
	struct dfs_file *content = content_of(w, file, &inode);

	crash_note(file, flush ? "flush\n" : "spill\n");

	if (content && flush)
		assert_status(dfs_file_flush(&ctx, content, DFS_FLUSH_ALL), DFS_OK);
	else if (content)
		dfs_file_spill(content, UINT64_MAX);
	dfs_inode_unref(inode);
	if (g_rand_boolean(w->rand))
		dfs_cache_reclaim(w->f.pages, 64u << 20);
}

struct file *
crash_any_file(struct world *w)
{
	return &w->files[g_rand_int_range(w->rand, 0, FILES)];
}

void
world_step(struct world *w)
{
	struct file *file = crash_any_file(w);
	int what = g_rand_int_range(w->rand, 0, 100);

	if (what < 50)
		step_write(w, file);
	else if (what < 60)
		crash_commit(w, file);
	else if (what < 72)
		step_read(w, file);
	else if (what < 80)
		crash_truncate(w, file, true);
	else
		step_push(w, file, what < 90);
}

/* --- the fault ------------------------------------------------------------------------------ */

static void
between(void *arg)
{
	struct world *w = arg;

	sim_crash(w->disk, false);
	/* A new process knows nothing of a store that failed. */
	g_assert_true(dfs_offload_free(w->f.blocks->offload, dfs_clock_mono() + 10 * DFS_SECOND));
	w->f.blocks->offload = dfs_offload_new(w->f.blocks, 4);
	test_store_power_on(w->f.ts);
	g_mutex_lock(&w->mu);
	w->dead = false;
	g_mutex_unlock(&w->mu);
}

/* Nothing has drifted: what the store keeps is what its records are.  What the replay has brought may
 * be flushed while it is counted, so it may take more than one count to see it. */
static void
check_sums(struct world *w)
{
	struct dfs_recount found = {.wrong_sums = 1};

	for (unsigned i = 0; i < 1000 && (found.wrong_sums || found.wrong_used); i++)
		assert_status(dfs_recount_check(w->f.share->ns, &found), DFS_OK);
	if (found.wrong_sums || found.wrong_used)
		g_error("%" G_GUINT64_FORMAT " sums and %" G_GUINT64_FORMAT
			" records are wrong after crash %u of seed %" G_GUINT64_FORMAT,
			found.wrong_sums, found.wrong_used, w->cycle, w->seed);
}

static void
fault(struct world *w)
{
	unsigned n;

	sim_freeze(w->disk);
	n = test_store_unsynced(w->f.ts);
	test_store_lose_power(w->f.ts, n ? g_rand_int(w->rand) % (n + 1) : 0);
	blocks_lose_power(w);
	fixture_crash(&w->f, between, w);
	check_sums(w);
	w->cycle++;
}

static bool
possible(const struct file *file, uint32_t i, unsigned char byte)
{
	if (byte == file->stable[i])
		return true;
	for (unsigned k = 0; k < file->n_pending; k++) {
		const struct pending *p = &file->pending[k];

		if (p->clone)
			continue;
		if (p->cut ? i >= p->offset && byte == 0
			   : i - p->offset < p->len && byte == byte_of(p->stamp, i))
			return true;
	}
	return false;
}

static bool
possible_length(const struct file *file, uint64_t length)
{
	uint64_t most = file->stable_length;

	for (unsigned k = 0; k < file->n_pending; k++)
		most = MAX(most, (uint64_t)file->pending[k].offset + file->pending[k].len);
	for (unsigned k = 0; k < file->n_pending; k++)
		if (file->pending[k].cut && length == file->pending[k].offset)
			return true;
	return length >= file->stable_length && length <= most;
}

/* What is there now is what was promised; it is the new truth. */
static void
check(struct world *w, struct file *file)
{
	struct dfs_attr attr = attr_of(&w->f, file->ref);
	uint32_t at = 0;

	if (!possible_length(file, attr.length))
		g_error("seed %" G_GUINT64_FORMAT ", cycle %u: length %" G_GUINT64_FORMAT
			", stable %u, last %u",
			w->seed, w->cycle, attr.length, file->stable_length, file->length);
	memset(w->scratch, 0, LENGTH_MAX);
	while (at < attr.length) {
		uint32_t len = MIN((uint32_t)attr.length - at, 1u << 20);
		struct dfs_read r;

		enum dfs_status st = dfs_fs_read(&w->f.ctx, &file->ref, at, len, &r, &attr);

		if (st != DFS_OK)
			g_error("seed %" G_GUINT64_FORMAT ", cycle %u: read: %s: %s", w->seed,
				w->cycle, dfs_status_name(st), dfs_fail_text());
		for (uint32_t i = 0; i < r.n; i++) {
			memcpy(w->scratch + at, r.spans[i].data, r.spans[i].len);
			at += r.spans[i].len;
		}
		dfs_read_release(&r);
	}
	for (uint32_t i = 0; i < attr.length; i++) {
		if (w->scratch[i] == file->now[i] || possible(file, i, w->scratch[i]))
			continue;
		g_printerr("%s", file->history->str);
		g_error("seed %" G_GUINT64_FORMAT ", cycle %u, file %ld: byte %u is %02x, "
			"stable %02x, last %02x",
			w->seed, w->cycle, (long)(file - w->files), i, w->scratch[i],
			file->stable[i], file->now[i]);
	}
	memcpy(file->now, w->scratch, LENGTH_MAX);
	file->length = (uint32_t)attr.length;
	crash_settle(file);
	crash_note(file, "crash %u, length %u\n", w->cycle, file->length);
}

void
world_crash(struct world *w)
{
	fault(w);
	for (unsigned i = 0; i < FILES; i++)
		check(w, &w->files[i]);
}

unsigned
world_crashes(unsigned n)
{
	const char *crashes = g_getenv("DFS_TEST_CRASHES");

	return crashes ? (unsigned)atoi(crashes) : n;
}

void
world_open(struct world *w)
{
	static const struct dfs_quota_rules no_limits;
	static struct dfs_wal_config log;
	const char *text = g_getenv("DFS_TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : g_random_int();

	g_test_message("seed %" G_GUINT64_FORMAT, seed);
	world = w;
	w->seed = seed;
	w->rand = g_rand_new_with_seed((guint32)seed);
	w->disk = sim_new(seed);
	w->scratch = g_malloc(LENGTH_MAX + (1u << 20));
	w->puts = g_ptr_array_new_with_free_func(g_free);
	w->erases = g_ptr_array_new_with_free_func(g_free);
	log = (struct dfs_wal_config){
		.persister = DFS_WAL_FILE,
		.path = "/log",
		.size = FIXTURE_LOG * 4,
		.segment_size = FIXTURE_LOG / 4,
		.disk = sim_ops(w->disk),
	};
	w->f = (struct fixture){
		.dedup = w->f.dedup,
		.quotas = &no_limits,
		.kind = "test-durable",
		.durability = DFS_DURABILITY_POWER,
		.durable_blocks = true,
		.log = &log,
	};
	fixture_open(&w->f);
	real = w->f.blocks->ops;
	w->f.blocks->ops.put = block_put;
	w->f.blocks->ops.erase = block_erase;
	w->f.blocks->ops.erase_prefix = block_erase_prefix;
	w->f.blocks->ops.sync = block_sync;
	for (unsigned i = 0; i < FILES; i++) {
		char name[] = {(char)('a' + i), '\0'};
		struct file *file = &w->files[i];

		file->ref = make_file(&w->f, w->f.root, name, 0644);
		file->history = g_string_new(NULL);
		file->now = g_malloc0(LENGTH_MAX);
		file->stable = g_malloc0(LENGTH_MAX);
	}
	assert_status(dfs_gate_wait_sync(w->f.metadata->gate, w->f.metadata->last_seq,
					 DFS_SYNC_POWER, dfs_clock_mono() + 10 * DFS_SECOND),
		      DFS_OK);
}

void
world_close(struct world *w)
{
	fixture_close(&w->f);
	sim_free(w->disk);
	g_rand_free(w->rand);
	g_ptr_array_unref(w->puts);
	g_ptr_array_unref(w->erases);
	for (unsigned i = 0; i < FILES; i++) {
		g_string_free(w->files[i].history, TRUE);
		g_free(w->files[i].now);
		g_free(w->files[i].stable);
	}
	g_free(w->scratch);
}
