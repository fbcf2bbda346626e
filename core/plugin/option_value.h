/* SPDX-License-Identifier: MIT
 *
 * One value of an option table: from text into its field, and back.  Inside core/plugin; others
 * use options.h.
 */
#ifndef DFS_PLUGIN_OPTION_VALUE_H
#define DFS_PLUGIN_OPTION_VALUE_H

#include <stdbool.h>

#include <glib.h>

#include <dittofs/config.h>

/* Bytes of the field of a type, which are its alignment too; 0: no such type. */
size_t dfs_option_field_size(uint32_t type);

/* Parse text into field.  What the field points to is added to owned.  False: *error says what is
 * wrong and what is allowed, without the key and never with a secret's text.  base_dir is what a
 * relative path is taken from; NULL refuses it, "" leaves it as it is. */
bool dfs_option_parse(const struct dfs_config_item *item, const char *text, const char *base_dir,
		      GPtrArray *owned, void *field, char **error);
bool dfs_option_parse_list(const struct dfs_config_item *item, const char *const *list,
			   GPtrArray *owned, void *field, char **error);

/* The field as text that dfs_option_parse takes (but "(secret)", and "[a, b]" for a list); ""
 * when unset. */
char *dfs_option_format(const struct dfs_config_item *item, const void *field);
bool dfs_option_equal(const struct dfs_config_item *item, const void *a, const void *b);

/* What is allowed: "an integer from 1 to 65535". */
char *dfs_option_allowed(const struct dfs_config_item *item);

#endif
