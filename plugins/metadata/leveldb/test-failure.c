/* SPDX-License-Identifier: MIT
 *
 * A failing disk under the LevelDB store: this program's own fdatasync stands in for the system's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dittofs/metadata_store.h>

#include "store.h"

static _Atomic bool failing, reads_failing;
static char sentence[512];

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	static int (*real)(int);

	if (atomic_load(&failing)) {
		errno = EIO;
		return -1;
	}
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	return real(fd);
}

__attribute__((visibility("default"))) ssize_t
pread(int fd, void *buf, size_t len, off_t offset)
{
	static ssize_t (*real)(int, void *, size_t, off_t);

	if (atomic_load(&reads_failing)) {
		errno = EIO;
		return -1;
	}
	if (!real)
		real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread");
	return real(fd, buf, len, offset);
}

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return status;
}

static const struct dfs_host host = {.size = sizeof(host), .log = host_log, .fail = host_fail};

extern const struct dfs_plugin metadata_leveldb_LTX_dfs_plugin;
static const struct dfs_metadata_ops *ops;
static char *top;

static enum dfs_status
try_open(void **inst)
{
	g_autofree char *path = g_build_filename(top, "store", NULL);
	struct leveldb_config cfg = {.path = path,
				     .cache_size = 1 << 20,
				     .write_buffer_size = 1 << 20,
				     .overlay_size = 1 << 20,
				     .bloom_bits = 10,
				     .max_open_files = 100};
	struct dfs_diag diag = {{0}, {0}};

	return ops->create(&host, &cfg, inst, &diag);
}

static void *
open_store(void)
{
	void *inst = NULL;

	g_assert_cmpint(try_open(&inst), ==, DFS_OK);
	return inst;
}

static enum dfs_status
put(void *inst, const char *key, uint64_t *seq)
{
	struct dfs_txn *txn;
	enum dfs_status st = ops->begin(inst, DFS_TXN_WRITE, &txn);

	if (st != DFS_OK)
		return st;
	st = ops->put_state(inst, txn, 1, key, strlen(key), "v", 1);
	g_assert_cmpint(st, ==, DFS_OK);
	return ops->commit(inst, txn, seq);
}

static enum dfs_status
get(void *inst, const char *key)
{
	struct dfs_txn *txn;
	char buf[8];
	uint32_t len = sizeof(buf);
	enum dfs_status st;

	g_assert_cmpint(ops->begin(inst, DFS_TXN_READ, &txn), ==, DFS_OK);
	st = ops->get_state(inst, txn, 1, key, strlen(key), buf, &len);
	ops->abort(inst, txn);
	return st;
}

static void
remove_store(void)
{
	g_autofree char *path = g_build_filename(top, "store", NULL);
	g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		g_remove(sub);
	}
	g_rmdir(path);
}

static void
test_sticky(void)
{
	void *inst = open_store();
	uint64_t seq;

	g_assert_cmpint(put(inst, "before", &seq), ==, DFS_OK);
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_POWER), ==, DFS_OK);
	g_assert_cmpint(put(inst, "during", &seq), ==, DFS_OK);
	atomic_store(&failing, true);
	sentence[0] = 0;
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_POWER), ==, DFS_IO);
	g_assert_cmpstr(sentence, !=, "");
	atomic_store(&failing, false);
	/* The disk is well again, but what the failed sync dropped is not known. */
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_POWER), ==, DFS_IO);
	g_assert_cmpint(put(inst, "after", &seq), ==, DFS_IO);
	g_assert_cmpint(ops->health(inst), ==, DFS_IO);
	g_assert_cmpint(get(inst, "before"), ==, DFS_OK);
	g_assert_cmpint(get(inst, "during"), ==, DFS_OK);
	ops->destroy(inst);
	inst = open_store();
	g_assert_cmpint(get(inst, "before"), ==, DFS_OK);
	g_assert_cmpint(get(inst, "after"), ==, DFS_NOENT);
	g_assert_cmpint(put(inst, "after", &seq), ==, DFS_OK);
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_POWER), ==, DFS_OK);
	ops->destroy(inst);
	remove_store();
}

/* Bytes that were only written for the process must fail a later sync for power. */
static void
test_older_bytes(void)
{
	void *inst = open_store();
	uint64_t seq;

	g_assert_cmpint(put(inst, "one", &seq), ==, DFS_OK);
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_PROCESS), ==, DFS_OK);
	atomic_store(&failing, true);
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_PROCESS), ==, DFS_OK);
	g_assert_cmpint(ops->sync(inst, seq, DFS_SYNC_POWER), ==, DFS_IO);
	atomic_store(&failing, false);
	ops->destroy(inst);
	remove_store();
}

/* Nobody asks for durability: the overlay must not grow without end. */
static void
test_bounded(void)
{
	void *inst = open_store();
	struct store *s = inst;
	uint64_t seq;
	char key[32];

	for (unsigned i = 0; i < 50000; i++) {
		g_snprintf(key, sizeof(key), "key-%u", i);
		g_assert_cmpint(put(inst, key, &seq), ==, DFS_OK);
		g_assert_cmpuint(layers_bytes(&s->layers), <, 2 << 20);
	}
	g_assert_cmpint(get(inst, "key-0"), ==, DFS_OK);
	g_assert_cmpint(get(inst, "key-49999"), ==, DFS_OK);
	ops->destroy(inst);
	remove_store();
}

/* Whoever may not wait is told so when the overlay is full. */
static void
test_full_nonblock(void)
{
	enum dfs_status st = DFS_OK;
	void *inst = open_store();
	struct dfs_txn *txn;
	unsigned n = 0;
	char key[32];

	for (; n < 100000; n++) {
		st = ops->begin(inst, DFS_TXN_WRITE | DFS_NONBLOCK, &txn);
		if (st != DFS_OK)
			break;
		g_snprintf(key, sizeof(key), "key-%u", n);
		g_assert_cmpint(ops->put_state(inst, txn, 1, key, strlen(key), "v", 1), ==, DFS_OK);
		g_assert_cmpint(ops->commit(inst, txn, NULL), ==, DFS_OK);
	}
	g_assert_cmpint(st, ==, DFS_AGAIN);
	g_assert_cmpuint(n, >, 1000);
	g_assert_cmpint(ops->begin(inst, DFS_TXN_WRITE, &txn), ==, DFS_OK);
	ops->abort(inst, txn);
	g_assert_cmpint(ops->begin(inst, DFS_TXN_WRITE | DFS_NONBLOCK, &txn), ==, DFS_OK);
	ops->abort(inst, txn);
	ops->destroy(inst);
	remove_store();
}

#define BATCHES 40

/* A process syncs so many batches, does more (or NULL) and dies; answers its log's content. */
static char *
log_of_the_dead(void (*more)(struct store *s), char **path, gsize *len)
{
	g_autofree char *folder = g_build_filename(top, "store", NULL);
	int status;
	pid_t pid;
	char *text;

	ops->destroy(open_store());
	pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		struct store *s = open_store();
		uint64_t seq;
		char key[32];

		for (unsigned i = 0; i < BATCHES; i++) {
			g_snprintf(key, sizeof(key), "key-%u", i);
			if (put(s, key, &seq) != DFS_OK ||
			    ops->sync(s, seq, DFS_SYNC_POWER) != DFS_OK)
				_exit(1);
		}
		if (more)
			more(s);
		_exit(s->buffer.log < 100 ? 100 + (int)s->buffer.log : 2);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(WEXITSTATUS(status), >, 100);
	*path = g_strdup_printf("%s/%06d.log", folder, WEXITSTATUS(status) - 100);
	g_assert_true(g_file_get_contents(*path, &text, len, NULL));
	return text;
}

/* Behind the last byte that is not zero. */
static gsize
used(const char *text, gsize len)
{
	while (len > 0 && text[len - 1] == 0)
		len--;
	return len;
}

static void
assert_all_there(void)
{
	void *inst = open_store();
	char key[32];

	for (unsigned i = 0; i < BATCHES; i++) {
		g_snprintf(key, sizeof(key), "key-%u", i);
		g_assert_cmpint(get(inst, key), ==, DFS_OK);
	}
	ops->destroy(inst);
}

/* A loss of power during the next batch: some of it is there, behind all others. */
static void
test_torn_batch(void)
{
	g_autofree char *path = NULL;
	gsize len, end;
	g_autofree char *text = log_of_the_dead(NULL, &path, &len);

	end = used(text, len);
	g_assert_cmpuint(len - end, >, 4096); /* it was lengthened */
	memcpy(text + end, text, 20);         /* a head, and not all that it announces */
	g_assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
	assert_all_there();
	remove_store();
}

/* Somebody who names files has made a batch of a name. */
static void
test_record_in_a_value(void)
{
	g_autofree char *path = NULL;
	gsize len, end, record;
	g_autofree char *text = log_of_the_dead(NULL, &path, &len);

	end = used(text, len);
	record = 7 + (unsigned char)text[4] + ((gsize)(unsigned char)text[5] << 8);
	memcpy(text + end, text, 7);
	text[end + 5] = 1; /* longer */
	memcpy(text + end + 50, text, record);
	g_assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
	assert_all_there();
	remove_store();
}

#define LARGE 24 /* values of the large batch */

static void
large_batch(struct store *s)
{
	g_autofree char *value = g_malloc(DFS_STATE_VALUE_MAX);
	/* a whole record of nothing: its CRC, length 0, FULL */
	static const unsigned char record[] = {0x05, 0x2b, 0x28, 0x43, 0, 0, 1};
	struct dfs_txn *txn;
	uint64_t seq;
	char key[32];

	for (unsigned i = 0; i < DFS_STATE_VALUE_MAX; i++)
		value[i] = (char)record[i % sizeof(record)];
	if (ops->begin(s, DFS_TXN_WRITE, &txn) != DFS_OK)
		_exit(3);
	for (unsigned i = 0; i < LARGE; i++) {
		g_snprintf(key, sizeof(key), "large-%u", i);
		if (ops->put_state(s, txn, 1, key, strlen(key), value, 7777 * (1 + i % 8)) !=
		    DFS_OK)
			_exit(4);
	}
	if (ops->commit(s, txn, &seq) != DFS_OK || ops->sync(s, seq, DFS_SYNC_POWER) != DFS_OK)
		_exit(5);
}

/* Of a batch that goes over many blocks any pages may be lost. */
static void
test_torn_large_batch(void)
{
	g_autofree char *path = NULL, *small = NULL;
	g_autofree char *text = NULL;
	gsize len, len_small, end;

	small = log_of_the_dead(NULL, &path, &len_small);
	end = used(small, len_small);
	g_clear_pointer(&path, g_free);
	for (unsigned round = 0; round < 30; round++) {
		remove_store();
		g_clear_pointer(&path, g_free);
		g_clear_pointer(&text, g_free);
		text = log_of_the_dead(large_batch, &path, &len);
		g_assert_cmpuint(used(text, len), >, 20 * 32768);
		for (gsize at = end; at < len; at = (at | 4095) + 1)
			if (round < 20 ? g_test_rand_int() & 1 : round - 20 == at / 4096)
				memset(text + at, 0, MIN((at | 4095) + 1, len) - at);
		if (round == 29) /* none of it lost but the end */
			memset(text + len - 5000, 0, 5000);
		g_assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
		assert_all_there();
	}
	remove_store();
}

/* Not taken for damage, and not the end of the process. */
static void
test_unreadable_log(void)
{
	g_autofree char *path = NULL;
	gsize len;
	g_autofree char *text = log_of_the_dead(NULL, &path, &len);
	void *inst;

	atomic_store(&reads_failing, true);
	g_assert_cmpint(try_open(&inst), ==, DFS_IO);
	atomic_store(&reads_failing, false);
	assert_all_there();
	remove_store();
}

static void
read_nothing_once(struct store *s)
{
	enum dfs_status st;
	uint64_t seq;

	if (put(s, "unread", &seq) != DFS_OK)
		_exit(3);
	atomic_store(&reads_failing, true);
	st = ops->sync(s, seq, DFS_SYNC_POWER);
	atomic_store(&reads_failing, false);
	if (put(s, "later", &seq) == DFS_OK)
		ops->sync(s, seq, DFS_SYNC_PROCESS);
	if (st != DFS_OK)
		_exit(99);
}

/* Where the log ends could not be seen: nothing behind it is cut off and told to be durable. */
static void
test_unreadable_end(void)
{
	int status;
	pid_t pid = fork();
	void *inst;

	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		struct store *s = open_store();
		uint64_t seq;

		for (unsigned i = 0; i < BATCHES; i++)
			if (put(s, "key", &seq) != DFS_OK ||
			    ops->sync(s, seq, DFS_SYNC_POWER) != DFS_OK)
				_exit(1);
		read_nothing_once(s);
		_exit(0);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status));
	inst = open_store();
	if (WEXITSTATUS(status) != 99)
		g_assert_cmpint(get(inst, "unread"), ==, DFS_OK);
	ops->destroy(inst);
	remove_store();
}

/* No loss of power does this: a batch behind it is whole. */
static void
test_damaged_batch(void)
{
	g_autofree char *path = NULL, *after = NULL;
	gsize len, len_after;
	g_autofree char *text = log_of_the_dead(NULL, &path, &len);
	void *inst;

	/* The middle of the log, and lengths that go over all that follows. */
	for (gsize at = used(text, len) / 2; at; at = at > 5 ? 5 : 0) {
		g_clear_pointer(&after, g_free);
		text[at] ^= 8;
		g_assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
		g_assert_cmpint(try_open(&inst), ==, DFS_CORRUPT);
		g_assert_true(g_file_get_contents(path, &after, &len_after, NULL));
		g_assert_cmpmem(text, len, after, len_after);
		text[at] ^= 8;
	}
	remove_store();
}

static void
test_orderly_end(void)
{
	g_autofree char *path = NULL, *text = NULL;
	struct store *s = open_store();
	uint64_t seq;
	gsize len;

	for (unsigned i = 0; i < BATCHES; i++) {
		g_assert_cmpint(put(s, "key", &seq), ==, DFS_OK);
		g_assert_cmpint(ops->sync(s, seq, DFS_SYNC_POWER), ==, DFS_OK);
	}
	path = g_strdup_printf("%s/store/%06u.log", top, (unsigned)s->buffer.log);
	ops->destroy(s);
	g_assert_true(g_file_get_contents(path, &text, &len, NULL));
	g_assert_cmpuint(used(text, len), ==, len);
	remove_store();
}

int
main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	ops = metadata_leveldb_LTX_dfs_plugin.ops;
	top = g_dir_make_tmp("dfs-leveldb-XXXXXX", NULL);
	g_assert_nonnull(top);
	g_test_add_func("/leveldb/a failed sync stops writes until the store is opened anew",
			test_sticky);
	g_test_add_func("/leveldb/a sync for power covers what was written before",
			test_older_bytes);
	g_test_add_func("/leveldb/the overlay is bounded when nobody syncs", test_bounded);
	g_test_add_func("/leveldb/a full overlay answers AGAIN with nonblock", test_full_nonblock);
	g_test_add_func("/leveldb/what a loss of power leaves of a batch is cut off",
			test_torn_batch);
	g_test_add_func("/leveldb/a record in a value is no batch", test_record_in_a_value);
	g_test_add_func("/leveldb/a torn batch of many blocks is cut off", test_torn_large_batch);
	g_test_add_func("/leveldb/a log that cannot be read is told", test_unreadable_log);
	g_test_add_func("/leveldb/an end that cannot be read loses nothing", test_unreadable_end);
	g_test_add_func("/leveldb/damage in front of a whole batch is told and left alone",
			test_damaged_batch);
	g_test_add_func("/leveldb/an orderly end leaves no zeros in the log", test_orderly_end);
	status = g_test_run();
	g_rmdir(top);
	g_free(top);
	return status;
}
