/* SPDX-License-Identifier: MIT
 *
 * One measurement after the other, as the command line names them.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "options.h"

/* The exit status: 0, or 1 when anything went wrong. */
int run_workloads(const struct options *o);

/* conns.c: hold --idle connections; open and close connections as fast as it goes. */
int run_idle(const struct options *o);
int run_connect(const struct options *o);

/* echo.c: the bare echo, until a signal. */
int run_echo(const struct options *o);

/* limits.c: what the machine can do without a network. */
int run_limits(const struct options *o);

#endif
