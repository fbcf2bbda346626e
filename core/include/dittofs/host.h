/* SPDX-License-Identifier: MIT
 *
 * The host table: all that a plugin may call back.
 *
 * It is handed to create(), so a store plugin has no undefined symbol of ours.  The table is
 * size-prefixed and append-only; a plugin built for a newer host states min_host_minor and is
 * refused by an older one.  The table and its context outlive the instance.  Every function
 * may be called from any thread.
 */
#ifndef DITTOFS_HOST_H
#define DITTOFS_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <dittofs/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_HOST_MINOR 0

enum dfs_log_level { DFS_LOG_ERROR = 0, DFS_LOG_WARN = 1, DFS_LOG_INFO = 2, DFS_LOG_DEBUG = 3 };

/* A reference-counted run of bytes.  The bytes are immutable as soon as more than one holder
 * knows them.  data and len may be read by everybody; the rest is the host's. */
struct dfs_buf {
	unsigned char *data;
	uint32_t len; /* capacity in bytes */
};

struct dfs_host {
	uint32_t size; /* sizeof (struct dfs_host) of the host */
	uint32_t minor;
	void *ctx; /* pass as first argument to all of these */

	/* Write one line to the server's log.  No newline at the end; secrets never. */
	void (*log)(void *ctx, enum dfs_log_level level, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

	/* Record the sentence that explains a failure of the call that runs on this thread, and
	 * return status, so that a plugin writes: return host->fail(host->ctx, DFS_IO, ...). */
	enum dfs_status (*fail)(void *ctx, enum dfs_status status, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));

	/* A new buffer with one reference, 1 to 4 MiB; NULL when the memory budget is used up. */
	struct dfs_buf *(*buf_alloc)(void *ctx, uint32_t len);
	/* One reference more, or less; the last frees. */
	void (*buf_ref)(void *ctx, struct dfs_buf *buf);
	void (*buf_unref)(void *ctx, struct dfs_buf *buf);

	/* Add to a named counter, created at first use; name: [a-z][a-z0-9_]{0,62}, a literal. */
	void (*count)(void *ctx, const char *name, int64_t delta);
};

#ifdef __cplusplus
}
#endif
#endif
