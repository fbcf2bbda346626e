/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/callback/socket.h"
#include "adapters/nfs/portmap/portmap.h"
#include "adapters/nfs/portmap/session.h"
#include "adapters/nfs/rpc/header.h"
#include "base/clock.h"
#include "base/log.h"

#define ARGS_MAX 256u
#define FRAGMENTS_MAX 64u

enum { SET = 1, UNSET = 2, DUMP = 4 };

/* DFS_OK: the descriptor is ready. */
static enum dfs_status
wait_for(const struct rpcbind_session *s, short events)
{
	struct pollfd p = {s->fd, events, 0};
	int64_t left;
	int n;

	do {
		left = s->deadline - dfs_clock_mono();
		if (left <= 0)
			return dfs_fail(DFS_TIMEDOUT, "rpcbind does not answer");
		n = poll(&p, 1, (int)(left / 1000000 + 1));
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n > 0 ? DFS_OK : dfs_fail(DFS_IO, "rpcbind: %s", strerror(errno));
}

static int
connect_local(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int err, fd;

	if (strlen(path) >= sizeof at.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Over loopback, connected; -1: errno. */
static int
connect_loopback(struct rpcbind_session *s)
{
	union nfs_address at, any = {.sa.sa_family = AF_UNSPEC};
	int err = 0;
	socklen_t len = sizeof err;

	nfs_address_parse("127.0.0.1", &at);
	nfs_address_set_port(&at, RPCBIND_PORT);
	s->fd = nfs_socket_to(&at, &any, SOCK_STREAM);
	if (s->fd < 0)
		return -1;
	if (wait_for(s, POLLOUT) != DFS_OK)
		err = ETIMEDOUT;
	else
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err == 0)
		return s->fd;
	close(s->fd);
	errno = err;
	return s->fd = -1;
}

enum dfs_status
rpcbind_open(struct rpcbind_session *s, const char *path, int64_t deadline)
{
	int err;

	*s = (struct rpcbind_session){.fd = -1, .local = true, .xid = 1, .deadline = deadline};
	s->reply = malloc(RPCBIND_REPLY_MAX);
	if (!s->reply)
		return dfs_fail(DFS_NOMEM, "no memory to talk to rpcbind");
	s->fd = connect_local(path);
	if (s->fd >= 0)
		return DFS_OK;
	err = errno;
	s->local = false;
	if (connect_loopback(s) >= 0)
		return DFS_OK;
	dfs_fail(DFS_IO, "%s: %s; 127.0.0.1 port %u: %s", path, strerror(err), RPCBIND_PORT,
		 strerror(errno));
	rpcbind_close(s);
	return DFS_IO;
}

void
rpcbind_close(struct rpcbind_session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->reply);
	s->reply = NULL;
}

static enum dfs_status
write_all(struct rpcbind_session *s, const unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = send(s->fd, p, n, MSG_NOSIGNAL);
		enum dfs_status status = DFS_OK;

		if (got < 0 && errno == EAGAIN)
			status = wait_for(s, POLLOUT);
		else if (got < 0 && errno != EINTR)
			status = dfs_fail(DFS_IO, "rpcbind: %s", strerror(errno));
		if (status != DFS_OK)
			return status;
		p += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return DFS_OK;
}

static enum dfs_status
read_all(struct rpcbind_session *s, unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(s->fd, p, n, 0);
		enum dfs_status status = DFS_OK;

		if (got == 0)
			status = dfs_fail(DFS_IO, "rpcbind closed the connection");
		else if (got < 0 && errno == EAGAIN)
			status = wait_for(s, POLLIN);
		else if (got < 0 && errno != EINTR)
			status = dfs_fail(DFS_IO, "rpcbind: %s", strerror(errno));
		if (status != DFS_OK)
			return status;
		p += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return DFS_OK;
}

static enum dfs_status
read_record(struct rpcbind_session *s, uint32_t *len)
{
	unsigned char mark[RPC_MARK_SIZE];

	*len = 0;
	for (unsigned i = 0; i < FRAGMENTS_MAX; i++) {
		enum dfs_status status = read_all(s, mark, sizeof mark);
		uint32_t n = rpc_get_word(mark) & ~RPC_MARK_LAST;

		if (status == DFS_OK && n > RPCBIND_REPLY_MAX - *len)
			return dfs_fail(DFS_CORRUPT, "rpcbind's answer is too long");
		if (status == DFS_OK)
			status = read_all(s, s->reply + *len, n);
		if (status != DFS_OK)
			return status;
		*len += n;
		if (mark[0] & 0x80)
			return DFS_OK;
	}
	return dfs_fail(DFS_CORRUPT, "rpcbind's answer has too many fragments");
}

/* One call; *in stands at the results, in s->reply. */
static enum dfs_status
call(struct rpcbind_session *s, uint32_t procedure, const unsigned char *args, uint32_t n,
     struct xdr_in *in)
{
	unsigned char bytes[RPC_MARK_SIZE + NFS_CALL_HEAD_MAX + ARGS_MAX];
	struct xdr_out out = {
		.base = bytes, .p = bytes + RPC_MARK_SIZE, .end = bytes + sizeof bytes};
	struct nfs_call_head head = {.xid = ++s->xid,
				     .program = RPCBIND_PROGRAM,
				     .version = s->local ? 4 : 2,
				     .procedure = procedure,
				     .auth_sys = false};
	enum dfs_status status;
	uint32_t xid, len;

	nfs_message_put_call(&out, &head);
	if (n > 0)
		xdr_put_fixed(&out, args, n);
	rpc_put_mark(bytes, (uint32_t)(out.p - bytes) - RPC_MARK_SIZE);
	status = write_all(s, bytes, (size_t)(out.p - bytes));
	if (status == DFS_OK)
		status = read_record(s, &len);
	if (status != DFS_OK)
		return status;
	*in = (struct xdr_in){s->reply, s->reply + len, false};
	status = nfs_message_reply(in, &xid);
	if (status == DFS_OK && xid == s->xid)
		return DFS_OK;
	return dfs_fail(status == DFS_OK ? DFS_CORRUPT : status, "rpcbind refuses the call (%s)",
			dfs_status_name(status));
}

bool
rpcbind_can_tell(const struct rpcbind_session *s, const struct nfs_map_entry *entry)
{
	return s->local || entry->address.sa.sa_family == AF_INET;
}

static enum dfs_status
change(struct rpcbind_session *s, uint32_t procedure, const struct nfs_map_entry *entry)
{
	const char *netid = nfs_netid(entry->protocol, entry->address.sa.sa_family);
	unsigned char args[ARGS_MAX];
	struct xdr_out out = {.base = args, .p = args, .end = args + sizeof args};
	char uaddr[NFS_UADDR_MAX];
	enum dfs_status status;
	struct xdr_in in;

	xdr_put_u32(&out, entry->program);
	xdr_put_u32(&out, entry->version);
	if (s->local) {
		nfs_uaddr_text(&entry->address, uaddr);
		xdr_put_opaque(&out, netid, (uint32_t)strlen(netid));
		xdr_put_opaque(&out, uaddr, (uint32_t)strlen(uaddr));
		xdr_put_opaque(&out, "", 0); /* rpcbind puts in who we are */
	} else {
		xdr_put_u32(&out, entry->protocol);
		xdr_put_u32(&out, nfs_address_port(&entry->address));
	}
	status = call(s, procedure, args, (uint32_t)(out.p - args), &in);
	if (status != DFS_OK)
		return status;
	if (xdr_u32(&in) == 1 && !in.bad)
		return DFS_OK;
	return dfs_fail(DFS_EXIST, "rpcbind refuses it");
}

enum dfs_status
rpcbind_set(struct rpcbind_session *s, const struct nfs_map_entry *entry)
{
	return change(s, SET, entry);
}

enum dfs_status
rpcbind_unset(struct rpcbind_session *s, const struct nfs_map_entry *entry)
{
	return change(s, UNSET, entry);
}

/* One row of version 4.  False: it is of no network that we know. */
static bool
parse_row4(struct xdr_in *in, struct rpcbind_row *row)
{
	union nfs_address at;
	const unsigned char *netid, *uaddr, *owner;
	uint32_t netid_len, uaddr_len, owner_len;

	netid = xdr_opaque(in, PORTMAP_STRING_MAX, &netid_len);
	uaddr = xdr_opaque(in, PORTMAP_STRING_MAX, &uaddr_len);
	owner = xdr_opaque(in, PORTMAP_STRING_MAX, &owner_len);
	if (in->bad || !nfs_netid_parse(netid, netid_len, &row->protocol, &row->family) ||
	    !nfs_uaddr_parse(uaddr, uaddr_len, &at))
		return false;
	row->port = nfs_address_port(&at);
	snprintf(row->owner, sizeof row->owner, "%.*s", (int)owner_len, (const char *)owner);
	for (char *p = row->owner; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return true;
}

bool
rpcbind_parse_list(struct xdr_in *in, bool version4, struct rpcbind_row *rows, uint32_t *n)
{
	*n = 0;
	while (xdr_u32(in) == 1 && !in->bad) {
		struct rpcbind_row row = {0};
		bool known = true;

		row.program = xdr_u32(in);
		row.version = xdr_u32(in);
		if (version4) {
			known = parse_row4(in, &row);
		} else {
			row.protocol = (uint8_t)xdr_u32(in);
			row.family = AF_INET;
			row.port = (uint16_t)xdr_u32(in);
			strcpy(row.owner, "somebody");
		}
		if (in->bad || (known && *n == RPCBIND_LIST_MAX))
			return false;
		if (known)
			rows[(*n)++] = row;
	}
	return !in->bad;
}

enum dfs_status
rpcbind_list(struct rpcbind_session *s, struct rpcbind_row **rows, uint32_t *n)
{
	struct xdr_in in;
	enum dfs_status status = call(s, DUMP, NULL, 0, &in);

	if (status != DFS_OK)
		return status;
	*rows = calloc(RPCBIND_LIST_MAX, sizeof **rows);
	if (*rows && rpcbind_parse_list(&in, s->local, *rows, n))
		return DFS_OK;
	free(*rows);
	*rows = NULL;
	return dfs_fail(DFS_CORRUPT, "rpcbind's list does not decode");
}
