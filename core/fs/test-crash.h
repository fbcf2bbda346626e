/* SPDX-License-Identifier: MIT
 *
 * The world of the crash tests: files, what was promised of their bytes, and faults.
 */
#ifndef DFS_FS_TEST_CRASH_H
#define DFS_FS_TEST_CRASH_H

#include "fs/test-share.h"
#include "payload/wal/test-disk.h"

#define CRASH_FILES 4
#define CRASH_LENGTH_MAX (9u << 20)
#define CRASH_PENDING_MAX 256

/* A write since the last stable point, a truncation (len 0: to offset), or a clone whose bytes are in
 * `now`. */
struct pending {
	uint32_t offset, len;
	uint64_t stamp;
	bool cut, clone;
};

struct file {
	struct dfs_ref ref;
	unsigned char *now, *stable; /* CRASH_LENGTH_MAX bytes, zeros beyond the length */
	uint32_t length, stable_length;
	struct pending pending[CRASH_PENDING_MAX];
	unsigned n_pending;
	GString *history; /* what was done to it, to explain a failure */
};

struct world {
	struct fixture f;
	GRand *rand;
	uint64_t seed, stamps;
	struct sim *disk;
	struct file files[CRASH_FILES];
	unsigned char *scratch;
	/* The block store's memory of what is not synced. */
	GMutex mu;
	GPtrArray *puts, *erases; /* keys; guarded by mu */
	bool dead;                /* guarded by mu */
	unsigned cycle;
};

/* The seed is DFS_TEST_SEED or random. */
void world_open(struct world *w);
void world_close(struct world *w);
/* A random operation on a random file. */
void world_step(struct world *w);
/* Lose power, open again, and check each byte. */
void world_crash(struct world *w);
/* How many faults: DFS_TEST_CRASHES or n. */
unsigned world_crashes(unsigned n);

uint32_t crash_random_offset(struct world *w);
/* Wait for what the reply would wait for. */
bool crash_acknowledged(struct dfs_ctx *ctx);
/* All of the file is stable as it is now. */
void crash_settle(struct file *file);
void crash_remember(struct file *file, struct pending p);
void crash_note(struct file *file, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void crash_write(struct world *w, struct file *file, uint32_t offset, uint32_t len, uint64_t stamp,
		 bool stable);
void crash_commit(struct world *w, struct file *file);
void crash_truncate(struct world *w, struct file *file, bool ack);
struct file *crash_any_file(struct world *w);

#endif
