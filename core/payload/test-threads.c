/* SPDX-License-Identifier: MIT
 *
 * Many threads on a few files: writers, readers, truncations, flushes and the evictor at once.
 *
 * Each record of RECORD bytes is written whole, with its place and a stamp in each word, so a
 * reader knows a torn, misplaced or resurrected one when it sees it.  One lock a file stands for
 * the inode's.
 */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "payload/test-rig.h"

#define RECORD 8192u
#define RECORDS 1200u
#define FILES 2
#define ROUNDS 400

struct shared {
	struct rig *rig;
	struct dfs_file *file;
	pthread_rwlock_t inode; /* write: writers and truncations; read: readers */
	uint64_t length;        /* guarded by inode */
	uint8_t there[RECORDS]; /* guarded by inode: written since the last cut */
	_Atomic unsigned running;
};

struct job {
	struct shared *s;
	guint32 seed;
};

static void
make_record(uint64_t *words, uint64_t record, uint64_t stamp)
{
	for (unsigned i = 0; i < RECORD / 16; i++) {
		words[2 * i] = record + 1;
		words[2 * i + 1] = stamp;
	}
}

static void
check_record(const uint64_t *words, uint64_t record, bool there)
{
	if (!there) {
		for (unsigned i = 0; i < RECORD / 8; i++)
			g_assert_cmpuint(words[i], ==, 0);
		return;
	}
	for (unsigned i = 0; i < RECORD / 16; i++) {
		g_assert_cmpuint(words[2 * i], ==, record + 1);
		g_assert_cmpuint(words[2 * i + 1], ==, words[1]);
	}
}

static void *
writer(void *arg)
{
	struct job *job = arg;
	struct shared *s = job->s;
	GRand *rand = g_rand_new_with_seed(job->seed);
	uint64_t words[RECORD / 8];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t record = (uint64_t)g_rand_int_range(rand, 0, RECORDS);
		bool cut = g_rand_int_range(rand, 0, 100) == 0;
		enum dfs_status st;

		make_record(words, record, job->seed * 1000000ull + i);
		pthread_rwlock_wrlock(&s->inode);
		if (cut) {
			st = rig_truncate(s->file, s->length, record * RECORD);
			if (st == DFS_OK) {
				s->length = record * RECORD;
				memset(s->there + record, 0, RECORDS - record);
			}
		} else {
			st = rig_write(s->file, s->length, record * RECORD, words, RECORD, i % 2);
			if (st == DFS_OK)
				s->there[record] = 1;
			if (st == DFS_OK && s->length < (record + 1) * RECORD)
				s->length = (record + 1) * RECORD;
		}
		pthread_rwlock_unlock(&s->inode);
		if (st != DFS_DELAY)
			g_assert_cmpint(st, ==, DFS_OK);
	}
	g_rand_free(rand);
	s->running--;
	return NULL;
}

static void *
reader(void *arg)
{
	struct job *job = arg;
	struct shared *s = job->s;
	GRand *rand = g_rand_new_with_seed(job->seed);
	static _Thread_local unsigned char bytes[16 * RECORD];
	uint64_t next = 0;

	while (s->running > 0) {
		/* Some go on where they were, so that blocks are brought in ahead of them. */
		uint64_t record =
			job->seed % 2 ? next : (uint64_t)g_rand_int_range(rand, 0, RECORDS);
		uint64_t length;
		uint32_t n = 0;
		enum dfs_status st = DFS_OK;

		pthread_rwlock_rdlock(&s->inode);
		length = s->length;
		if (record * RECORD < length) {
			uint64_t left = (length - record * RECORD) / RECORD;
			n = left < 16 ? (uint32_t)left : 16;
			st = rig_read(s->file, length, record * RECORD, bytes, n * RECORD);
		}
		for (uint32_t i = 0; i < n && st == DFS_OK; i++)
			check_record((const uint64_t *)(void *)(bytes + i * RECORD), record + i,
				     s->there[record + i]);
		pthread_rwlock_unlock(&s->inode);
		if (st != DFS_DELAY)
			g_assert_cmpint(st, ==, DFS_OK);
		next = n > 0 ? record + n : 0;
	}
	g_rand_free(rand);
	return NULL;
}

static void *
flusher(void *arg)
{
	struct job *job = arg;
	struct shared *s = job->s;

	while (s->running > 0) {
		struct dfs_ctx ctx = rig_ctx();
		enum dfs_status st = dfs_file_flush(&ctx, s->file, DFS_FLUSH_ALL);

		if (st != DFS_DELAY)
			g_assert_cmpint(st, ==, DFS_OK);
	}
	return NULL;
}

static void *
evictor(void *arg)
{
	struct job *job = arg;

	while (job->s->running > 0)
		dfs_cache_reclaim(job->s->rig->cache, 64 * DFS_PAGE_SIZE);
	return NULL;
}

static void
run(const char *block, uint64_t budget)
{
	static void *(*const roles[])(void *) = {writer,  writer,  reader, reader,
						 flusher, flusher, evictor};
	struct rig *rig = rig_new(block, budget, DFS_DURABILITY_POWER);
	struct shared s[FILES];
	struct job jobs[FILES][G_N_ELEMENTS(roles)];
	pthread_t threads[FILES][G_N_ELEMENTS(roles)];
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (unsigned f = 0; f < FILES; f++) {
		memset(&s[f], 0, sizeof s[f]);
		s[f].rig = rig;
		s[f].file = rig_file(rig, (uint8_t)(f + 1), 0, 0);
		s[f].running = 2;
		pthread_rwlock_init(&s[f].inode, &attr);
		for (unsigned r = 0; r < G_N_ELEMENTS(roles); r++) {
			jobs[f][r] = (struct job){&s[f], f * 100 + r + 1};
			pthread_create(&threads[f][r], NULL, roles[r], &jobs[f][r]);
		}
	}
	for (unsigned f = 0; f < FILES; f++)
		for (unsigned r = 0; r < G_N_ELEMENTS(roles); r++)
			pthread_join(threads[f][r], NULL);
	for (unsigned f = 0; f < FILES; f++) {
		struct dfs_ctx ctx = rig_ctx();
		static unsigned char bytes[RECORD];

		g_assert_cmpint(dfs_file_flush(&ctx, s[f].file, DFS_FLUSH_ALL), ==, DFS_OK);
		dfs_cache_reclaim(rig->cache, UINT32_MAX);
		for (uint64_t i = 0; i < s[f].length / RECORD; i++) {
			g_assert_cmpint(rig_read(s[f].file, s[f].length, i * RECORD, bytes, RECORD),
					==, DFS_OK);
			check_record((const uint64_t *)(void *)bytes, i, s[f].there[i]);
		}
		g_assert_cmpint(rig_truncate(s[f].file, s[f].length, 0), ==, DFS_OK);
		g_assert_cmpuint(dfs_file_used(s[f].file), ==, 0);
		dfs_file_free(s[f].file);
		pthread_rwlock_destroy(&s[f].inode);
	}
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_free(rig);
}

static void
memory_is_never_torn(void)
{
	run("memory", 0);
}

static void
filesystem_is_never_torn(void)
{
	run("filesystem", 0);
}

static void
remote_is_never_torn(void)
{
	run("remote", 64u << 20);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/payload/threads/memory-is-never-torn", memory_is_never_torn);
	g_test_add_func("/payload/threads/filesystem-is-never-torn", filesystem_is_never_torn);
	g_test_add_func("/payload/threads/remote-is-never-torn", remote_is_never_torn);
	return g_test_run();
}
