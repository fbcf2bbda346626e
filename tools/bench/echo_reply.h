/* SPDX-License-Identifier: MIT
 *
 * The replies of the bare echo: canned, and patched with the xid and the few numbers that the
 * checks of dfs-bench look at.  Handles carry everything (kind and number, taken from the name
 * they were asked for), so the echo remembers nothing.
 */
#ifndef BENCH_ECHO_REPLY_H
#define BENCH_ECHO_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "txq.h"
#include "xdrr.h"

#define ECHO_REPLY_MAX 512

void echo_reply_init(void);

struct echo_call {
	uint32_t xid, prog, proc;
	struct xdrr args;
};

/* Read a call's head from what has come of its record; false: it is no call. */
bool echo_call_parse(const uint8_t *data, uint32_t len, struct echo_call *call);

/* Queue the answer.  False: the queue is full, try again after a flush. */
bool echo_reply(struct txq *q, const struct echo_call *call);

#endif
