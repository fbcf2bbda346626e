/* SPDX-License-Identifier: MIT
 *
 * Checks of what a server that does not run has in its stores.
 */
#ifndef DFS_RUNTIME_CHECK_H
#define DFS_RUNTIME_CHECK_H

#include <stdbool.h>

struct dfs_config;

/* For each share with quotas: count its usage from its records and compare with what its store keeps;
 * one line about each on standard output, what differs in the log.  *sound: nothing does.  Changes
 * nothing.  False: something could not be opened or read, a server uses the state folder for
 * instance; *error (g_free) says what. */
bool dfs_check_quotas(const struct dfs_config *config, bool *sound, char **error);

#endif
