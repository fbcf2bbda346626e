/* SPDX-License-Identifier: MIT
 *
 * dfs-bench: measure an NFSv3 server with raw pipelined RPC.  See dfs-bench(1).
 */
#include <stdio.h>

#include "run.h"
#include "workload.h"

static int
list(void)
{
	for (unsigned i = 0; i < n_workloads; i++)
		printf("%-12s %s\n", workloads[i].name, workloads[i].what);
	printf("%-12s %s\n", "connect", "connections opened and closed, with a NULL on each");
	return 0;
}

static int
run(const struct options *o)
{
	if (o->list)
		return list();
	if (o->serve_echo)
		return run_echo(o);
	if (o->limit)
		return run_limits(o);
	if (o->idle)
		return run_idle(o);
	if (!g_strcmp0(o->workloads[0], "connect"))
		return run_connect(o);
	return run_workloads(o);
}

int
main(int argc, char **argv)
{
	struct options o;

	options_parse(&o, argc, argv);
	int status = run(&o);
	options_free(&o);
	return status;
}
