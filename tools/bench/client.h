/* SPDX-License-Identifier: MIT
 *
 * One RPC at a time over a connection of its own, with a deadline: MOUNT, portmap, and what the
 * preparation needs once.  Not thread-safe.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <glib.h>
#include <stdint.h>
#include <sys/socket.h>

#include "nfs3.h"
#include "xdrr.h"
#include "xdrw.h"

#define CLIENT_ARGS_MAX 1400

struct rpc_client;

struct rpc_client *client_open(const struct sockaddr *addr, socklen_t len, bool reserved_port,
			       uint32_t uid, uint32_t gid, double timeout, char **error);
void client_close(struct rpc_client *c);

/* Call with the encoded arguments [args, end).  On success *in spans the results until the next
 * call; otherwise *error is set, for g_free, and *accept_stat is nonzero when it was an RPC error.
 */
bool client_call(struct rpc_client *c, uint32_t prog, uint32_t vers, uint32_t proc,
		 const uint8_t *args, const uint8_t *end, struct xdrr *in, uint32_t *accept_stat,
		 char **error);

#endif
