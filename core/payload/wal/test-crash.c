/* SPDX-License-Identifier: MIT
 *
 * The log against a model, over thousands of power losses of a simulated disk: random appends,
 * syncs and unpins, a loss at a random call, recovery (which may be interrupted by the next loss).
 *
 * What must hold after each: every record that was acknowledged as durable, or came back before and
 * was pinned, comes back bit for bit and in order, unless nobody pinned its segment; what comes
 * back is a prefix of what was appended; nothing comes back that was not appended, or that a
 * recovery before did not find.
 *
 * DFS_WAL_CRASHES: how many; DFS_WAL_SEED: the first seed (each world has the next one).
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/buf.h"
#include "base/log.h"
#include "payload/wal/test-disk.h"
#include "payload/wal/test-rig.h"

#define SEGMENT (64u * KIB)
#define CRASHES_PER_WORLD 40
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRASHES 20000 /* ten times as long each */
#else
#define CRASHES 200000
#endif
#define STEPS_MAX 60

enum fate {
	MUST,  /* comes back when it was durable, its segment being pinned */
	MAY,   /* its segment was nobody's for a moment */
	NEVER, /* a recovery did not find it */
};

struct model {
	uint64_t lsn, fileid;
	uint32_t len;
	uint8_t type, segment;
	bool durable, pinned;
	enum fate fate;
};

struct world {
	uint64_t seed;
	struct sim *sim;
	struct dfs_wal_config config;
	struct dfs_wal *wal;
	GArray *records; /* struct model, by lsn; those that never come back are dropped in time */
	uint64_t next_file;
	unsigned pins[DFS_WAL_SEGMENTS_MAX];
	unsigned crash;
	/* of a recovery */
	GArray *found;
	unsigned keep; /* of 100 records that are found, so many are pinned */
};

static uint64_t
chance(struct world *w, uint64_t n)
{
	return sim_chance(w->sim, n);
}

#define CHECK(w, what, ...)                                                                        \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			g_autofree char *text = g_strdup_printf(__VA_ARGS__);                      \
			g_error("DFS_WAL_SEED=%" G_GUINT64_FORMAT " crash %u: %s", (w)->seed,      \
				(w)->crash, text);                                                 \
		}                                                                                  \
	} while (0)

static struct model *
record_at(struct world *w, unsigned i)
{
	return &g_array_index(w->records, struct model, i);
}

static struct model *
record_find(struct world *w, uint64_t lsn)
{
	unsigned from = 0, to = w->records->len;

	while (from < to) {
		unsigned mid = (from + to) / 2;

		if (record_at(w, mid)->lsn < lsn)
			from = mid + 1;
		else
			to = mid;
	}
	return from < w->records->len && record_at(w, from)->lsn == lsn ? record_at(w, from) : NULL;
}

static void
release(struct world *w, struct model *m)
{
	m->pinned = false;
	if (--w->pins[m->segment] == 0)
		for (unsigned i = 0; i < w->records->len; i++)
			if (record_at(w, i)->segment == m->segment && record_at(w, i)->fate == MUST)
				record_at(w, i)->fate = MAY;
	dfs_wal_unpin(w->wal, UINT64_C(1) << m->segment);
}

static void
release_some(struct world *w, unsigned percent)
{
	for (unsigned i = 0; i < w->records->len; i++)
		if (record_at(w, i)->pinned && chance(w, 100) < percent)
			release(w, record_at(w, i));
}

static uint32_t
some_length(struct world *w)
{
	switch (chance(w, 8)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return (uint32_t)chance(w, 600);
	case 3:
		return 4096 * (1 + (uint32_t)chance(w, 3));
	case 4:
		return (uint32_t)chance(w, 20000);
	default:
		return (uint32_t)chance(w, 5000);
	}
}

/* Into one to three spans, with and without buffers. */
static unsigned
cut(struct world *w, unsigned char *bytes, uint32_t len, struct dfs_span spans[3])
{
	unsigned n = 0;

	for (uint32_t at = 0; at < len; n++) {
		uint32_t part =
			n == 2 || chance(w, 2) ? len - at : 1 + (uint32_t)chance(w, len - at);

		spans[n] = (struct dfs_span){bytes + at, part, NULL};
		if (chance(w, 2)) {
			spans[n].buf = dfs_buf_alloc(part);
			spans[n].data = memcpy(spans[n].buf->data, bytes + at, part);
		}
		at += part;
	}
	return n;
}

/* False: the disk is gone. */
static bool
append(struct world *w)
{
	static unsigned char bytes[20000];
	struct dfs_wal_record record = {.type = DFS_WAL_WRITE, .fileid = ++w->next_file};
	struct model m = {.fileid = record.fileid};
	struct dfs_span spans[3];
	uint64_t segments = 0;
	enum dfs_status status;
	unsigned n = 0;

	if (chance(w, 6) == 0)
		record.type = DFS_WAL_TRUNCATE + (uint8_t)chance(w, 3);
	else
		record.len = some_length(w);
	record.length = record.fileid * 3;
	m.type = record.type;
	m.len = record.len;
	rig_fill(record.fileid, bytes, record.len);
	n = cut(w, bytes, record.len, spans);
	status = dfs_wal_append(w->wal, &record, spans, n, &segments, &m.lsn, NULL);
	for (unsigned i = 0; i < n; i++)
		dfs_buf_unref(spans[i].buf);
	if (status == DFS_AGAIN) {
		release_some(w, 50);
		/* The queue may hold what is nobody's any more. */
		dfs_gate_wait_sync(dfs_wal_gate(w->wal), dfs_wal_last(w->wal), DFS_SYNC_PROCESS,
				   rig_soon());
		return true;
	}
	if (status != DFS_OK) {
		CHECK(w, status == DFS_IO, "append: %s", dfs_status_name(status));
		return false;
	}
	CHECK(w, __builtin_popcountll(segments) == 1, "a record in %d segments",
	      __builtin_popcountll(segments));
	m.segment = (uint8_t)__builtin_ctzll(segments);
	m.pinned = true;
	CHECK(w, !w->records->len || record_at(w, w->records->len - 1)->lsn < m.lsn,
	      "sequence number %llu was used before", (unsigned long long)m.lsn);
	w->pins[m.segment]++;
	g_array_append_val(w->records, m);
	return true;
}

static bool
sync_some(struct world *w, uint32_t level)
{
	struct model *upto;

	if (!w->records->len)
		return true;
	upto = record_at(w, w->records->len - 1 - (unsigned)chance(w, MIN(w->records->len, 4)));
	if (dfs_gate_wait_sync(dfs_wal_gate(w->wal), upto->lsn, level, rig_soon()) != DFS_OK)
		return false;
	for (unsigned i = 0; i < w->records->len && level == DFS_SYNC_POWER; i++)
		if (record_at(w, i)->lsn <= upto->lsn)
			record_at(w, i)->durable = true;
	return true;
}

static void
read_one(struct world *w, const struct found *f)
{
	static unsigned char want[20000], have[20000];
	enum dfs_status status;

	if (!f->record.len)
		return;
	rig_fill(f->record.fileid, want, f->record.len);
	status = dfs_wal_read(w->wal, f->at, have, f->record.len);
	if (status == DFS_IO)
		return; /* the disk is gone again */
	CHECK(w, status == DFS_OK && memcmp(want, have, f->record.len) == 0,
	      "record %llu reads back other bytes", (unsigned long long)f->lsn);
}

static enum dfs_status
found_one(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	struct world *w = arg;
	struct found f = {lsn, *record, at, damaged};
	struct model *m = record_find(w, lsn);

	CHECK(w, !damaged, "record %llu is damaged", (unsigned long long)lsn);
	CHECK(w, m, "record %llu was never appended", (unsigned long long)lsn);
	CHECK(w, m->fate != NEVER, "record %llu was void and comes back", (unsigned long long)lsn);
	CHECK(w,
	      m->fileid == record->fileid && m->len == record->len && m->type == record->type &&
		      record->length == m->fileid * 3,
	      "record %llu is another than was appended", (unsigned long long)lsn);
	CHECK(w,
	      !w->found->len || g_array_index(w->found, struct found, w->found->len - 1).lsn < lsn,
	      "record %llu is out of order", (unsigned long long)lsn);
	if (at)
		CHECK(w, DFS_WAL_SEGMENT(at) == m->segment, "record %llu is in segment %u, not %u",
		      (unsigned long long)lsn, DFS_WAL_SEGMENT(at), m->segment);
	g_array_append_val(w->found, f);
	read_one(w, &f);
	if (chance(w, 100) < w->keep) {
		m->pinned = true;
		w->pins[m->segment]++;
		dfs_wal_pin(w->wal, UINT64_C(1) << m->segment);
	}
	return DFS_OK;
}

static void
check_found(struct world *w, bool all)
{
	uint64_t missing = UINT64_MAX;
	unsigned next = 0;

	for (unsigned i = 0; i < w->records->len; i++) {
		struct model *m = record_at(w, i);
		bool found = next < w->found->len &&
			     g_array_index(w->found, struct found, next).lsn == m->lsn;

		if (found)
			next++;
		if (found && m->lsn > missing && !m->durable)
			CHECK(w, false, "record %llu comes back, %llu before it does not",
			      (unsigned long long)m->lsn, (unsigned long long)missing);
		if (!found && m->fate == MUST) {
			CHECK(w, !m->durable && !all, "record %llu is lost",
			      (unsigned long long)m->lsn);
			missing = MIN(missing, m->lsn);
		}
		if (!found)
			m->fate = NEVER;
		/* Recovery has made it so. */
		m->durable = found;
		if (found)
			m->fate = w->pins[m->segment] ? MUST : MAY;
	}
	CHECK(w,
	      missing == UINT64_MAX || !w->found->len ||
		      g_array_index(w->found, struct found, w->found->len - 1).lsn < missing,
	      "something comes back behind the first gap");
	/* Old void records: enough have been kept to notice their return. */
	for (unsigned i = 0; i < w->records->len && w->records->len > 600;)
		if (record_at(w, i)->fate == NEVER)
			g_array_remove_index(w->records, i);
		else
			i++;
}

/* Open and recover; false: the disk went away meanwhile. */
static bool
restart(struct world *w, bool clean, bool all)
{
	struct dfs_wal_recovery recovery;
	enum dfs_status status;

	memset(w->pins, 0, sizeof w->pins);
	for (unsigned i = 0; i < w->records->len; i++)
		record_at(w, i)->pinned = false;
	g_array_set_size(w->found, 0);
	status = dfs_wal_open(&w->config, &w->wal);
	if (status == DFS_OK)
		status = dfs_wal_recover(w->wal, found_one, w, &recovery);
	if (status == DFS_IO)
		return false;
	CHECK(w, status == DFS_OK, "recovery: %s: %s", dfs_status_name(status), dfs_fail_text());
	CHECK(w, recovery.clean || !clean, "a log that was closed is not clean");
	CHECK(w, recovery.damaged == 0, "recovery speaks of damage");
	CHECK(w, recovery.records == w->found->len, "recovery counts wrong");
	check_found(w, all);
	return true;
}

static void
run(struct world *w)
{
	for (unsigned steps = (unsigned)chance(w, STEPS_MAX); steps; steps--) {
		uint64_t what = chance(w, 100);

		if (what < 70) {
			if (!append(w))
				return;
		} else if (what < 80) {
			if (!sync_some(w, DFS_SYNC_POWER))
				return;
		} else if (what < 85) {
			if (!sync_some(w, DFS_SYNC_PROCESS))
				return;
		} else {
			release_some(w, (unsigned)chance(w, 30));
		}
	}
}

/* How the server ends.  Sets what the next recovery must find. */
static void
end(struct world *w, bool *clean, bool *all)
{
	uint64_t how = chance(w, 10);
	bool alive;

	*clean = *all = false;
	if (how == 0) { /* in order: but the disk may go while it closes */
		dfs_wal_close(w->wal);
		*clean = *all = !sim_frozen(w->sim);
	} else if (how == 1) { /* the process dies when all is written */
		alive = sync_some(w, DFS_SYNC_PROCESS) &&
			(!w->records->len ||
			 dfs_gate_wait_sync(dfs_wal_gate(w->wal), dfs_wal_last(w->wal),
					    DFS_SYNC_PROCESS, rig_soon()) == DFS_OK);
		sim_freeze(w->sim);
		dfs_wal_close(w->wal);
		*all = alive;
	} else {
		sim_freeze(w->sim);
		dfs_wal_close(w->wal);
	}
	sim_crash(w->sim, how == 1);
	w->wal = NULL;
}

static void
world(uint64_t seed, unsigned crashes)
{
	struct world w = {.seed = seed, .sim = sim_new(seed)};
	bool clean = true, all = true;

	w.config = (struct dfs_wal_config){
		.persister = chance(&w, 4) ? DFS_WAL_FILE : DFS_WAL_MMAP,
		.path = "/wal",
		.size = (4 + chance(&w, 8)) * SEGMENT,
		.segment_size = SEGMENT,
		.queue_max = chance(&w, 2) ? 0 : 100000,
		.disk = sim_ops(w.sim),
	};
	if (chance(&w, 4) == 0)
		sim_buffered(w.sim);
	if (chance(&w, 4) == 0)
		sim_capacity(w.sim, (3 + chance(&w, 3)) * SEGMENT);
	w.records = g_array_new(FALSE, FALSE, sizeof(struct model));
	w.found = g_array_new(FALSE, FALSE, sizeof(struct found));
	for (w.crash = 0; w.crash < crashes; w.crash++) {
		bool interrupt = chance(&w, 8) == 0;

		/* An interrupted recovery has made its choice or has not: it must not matter. */
		w.keep = interrupt ? 100 : (unsigned)chance(&w, 101);
		if (interrupt)
			sim_freeze_after(w.sim, (unsigned)chance(&w, 12));
		if (restart(&w, clean, all)) {
			sim_freeze_after(w.sim, (unsigned)chance(&w, 120));
			run(&w);
			end(&w, &clean, &all);
		} else {
			dfs_wal_close(w.wal);
			sim_crash(w.sim, false);
			/* What a dead process left in the kernel is gone now. */
			all = all && clean;
			clean = false;
		}
	}
	g_array_free(w.records, TRUE);
	g_array_free(w.found, TRUE);
	sim_free(w.sim);
}

static void
acknowledged_records_survive_and_void_ones_stay_void(void)
{
	const char *seed = g_getenv("DFS_WAL_SEED"), *count = g_getenv("DFS_WAL_CRASHES");
	uint64_t first = seed ? g_ascii_strtoull(seed, NULL, 10) : 1;
	unsigned crashes = count ? (unsigned)atoi(count) : CRASHES;

	/* A seed that is asked for is one world, unless a count goes with it. */
	if (seed && !count)
		crashes = CRASHES_PER_WORLD;
	for (unsigned done = 0; done < crashes; done += CRASHES_PER_WORLD)
		world(first++, MIN(crashes - done, CRASHES_PER_WORLD));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* Thousands of logs fail here, as they should. */
	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	g_test_add_func("/wal/acknowledged-records-survive-and-void-ones-stay-void",
			acknowledged_records_survive_and_void_ones_stay_void);
	return g_test_run();
}
