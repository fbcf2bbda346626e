/* SPDX-License-Identifier: MIT
 *
 * What the tests and benchmarks of the S3 store share: a faultd of their own, an open store, contents
 * that tell where they belong, and a host table that remembers.
 */
#ifndef S3_FIXTURE_H
#define S3_FIXTURE_H

#include <glib.h>

#include "plugins/block/s3/store.h"

struct fix {
	GPid server;
	int port;
	char *folder, *endpoint;
	struct s3_config config; /* of the next fix_open; begins as that of faultd */
	const struct dfs_block_ops *ops;
	void *inst;
	struct dfs_diag diag;
};

extern const struct dfs_plugin block_s3_LTX_dfs_plugin;

/* For a faultd, or a server like it. */
struct s3_config fix_config(const char *endpoint);
void fix_setup(struct fix *f, gconstpointer tls);
void fix_teardown(struct fix *f, gconstpointer tls);
void fix_open(struct fix *f);
void fix_close(struct fix *f);
/* With this value the configuration is refused, and the key is named; then the old one again. */
void fix_refused(struct fix *f, const char *key, const char **field, const char *value);

/* Commands for faultd. */
void fix_fault(struct fix *f, const char *commands);
/* The number behind a word of its figures. */
uint64_t fix_figure(struct fix *f, const char *word);

/* length bytes of contents id; g_free. */
unsigned char *fix_bytes(uint64_t id, uint64_t length);
enum dfs_status fix_put(struct fix *f, const char *key, uint64_t id, uint64_t length);
/* Reads, and fails the test when they are not the bytes of contents id. */
enum dfs_status fix_get(struct fix *f, const char *key, uint64_t id, uint64_t offset,
			uint64_t length);

/* The sink of a get: its fn, and what that is called with. */
struct fix_landing {
	unsigned char *data;
	uint64_t got, length;
};
void *fix_space(void *landing, uint64_t *len);

extern const struct dfs_host fix_host;
/* This thread's last sentence. */
const char *fix_text(void);
int64_t fix_counter(const char *name);

#define OK(x) g_assert_cmpint((x), ==, DFS_OK)

#endif
