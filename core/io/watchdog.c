/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "io/watchdog.h"

void
dfs_watchdog_measure(struct dfs_watchdog_call *call)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	call->sleeps = ru.ru_nvcsw;
	call->cpu = (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * DFS_SECOND +
		    (int64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
}

bool
dfs_watchdog_late(struct dfs_watchdog *dog, const struct dfs_watchdog_call *call, int64_t now)
{
	struct dfs_watchdog_call end;

	if (!call->exact) {
		atomic_store(&dog->strikes, 0);
		atomic_store(&dog->suspect_until, now + DFS_SECOND);
		return false;
	}
	dfs_watchdog_measure(&end);
	if (end.cpu - call->cpu <= DFS_WATCHDOG_HOLD && end.sleeps == call->sleeps)
		return false; /* preempted */
	return atomic_fetch_add(&dog->strikes, 1) + 1 == DFS_WATCHDOG_STRIKES;
}
