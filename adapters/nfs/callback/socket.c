/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "adapters/nfs/callback/socket.h"
#include "base/clock.h"

/* As the kernel's own RPC client: below lie the ports of services that are more in use. */
#define RESERVED_LOW 665u
#define RESERVED_HIGH 1023u
#define RESERVED_TRIES 16u

/* Some peers want to see a port that only a privileged program can have. */
static void
bind_reserved(int fd, union nfs_address *local)
{
	uint32_t at = 0, n = RESERVED_HIGH - RESERVED_LOW + 1;

	if (getrandom(&at, sizeof at, GRND_NONBLOCK) < 0)
		at = (uint32_t)dfs_clock_mono();
	for (uint32_t i = 0; i < RESERVED_TRIES; i++) {
		nfs_address_set_port(local, (uint16_t)(RESERVED_LOW + (at + i) % n));
		if (bind(fd, &local->sa, nfs_address_len(local)) == 0)
			return;
		if (errno != EADDRINUSE)
			break;
	}
	nfs_address_set_port(local, 0);
	if (bind(fd, &local->sa, nfs_address_len(local)) < 0)
		return; /* not an address of this host any more: the kernel chooses */
}

int
nfs_socket_to(const union nfs_address *peer, const union nfs_address *from, int type)
{
	union nfs_address local = *from;
	int one = 1, err;
	int fd = socket(peer->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (local.sa.sa_family != peer->sa.sa_family) {
		memset(&local, 0, sizeof local);
		local.sa.sa_family = peer->sa.sa_family;
	}
	bind_reserved(fd, &local);
	if (connect(fd, &peer->sa, nfs_address_len(peer)) == 0 || errno == EINPROGRESS)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}
