/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "conn.h"

bool
conn_wait(int fd, short events, uint64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = engine_now();
		if (now >= until)
			return false;
		int n = poll(&p, 1, (int)((until - now) / MILLISECOND) + 1);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

/* A source port below 1024, which some servers ask of their clients. */
static void
bind_reserved(int fd, int family)
{
	for (uint16_t port = 1023; port >= 600; port--) {
		struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
		struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
		if (family == AF_INET6 ? bind(fd, (struct sockaddr *)&six, sizeof six) == 0
				       : bind(fd, (struct sockaddr *)&four, sizeof four) == 0)
			return;
	}
}

int
conn_connect(const struct sockaddr *addr, socklen_t len, bool reserved_port, double timeout)
{
	const int one = 1;
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;
	socklen_t err_len = sizeof err;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (reserved_port)
		bind_reserved(fd, addr->sa_family);
	if (connect(fd, addr, len) == 0)
		return fd;
	if (errno != EINPROGRESS)
		err = errno;
	else if (!conn_wait(fd, POLLOUT, engine_now() + (uint64_t)(timeout * SECOND)))
		err = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
	if (err == 0)
		return fd;
	close(fd);
	errno = err;
	return -1;
}

void
conn_raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}
