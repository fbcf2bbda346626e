/* SPDX-License-Identifier: MIT
 *
 * A measurement's result as one line of text or one line of JSON.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"

struct result {
	const char *workload;
	unsigned flags; /* of the workload */
	int connections, depth, threads;
	double seconds;
	struct tally tally;
	struct hist hist, commit_hist;
	bool have_server_cpu;
	double server_cpu, client_cpu; /* seconds */
	const char *error;             /* the first, or NULL */
};

void report_print(const struct result *r, const struct options *o);

#endif
