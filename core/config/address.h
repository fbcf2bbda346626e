/* SPDX-License-Identifier: MIT
 *
 * Address ranges of client rules.
 */
#ifndef DFS_CONFIG_ADDRESS_H
#define DFS_CONFIG_ADDRESS_H

#include <stdbool.h>

#include "config/rules.h"

/* "10.0.0.0/8", "::1", "*" into rule->addr and rule->prefix_len.  False: *error (g_free) says what
 * is wrong and what is allowed. */
bool dfs_address_parse(const char *text, struct dfs_client_rule *rule, char **error);

/* addr, as struct dfs_client_rule has it, is one of the rule's. */
bool dfs_address_in(const struct dfs_client_rule *rule, const uint8_t addr[16]);
/* Every address of b is one of a. */
bool dfs_address_covers(const struct dfs_client_rule *a, const struct dfs_client_rule *b);

#endif
