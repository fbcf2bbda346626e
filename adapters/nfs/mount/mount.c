/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "adapters/nfs/mount/mount.h"

uint32_t
mount3_status(enum dfs_status status)
{
	switch (status) {
	case DFS_OK:
		return 0;
	case DFS_PERM:
		return 1;
	case DFS_NOENT:
		return 2;
	case DFS_ACCESS:
		return 13;
	case DFS_NOTDIR:
		return 20;
	case DFS_INVAL:
		return 22;
	case DFS_NAMETOOLONG:
		return 63;
	case DFS_NOTSUP:
		return 10004;
	case DFS_DELAY:
	case DFS_TIMEDOUT:
	case DFS_BUSY:
	case DFS_NOMEM:
	case DFS_SHUTDOWN:
		return 10006; /* SERVERFAULT: MOUNT has no JUKEBOX */
	default:
		return 5;
	}
}

enum dfs_status
mount3_path(const unsigned char *bytes, uint32_t len, char out[MOUNT3_PATH_MAX + 1])
{
	uint32_t n = 0;

	if (len > MOUNT3_PATH_MAX)
		return DFS_NAMETOOLONG;
	if (len == 0 || bytes[0] != '/' || memchr(bytes, 0, len))
		return DFS_INVAL;
	for (uint32_t at = 0; at < len;) {
		uint32_t part = at + 1, end = part;
		while (end < len && bytes[end] != '/')
			end++;
		at = end;
		if (end - part == 0 || (end - part == 1 && bytes[part] == '.'))
			continue;
		if (end - part == 2 && bytes[part] == '.' && bytes[part + 1] == '.')
			return DFS_INVAL;
		out[n++] = '/';
		memcpy(out + n, bytes + part, end - part);
		n += end - part;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return DFS_OK;
}

void
mount3_peer(const struct nfs_access *access, char host[INET6_ADDRSTRLEN])
{
	const struct in6_addr *six = &access->peer.in6.sin6_addr;

	host[0] = '\0';
	if (access->peer.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &access->peer.in.sin_addr, host, INET6_ADDRSTRLEN);
	else if (access->peer.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
		inet_ntop(AF_INET, six->s6_addr + 12, host, INET6_ADDRSTRLEN);
	else if (access->peer.sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, six, host, INET6_ADDRSTRLEN);
}
