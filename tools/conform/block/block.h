/* SPDX-License-Identifier: MIT
 *
 * What the tests of dfs-conform-block share: an open store, objects with contents that tell where
 * they belong, and sinks that check how they are filled.
 *
 * Keys of a test begin with a prefix of its own, which is erased at the end: a store whose
 * instances share one place (a bucket) is tested like one that begins empty.
 */
#ifndef CONFORM_BLOCK_H
#define CONFORM_BLOCK_H

#include <glib.h>
#include <string.h>

#include "tools/conform/load.h"

#define MIB (1024u * 1024u)

struct box {
	struct conform *c;
	const struct dfs_block_ops *ops;
	void *inst;
	char *dir;
	char prefix[48]; /* of this test's keys, ends in '/' */
};

/* A store in a new folder; false: not opened, the test has failed. */
bool box_open(struct conform *c, struct box *b);
/* Close and open again in the same folder. */
bool box_reopen(struct box *b);
/* Erases the test's keys and closes. */
void box_close(struct box *b);

bool is_volatile(const struct conform *c);
/* Instances in two folders share nothing. */
bool is_isolated(const struct conform *c);
bool may_run_parallel(const struct conform *c);

/* The prefix with a printf of the rest behind it; g_free. */
char *key_of(const struct box *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Contents number id. */
void fill_bytes(void *to, uint64_t len, uint64_t id);
/* Whether data is bytes [offset, offset+len) of contents id. */
bool same_bytes(const void *data, uint64_t offset, uint64_t len, uint64_t id);

/* Put len bytes of contents id in one span without a buffer. */
enum dfs_status put_bytes(struct box *b, const char *key, uint64_t id, uint64_t len);

/* A sink that keeps what it gets and counts what is wrong. */
struct catch
{
	unsigned char *data;
	uint64_t cap, got;
	uint64_t lend;  /* lend this much with each space(), 0: all that is left */
	bool take_bufs; /* accept give() */
	bool no_room;   /* space() answers NULL */
	unsigned given, lent, beyond;
	struct dfs_sink sink;
};
void catch_init(struct catch *k, uint64_t cap);
void catch_clear(struct catch *k);
/* get() into a new catch of exactly length bytes. */
enum dfs_status get_bytes(struct box *b, const char *key, uint64_t offset, uint64_t length,
			  struct catch *k);
/* The object holds exactly len bytes of contents id: fails the test if not. */
void expect_object(struct box *b, const char *key, uint64_t id, uint64_t len);
void expect_absent(struct box *b, const char *key);

/* Keys under a prefix after a key, at most max (0: all), in the order listed; g_ptr_array_unref. */
GPtrArray *list_keys(struct box *b, const char *prefix, const char *after, unsigned max);

extern const struct conform_test life_tests[], object_tests[], copy_tests[], range_tests[],
	key_tests[], list_tests[], parallel_tests[], crash_tests[], limit_tests[], leak_tests[];
extern const struct conform_role crash_roles[];

#endif
