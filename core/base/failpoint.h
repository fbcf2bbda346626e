/* SPDX-License-Identifier: MIT
 *
 * Fail points: places at which a test lets the server die, as by kill -9.
 *
 * Only builds configured with --enable-failpoints (the default where warnings are errors) have them.
 * There DFS_CRASH=NAME[:N] in the environment kills the process at the N-th passing, 1 by default,
 * of the point NAME.  tests/crash/points.py has a row for each.
 */
#ifndef DFS_BASE_FAILPOINT_H
#define DFS_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef DFS_FAILPOINTS
/* Count a passing; whether it is the one to die at. */
bool dfs_failpoint_due(const char *name);
_Noreturn void dfs_failpoint_die(void);
#define DFS_FAILPOINT_DUE(name) dfs_failpoint_due(name)
#define DFS_FAILPOINT_DIE() dfs_failpoint_die()
#else
#define DFS_FAILPOINT_DUE(name) false
#define DFS_FAILPOINT_DIE() ((void)0)
#endif

#define DFS_FAILPOINT(name)                                                                        \
	do {                                                                                       \
		if (DFS_FAILPOINT_DUE(name))                                                       \
			DFS_FAILPOINT_DIE();                                                       \
	} while (0)

#endif
