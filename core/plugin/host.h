/* SPDX-License-Identifier: MIT
 *
 * The host table (dittofs/host.h) that the core hands to a plugin's create().
 */
#ifndef DFS_PLUGIN_HOST_H
#define DFS_PLUGIN_HOST_H

#include <dittofs/host.h>

/* The table for one instance: its log lines and failure sentences begin with "plugin/instance: "
 * and its counters are named plugin_instance_NAME.  plugin is the kind's name, "block".  Any
 * thread.  The table lives as long as the process; the same names give the same table. */
const struct dfs_host *dfs_host_get(const char *plugin, const char *instance);

#endif
