/* SPDX-License-Identifier: MIT
 *
 * What dfs-inspect prints about plugins, for people and for programs.
 */
#ifndef INSPECT_SHOW_H
#define INSPECT_SHOW_H

#include <stdio.h>

#include "plugin/registry.h"

/* All that a plugin declares. */
void inspect_show_text(const struct dfs_plugin_entry *entry, FILE *out);
/* The same as KEY=VALUE lines; prefix comes in front of each key. */
void inspect_show_keyvalue(const struct dfs_plugin_entry *entry, const char *prefix, FILE *out);

/* One line per plugin of all folders, and a line per broken file. */
void inspect_list_text(struct dfs_registry *registry, FILE *out);
void inspect_list_keyvalue(struct dfs_registry *registry, FILE *out);

/* roff: the OPTIONS section of a plugin, and the sections of dfs.conf(5). */
void inspect_man(const struct dfs_plugin_entry *entry, FILE *out);
void inspect_server_man(FILE *out);

#endif
