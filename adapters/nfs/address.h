/* SPDX-License-Identifier: MIT
 *
 * A peer's address, and the text forms that the side protocols have for it.
 */
#ifndef NFS_ADDRESS_H
#define NFS_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define NFS_UADDR_MAX (INET6_ADDRSTRLEN + 8) /* with the NUL */

/* AF_UNSPEC: none. */
union nfs_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* AF_INET and AF_INET6; an IPv4 address in its IPv6 form becomes one of IPv4, anything else none. */
void nfs_address_set(union nfs_address *to, const struct sockaddr *from);
/* The same of a socket's own end; none when it cannot be told. */
void nfs_address_of_socket(union nfs_address *to, int fd);
socklen_t nfs_address_len(const union nfs_address *a);
uint16_t nfs_address_port(const union nfs_address *a);
void nfs_address_set_port(union nfs_address *a, uint16_t port);
/* Equal but for the port. */
bool nfs_address_same(const union nfs_address *a, const union nfs_address *b);
/* Of the address without port and scope, for hash tables; not keyed. */
uint64_t nfs_address_hash(const union nfs_address *a);
bool nfs_address_loopback(const union nfs_address *a);
/* 0.0.0.0 or ::. */
bool nfs_address_wildcard(const union nfs_address *a);

/* Without the port: "192.0.2.1", "fe80::1%3" for a link-local one, "" for none. */
#define NFS_ADDRESS_TEXT (INET6_ADDRSTRLEN + 12)
const char *nfs_address_text(const union nfs_address *a, char text[NFS_ADDRESS_TEXT]);
/* The reverse, numeric only; the port is 0.  False: no address. */
bool nfs_address_parse(const char *text, union nfs_address *a);

/* Universal address (RFC 5665 5.2.3): "192.0.2.1.8.1" is port 2049. */
const char *nfs_uaddr_text(const union nfs_address *a, char text[NFS_UADDR_MAX]);
/* len bytes of text.  False: no universal address. */
bool nfs_uaddr_parse(const unsigned char *text, uint32_t len, union nfs_address *a);

#endif
