/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "io/watchdog.h"

void
dfs_watch_measure(struct dfs_watch *watch)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	watch->sleeps = ru.ru_nvcsw;
	watch->cpu = (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * DFS_SECOND +
	             (int64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
}

bool
dfs_watch_late(struct dfs_watchdog *dog, struct dfs_watch *watch, int64_t now)
{
	struct dfs_watch end;

	if (!watch->exact) {
		atomic_store(&dog->strikes, 0);
		atomic_store(&dog->suspect_until, now + DFS_SECOND);
		return false;
	}
	dfs_watch_measure(&end);
	if (end.cpu - watch->cpu <= DFS_WATCH_HOLD && end.sleeps == watch->sleeps)
		return false; /* preempted */
	return atomic_fetch_add(&dog->strikes, 1) + 1 == DFS_WATCH_STRIKES;
}
