/* SPDX-License-Identifier: MIT
 *
 * TCP connections: with a deadline, without Nagle's delay.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Connect; the socket is non-blocking.  -1 with errno set, ETIMEDOUT after `timeout` seconds. */
int conn_connect(const struct sockaddr *addr, socklen_t len, bool reserved_port, double timeout);

/* Raise the limit of open descriptors to the hard limit. */
void conn_raise_limit(void);

/* Wait until fd is ready for `events` (poll) or engine time `until` has come: false then. */
bool conn_wait(int fd, short events, uint64_t until);

#endif
