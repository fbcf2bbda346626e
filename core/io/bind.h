/* SPDX-License-Identifier: MIT
 *
 * Sockets that listen, or that receive datagrams, on every address that a text names.
 */
#ifndef DFS_IO_BIND_H
#define DFS_IO_BIND_H

#include <stdint.h>

#include <dittofs/status.h>

struct dfs_bind {
	int type;         /* SOCK_STREAM or SOCK_DGRAM */
	const char *what; /* for texts: "cannot WHAT ADDRESS": "listen on" */
	/* Before a socket is bound: options of a family; IPv6 sockets are for IPv6 alone already. */
	void (*prepare)(void *arg, int fd, int family);
	/* One is bound, and listens if it is a stream.  DFS_OK: fd is its receiver's now. */
	enum dfs_status (*take)(void *arg, int fd);
	void *arg;
};

/* address: a numeric IPv4 or IPv6 address or a host name; port 0: any free one.  Ends at the first
 * failure; what was taken stays.  DFS_BUSY: the port is taken; DFS_CONFIG: no such address; DFS_IO; what
 * take answers.  dfs_fail_text holds the sentence.  May ask a name server: the main thread. */
enum dfs_status dfs_bind_each(const struct dfs_bind *bind, const char *address, uint16_t port);

#endif
