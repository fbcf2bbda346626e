/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"

#ifdef DFS_FAILPOINTS
/* Written before main; NULL: none. */
static char *target;
static _Atomic long left;

static void __attribute__((constructor)) read_environment(void)
{
	const char *text = getenv("DFS_CRASH");
	char *colon;

	if (!text || !*text || !(target = strdup(text)))
		return;
	colon = strchr(target, ':');
	if (colon)
		*colon = '\0';
	atomic_init(&left, colon ? strtol(colon + 1, NULL, 10) : 1);
}

bool
dfs_failpoint_due(const char *name)
{
	return target && strcmp(name, target) == 0 && atomic_fetch_sub(&left, 1) == 1;
}

_Noreturn void
dfs_failpoint_die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
#endif
