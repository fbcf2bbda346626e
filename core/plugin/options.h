/* SPDX-License-Identifier: MIT
 *
 * Typed configuration tables (dittofs/config.h) put to use: defaults, checks, filling a struct,
 * suggestions, help and man page text.
 *
 * Values come in as text, whatever they were written in: so libconfig files and `--set key=value`
 * share one set of rules and messages.
 */
#ifndef DFS_PLUGIN_OPTIONS_H
#define DFS_PLUGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <dittofs/config.h>

/* A filled struct and the strings it points to. */
struct dfs_options {
	const struct dfs_config_item *table;
	void *values; /* config_size bytes, filled with defaults */
	uint64_t size;
	uint32_t set[8];      /* bit i: row i was given */
	void *strings;        /* owned allocations */
	const char *base_dir; /* for relative PATH values, borrowed */
};

/* Defaults in place.  A table that is itself wrong is a bug of the plugin: the registry checks
 * it with dfs_options_check_table first. */
void dfs_options_init(struct dfs_options *o, const struct dfs_config_item *table, uint64_t size,
		      const char *base_dir);
void dfs_options_clear(struct dfs_options *o);

/* Set one key from text.  False: *error (g_free) says what is wrong, what is allowed, and the
 * nearest key for an unknown one. */
bool dfs_options_set(struct dfs_options *o, const char *key, const char *text, char **error);
/* Lists: all items at once. */
bool dfs_options_set_list(struct dfs_options *o, const char *key, const char *const *items,
			  char **error);
/* The next row behind `after` (NULL: from the first on) whose values differ and that is not
 * RELOADABLE, NULL: none.  Both of one table. */
const struct dfs_config_item *dfs_options_differ(const struct dfs_options *a,
						 const struct dfs_options *b,
						 const struct dfs_config_item *after);
/* REQUIRED keys are there. */
bool dfs_options_finish(struct dfs_options *o, char **error);

/* Keys unique and well-formed, offsets and types inside size, defaults inside ranges. */
bool dfs_options_check_table(const struct dfs_config_item *table, uint64_t size, char **error);

const struct dfs_config_item *dfs_options_find(const struct dfs_config_item *table,
					       const char *key);

/* "size", "duration", ... */
const char *dfs_options_type_name(uint32_t type);
/* A value of the struct as text (g_free); secrets as "(secret)". */
char *dfs_options_text(const struct dfs_options *o, const struct dfs_config_item *item);
/* roff of the OPTIONS section, one .TP per key. */
void dfs_options_man(const struct dfs_config_item *table, FILE *out);

#endif
