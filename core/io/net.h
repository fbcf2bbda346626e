/* SPDX-License-Identifier: MIT
 *
 * A serving set: event loops, the sockets that listen, and the connections they bring.
 *
 * The first loop accepts, in bounded bursts, and places each connection on the loop with the fewest
 * connections that moved bytes lately.  Life cycle (main thread): new, listen, start, drain, free.
 */
#ifndef DFS_IO_NET_H
#define DFS_IO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

#include "io/conn.h"

struct dfs_net;

struct dfs_net_config {
	const char *name; /* of the threads, at most 12 bytes are used */
	unsigned loops;   /* 0: one per processor up to 8, beyond that half of them up to 32 */
	uint32_t max_connections;
	const struct dfs_conn_ops *ops; /* borrowed */
	void *owner;                    /* dfs_net_owner */
	struct dfs_conn_limits limits;
};

/* Raises the soft limit of descriptors to the hard one.  NULL: dfs_fail_text says why. */
struct dfs_net *dfs_net_new(const struct dfs_net_config *config);
/* Bind and listen; address: a numeric IPv4 or IPv6 address or a host name; port 0: any free one.
 * DFS_BUSY: taken; DFS_CONFIG: no such address; dfs_fail_text holds the sentence. */
enum dfs_status dfs_net_listen(struct dfs_net *net, const char *address, uint16_t port);
/* The bound port of the i-th listening socket, 0: there is none. */
uint16_t dfs_net_port(const struct dfs_net *net, unsigned i);
/* Its address and port.  False: there is none. */
bool dfs_net_bound(const struct dfs_net *net, unsigned i, struct sockaddr_storage *bound);
/* False: dfs_fail_text says why. */
bool dfs_net_start(struct dfs_net *net);
/* Accept nothing more, answer what is under way, close; at the deadline (monotonic ns) close what
 * is left.  True: all was answered. */
bool dfs_net_drain(struct dfs_net *net, int64_t deadline);
/* After drain, or without start: wait until the last request has let go of its connection, until deadline
 * (monotonic ns).  False: some have not. */
bool dfs_net_wait(struct dfs_net *net, int64_t deadline);
/* Waits likewise, however long, then ends the loops. */
void dfs_net_free(struct dfs_net *net);

/* A connection without a descriptor, for a datagram that has come: placed on the first loop and counted
 * like any other.  What it answers goes to ops->put_out.  The caller sets up what it needs to, calls
 * dfs_conn_open, and at the end dfs_conn_drain.  On the first loop's thread.  NULL: max_connections is
 * reached, the set is draining, or there is no memory. */
struct dfs_conn *dfs_net_datagram(struct dfs_net *net, const struct sockaddr *peer);

/* Have each(conn) called for every open connection, on its loop; does not wait for that. */
void dfs_net_each(struct dfs_net *net, void (*each)(struct dfs_conn *conn));

void *dfs_net_owner(const struct dfs_net *net);
unsigned dfs_net_loops(const struct dfs_net *net);
struct dfs_loop *dfs_net_loop(const struct dfs_net *net, unsigned i);
/* Open connections. */
uint32_t dfs_net_connections(const struct dfs_net *net);

/* For conn.c: a connection's descriptor is closed; its memory is gone. */
void dfs_net_closed(struct dfs_net *net, struct dfs_loop *loop);
void dfs_net_freed(struct dfs_net *net);

#endif
