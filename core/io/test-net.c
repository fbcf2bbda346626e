/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/net.h"

/* Echoes every byte; 'h' is held until the test answers. */
struct echo {
	struct dfs_conn io;
	struct dfs_post answer;
};

static struct echo *held;
static sem_t held_sem;

static void
echo_opened(struct dfs_conn *io)
{
}

static size_t
echo_data(struct dfs_conn *io, const unsigned char *p, size_t n)
{
	if (*p == 'h') {
		held = (struct echo *)io;
		dfs_conn_begin(io);
		sem_post(&held_sem);
		return n;
	}
	unsigned char *to = dfs_conn_reserve(io, (uint32_t)n);
	memcpy(to, p, n);
	dfs_conn_commit(io, to, (uint32_t)n);
	return n;
}

static void
echo_nothing(struct dfs_conn *io)
{
}

static const struct dfs_conn_ops echo_ops = {
	.size = sizeof(struct echo),
	.opened = echo_opened,
	.data = echo_data,
	.received = echo_nothing,
	.closed = echo_nothing,
	.freed = echo_nothing,
};

static struct dfs_net *
net_new(unsigned loops, uint32_t max_connections)
{
	struct dfs_net_config config = {
		.name = "test",
		.loops = loops,
		.max_connections = max_connections,
		.ops = &echo_ops,
		.limits = {.requests = 16, .out_bytes = 1 << 20, .stall = 60 * DFS_SECOND},
	};
	struct dfs_net *net = dfs_net_new(&config);

	g_assert_nonnull(net);
	return net;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&in, sizeof in), ==, 0);
	return fd;
}

static void
expect_echo(int fd)
{
	char c;

	g_assert_cmpint(send(fd, "x", 1, MSG_NOSIGNAL), ==, 1);
	g_assert_cmpint(recv(fd, &c, 1, 0), ==, 1);
	g_assert_cmpint(c, ==, 'x');
}

static void
expect_eof(int fd)
{
	char c;

	g_assert_cmpint(recv(fd, &c, 1, 0), <=, 0);
	close(fd);
}

static int64_t
soon(void)
{
	return dfs_clock_mono() + 60 * DFS_SECOND;
}

static void
test_serves_ipv4_and_ipv6(void)
{
	struct dfs_net *net = net_new(1, 10);
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int a, b;

	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	if (dfs_net_listen(net, "::1", dfs_net_port(net, 0)) != DFS_OK) {
		dfs_net_free(net);
		g_test_skip("no IPv6 loopback address");
		return;
	}
	g_assert_true(dfs_net_start(net));
	a = dial(dfs_net_port(net, 0));
	expect_echo(a);
	b = socket(AF_INET6, SOCK_STREAM, 0);
	in6.sin6_port = htons(dfs_net_port(net, 1));
	g_assert_cmpint(connect(b, (struct sockaddr *)&in6, sizeof in6), ==, 0);
	expect_echo(b);
	close(a);
	close(b);
	g_assert_true(dfs_net_drain(net, soon()));
	dfs_net_free(net);
}

static void
test_taken_port_is_told(void)
{
	struct dfs_net *a = net_new(1, 10), *b = net_new(1, 10);

	g_assert_cmpint(dfs_net_listen(a, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_cmpint(dfs_net_listen(b, "127.0.0.1", dfs_net_port(a, 0)), ==, DFS_BUSY);
	g_assert_nonnull(strstr(dfs_fail_text(), "127.0.0.1"));
	dfs_net_free(a);
	dfs_net_free(b);
}

static void
test_no_such_address_is_told(void)
{
	struct dfs_net *net = net_new(1, 10);

	g_assert_cmpint(dfs_net_listen(net, "192.0.2.1", 0), ==, DFS_CONFIG);
	g_assert_cmpint(dfs_net_listen(net, "not an address", 0), ==, DFS_CONFIG);
	dfs_net_free(net);
}

static void
test_connections_spread_over_loops(void)
{
	struct dfs_net *net = net_new(4, 100);
	int fds[8];

	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_true(dfs_net_start(net));
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial(dfs_net_port(net, 0));
		expect_echo(fds[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		g_assert_cmpuint(atomic_load(&dfs_net_loop(net, i)->placed), ==, 2);
	g_assert_cmpuint(dfs_net_connections(net), ==, 8);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
	g_assert_true(dfs_net_drain(net, soon()));
	g_assert_cmpuint(dfs_net_connections(net), ==, 0);
	dfs_net_free(net);
}

static void
test_beyond_max_connections_is_refused(void)
{
	struct dfs_net *net = net_new(1, 2);
	int a, b;

	dfs_log_setup(DFS_LOG_ERROR, DFS_LOG_TEXT);
	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_true(dfs_net_start(net));
	a = dial(dfs_net_port(net, 0));
	expect_echo(a);
	b = dial(dfs_net_port(net, 0));
	expect_echo(b);
	expect_eof(dial(dfs_net_port(net, 0)));
	expect_echo(a);
	close(a);
	close(b);
	g_assert_true(dfs_net_drain(net, soon()));
	dfs_net_free(net);
}

static void
test_out_of_descriptors_waits(void)
{
	struct dfs_net *net = net_new(1, 100);
	struct rlimit before, now;
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	dfs_log_setup(DFS_LOG_ERROR, DFS_LOG_TEXT);
	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_true(dfs_net_start(net));
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = (rlim_t)fd + 1; /* fd is the highest: the server's accept finds none free */
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &now), ==, 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(dfs_net_port(net, 0));
	g_assert_cmpint(connect(fd, (struct sockaddr *)&in, sizeof in), ==, 0);
	/* The loop goes on living: several rests pass. */
	for (unsigned i = 0; i < 3; i++)
		poll(NULL, 0, 100);
	g_assert_cmpuint(dfs_net_connections(net), ==, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	expect_echo(fd);
	close(fd);
	g_assert_true(dfs_net_drain(net, soon()));
	dfs_net_free(net);
}

static void
held_answer(struct dfs_post *post)
{
	struct dfs_conn *io = &held->io;
	unsigned char *p = dfs_conn_reserve(io, 1);

	*p = 'z';
	dfs_conn_commit(io, p, 1);
	dfs_conn_end(io);
}

static void *
drain_main(void *arg)
{
	return GINT_TO_POINTER(dfs_net_drain(arg, soon()));
}

static void
test_drain_answers_what_runs(void)
{
	struct dfs_net *net = net_new(2, 10);
	int busy, idle;
	char c;
	pthread_t drain;
	void *answered;

	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_true(dfs_net_start(net));
	idle = dial(dfs_net_port(net, 0));
	expect_echo(idle);
	busy = dial(dfs_net_port(net, 0));
	send(busy, "h", 1, MSG_NOSIGNAL);
	sem_wait(&held_sem);
	pthread_create(&drain, NULL, drain_main, net);
	expect_eof(idle);
	held->answer.run = held_answer;
	dfs_loop_post(held->io.loop, &held->answer);
	g_assert_cmpint(recv(busy, &c, 1, 0), ==, 1);
	g_assert_cmpint(c, ==, 'z');
	expect_eof(busy);
	pthread_join(drain, &answered);
	g_assert_true(GPOINTER_TO_INT(answered));
	dfs_net_free(net);
}

static void
end_late(struct dfs_post *post)
{
	dfs_conn_end(&held->io);
}

static void
test_drain_closes_at_the_deadline(void)
{
	struct dfs_net *net = net_new(1, 10);
	int busy;

	g_assert_cmpint(dfs_net_listen(net, "127.0.0.1", 0), ==, DFS_OK);
	g_assert_true(dfs_net_start(net));
	busy = dial(dfs_net_port(net, 0));
	send(busy, "h", 1, MSG_NOSIGNAL);
	sem_wait(&held_sem);
	g_assert_false(dfs_net_drain(net, dfs_clock_mono()));
	expect_eof(busy);
	held->answer.run = end_late;
	dfs_loop_post(held->io.loop, &held->answer);
	dfs_net_free(net); /* waits for it */
}

int
main(int argc, char **argv)
{
	sem_init(&held_sem, 0, 0);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/serves-ipv4-and-ipv6", test_serves_ipv4_and_ipv6);
	g_test_add_func("/net/taken-port-is-told", test_taken_port_is_told);
	g_test_add_func("/net/no-such-address-is-told", test_no_such_address_is_told);
	g_test_add_func("/net/connections-spread-over-loops", test_connections_spread_over_loops);
	g_test_add_func("/net/beyond-max-connections-is-refused",
			test_beyond_max_connections_is_refused);
	g_test_add_func("/net/out-of-descriptors-waits", test_out_of_descriptors_waits);
	g_test_add_func("/net/drain-answers-what-runs", test_drain_answers_what_runs);
	g_test_add_func("/net/drain-closes-at-the-deadline", test_drain_closes_at_the_deadline);
	return g_test_run();
}
