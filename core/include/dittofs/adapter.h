/* SPDX-License-Identifier: MIT
 *
 * The adapter contract: a protocol towards clients.  UNSTABLE until 1.0: an adapter is built
 * together with the core that loads it (major and minor must match exactly), links with
 * libdittofs and uses the core's fs, runtime and io interfaces, never a store's.
 */
#ifndef DITTOFS_ADAPTER_H
#define DITTOFS_ADAPTER_H

#include <stdbool.h>

#include <dittofs/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_ADAPTER_ABI_MAJOR 0
#define DFS_ADAPTER_ABI_MINOR 2

struct dfs_runtime;

/* Called from the main thread. */
struct dfs_adapter_ops {
	uint32_t size;
	/* Optional.  Checks what the table cannot (combinations).  No side effects; config is
	 * borrowed for the call. */
	enum dfs_status (*validate)(const void *config, struct dfs_diag *diag);
	/* Make an instance; no socket is opened yet.  runtime and host outlive it; config and its
	 * strings are there until start() has returned or destroy() is called. */
	enum dfs_status (*create)(struct dfs_runtime *runtime, const struct dfs_host *host,
				  const void *config, void **inst, struct dfs_diag *diag);
	/* After stop() that answered true, without start(), or after a start() that failed, which no
	 * stop() follows. */
	void (*destroy)(void *inst);
	/* Bind and serve. */
	enum dfs_status (*start)(void *inst, struct dfs_diag *diag);
	/* The shares or their rules have changed: drop what was derived from them.  Optional. */
	void (*reload)(void *inst);
	/* Accept nothing new, answer what runs, close; deadline on the monotonic clock, ns.  False: requests
	 * do not end; then destroy() is not called, and the process ends with the instance in it. */
	bool (*stop)(void *inst, int64_t deadline);

	/* append only */
};

#ifdef __cplusplus
}
#endif
#endif
