/* SPDX-License-Identifier: MIT
 *
 * Listening and accepting.  Options that an accepted socket inherits are set once, on the
 * listening one.  Without a free descriptor the listening sockets rest for a while instead of
 * waking the loop over and over.
 *
 * Locks: mu guards the two counts and is held for a few instructions.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/container.h"
#include "base/log.h"
#include "io/bind.h"
#include "io/net.h"

#define LISTENERS_MAX 32
#define BURST 64
#define REST_NS (DFS_SECOND / 10)
#define COMPLAIN_NS (60 * DFS_SECOND)
#define OUT_SHARE 4        /* of the buffers, what queued replies may take */
#define RESERVED_MAX 2048u /* descriptors that connections leave to the stores */

struct listener {
	struct dfs_watch watch;
	struct dfs_net *net;
};

struct dfs_net {
	const struct dfs_conn_ops *ops;
	void *owner;
	struct dfs_conn_limits limits;
	uint32_t max_connections, max_descriptors;
	unsigned n_loops, n_listeners;
	struct dfs_loop **loops;
	struct listener listeners[LISTENERS_MAX];
	struct dfs_timer rest; /* loop 0: accepting goes on when it fires */
	int64_t complained;    /* loop 0 */
	uint64_t refused;      /* loop 0: since the last complaint */
	_Atomic bool draining;
	_Atomic uint32_t open; /* connections with a descriptor; changed under mu, read anywhere */
	uint32_t alive;        /* guarded by mu: connections with memory */
	pthread_mutex_t mu;
	pthread_cond_t less; /* open or alive went down to 0 */
};

/* An order to a loop from the main thread. */
struct order {
	struct dfs_post post;
	struct dfs_net *net;
	struct dfs_loop *loop;
	void (*each)(struct dfs_conn *conn);
	bool stop_listening;
};

/* As many descriptors as there may be; answers how many of them connections may take.  A store
 * that cannot open a file fails for good, a connection that has to wait comes later. */
static uint32_t
raise_descriptors(void)
{
	struct rlimit r;
	rlim_t n;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return UINT32_MAX;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
		getrlimit(RLIMIT_NOFILE, &r);
	}
	n = r.rlim_cur - (r.rlim_cur / 2 < RESERVED_MAX ? r.rlim_cur / 2 : RESERVED_MAX);
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void listeners_rest_over(struct dfs_timer *timer);

struct dfs_net *
dfs_net_new(const struct dfs_net_config *config)
{
	struct dfs_net *net = calloc(1, sizeof *net);
	unsigned n = config->loops;
	char name[16];

	if (!net)
		abort();
	if (n == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);
		n = cpus <= 8 ? (unsigned)cpus : cpus < 64 ? (unsigned)cpus / 2 : 32;
	}
	net->max_descriptors = raise_descriptors();
	net->ops = config->ops;
	net->owner = config->owner;
	net->limits = config->limits;
	net->max_connections = config->max_connections;
	net->rest.fire = listeners_rest_over;
	pthread_mutex_init(&net->mu, NULL);
	dfs_cond_init(&net->less);
	net->loops = calloc(n, sizeof *net->loops);
	if (!net->loops)
		abort();
	for (; net->n_loops < n; net->n_loops++) {
		snprintf(name, sizeof name, "%.11s-%u", config->name, net->n_loops & 0xff);
		net->loops[net->n_loops] = dfs_loop_new(name);
		if (!net->loops[net->n_loops]) {
			dfs_net_free(net);
			return NULL;
		}
		net->loops[net->n_loops]->out_limit = dfs_buf_limit() / OUT_SHARE / n;
	}
	return net;
}

static void
complain(struct dfs_net *net, const char *what)
{
	int64_t now = net->loops[0]->now;

	net->refused++;
	if (net->complained && now - net->complained < COMPLAIN_NS)
		return;
	dfs_log(DFS_LOG_WARN, "%s (%u connections open, %llu times since the last such line)", what,
		atomic_load(&net->open), (unsigned long long)net->refused);
	net->complained = now;
	net->refused = 0;
}

static void
listeners_set(struct dfs_net *net, uint32_t events)
{
	for (unsigned i = 0; i < net->n_listeners; i++)
		if (net->listeners[i].watch.fd >= 0)
			dfs_loop_watch(net->loops[0], &net->listeners[i].watch, events);
}

static void
listeners_rest_over(struct dfs_timer *timer)
{
	struct dfs_net *net = DFS_CONTAINER_OF(timer, struct dfs_net, rest);

	listeners_set(net, EPOLLIN);
}

static struct dfs_loop *
place(struct dfs_net *net)
{
	struct dfs_loop *best = net->loops[0];

	for (unsigned i = 1; i < net->n_loops; i++) {
		struct dfs_loop *loop = net->loops[i];
		uint32_t a = atomic_load_explicit(&loop->active, memory_order_relaxed);
		uint32_t b = atomic_load_explicit(&best->active, memory_order_relaxed);
		if (a < b ||
		    (a == b && atomic_load_explicit(&loop->placed, memory_order_relaxed) <
				       atomic_load_explicit(&best->placed, memory_order_relaxed)))
			best = loop;
	}
	return best;
}

static void
adopt_run(struct dfs_post *post)
{
	struct dfs_conn *conn = DFS_CONTAINER_OF(post, struct dfs_conn, adopt);

	atomic_fetch_sub_explicit(&conn->loop->active, 1,
				  memory_order_relaxed); /* see accepted() */
	dfs_conn_open(conn);
	if (atomic_load(&conn->net->draining))
		dfs_conn_close(conn, "the server stops");
}

static void
count_locked(struct dfs_net *net, struct dfs_loop *loop)
{
	net->alive++;
	atomic_store(&net->open, atomic_load(&net->open) + 1);
	atomic_fetch_add_explicit(&loop->placed, 1, memory_order_relaxed);
}

struct dfs_conn *
dfs_net_datagram(struct dfs_net *net, const struct sockaddr *peer)
{
	struct dfs_loop *loop = net->loops[0];
	struct dfs_conn *conn;
	bool counted;

	/* Refused or counted: who waits until all are gone looks under mu, after the flag is set. */
	pthread_mutex_lock(&net->mu);
	counted = !atomic_load(&net->draining) && atomic_load(&net->open) < net->max_connections;
	if (counted)
		count_locked(net, loop);
	pthread_mutex_unlock(&net->mu);
	if (!counted)
		return NULL;
	conn = dfs_conn_new(loop, -1, peer, net->ops, &net->limits, net);
	if (!conn) {
		dfs_net_closed(net, loop);
		dfs_net_freed(net);
	}
	return conn;
}

static void
accepted(struct dfs_net *net, int fd, const struct sockaddr *peer)
{
	struct dfs_loop *loop = place(net);
	struct dfs_conn *conn;

	if (atomic_load_explicit(&net->open, memory_order_relaxed) >= net->max_connections) {
		complain(net, "a connection was refused: max_connections is reached");
		close(fd);
		return;
	}
	conn = dfs_conn_new(loop, fd, peer, net->ops, &net->limits, net);
	if (!conn) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&net->mu);
	count_locked(net, loop);
	pthread_mutex_unlock(&net->mu);
	/* Counted at once, so that the next of a burst goes elsewhere; the loop counts it itself
	 * when it opens it. */
	atomic_fetch_add_explicit(&loop->active, 1, memory_order_relaxed);
	conn->adopt.run = adopt_run;
	if (loop == net->loops[0])
		adopt_run(&conn->adopt);
	else
		dfs_loop_post(loop, &conn->adopt);
}

/* The listening sockets rest; what comes meanwhile waits in their queues. */
static void
rest(struct dfs_net *net)
{
	complain(net, "a connection has to wait: no descriptor or memory is free");
	listeners_set(net, 0);
	dfs_timer_set(net->loops[0], &net->rest, net->loops[0]->now + REST_NS);
}

static void
listener_ready(struct dfs_watch *watch, uint32_t events)
{
	struct dfs_net *net = ((struct listener *)watch)->net;

	for (unsigned i = 0; i < BURST && watch->fd >= 0; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof peer;
		int fd;

		if (atomic_load_explicit(&net->open, memory_order_relaxed) >=
		    net->max_descriptors) {
			rest(net);
			return;
		}
		fd = accept4(watch->fd, (struct sockaddr *)&peer, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			accepted(net, fd, (struct sockaddr *)&peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest(net);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void
set_options(void *arg, int fd, int family)
{
	const struct dfs_net *net = arg;
	int one = 1, keep_idle = 60, keep_interval = 10, keep_count = 3;
	unsigned stall = (unsigned)(net->limits.stall / 1000000);

	(void)family;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	/* Inherited by accepted sockets: */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep_idle, sizeof keep_idle);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keep_interval, sizeof keep_interval);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &keep_count, sizeof keep_count);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
}

static enum dfs_status
add_listener(void *arg, int fd)
{
	struct dfs_net *net = arg;

	if (net->n_listeners == LISTENERS_MAX)
		return dfs_fail(DFS_CONFIG, "more than %u addresses to listen on", LISTENERS_MAX);
	net->listeners[net->n_listeners++] =
		(struct listener){.watch = {.ready = listener_ready, .fd = fd}, .net = net};
	return DFS_OK;
}

enum dfs_status
dfs_net_listen(struct dfs_net *net, const char *address, uint16_t port)
{
	const struct dfs_bind how = {.type = SOCK_STREAM,
				     .what = "listen on",
				     .prepare = set_options,
				     .take = add_listener,
				     .arg = net};

	return dfs_bind_each(&how, address, port);
}

uint16_t
dfs_net_port(const struct dfs_net *net, unsigned i)
{
	struct sockaddr_storage addr;

	return dfs_net_bound(net, i, &addr) ? ntohs(((struct sockaddr_in *)&addr)->sin_port) : 0;
}

bool
dfs_net_bound(const struct dfs_net *net, unsigned i, struct sockaddr_storage *bound)
{
	socklen_t len = sizeof *bound;

	return i < net->n_listeners && net->listeners[i].watch.fd >= 0 &&
	       getsockname(net->listeners[i].watch.fd, (struct sockaddr *)bound, &len) == 0;
}

bool
dfs_net_start(struct dfs_net *net)
{
	for (unsigned i = 0; i < net->n_listeners; i++)
		if (!dfs_loop_watch(net->loops[0], &net->listeners[i].watch, EPOLLIN)) {
			dfs_fail(DFS_IO, "cannot watch a listening socket: %s", strerror(errno));
			return false;
		}
	for (unsigned i = 0; i < net->n_loops; i++)
		if (!dfs_loop_start(net->loops[i]))
			return false;
	return true;
}

static void
order_run(struct dfs_post *post)
{
	struct order *order = (struct order *)post;
	struct dfs_net *net = order->net;

	if (order->stop_listening && order->loop == net->loops[0]) {
		dfs_timer_cancel(order->loop, &net->rest);
		for (unsigned i = 0; i < net->n_listeners; i++) {
			struct dfs_watch *watch = &net->listeners[i].watch;
			if (watch->fd < 0)
				continue;
			dfs_loop_unwatch(order->loop, watch);
			close(watch->fd);
			watch->fd = -1;
		}
	}
	for (struct dfs_conn *conn = order->loop->conns, *next; conn; conn = next) {
		next = conn->next;
		order->each(conn);
	}
	free(order);
}

static void
order_all(struct dfs_net *net, void (*each)(struct dfs_conn *conn), bool stop_listening)
{
	for (unsigned i = 0; i < net->n_loops; i++) {
		struct order *order = calloc(1, sizeof *order);
		if (!order)
			abort();
		*order = (struct order){.post.run = order_run,
					.net = net,
					.loop = net->loops[i],
					.each = each,
					.stop_listening = stop_listening};
		if (order->loop->running)
			dfs_loop_post(order->loop, &order->post);
		else
			order_run(&order->post);
	}
}

static void
close_stopping(struct dfs_conn *conn)
{
	dfs_conn_close(conn, "the server stops");
}

static bool
wait_open(struct dfs_net *net, int64_t deadline)
{
	bool gone;

	pthread_mutex_lock(&net->mu);
	while (atomic_load(&net->open) > 0)
		if (!dfs_cond_until(&net->less, &net->mu, deadline))
			break;
	gone = atomic_load(&net->open) == 0;
	pthread_mutex_unlock(&net->mu);
	return gone;
}

bool
dfs_net_drain(struct dfs_net *net, int64_t deadline)
{
	bool answered;

	atomic_store(&net->draining, true);
	order_all(net, dfs_conn_drain, true);
	answered = wait_open(net, deadline);
	if (!answered)
		order_all(net, close_stopping, true);
	return answered;
}

bool
dfs_net_wait(struct dfs_net *net, int64_t deadline)
{
	bool gone;

	atomic_store(&net->draining, true);
	if (net->n_listeners > 0)
		order_all(net, close_stopping, true);
	pthread_mutex_lock(&net->mu);
	while (net->alive > 0 && dfs_clock_mono() < deadline) {
		int64_t turn = dfs_clock_mono() + 10 * DFS_SECOND;

		if (!dfs_cond_until(&net->less, &net->mu, turn < deadline ? turn : deadline))
			dfs_log(DFS_LOG_WARN,
				"%u connections are still held by requests that do not end",
				net->alive);
	}
	gone = net->alive == 0;
	pthread_mutex_unlock(&net->mu);
	return gone;
}

void
dfs_net_free(struct dfs_net *net)
{
	if (!net)
		return;
	dfs_net_wait(net, INT64_MAX);
	for (unsigned i = 0; i < net->n_loops; i++)
		dfs_loop_stop(net->loops[i]);
	for (unsigned i = 0; i < net->n_loops; i++)
		dfs_loop_free(net->loops[i]);
	pthread_cond_destroy(&net->less);
	pthread_mutex_destroy(&net->mu);
	free(net->loops);
	free(net);
}

void
dfs_net_each(struct dfs_net *net, void (*each)(struct dfs_conn *conn))
{
	order_all(net, each, false);
}

void *
dfs_net_owner(const struct dfs_net *net)
{
	return net->owner;
}

unsigned
dfs_net_loops(const struct dfs_net *net)
{
	return net->n_loops;
}

struct dfs_loop *
dfs_net_loop(const struct dfs_net *net, unsigned i)
{
	return net->loops[i];
}

uint32_t
dfs_net_connections(const struct dfs_net *net)
{
	return atomic_load(&net->open);
}

void
dfs_net_closed(struct dfs_net *net, struct dfs_loop *loop)
{
	atomic_fetch_sub_explicit(&loop->placed, 1, memory_order_relaxed);
	pthread_mutex_lock(&net->mu);
	atomic_store(&net->open, atomic_load(&net->open) - 1);
	if (atomic_load(&net->open) == 0)
		pthread_cond_broadcast(&net->less);
	pthread_mutex_unlock(&net->mu);
}

void
dfs_net_freed(struct dfs_net *net)
{
	pthread_mutex_lock(&net->mu);
	if (--net->alive == 0)
		pthread_cond_broadcast(&net->less);
	pthread_mutex_unlock(&net->mu);
}
