/* SPDX-License-Identifier: MIT
 *
 * The state folder: one server at a time, and the server's secret.
 */
#ifndef DFS_RUNTIME_STATE_H
#define DFS_RUNTIME_STATE_H

#include <stdbool.h>

#include "base/hash.h"
#include "metadata/lease.h"

struct dfs_state {
	int lock_fd;                /* -1: not held */
	struct dfs_hash_key secret; /* handle keys derive from it; kept in the folder, mode 0600 */
	struct dfs_server_identity self; /* from the secret, which it does not tell */
};

/* Create the folder (mode 0700) if needed, lock it, read or make the secret.  False: *error
 * (g_free), and nothing is held. */
bool dfs_state_open(struct dfs_state *state, const char *dir, char **error);
/* Whether the log that a server with this state folder wrote last is there: in `path`, which is where it
 * is expected now.  A log that is gone must not be taken for a new one.  False: *error (g_free). */
bool dfs_state_log_check(const char *dir, const char *path, char **error);
/* From now on it is in path.  False: *error (g_free). */
bool dfs_state_log_note(const char *dir, const char *path, char **error);
void dfs_state_close(struct dfs_state *state);

#endif
