/* SPDX-License-Identifier: MIT
 *
 * What the parts of the configuration reader share: the parsed text, the place of a mistake, and
 * filling a table from a group.  Inside core/config.
 */
#ifndef DFS_CONFIG_READER_H
#define DFS_CONFIG_READER_H

#include <libconfig.h>

#include "config/config.h"
#include "config/source.h"

struct dfs_config_reader {
	struct dfs_registry *registry;
	struct dfs_config *config; /* being filled */
	struct dfs_source source;
	config_t tree;
	GPtrArray *warnings;
	char **error;
};

/* "dfs.conf:12" (g_free). */
char *dfs_reader_where(const struct dfs_config_reader *r, const config_setting_t *at);
/* "FILE:LINE: text" into *r->error; answers false. */
bool dfs_reader_refuse(const struct dfs_config_reader *r, const config_setting_t *at,
		       const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void dfs_reader_warn(const struct dfs_config_reader *r, const config_setting_t *at, const char *fmt,
		     ...) __attribute__((format(printf, 3, 4)));

/* `at`, which is called path in messages, is a group. */
bool dfs_reader_group(const struct dfs_config_reader *r, const config_setting_t *at,
		      const char *path);
/* The name of a store, share or adapter is well formed; copied to name. */
bool dfs_reader_name(const struct dfs_config_reader *r, const config_setting_t *at,
		     const char *path, char name[DFS_CONFIG_NAME_MAX + 1]);
/* "a string", "a group { }", ... */
const char *dfs_reader_shape(const config_setting_t *at);

/* Fill o, which is initialised, from the members of a group; extra: NULL-terminated keys that the
 * caller reads itself.  Required keys are checked. */
bool dfs_reader_fill(const struct dfs_config_reader *r, const config_setting_t *group,
		     const char *path, struct dfs_options *o, const char *const *extra);

/* load.c calls these in this order. */
bool dfs_reader_stores(struct dfs_config_reader *r);
bool dfs_reader_shares(struct dfs_config_reader *r);
bool dfs_reader_adapters(struct dfs_config_reader *r);

/* Rules of a share's `clients` (NULL: the default). */
struct dfs_share_rules *dfs_reader_rules(const struct dfs_config_reader *r,
					 const config_setting_t *clients, const char *path);
/* A share's `quotas` (NULL: none); share: its path in messages. */
bool dfs_reader_quotas(const struct dfs_config_reader *r, const config_setting_t *group,
		       const char *share, struct dfs_quota_rules **quotas);

#endif
