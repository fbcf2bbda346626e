/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/bind.h"

#define BACKLOG 4096

static enum dfs_status
failed(const struct dfs_bind *b, const char *address, uint16_t port, int err)
{
	enum dfs_status status = err == EADDRINUSE      ? DFS_BUSY
				 : err == EADDRNOTAVAIL ? DFS_CONFIG
							: DFS_IO;

	return dfs_fail(status, "cannot %s %s %sport %u: %s", b->what, address,
			b->type == SOCK_DGRAM ? "UDP " : "", port, strerror(err));
}

static enum dfs_status
bind_one(const struct dfs_bind *b, const char *address, uint16_t port, const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, b->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, err;
	enum dfs_status status;

	if (fd < 0)
		return failed(b, address, port, errno);
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	b->prepare(b->arg, fd, ai->ai_family);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    (b->type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		err = errno;
		close(fd);
		return failed(b, address, port, err);
	}
	status = b->take(b->arg, fd);
	if (status != DFS_OK)
		close(fd);
	return status;
}

enum dfs_status
dfs_bind_each(const struct dfs_bind *b, const char *address, uint16_t port)
{
	struct addrinfo hints = {.ai_socktype = b->type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list;
	enum dfs_status status = DFS_OK;
	char text[8];
	int err;

	snprintf(text, sizeof text, "%u", port);
	err = getaddrinfo(address, text, &hints, &list);
	if (err)
		return dfs_fail(DFS_CONFIG, "cannot %s \"%s\": %s", b->what, address,
				gai_strerror(err));
	for (struct addrinfo *ai = list; ai && status == DFS_OK; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			status = bind_one(b, address, port, ai);
	freeaddrinfo(list);
	return status;
}
