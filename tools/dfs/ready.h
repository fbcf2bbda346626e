/* SPDX-License-Identifier: MIT
 *
 * Telling others that the server is ready: a file for scripts, and the service manager's
 * notification socket (sd_notify(3): one datagram to $NOTIFY_SOCKET).
 */
#ifndef DFS_TOOLS_READY_H
#define DFS_TOOLS_READY_H

#include <stdbool.h>

/* Send one state ("READY=1") to the service manager; nothing when there is none. */
void dfs_ready_notify(const char *state);

/* READY=1, and the file (NULL: none) with the process id in it, appearing whole.  False: *error
 * (g_free) says why the file could not be made. */
bool dfs_ready_announce(const char *file, char **error);

#endif
