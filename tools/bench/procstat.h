/* SPDX-License-Identifier: MIT
 *
 * What a process has used, from /proc.
 */
#ifndef BENCH_PROCSTAT_H
#define BENCH_PROCSTAT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Seconds of CPU, user and system, that all threads of these processes have used, those that have
 * ended included.  False: one of them is not there; *missing is its number. */
bool procstat_cpu(const GArray *pids, double *seconds, int *missing);

/* Parse the text of /proc/PID/stat; false when it is none. */
bool procstat_parse(const char *text, uint64_t *ticks);

/* Resident bytes of these processes together; 0 when one is not there. */
uint64_t procstat_rss(const GArray *pids);

#endif
