/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "config/rules.h"

#define NOBODY 65534u

struct dfs_share_rules *
dfs_share_rules_new(const struct dfs_client_rule *rows, uint32_t n)
{
	struct dfs_share_rules *rules = calloc(1, sizeof *rules + n * sizeof *rows);

	if (!rules)
		abort();
	rules->n = n;
	if (n)
		memcpy(rules->rules, rows, n * sizeof *rows);
	return rules;
}

struct dfs_quota_rules *
dfs_quota_rules_copy(const struct dfs_quota_rules *rules)
{
	struct dfs_quota_rules *copy;
	size_t size;

	if (!rules)
		return NULL;
	size = sizeof *rules + ((size_t)rules->n_users + rules->n_groups) * sizeof *rules->rules;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, rules, size);
	return copy;
}

struct dfs_share_rules *
dfs_share_rules_default(void)
{
	static const struct dfs_client_rule rows[] = {
		{.addr = {[10] = 0xff, [11] = 0xff, [12] = 127},
		 .prefix_len = 104,
		 .squash = DFS_SQUASH_ROOT,
		 .anon_uid = NOBODY,
		 .anon_gid = NOBODY},
		{.addr = {[15] = 1},
		 .prefix_len = 128,
		 .squash = DFS_SQUASH_ROOT,
		 .anon_uid = NOBODY,
		 .anon_gid = NOBODY},
	};

	return dfs_share_rules_new(rows, sizeof rows / sizeof *rows);
}
