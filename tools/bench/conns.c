/* SPDX-License-Identifier: MIT
 *
 * What connections themselves cost: many idle ones held, or many opened and closed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conn.h"
#include "procstat.h"
#include "report.h"
#include "run.h"
#include "session.h"

#define NULL_REPLY 28
#define EVENTS 64

/* One NULL call, already encoded. */
struct null_call {
	uint8_t bytes[CALL_HEAD_MAX];
	uint32_t len;
};

static void
make_null(struct bench *b, struct null_call *call)
{
	struct call_head h;

	call_head_init(&h, PROG_NFS, 3, (uint32_t)b->opt->uid, (uint32_t)b->opt->gid);
	call->len = call_end(call->bytes, call_begin(&h, call->bytes, 0x64667362, NFS3_NULL), 0);
}

static bool
send_null(int fd, const struct null_call *call)
{
	return send(fd, call->bytes, call->len, MSG_NOSIGNAL) == (ssize_t)call->len;
}

static bool
good_null(const uint8_t *reply, ssize_t n, const struct null_call *call)
{
	static const uint8_t zero[16];

	return n == NULL_REPLY && xdrr_peek32(reply) == (UINT32_C(0x80000000) | 24) &&
	       memcmp(reply + 4, call->bytes + 4, 4) == 0 && xdrr_peek32(reply + 8) == 1 &&
	       memcmp(reply + 12, zero, 16) == 0;
}

/* Call NULL once and wait for its reply. */
static bool
probe(int fd, const struct null_call *call, double timeout)
{
	uint8_t reply[64];

	return send_null(fd, call) &&
	       conn_wait(fd, POLLIN, engine_now() + (uint64_t)(timeout * (double)SECOND)) &&
	       good_null(reply, recv(fd, reply, sizeof reply, MSG_DONTWAIT), call);
}

static bool
resolve(struct bench *b)
{
	int port = b->opt->port ? b->opt->port : PORT_NFS;

	if (session_resolve(b, port))
		return true;
	fprintf(stderr, "dfs-bench: %s\n", b->error);
	g_free(b->error);
	return false;
}

static int
open_fd(const struct bench *b)
{
	return conn_connect((const struct sockaddr *)&b->addr, b->addr_len, b->opt->reserved_port,
			    b->opt->timeout);
}

static void
report_idle(const struct options *o, int held, uint64_t before, uint64_t after)
{
	double each = held ? ((double)after - (double)before) / held : 0;

	if (o->json)
		printf("{\"workload\":\"idle\",\"connections\":%d,\"rss_before\":%" G_GUINT64_FORMAT
		       ",\"rss_after\":%" G_GUINT64_FORMAT ",\"bytes_per_connection\":%.0f}\n",
		       held, before, after, each);
	else if (after)
		printf("idle: %d connections held; server RSS %" G_GUINT64_FORMAT
		       " to %" G_GUINT64_FORMAT " KiB, %.0f bytes each\n",
		       held, before / 1024, after / 1024, each);
	else
		printf("idle: %d connections held\n", held);
}

int
run_idle(const struct options *o)
{
	struct bench b = {.opt = o, .mu = PTHREAD_MUTEX_INITIALIZER};
	g_autofree int *fds = g_new(int, (unsigned)o->idle);
	struct null_call call;
	int held = 0, status = 0;

	conn_raise_limit();
	if (!resolve(&b))
		return 1;
	make_null(&b, &call);
	/* The first connection pays for what the server allocates once. */
	int first = open_fd(&b);
	if (first < 0 || !probe(first, &call, o->timeout)) {
		fprintf(stderr, "dfs-bench: connect: %s\n", g_strerror(errno));
		return 1;
	}
	uint64_t before = procstat_rss(o->server_pids);
	while (held < o->idle) {
		int fd = fds[held] = open_fd(&b);
		if (fd < 0 || !probe(fd, &call, o->timeout)) {
			fprintf(stderr, "dfs-bench: connection %d: %s\n", held + 1,
				fd < 0 ? g_strerror(errno) : "no answer to NULL");
			held += fd >= 0;
			status = 1;
			break;
		}
		held++;
	}
	struct timespec hold = {.tv_sec = (time_t)o->seconds};
	nanosleep(&hold, NULL);
	report_idle(o, held, before, procstat_rss(o->server_pids));
	for (int i = 0; i < held; i++) {
		if (status == 0 && !probe(fds[i], &call, o->timeout)) {
			fprintf(stderr, "dfs-bench: connection %d did not survive\n", i + 1);
			status = 1;
		}
		close(fds[i]);
	}
	close(first);
	return status;
}

/* A connection on its way: connecting, then waiting for the reply. */
struct visit {
	int fd;
	bool called;
	uint64_t start;
};

struct visits {
	struct bench *b;
	struct null_call call;
	int epoll;
	unsigned open;
	uint64_t begun, limit, t_stop;
	struct result *r;
};

static void
fail(struct visits *v, const char *what)
{
	if (v->r->tally.errors++ == 0)
		v->b->error = g_strdup_printf("%s: %s", what, g_strerror(errno));
}

static void
begin(struct visits *v, struct visit *one)
{
	const int flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = one};

	one->fd = -1;
	one->start = engine_now();
	if (one->start >= v->t_stop || (v->limit && v->begun >= v->limit) ||
	    v->r->tally.errors > 100)
		return;
	v->begun++;
	one->called = false;
	one->fd = socket(v->b->addr.ss_family, flags, 0);
	if (one->fd < 0 || (connect(one->fd, (struct sockaddr *)&v->b->addr, v->b->addr_len) < 0 &&
			    errno != EINPROGRESS)) {
		fail(v, "connect");
		if (one->fd >= 0)
			close(one->fd);
		one->fd = -1;
		return;
	}
	epoll_ctl(v->epoll, EPOLL_CTL_ADD, one->fd, &ev);
	v->open++;
}

/* Reset instead of FIN: a port in TIME_WAIT for each would soon use all of them up. */
static void
end(struct visits *v, struct visit *one)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(one->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(one->fd);
	v->open--;
	begin(v, one);
}

static void
progress(struct visits *v, struct visit *one)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = one};
	uint8_t reply[64];

	if (!one->called) {
		if (send_null(one->fd, &v->call)) {
			one->called = true;
			epoll_ctl(v->epoll, EPOLL_CTL_MOD, one->fd, &ev);
			return;
		}
		fail(v, "connect");
	} else {
		errno = EPROTO;
		if (good_null(reply, recv(one->fd, reply, sizeof reply, MSG_DONTWAIT), &v->call)) {
			v->r->tally.ops++;
			hist_add(&v->r->hist, engine_now() - one->start);
		} else {
			fail(v, "NULL");
		}
	}
	end(v, one);
}

int
run_connect(const struct options *o)
{
	struct bench b = {.opt = o, .mu = PTHREAD_MUTEX_INITIALIZER};
	unsigned n = (unsigned)(o->connections * o->depth);
	g_autofree struct visit *all = g_new0(struct visit, n);
	g_autofree struct result *r = g_new0(struct result, 1);
	struct visits v = {.b = &b, .limit = (uint64_t)o->ops, .r = r};
	struct epoll_event ev[EVENTS];
	double cpu = 0;
	int missing;

	conn_raise_limit();
	if (!resolve(&b))
		return 1;
	make_null(&b, &v.call);
	v.epoll = epoll_create1(EPOLL_CLOEXEC);
	*r = (struct result){.workload = "connect",
			     .connections = o->connections,
			     .depth = o->depth,
			     .threads = 1};
	r->have_server_cpu = o->server_pids->len && procstat_cpu(o->server_pids, &cpu, &missing);
	uint64_t start = engine_now(), last = start;
	v.t_stop = o->seconds > 0 ? start + (uint64_t)(o->seconds * (double)SECOND) : UINT64_MAX;
	for (unsigned i = 0; i < n; i++)
		begin(&v, &all[i]);
	while (v.open > 0) {
		int got = epoll_wait(v.epoll, ev, EVENTS, 100);
		if (got > 0)
			last = engine_now();
		for (int i = 0; i < got; i++)
			progress(&v, ev[i].data.ptr);
		if (engine_now() > last + (uint64_t)(o->timeout * (double)SECOND)) {
			errno = ETIMEDOUT;
			fail(&v, "NULL");
			break;
		}
	}
	r->seconds = (double)(engine_now() - start) / (double)SECOND;
	if (r->have_server_cpu && procstat_cpu(o->server_pids, &r->server_cpu, &missing))
		r->server_cpu -= cpu;
	close(v.epoll);
	r->error = b.error;
	report_print(r, o);
	if (b.error)
		fprintf(stderr, "dfs-bench: connect: %s\n", b.error);
	g_free(b.error);
	return r->tally.errors ? 1 : 0;
}
