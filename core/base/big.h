/* SPDX-License-Identifier: MIT
 *
 * Large tables: mapped at once, backed as they are touched, on huge pages where the system has
 * them (a table that is accessed at random would otherwise miss the TLB with every access).
 */
#ifndef DFS_BASE_BIG_H
#define DFS_BASE_BIG_H

#include <stddef.h>

/* Zeroed and aligned to 2 MiB; NULL: no address space. */
void *dfs_big_alloc(size_t size);
/* size as it was allocated; NULL is allowed. */
void dfs_big_free(void *p, size_t size);

#endif
