/* SPDX-License-Identifier: MIT
 *
 * Facts about the ways to an object's final key: each ends there and leaves nothing behind, one that
 * cannot be taken is left out, and what an end on the way leaves is gone after the next start.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "payload/offload/offload.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)

static const char *const stores[] = {"memory", "remote", "filesystem"};

static unsigned char data[4 * MIB], got[4 * MIB];

/* What the store has been asked for since watch(). */
static struct {
	_Atomic unsigned puts, temp_puts, copies, temp_erased, in_puts, most;
	_Atomic enum dfs_status copy; /* instead of a copy; DFS_OK: none */
	_Atomic bool keep;            /* temporary objects are not erased */
	_Atomic int64_t latency;      /* us of a put */
	_Atomic(const char *) folder; /* looked at during puts */
	_Atomic unsigned files;       /* most that were there */
	struct dfs_block_ops real;
} seen;

struct world {
	struct rig *rig;
	char *dir; /* local_temp_dir's parent */
	char *local, *folder;
};

static unsigned
files(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	unsigned n = 0;

	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

static bool
is_temp(const char *key)
{
	return g_str_has_prefix(key, "share/___temp/");
}

static enum dfs_status
watch_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	unsigned now = ++seen.in_puts, there = seen.folder ? files(seen.folder) : 0;
	enum dfs_status st;

	if (now > seen.most)
		seen.most = now;
	if (there > seen.files)
		seen.files = there;
	if (seen.latency)
		g_usleep((gulong)seen.latency);
	++*(is_temp(key) ? &seen.temp_puts : &seen.puts);
	st = seen.real.put(inst, key, spans, n, flags);
	seen.in_puts--;
	return st;
}

static enum dfs_status
watch_copy(void *inst, const char *from, const char *to, uint32_t flags)
{
	if (seen.copy != DFS_OK)
		return seen.copy;
	seen.copies++;
	return seen.real.copy(inst, from, to, flags);
}

static enum dfs_status
watch_erase(void *inst, const char *key, uint32_t flags)
{
	if (is_temp(key) && seen.keep)
		return DFS_IO;
	seen.temp_erased += is_temp(key);
	return seen.real.erase(inst, key, flags);
}

static bool
drain(struct rig *rig)
{
	return dfs_strategy_stop(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND);
}

static void
world_open(struct world *w, const char *store, struct dfs_flush_options flush)
{
	struct dfs_payload_options o = {.gc_grace = 1, .gc_reconcile = DFS_GC_RECONCILE_OFF};

	memset(&seen, 0, sizeof seen);
	w->dir = g_dir_make_tmp("dfs-strategy-XXXXXX", NULL);
	w->local = g_build_filename(w->dir, "flush", NULL);
	w->folder = g_build_filename(w->local, "___flushed", NULL);
	o.flush = flush;
	o.flush.local_dir = w->local;
	w->rig = rig_new_kept(store, 64 * MIB, DFS_DURABILITY_POWER, &o);
	g_assert_true(drain(w->rig));
	seen.real = w->rig->blocks->ops;
	w->rig->blocks->ops.put = watch_put;
	w->rig->blocks->ops.copy = watch_copy;
	w->rig->blocks->ops.erase = watch_erase;
}

static void
world_close(struct world *w)
{
	rig_free(w->rig);
	g_assert_cmpuint(files(w->folder), ==, 0);
	g_rmdir(w->folder);
	g_rmdir(w->local);
	g_assert_cmpint(g_rmdir(w->dir), ==, 0);
	g_free(w->folder);
	g_free(w->local);
	g_free(w->dir);
}

static int
count_temp(void *arg, const char *key, uint64_t length)
{
	*(unsigned *)arg += is_temp(key);
	return 1;
}

static unsigned
temps(struct rig *rig)
{
	unsigned n = 0;

	g_assert_cmpint(dfs_block_list(rig->blocks, "share/", "", count_temp, &n), ==, DFS_OK);
	return n;
}

/* `blocks` whole blocks and half of one. */
static struct dfs_file *
write_file(struct rig *rig, uint8_t id, unsigned blocks)
{
	struct dfs_file *file = rig_file(rig, id, 0, 0);
	uint64_t at = 0;

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + id);
	for (unsigned i = 0; i < 4 * blocks + 2; i++, at += MIB)
		g_assert_cmpint(rig_write(file, at, at, data + at % sizeof data, MIB, true), ==,
				DFS_OK);
	return file;
}

/* What was written is in the store under its own keys. */
static void
assert_stored(struct rig *rig, struct dfs_file *file, uint8_t id, unsigned blocks)
{
	uint64_t length = (4 * blocks + 2) * (uint64_t)MIB;

	dfs_file_free(file);
	file = rig_file(rig, id, length, length);
	for (uint64_t at = 0; at < length; at += MIB) {
		g_assert_cmpint(rig_read(file, length, at, got, MIB), ==, DFS_OK);
		g_assert_cmpint(memcmp(got, data + at % sizeof data, MIB), ==, 0);
	}
	dfs_file_free(file);
	g_assert_cmpuint(rig_objects(rig), ==, blocks + 1);
	g_assert_cmpuint(temps(rig), ==, 0);
}

static void
auto_is_one_put(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(stores); i++) {
		struct world w;
		struct dfs_file *file;

		world_open(&w, stores[i], (struct dfs_flush_options){0});
		file = write_file(w.rig, 1, 2);
		rig_flush_ok(file);
		g_assert_cmpuint(seen.puts, ==, 3);
		g_assert_cmpuint(seen.temp_puts + seen.copies, ==, 0);
		g_assert_false(g_file_test(w.folder, G_FILE_TEST_EXISTS));
		assert_stored(w.rig, file, 1, 2);
		world_close(&w);
	}
}

static void
direct_puts_copies_and_erases(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(stores); i++) {
		struct world w;
		struct dfs_file *file;

		world_open(&w, stores[i],
			   (struct dfs_flush_options){.strategy = DFS_STRATEGY_DIRECT});
		file = write_file(w.rig, 1, 2);
		rig_flush_ok(file);
		g_assert_cmpuint(seen.temp_puts, ==, 3);
		g_assert_cmpuint(seen.copies, ==, 3);
		g_assert_cmpuint(seen.temp_erased, ==, 3);
		g_assert_cmpuint(seen.puts, ==, 0);
		assert_stored(w.rig, file, 1, 2);
		world_close(&w);
	}
}

static void
local_puts_from_a_file(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(stores); i++) {
		struct world w;
		struct dfs_file *file;

		world_open(&w, stores[i],
			   (struct dfs_flush_options){.strategy = DFS_STRATEGY_LOCAL});
		seen.folder = w.folder;
		file = write_file(w.rig, 1, 2);
		rig_flush_ok(file);
		g_assert_cmpuint(seen.puts, ==, 3);
		g_assert_cmpuint(seen.files, >, 0);
		g_assert_cmpuint(seen.temp_puts + seen.copies, ==, 0);
		if (w.rig->blocks->offload)
			g_assert_true(dfs_offload_drain(w.rig->blocks->offload,
							dfs_clock_mono() + 30 * DFS_SECOND));
		g_assert_cmpuint(files(w.folder), ==, 0);
		assert_stored(w.rig, file, 1, 2);
		world_close(&w);
	}
}

static void
hybrid_goes_by_the_size_of_the_flush(void)
{
	struct world w;
	struct dfs_file *file;

	world_open(&w, "remote",
		   (struct dfs_flush_options){.strategy = DFS_STRATEGY_HYBRID,
					      .size_threshold = 4 * MIB});
	file = write_file(w.rig, 1, 0);
	rig_flush_ok(file);
	g_assert_cmpuint(seen.copies, ==, 1);
	g_assert_cmpuint(seen.puts, ==, 0);
	assert_stored(w.rig, file, 1, 0);
	file = write_file(w.rig, 2, 1);
	rig_flush_ok(file);
	g_assert_cmpuint(seen.copies, ==, 1);
	g_assert_cmpuint(seen.puts, ==, 2);
	dfs_file_free(file);
	world_close(&w);
}

/* It cannot at all, or its temporary object is gone. */
static void
a_store_that_does_not_copy_gets_the_object_at_its_key(void)
{
	static const enum dfs_status why[] = {DFS_NOTSUP, DFS_NOENT, DFS_OK};

	for (unsigned i = 0; i < G_N_ELEMENTS(why); i++) {
		struct world w;
		struct dfs_file *file;

		world_open(&w, "remote",
			   (struct dfs_flush_options){.strategy = DFS_STRATEGY_DIRECT});
		seen.copy = why[i];
		if (why[i] == DFS_OK)
			w.rig->blocks->ops.copy = NULL;
		file = write_file(w.rig, 1, 1);
		rig_flush_ok(file);
		g_assert_cmpuint(seen.puts, ==, 2);
		g_assert_cmpuint(seen.temp_puts, ==, why[i] == DFS_OK ? 0 : 2);
		assert_stored(w.rig, file, 1, 1);
		world_close(&w);
	}
}

static void
a_folder_that_cannot_be_written_is_passed_by(void)
{
	struct world w;
	struct dfs_file *file;

	world_open(&w, "remote", (struct dfs_flush_options){.strategy = DFS_STRATEGY_LOCAL});
	g_assert_cmpint(g_rmdir(w.folder), ==, 0);
	file = write_file(w.rig, 1, 1);
	rig_flush_ok(file);
	g_assert_cmpuint(seen.puts, ==, 2);
	assert_stored(w.rig, file, 1, 1);
	world_close(&w);
}

static void
a_failed_copy_leaves_nothing(void)
{
	struct world w;
	struct dfs_file *file;

	world_open(&w, "remote", (struct dfs_flush_options){.strategy = DFS_STRATEGY_DIRECT});
	seen.copy = DFS_CORRUPT;
	file = write_file(w.rig, 1, 1);
	g_assert_cmpint(rig_flush(file), !=, DFS_OK);
	g_assert_cmpuint(rig_objects(w.rig), ==, 0);
	seen.copy = DFS_OK;
	rig_flush_ok(file);
	assert_stored(w.rig, file, 1, 1);
	world_close(&w);
}

/* As an end of the process between the put and the copy, or between the copy and the erase, does. */
static void
temporary_objects_are_gone_after_the_next_start(void)
{
	for (int copied = 0; copied < 2; copied++) {
		struct world w;
		struct dfs_file *file;

		world_open(&w, "remote",
			   (struct dfs_flush_options){.strategy = DFS_STRATEGY_DIRECT});
		seen.keep = true;
		seen.copy = copied ? DFS_OK : DFS_ACCESS;
		file = write_file(w.rig, 1, 1);
		g_assert_cmpint(rig_flush(file), ==, copied ? DFS_OK : DFS_DELAY);
		g_assert_cmpuint(temps(w.rig), >=, 1);
		seen.keep = false;
		dfs_file_discard(file);
		dfs_file_free(file);
		rig_reopen(w.rig, false);
		g_assert_true(drain(w.rig));
		g_assert_cmpuint(temps(w.rig), ==, 0);
		world_close(&w);
	}
}

static void
local_files_are_gone_after_the_next_start(void)
{
	struct world w;
	g_autofree char *ours = NULL, *others = NULL;

	world_open(&w, "remote", (struct dfs_flush_options){.strategy = DFS_STRATEGY_LOCAL});
	ours = g_strdup_printf("%s/%s%016x", w.folder, w.rig->payload->strategy.label, 17);
	others = g_strdup_printf("%s/ffffffffffffffffffffffffffffffff-%016x", w.folder, 17);
	g_assert_true(g_file_set_contents(ours, "x", 1, NULL));
	g_assert_true(g_file_set_contents(others, "x", 1, NULL));
	rig_reopen(w.rig, false);
	g_assert_false(g_file_test(ours, G_FILE_TEST_EXISTS));
	g_assert_true(g_file_test(others, G_FILE_TEST_EXISTS));
	g_assert_cmpint(g_unlink(others), ==, 0);
	world_close(&w);
}

static void
a_share_says_how_many_go_at_once(void)
{
	struct world w;
	struct dfs_file *file;

	world_open(&w, "remote", (struct dfs_flush_options){.upload_concurrency = 1});
	seen.latency = 2000;
	file = write_file(w.rig, 1, 5);
	rig_flush_ok(file);
	g_assert_cmpuint(seen.puts, ==, 6);
	g_assert_cmpuint(seen.most, ==, 1);
	assert_stored(w.rig, file, 1, 5);
	world_close(&w);
}

static void
a_folder_that_cannot_be_made_keeps_the_share_closed(void)
{
	struct world w;
	struct dfs_payload *other;
	struct dfs_payload_options o;

	world_open(&w, "memory", (struct dfs_flush_options){0});
	o = w.rig->options;
	o.flush = (struct dfs_flush_options){.strategy = DFS_STRATEGY_LOCAL,
					     .local_dir = "/nonexistent/deep/flush"};
	other = dfs_payload_new(&o);
	g_assert_cmpint(dfs_payload_start(other), ==, DFS_IO);
	g_assert_cmpint(dfs_payload_free(other, dfs_clock_mono() + 30 * DFS_SECOND), ==, DFS_OK);
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define FACT(name, fn) g_test_add_func("/strategy/" name, fn)
	FACT("auto is one put", auto_is_one_put);
	FACT("direct puts, copies and erases", direct_puts_copies_and_erases);
	FACT("local puts from a file", local_puts_from_a_file);
	FACT("hybrid goes by the size of the flush", hybrid_goes_by_the_size_of_the_flush);
	FACT("a store that does not copy gets the object at its key",
	     a_store_that_does_not_copy_gets_the_object_at_its_key);
	FACT("a folder that cannot be written is passed by",
	     a_folder_that_cannot_be_written_is_passed_by);
	FACT("a failed copy leaves nothing", a_failed_copy_leaves_nothing);
	FACT("temporary objects are gone after the next start",
	     temporary_objects_are_gone_after_the_next_start);
	FACT("local files are gone after the next start",
	     local_files_are_gone_after_the_next_start);
	FACT("a share says how many go at once", a_share_says_how_many_go_at_once);
	FACT("a folder that cannot be made keeps the share closed",
	     a_folder_that_cannot_be_made_keeps_the_share_closed);
	return g_test_run();
}
