/* SPDX-License-Identifier: MIT
 *
 * What dfs-bench does with a server that misbehaves: a server of one thread per connection answers
 * as the echo does, but for one fault.
 */
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "echo_reply.h"
#include "pattern.h"
#include "run.h"

enum fault { NONE, JUKEBOX, WRONG_XID, CUT_OFF, WRONG_DATA, HANG_UP, SILENT, NO_REPLY, DENIED };

/* The subprocess of a test has one of these in its environment, see run(). */
static enum fault fault;
static _Atomic unsigned n_calls;

static uint32_t
spoil(uint8_t *reply, uint32_t len, uint32_t payload)
{
	switch (fault) {
	case JUKEBOX:
		xdrw_poke32(reply + 28, NFS3ERR_JUKEBOX);
		break;
	case WRONG_XID:
		reply[4] ^= 0x40;
		break;
	case CUT_OFF:
		xdrw_poke32(reply, 0x80000000u | (len - 4 - 4));
		return len - 4;
	case WRONG_DATA:
		if (payload)
			reply[len - 1] ^= 1;
		break;
	case NO_REPLY:
		xdrw_poke32(reply + 8, 0);
		break;
	case DENIED:
		xdrw_poke32(reply + 12, 1);
		break;
	default:
		break;
	}
	return len;
}

/* The fault strikes each seventh GETATTR and READ. */
static bool
strikes(const struct echo_call *call)
{
	return fault != NONE && call->prog == PROG_NFS &&
	       (call->proc == NFS3_GETATTR || call->proc == NFS3_READ) &&
	       atomic_fetch_add(&n_calls, 1) % 7 == 6;
}

static bool
answer(int fd, const struct record *r)
{
	static __thread uint8_t out[16384];
	struct echo_call call;
	struct txq q;
	uint32_t len = 0, payload = 0;

	txq_init(&q, 4096, 8);
	bool ok = echo_call_parse(r->data, r->len, &call) && echo_reply(&q, &call);
	for (uint32_t i = q.first; ok && i < q.last; i++) {
		const struct txq_entry *e = &q.entries[i];
		memcpy(out + len, e->payload ? e->payload : q.buf + e->off, e->len);
		len += e->len;
		payload += e->payload ? e->len : 0;
	}
	txq_free(&q);
	if (ok && strikes(&call)) {
		if (fault == HANG_UP)
			return false;
		if (fault == SILENT)
			return true;
		len = spoil(out, len, payload);
	}
	return ok && send(fd, out, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void *
serve(void *arg)
{
	int fd = GPOINTER_TO_INT(arg);
	uint8_t *scratch = g_malloc(RXBUF_SCRATCH);
	struct rxbuf rx;
	struct record r;
	bool ok = true;

	rxbuf_init(&rx, 2 << 20);
	while (ok) {
		enum record_state state = rxbuf_next(&rx, &r);
		if (state == RECORD_OK) {
			ok = answer(fd, &r);
			rxbuf_consume(&rx, &r);
		} else {
			struct pollfd p = {.fd = fd, .events = POLLIN};
			poll(&p, 1, -1);
			ok = state == RECORD_NEED && rxbuf_receive(&rx, fd, scratch) == 1;
		}
	}
	close(fd);
	rxbuf_free(&rx);
	g_free(scratch);
	return NULL;
}

static void *
accept_all(void *arg)
{
	for (;;) {
		int fd = accept(GPOINTER_TO_INT(arg), NULL, NULL);
		const int one = 1;
		pthread_t id;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (fd >= 0 && pthread_create(&id, NULL, serve, GINT_TO_POINTER(fd)) == 0)
			pthread_detach(id);
	}
	return NULL;
}

/* In the subprocess: a workload against the server with the fault; its status becomes ours. */
static void
run(enum fault f, const char *workload)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char port[16];
	struct options o;
	pthread_t id;

	fault = f;
	g_assert_cmpint(bind(listener, (struct sockaddr *)&a, sizeof a), ==, 0);
	g_assert_cmpint(listen(listener, 16), ==, 0);
	g_assert_cmpint(getsockname(listener, (struct sockaddr *)&a, &len), ==, 0);
	snprintf(port, sizeof port, "%d", ntohs(a.sin_port));
	echo_reply_init();
	g_assert_cmpint(pthread_create(&id, NULL, accept_all, GINT_TO_POINTER(listener)), ==, 0);
	char *argv[] = {"dfs-bench",  "--port",      port,        "-c",
			"1",          "-d",          "4",         "-n",
			"50",         "-j",          "--files=1", "--file-size=64k",
			"--verify=1", "--timeout=1", "127.0.0.1", (char *)workload,
			NULL};
	options_parse(&o, G_N_ELEMENTS(argv) - 1, argv);
	_exit(run_workloads(&o));
}

static void
expect(enum fault f, const char *workload, const char *error)
{
	if (g_test_subprocess())
		run(f, workload);
	g_test_trap_subprocess(NULL, 30 * G_USEC_PER_SEC, 0);
	if (error) {
		g_test_trap_assert_failed();
		g_test_trap_assert_stderr(error);
	} else {
		g_test_trap_assert_passed();
	}
}

static void
test_none(void)
{
	expect(NONE, "read4k", NULL);
}

static void
test_jukebox(void)
{
	expect(JUKEBOX, "getattr", NULL);
	g_test_trap_assert_stdout("*\"ops\":50,*\"jukebox\":?,*\"errors\":0,*");
	g_test_trap_assert_stdout_unmatched("*\"jukebox\":0,*");
}

static void
test_wrong_xid(void)
{
	expect(WRONG_XID, "getattr", "*not awaited*");
}

static void
test_cut_off(void)
{
	expect(CUT_OFF, "getattr", "*GETATTR: the attributes are cut off*");
}

static void
test_wrong_data(void)
{
	expect(WRONG_DATA, "read4k", "*READ: wrong data*");
}

static void
test_hang_up(void)
{
	expect(HANG_UP, "getattr", "*getattr: connection 0: *");
}

static void
test_silent(void)
{
	expect(SILENT, "getattr", "*GETATTR: no reply in 1 s*");
}

static void
test_no_reply(void)
{
	expect(NO_REPLY, "getattr", "*no RPC reply*");
}

static void
test_denied(void)
{
	expect(DENIED, "getattr", "*RPC denied*");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/faults/none-is-no-error", test_none);
	g_test_add_func("/faults/jukebox-is-retried-and-counted", test_jukebox);
	g_test_add_func("/faults/a-wrong-xid-ends-the-run", test_wrong_xid);
	g_test_add_func("/faults/a-short-reply-is-an-error", test_cut_off);
	g_test_add_func("/faults/wrong-data-is-an-error", test_wrong_data);
	g_test_add_func("/faults/a-closed-connection-ends-the-run", test_hang_up);
	g_test_add_func("/faults/a-missing-reply-ends-the-run", test_silent);
	g_test_add_func("/faults/a-message-that-is-no-reply-ends-the-run", test_no_reply);
	g_test_add_func("/faults/a-denied-call-ends-the-run", test_denied);
	return g_test_run();
}
