/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/address.h"
#include "base/hash.h"

void
nfs_address_set(union nfs_address *to, const struct sockaddr *from)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

	memset(to, 0, sizeof *to);
	if (from->sa_family == AF_INET) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = ((const struct sockaddr_in *)from)->sin_port;
		to->in.sin_addr = ((const struct sockaddr_in *)from)->sin_addr;
	} else if (from->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		to->in.sin_family = AF_INET;
		to->in.sin_port = six->sin6_port;
		memcpy(&to->in.sin_addr, six->sin6_addr.s6_addr + 12, 4);
	} else if (from->sa_family == AF_INET6) {
		to->in6.sin6_family = AF_INET6;
		to->in6.sin6_port = six->sin6_port;
		to->in6.sin6_addr = six->sin6_addr;
		to->in6.sin6_scope_id = six->sin6_scope_id;
	}
}

void
nfs_address_of_socket(union nfs_address *to, int fd)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof own;

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		own.ss_family = AF_UNSPEC;
	nfs_address_set(to, (struct sockaddr *)&own);
}

socklen_t
nfs_address_len(const union nfs_address *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

uint16_t
nfs_address_port(const union nfs_address *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void
nfs_address_set_port(union nfs_address *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

bool
nfs_address_same(const union nfs_address *a, const union nfs_address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->sa.sa_family == AF_INET6 &&
	       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

uint64_t
nfs_address_hash(const union nfs_address *a)
{
	uint64_t high = 0, low = 0;

	if (a->sa.sa_family == AF_INET) {
		low = a->in.sin_addr.s_addr;
	} else if (a->sa.sa_family == AF_INET6) {
		memcpy(&high, &a->in6.sin6_addr, 8);
		memcpy(&low, a->in6.sin6_addr.s6_addr + 8, 8);
	}
	return dfs_hash_u64(high, low);
}

bool
nfs_address_loopback(const union nfs_address *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool
nfs_address_wildcard(const union nfs_address *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

const char *
nfs_address_text(const union nfs_address *a, char text[NFS_ADDRESS_TEXT])
{
	text[0] = '\0';
	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, text, NFS_ADDRESS_TEXT);
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, text, NFS_ADDRESS_TEXT);
		if (a->in6.sin6_scope_id)
			snprintf(text + strlen(text), 12, "%%%u", a->in6.sin6_scope_id);
	}
	return text;
}

bool
nfs_address_parse(const char *text, union nfs_address *a)
{
	char host[INET6_ADDRSTRLEN];
	const char *scope = strchr(text, '%');
	size_t len = scope ? (size_t)(scope - text) : strlen(text);
	char *end;

	memset(a, 0, sizeof *a);
	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!scope && inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		return true;
	}
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) != 1)
		return false;
	if (scope) {
		a->in6.sin6_scope_id = (uint32_t)strtoul(scope + 1, &end, 10);
		if (*end || !a->in6.sin6_scope_id)
			a->in6.sin6_scope_id = if_nametoindex(scope + 1);
		if (!a->in6.sin6_scope_id)
			return false;
	}
	a->in6.sin6_family = AF_INET6;
	return true;
}

const char *
nfs_uaddr_text(const union nfs_address *a, char text[NFS_UADDR_MAX])
{
	uint16_t port = nfs_address_port(a);

	text[0] = '\0';
	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, text, INET6_ADDRSTRLEN);
	else if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, text, INET6_ADDRSTRLEN);
	else
		return text;
	snprintf(text + strlen(text), 9, ".%u.%u", port >> 8, port & 0xff);
	return text;
}

/* Cut ".N" off the end of text; N: 0 to 255. */
static bool
cut_octet(char *text, unsigned *octet)
{
	char *dot = strrchr(text, '.');
	size_t digits = dot ? strlen(dot + 1) : 0;

	if (!dot || digits < 1 || digits > 3 || strspn(dot + 1, "0123456789") != digits)
		return false;
	*octet = (unsigned)strtoul(dot + 1, NULL, 10);
	*dot = '\0';
	return *octet < 256;
}

bool
nfs_uaddr_parse(const unsigned char *bytes, uint32_t len, union nfs_address *a)
{
	char text[NFS_UADDR_MAX];
	unsigned low, high;

	if (len >= sizeof text || memchr(bytes, 0, len))
		return false;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (!cut_octet(text, &low) || !cut_octet(text, &high) || strchr(text, '%') ||
	    !nfs_address_parse(text, a))
		return false;
	nfs_address_set_port(a, (uint16_t)(high << 8 | low));
	return true;
}
