/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "procstat.h"

static char *
read_proc(pid_t pid, const char *file)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, file);
	char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

bool
procstat_parse(const char *text, uint64_t *ticks)
{
	unsigned long long user, system;
	/* The name in parentheses may hold anything, parentheses too. */
	const char *p = strrchr(text, ')');

	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			 &system) != 2)
		return false;
	*ticks = user + system;
	return true;
}

bool
procstat_cpu(const GArray *pids, double *seconds, int *missing)
{
	uint64_t sum = 0, ticks;

	for (unsigned i = 0; i < pids->len; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);
		g_autofree char *text = read_proc(pid, "stat");
		if (!text || !procstat_parse(text, &ticks)) {
			*missing = (int)pid;
			return false;
		}
		sum += ticks;
	}
	*seconds = (double)sum / (double)sysconf(_SC_CLK_TCK);
	return true;
}

uint64_t
procstat_rss(const GArray *pids)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < pids->len; i++) {
		unsigned long long resident;
		g_autofree char *text = read_proc(g_array_index(pids, pid_t, i), "statm");
		if (!text || sscanf(text, "%*u %llu", &resident) != 1)
			return 0;
		pages += resident;
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
