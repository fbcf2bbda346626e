/* SPDX-License-Identifier: MIT
 *
 * A server with a program of the test's own, on a loopback port, and blocking clients.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/test-doubles.h"
#include "adapters/nfs/test-runtime.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	T_NULL,
	T_ECHO,
	T_WORKER,
	T_GATED,
	T_GARBAGE,
	T_ODD,
	T_READ,
	T_WRITE,
	T_COUNT,
	T_HOLE,
	T_LARGE,
	T_WORKER_GATED,
	T_COUNT_GATED,
	T_PROCS
};

enum { W_PLAIN, W_WORKER, W_GATED }; /* the stable word of T_WRITE */

static struct dfs_gate *gate;
static _Atomic uint64_t gate_seq;
static sem_t sync_go; /* the gate's sync waits for it */
static _Atomic int sync_status;
static sem_t work_go; /* T_WORKER waits for it */
static _Atomic unsigned counter;

static enum dfs_status
sync_wait(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	sem_wait(&sync_go);
	*durable = seq;
	return (enum dfs_status)sync_status;
}

static void
leave_ticket(struct nfs_call *call)
{
	dfs_ctx_ticket(&call->ctx, gate, ++gate_seq, DFS_SYNC_POWER);
}

static enum dfs_status
t_null(struct nfs_call *call)
{
	return DFS_OK;
}

static enum dfs_status
t_echo(struct nfs_call *call)
{
	uint32_t len;
	const unsigned char *p = xdr_opaque(&call->args, 60000, &len);

	if (call->args.bad)
		return DFS_INVAL;
	xdr_put_opaque(&call->out, p, len);
	return DFS_OK;
}

static enum dfs_status
t_worker(struct nfs_call *call)
{
	uint32_t v = xdr_u32(&call->args);

	if (call->ctx.nonblock) {
		call->ctx.id.uid = 4242; /* as squashing would; the second run must not see it */
		return DFS_AGAIN;
	}
	sem_wait(&work_go);
	xdr_put_u32(&call->out, v);
	xdr_put_u32(&call->out, call->ctx.id.uid);
	return DFS_OK;
}

static enum dfs_status
t_gated(struct nfs_call *call)
{
	leave_ticket(call);
	xdr_put_u32(&call->out, 0);
	xdr_put_u32(&call->out, xdr_u32(&call->args));
	return DFS_OK;
}

static enum dfs_status
t_worker_gated(struct nfs_call *call)
{
	return call->ctx.nonblock ? DFS_AGAIN : t_gated(call);
}

static enum dfs_status
t_garbage(struct nfs_call *call)
{
	return DFS_INVAL;
}

static enum dfs_status
t_odd(struct nfs_call *call)
{
	return DFS_NOENT;
}

/* count bytes of value v, out of two buffers. */
static enum dfs_status
t_read(struct nfs_call *call)
{
	uint32_t count = xdr_u32(&call->args), half = count / 2, v = xdr_u32(&call->args);
	struct dfs_buf *a = dfs_buf_alloc(half + 1), *b = dfs_buf_alloc(count - half);

	memset(a->data, (int)v, half);
	memset(b->data, (int)v, count - half);
	xdr_put_u32(&call->out, count);
	xdr_put_ref(&call->out, a, a->data, half);
	xdr_put_ref(&call->out, b, b->data, count - half);
	xdr_put_fixed(&call->out, "\0\0\0", -count & 3 ? 4 - (count & 3) : 0);
	call->out.p -= -count & 3 ? count & 3 : 0;
	return DFS_OK;
}

/* Answers whether the data came directly, its sum, and the offset. */
static enum dfs_status
t_write(struct nfs_call *call)
{
	uint32_t len, sum = 0, stable, fh;
	uint64_t offset;
	const unsigned char *p = NULL;
	struct dfs_write *direct = call->direct;

	xdr_opaque(&call->args, 64, &fh);
	offset = xdr_u64(&call->args);
	xdr_u32(&call->args);
	stable = xdr_u32(&call->args);
	if (direct)
		len = xdr_u32(&call->args);
	else
		p = xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	if (stable == W_WORKER && call->ctx.nonblock)
		return DFS_AGAIN;
	for (uint32_t i = 0; p && i < len; i++)
		sum += p[i];
	for (uint32_t v = 0; direct && v < direct->n; v++)
		for (uint32_t i = 0; i < direct->iov[v].iov_len; i++)
			sum += ((unsigned char *)direct->iov[v].iov_base)[i];
	if (direct) {
		g_assert_cmpuint(direct->len, ==, len);
		g_assert_cmpuint(direct->offset, ==, offset);
		dfs_fs_write_cancel(direct);
		call->direct = NULL;
	}
	if (stable == W_GATED)
		leave_ticket(call);
	xdr_put_u32(&call->out, direct != NULL);
	xdr_put_u32(&call->out, sum);
	xdr_put_u64(&call->out, offset);
	return DFS_OK;
}

static enum dfs_status
t_count(struct nfs_call *call)
{
	xdr_put_u32(&call->out, ++counter);
	return DFS_OK;
}

static enum dfs_status
t_count_gated(struct nfs_call *call)
{
	leave_ticket(call);
	return t_count(call);
}

static enum dfs_status
t_large(struct nfs_call *call)
{
	if (call->ctx.nonblock)
		return DFS_AGAIN;
	for (uint32_t i = 0; i < 15000; i++)
		xdr_put_u32(&call->out, i);
	return DFS_OK;
}

static void
t_fail(struct xdr_out *out, enum dfs_status status)
{
	xdr_put_u32(out, 1000 + status);
}

static const struct nfs_proc procs[T_PROCS] = {
	[T_NULL] = {"null", t_null, 0, 0, NULL},
	[T_ECHO] = {"echo", t_echo, 60004, 0, NULL},
	[T_WORKER] = {"worker", t_worker, 8, 0, t_fail},
	[T_GATED] = {"gated", t_gated, 8, 0, t_fail},
	[T_GARBAGE] = {"garbage", t_garbage, 0, 0, NULL},
	[T_ODD] = {"odd", t_odd, 0, 0, NULL},
	[T_READ] = {"read", t_read, 8, 0, NULL},
	[T_WRITE] = {"write", t_write, 16, NFS_PROC_DIRECT, t_fail},
	[T_COUNT] = {"count", t_count, 4, NFS_PROC_CACHED, t_fail},
	[T_LARGE] = {"large", t_large, 60000, 0, NULL},
	[T_WORKER_GATED] = {"worker-gated", t_worker_gated, 8, 0, t_fail},
	[T_COUNT_GATED] = {"count-gated", t_count_gated, 4, NFS_PROC_CACHED, t_fail},
};

static const struct nfs_program programs[] = {{NFS_PROGRAM, 3, 4, procs, T_PROCS}};

struct fixture {
	struct dfs_runtime runtime;
	struct dfs_workers *workers;
	struct nfs_server *server;
	int fd;
};

static int
dial(struct fixture *f)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(dfs_net_port(f->server->net, 0))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&in, sizeof in), ==, 0);
	return fd;
}

static void
setup(struct fixture *f, gconstpointer data)
{
	static const char *const addresses[] = {"127.0.0.1", NULL};
	struct nfs_config config = {
		.listen = addresses,
		.max_connections = 100,
		.max_requests = 256,
		.max_queued = 32 << 20,
		.max_receiving = 64 << 20,
		.stall_timeout = 60 * DFS_SECOND,
		.request_timeout = 60 * DFS_SECOND,
		.reply_cache = 1024,
	};

	dfs_log_setup(DFS_LOG_ERROR, DFS_LOG_TEXT);
	sem_init(&sync_go, 0, 0);
	sem_init(&work_go, 0, 0);
	gate_seq = 0;
	sync_status = DFS_OK;
	counter = 0;
	test_write_status = DFS_OK;
	gate = dfs_gate_new("test", sync_wait, NULL);
	f->workers = dfs_workers_new(4);
	g_assert_cmpint(
		nfs_server_new(&f->runtime, f->workers, 2, &config, programs, 1, &f->server), ==,
		DFS_OK);
	g_assert_cmpint(nfs_server_start(f->server), ==, DFS_OK);
	f->fd = dial(f);
}

static void
teardown(struct fixture *f, gconstpointer data)
{
	for (unsigned i = 0; i < 2000; i++) {
		sem_post(&sync_go);
		sem_post(&work_go);
	}
	if (f->fd >= 0)
		close(f->fd);
	nfs_server_stop(f->server, dfs_clock_mono() + 60 * DFS_SECOND);
	nfs_server_free(f->server);
	dfs_gate_free(gate);
	dfs_workers_free(f->workers);
}

/* --- building calls --- */

struct message {
	unsigned char bytes[2100000];
	uint32_t len;
};

static void
add_u32(struct message *m, uint32_t v)
{
	v = htonl(v);
	memcpy(m->bytes + m->len, &v, 4);
	m->len += 4;
}

static void
add_bytes(struct message *m, const void *p, uint32_t n)
{
	if (p)
		memcpy(m->bytes + m->len, p, n);
	else
		memset(m->bytes + m->len, 'f', n);
	m->len += n;
	while (m->len & 3)
		m->bytes[m->len++] = 0;
}

static struct message *
message_new(void)
{
	struct message *m = g_malloc(sizeof *m);

	m->len = 4; /* the mark */
	return m;
}

static void
add_head(struct message *m, uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure)
{
	add_u32(m, xid);
	add_u32(m, 0);
	add_u32(m, 2);
	add_u32(m, program);
	add_u32(m, version);
	add_u32(m, procedure);
}

static void
add_auth_sys(struct message *m, uint32_t uid)
{
	add_u32(m, 1);
	add_u32(m, 4 + 4 + 4 + 4 + 4 + 4 + 8);
	add_u32(m, 77);
	add_u32(m, 4);
	add_bytes(m, "host", 4);
	add_u32(m, uid);
	add_u32(m, 100);
	add_u32(m, 2);
	add_u32(m, 5);
	add_u32(m, 6);
	add_u32(m, 0);
	add_u32(m, 0);
}

static struct message *
call_new(uint32_t xid, uint32_t procedure)
{
	struct message *m = message_new();

	add_head(m, xid, NFS_PROGRAM, 3, procedure);
	add_auth_sys(m, 7);
	return m;
}

static void
finish(struct message *m)
{
	uint32_t mark = htonl(0x80000000u | (m->len - 4));

	memcpy(m->bytes, &mark, 4);
}

static void
send_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		g_assert_cmpint(sent, >, 0);
		p += sent;
		n -= (size_t)sent;
	}
}

static void
send_call(int fd, struct message *m)
{
	finish(m);
	send_all(fd, m->bytes, m->len);
	g_free(m);
}

static void
send_simple(int fd, uint32_t xid, uint32_t procedure, uint32_t arg)
{
	struct message *m = call_new(xid, procedure);

	add_u32(m, arg);
	send_call(fd, m);
}

/* --- reading replies --- */

struct reply {
	uint32_t words[300000];
	uint32_t n;
};

static void
recv_all(int fd, void *data, size_t n)
{
	char *p = data;

	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		g_assert_cmpint(got, >, 0);
		p += got;
		n -= (size_t)got;
	}
}

static struct reply reply;

static void
recv_reply(int fd)
{
	uint32_t mark;

	recv_all(fd, &mark, 4);
	mark = ntohl(mark);
	g_assert_true(mark & 0x80000000u);
	mark &= 0x7fffffff;
	g_assert_cmpuint(mark % 4, ==, 0);
	g_assert_cmpuint(mark, <=, sizeof reply.words);
	recv_all(fd, reply.words, mark);
	reply.n = mark / 4;
	for (uint32_t i = 0; i < reply.n; i++)
		reply.words[i] = ntohl(reply.words[i]);
	g_assert_cmpuint(reply.words[1], ==, 1);
}

static void
expect_accepted(int fd, uint32_t xid, enum rpc_accept_stat stat)
{
	recv_reply(fd);
	g_assert_cmpuint(reply.words[0], ==, xid);
	g_assert_cmpuint(reply.words[2], ==, 0);
	g_assert_cmpuint(reply.words[3], ==, 0);
	g_assert_cmpuint(reply.words[4], ==, 0);
	g_assert_cmpuint(reply.words[5], ==, stat);
}

#define BODY(i) reply.words[6 + (i)]

static void
expect_auth_error(int fd, uint32_t xid, enum rpc_auth_stat stat)
{
	recv_reply(fd);
	g_assert_cmpuint(reply.n, ==, 5);
	g_assert_cmpuint(reply.words[0], ==, xid);
	g_assert_cmpuint(reply.words[2], ==, 1);
	g_assert_cmpuint(reply.words[3], ==, 1);
	g_assert_cmpuint(reply.words[4], ==, stat);
}

static void
expect_closed(struct fixture *f)
{
	char c;

	g_assert_cmpint(recv(f->fd, &c, 1, 0), <=, 0);
}

static void
expect_alive(int fd)
{
	send_simple(fd, 999, T_NULL, 0);
	expect_accepted(fd, 999, RPC_SUCCESS);
}

/* The line that is logged is expected: keep it out of the test's output. */
static int
log_away(void)
{
	int log = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
	return log;
}

static void
log_back(int log)
{
	dup2(log, STDERR_FILENO);
	close(log);
}

/* --- heads --- */

static void
test_null(struct fixture *f, gconstpointer data)
{
	send_call(f->fd, call_new(1, T_NULL));
	expect_accepted(f->fd, 1, RPC_SUCCESS);
	g_assert_cmpuint(reply.n, ==, 6);
}

static void
test_prog_unavail(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_head(m, 2, 100999, 3, 0);
	add_auth_sys(m, 7);
	send_call(f->fd, m);
	expect_accepted(f->fd, 2, RPC_PROG_UNAVAIL);
	expect_alive(f->fd);
}

static void
test_prog_mismatch(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_head(m, 3, NFS_PROGRAM, 2, 0);
	add_auth_sys(m, 7);
	send_call(f->fd, m);
	expect_accepted(f->fd, 3, RPC_PROG_MISMATCH);
	g_assert_cmpuint(BODY(0), ==, 3);
	g_assert_cmpuint(BODY(1), ==, 4);
	expect_alive(f->fd);
}

static void
test_proc_unavail(struct fixture *f, gconstpointer data)
{
	send_call(f->fd, call_new(4, T_PROCS));
	expect_accepted(f->fd, 4, RPC_PROC_UNAVAIL);
	send_call(f->fd, call_new(5, T_HOLE));
	expect_accepted(f->fd, 5, RPC_PROC_UNAVAIL);
	send_call(f->fd, call_new(6, UINT32_MAX));
	expect_accepted(f->fd, 6, RPC_PROC_UNAVAIL);
}

static void
test_garbage_args(struct fixture *f, gconstpointer data)
{
	send_call(f->fd, call_new(5, T_GARBAGE));
	expect_accepted(f->fd, 5, RPC_GARBAGE_ARGS);
	expect_alive(f->fd);
}

static void
test_system_err(struct fixture *f, gconstpointer data)
{
	int log = log_away();

	send_call(f->fd, call_new(6, T_ODD));
	expect_accepted(f->fd, 6, RPC_SYSTEM_ERR);
	log_back(log);
	expect_alive(f->fd);
}

static void
test_rpc_mismatch(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_u32(m, 7);
	add_u32(m, 0);
	add_u32(m, 3);
	send_call(f->fd, m);
	recv_reply(f->fd);
	g_assert_cmpuint(reply.n, ==, 6);
	g_assert_cmpuint(reply.words[0], ==, 7);
	g_assert_cmpuint(reply.words[2], ==, 1);
	g_assert_cmpuint(reply.words[3], ==, 0);
	g_assert_cmpuint(reply.words[4], ==, 2);
	g_assert_cmpuint(reply.words[5], ==, 2);
	expect_alive(f->fd);
}

static void
send_cred(int fd, uint32_t xid, uint32_t procedure, uint32_t flavor, uint32_t len, uint32_t verf)
{
	static const unsigned char body[512];
	struct message *m = message_new();

	add_head(m, xid, NFS_PROGRAM, 3, procedure);
	add_u32(m, flavor);
	add_u32(m, len);
	add_bytes(m, body, len);
	add_u32(m, verf);
	add_u32(m, 0);
	send_call(fd, m);
}

static void
test_auth_none(struct fixture *f, gconstpointer data)
{
	send_cred(f->fd, 8, T_NULL, 0, 0, 0);
	expect_accepted(f->fd, 8, RPC_SUCCESS);
	send_cred(f->fd, 8, T_COUNT, 0, 0, 0);
	expect_accepted(f->fd, 8, RPC_SUCCESS);
}

static void
test_auth_badcred(struct fixture *f, gconstpointer data)
{
	send_cred(f->fd, 9, T_ECHO, 1, 8, 0); /* too short for an AUTH_SYS body */
	expect_auth_error(f->fd, 9, RPC_AUTH_BADCRED);
	send_cred(f->fd, 10, T_ECHO, 1, 404, 0);
	expect_auth_error(f->fd, 10, RPC_AUTH_BADCRED);
	expect_alive(f->fd);
}

static void
test_auth_too_many_groups(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_head(m, 11, NFS_PROGRAM, 3, T_COUNT);
	add_u32(m, 1);
	add_u32(m, 20 + 17 * 4);
	add_u32(m, 0);
	add_u32(m, 0);
	add_u32(m, 0);
	add_u32(m, 0);
	add_u32(m, 17);
	for (unsigned i = 0; i < 17; i++)
		add_u32(m, i);
	add_u32(m, 0);
	add_u32(m, 0);
	send_call(f->fd, m);
	expect_auth_error(f->fd, 11, RPC_AUTH_BADCRED);
}

static void
test_auth_rejectedcred(struct fixture *f, gconstpointer data)
{
	send_cred(f->fd, 12, T_ECHO, 3, 0, 0);
	expect_auth_error(f->fd, 12, RPC_AUTH_REJECTEDCRED);
	send_cred(f->fd, 13, T_NULL, RPC_AUTH_GSS, 0, 0);
	expect_auth_error(f->fd, 13, RPC_AUTH_REJECTEDCRED);
	send_cred(f->fd, 14, T_NULL, RPC_AUTH_TLS, 0, 0);
	expect_auth_error(f->fd, 14, RPC_AUTH_REJECTEDCRED);
	send_cred(f->fd, 15, T_NULL, 3, 0, 0);
	expect_accepted(f->fd, 15, RPC_SUCCESS);
}

static void
test_auth_badverf(struct fixture *f, gconstpointer data)
{
	send_cred(f->fd, 16, T_COUNT, 0, 0, 1);
	expect_auth_error(f->fd, 16, RPC_AUTH_BADVERF);
}

static void
test_credential_changes_are_seen(struct fixture *f, gconstpointer data)
{
	for (uint32_t uid = 0; uid < 4; uid++) {
		struct message *m = message_new();
		add_head(m, uid, NFS_PROGRAM, 3, T_WORKER);
		add_auth_sys(m, uid / 2);
		add_u32(m, 0);
		sem_post(&work_go);
		send_call(f->fd, m);
		expect_accepted(f->fd, uid, RPC_SUCCESS);
		g_assert_cmpuint(BODY(1), ==, uid / 2);
	}
}

static void
test_reply_instead_of_call_closes(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_u32(m, 1);
	add_u32(m, 1);
	add_u32(m, 0);
	send_call(f->fd, m);
	expect_closed(f);
}

static void
test_short_head_closes(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(1, T_NULL);

	m->len = 4 + 16;
	send_call(f->fd, m);
	expect_closed(f);
}

/* --- record marking --- */

static void
test_every_split_of_the_stream(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(20, T_ECHO);

	add_u32(m, 5);
	add_bytes(m, "hello", 5);
	finish(m);
	for (uint32_t at = 1; at < m->len; at++) {
		send_all(f->fd, m->bytes, at);
		send_all(f->fd, m->bytes + at, m->len - at);
		expect_accepted(f->fd, 20, RPC_SUCCESS);
		g_assert_cmpuint(BODY(0), ==, 5);
	}
	g_free(m);
}

static void
send_fragments(int fd, const struct message *m, uint32_t size, uint32_t empty)
{
	GByteArray *a = g_byte_array_new();

	for (uint32_t at = 4; at < m->len;) {
		uint32_t n = m->len - at < size ? m->len - at : size, mark = htonl(n), zero = 0;
		if (at + n == m->len)
			mark = htonl(n | 0x80000000u);
		for (uint32_t i = 0; i < empty; i++)
			g_byte_array_append(a, (const guint8 *)&zero, 4);
		g_byte_array_append(a, (const guint8 *)&mark, 4);
		g_byte_array_append(a, m->bytes + at, n);
		at += n;
	}
	send_all(fd, a->data, a->len);
	g_byte_array_free(a, TRUE);
}

static void
test_record_in_many_fragments(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(21, T_ECHO);

	add_u32(m, 64);
	add_bytes(m, NULL, 64);
	for (uint32_t size = 1; size < m->len; size++) {
		send_fragments(f->fd, m, size, 0);
		expect_accepted(f->fd, 21, RPC_SUCCESS);
		g_assert_cmpuint(BODY(0), ==, 64);
	}
	send_fragments(f->fd, m, 50, 3);
	expect_accepted(f->fd, 21, RPC_SUCCESS);
	g_free(m);
	expect_alive(f->fd);
}

static void
test_last_fragment_may_be_empty(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(22, T_NULL);
	uint32_t mark = htonl(m->len - 4), last = htonl(0x80000000u);

	memcpy(m->bytes, &mark, 4);
	send_all(f->fd, m->bytes, m->len);
	send_all(f->fd, &last, 4);
	expect_accepted(f->fd, 22, RPC_SUCCESS);
	g_free(m);
	expect_alive(f->fd);
}

static void
test_too_many_fragments_close(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(23, T_ECHO);

	add_u32(m, 300);
	add_bytes(m, NULL, 300);
	send_fragments(f->fd, m, 1, 0);
	g_free(m);
	expect_closed(f);
}

static void
test_too_many_empty_fragments_close(struct fixture *f, gconstpointer data)
{
	uint32_t zeros[17] = {0};

	send_all(f->fd, zeros, sizeof zeros);
	expect_closed(f);
}

static void
test_oversized_record_closes(struct fixture *f, gconstpointer data)
{
	uint32_t mark = htonl(0x80000000u | ((1u << 20) + 5000));

	send_all(f->fd, &mark, 4);
	expect_closed(f);
}

static void
test_oversized_fragments_close(struct fixture *f, gconstpointer data)
{
	g_autofree unsigned char *fragment = g_malloc0(600004);
	uint32_t mark = htonl(600000);

	memcpy(fragment, &mark, 4);
	send_all(f->fd, fragment, 600004);
	send_all(f->fd, fragment, 4);
	expect_closed(f);
}

static void
test_other_protocols_close(struct fixture *f, gconstpointer data)
{
	static const char *const starts[] = {"GET / HTTP/1.1\r\n",
					     "\x16\x03\x01\x02\x00\x01\x00\x01"};

	for (unsigned i = 0; i < 2; i++) {
		send_all(f->fd, starts[i], i ? 8 : 16);
		expect_closed(f);
		close(f->fd);
		f->fd = dial(f);
	}
	send_all(f->fd, "\0\0\0\x55\xff\x53\x4d\x42", 8);
	expect_closed(f);
}

static void
test_many_calls_in_one_segment(struct fixture *f, gconstpointer data)
{
	GByteArray *a = g_byte_array_new();

	for (uint32_t i = 0; i < 1000; i++) {
		struct message *m = call_new(i, T_NULL);
		finish(m);
		g_byte_array_append(a, m->bytes, m->len);
		g_free(m);
	}
	send_all(f->fd, a->data, a->len);
	for (uint32_t i = 0; i < 1000; i++)
		expect_accepted(f->fd, i, RPC_SUCCESS);
	g_byte_array_free(a, TRUE);
}

static void
test_record_larger_than_a_chunk(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(24, T_ECHO);

	add_u32(m, 100000); /* beyond what echo takes: it answers GARBAGE_ARGS, the record is
			       consumed */
	memset(m->bytes + m->len, 0, 100000);
	m->len += 100000;
	send_call(f->fd, m);
	expect_accepted(f->fd, 24, RPC_GARBAGE_ARGS);
	expect_alive(f->fd);
}

/* --- workers and gates --- */

static void
test_worker_does_not_hold_the_connection(struct fixture *f, gconstpointer data)
{
	send_simple(f->fd, 30, T_WORKER, 5);
	expect_alive(f->fd); /* overtakes it */
	sem_post(&work_go);
	expect_accepted(f->fd, 30, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 5);
	g_assert_cmpuint(BODY(1), ==, 7);
}

static void
test_large_reply_of_a_worker(struct fixture *f, gconstpointer data)
{
	send_simple(f->fd, 31, T_LARGE, 0);
	expect_accepted(f->fd, 31, RPC_SUCCESS);
	g_assert_cmpuint(reply.n, ==, 6 + 15000);
	for (uint32_t i = 0; i < 15000; i++)
		g_assert_cmpuint(BODY(i), ==, i);
}

static void
test_reply_waits_for_its_gate(struct fixture *f, gconstpointer data)
{
	send_simple(f->fd, 32, T_GATED, 17);
	send_simple(f->fd, 33, T_WORKER_GATED, 18);
	expect_alive(f->fd); /* overtakes both */
	sem_post(&sync_go);
	sem_post(&sync_go);
	for (unsigned i = 0; i < 2; i++) {
		recv_reply(f->fd);
		g_assert_cmpuint(BODY(1), ==, reply.words[0] - 15);
	}
}

static void
test_hundreds_wait_for_one_sync(struct fixture *f, gconstpointer data)
{
	for (uint32_t i = 0; i < 200; i++)
		send_simple(f->fd, i, T_GATED, i);
	expect_alive(f->fd);
	sem_post(&sync_go);
	sem_post(&sync_go);
	for (uint32_t i = 0; i < 200; i++) {
		recv_reply(f->fd);
		g_assert_cmpuint(BODY(1), ==, reply.words[0]);
	}
}

static void
test_failed_sync_fails_the_reply(struct fixture *f, gconstpointer data)
{
	int log = log_away();

	sync_status = DFS_NOSPC;
	send_simple(f->fd, 34, T_GATED, 17);
	sem_post(&sync_go);
	expect_accepted(f->fd, 34, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1000 + DFS_IO);
	log_back(log);
}

static void
test_reply_after_close_is_dropped(struct fixture *f, gconstpointer data)
{
	send_simple(f->fd, 35, T_GATED, 1);
	send_simple(f->fd, 36, T_WORKER, 1);
	expect_alive(f->fd);
	close(f->fd);
	f->fd = dial(f);
	expect_alive(f->fd);
	sem_post(&work_go);
	sem_post(&sync_go);
	expect_alive(f->fd);
}

static void
test_full_lane_is_told(struct fixture *f, gconstpointer data)
{
	unsigned refused = 0;

	/* 2 run, 1024 wait, on several connections since each may have 256 under way. */
	for (unsigned c = 0; c < 5; c++) {
		int fd = dial(f);
		for (unsigned i = 0; i < 250; i++)
			send_simple(fd, i, T_WORKER, 1);
		send_simple(fd, 999, T_NULL, 0);
		do
			recv_reply(fd); /* refusals may come first */
		while (reply.words[0] != 999);
		close(fd);
	}
	for (unsigned i = 0; i < 5; i++)
		send_simple(f->fd, i, T_WORKER, 1);
	for (unsigned i = 0; i < 5; i++) {
		recv_reply(f->fd);
		refused += BODY(0) == 1000 + DFS_DELAY;
	}
	g_assert_cmpuint(refused, ==, 5);
}

/* --- duplicate requests --- */

static void
test_duplicate_gets_the_first_reply(struct fixture *f, gconstpointer data)
{
	int other = dial(f);

	send_simple(f->fd, 40, T_COUNT, 0);
	expect_accepted(f->fd, 40, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1);
	send_simple(other, 40, T_COUNT, 0);
	expect_accepted(other, 40, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1);
	send_simple(f->fd, 41, T_COUNT, 0);
	expect_accepted(f->fd, 41, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 2);
	close(other);
}

static void
test_duplicate_of_a_gated_call_waits(struct fixture *f, gconstpointer data)
{
	int other = dial(f);

	send_simple(f->fd, 42, T_COUNT_GATED, 0);
	expect_alive(f->fd);
	send_simple(other, 42, T_COUNT_GATED, 0); /* dropped: the first is under way */
	expect_alive(other);
	sem_post(&sync_go);
	expect_accepted(f->fd, 42, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1);
	send_simple(other, 42, T_COUNT_GATED, 0);
	expect_accepted(other, 42, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1);
	close(other);
}

/* --- data --- */

static void
test_read_sends_pages(struct fixture *f, gconstpointer data)
{
	static const uint32_t sizes[] = {4, 4096, 65536, 1048576};

	for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++) {
		struct message *m = call_new(50 + s, T_READ);
		add_u32(m, sizes[s]);
		add_u32(m, 0xab);
		send_call(f->fd, m);
		expect_accepted(f->fd, 50 + s, RPC_SUCCESS);
		g_assert_cmpuint(BODY(0), ==, sizes[s]);
		g_assert_cmpuint(reply.n, ==, 7 + sizes[s] / 4);
		for (uint32_t i = 0; i < sizes[s] / 4; i++)
			g_assert_cmpuint(BODY(1 + i), ==, 0xabababab);
	}
}

static uint32_t
add_write(struct message *m, uint64_t offset, uint32_t how, uint32_t len, uint32_t count)
{
	uint32_t sum = 0;

	add_u32(m, 32);
	add_bytes(m, NULL, 32);
	add_u32(m, (uint32_t)(offset >> 32));
	add_u32(m, (uint32_t)offset);
	add_u32(m, count);
	add_u32(m, how);
	add_u32(m, len);
	for (uint32_t i = 0; i < len; i++)
		sum += m->bytes[m->len + i] = (unsigned char)(i * 7 + len);
	m->len += len;
	while (m->len & 3)
		m->bytes[m->len++] = 0;
	return sum;
}

static void
expect_write(int fd, uint32_t xid, bool direct, uint32_t sum, uint64_t offset)
{
	expect_accepted(fd, xid, RPC_SUCCESS);
	g_assert_cmpuint(reply.n, ==, 10);
	g_assert_cmpuint(BODY(1), ==, sum);
	if (direct)
		g_assert_cmpuint(BODY(0), ==, 1);
	g_assert_cmpuint(BODY(2), ==, (uint32_t)(offset >> 32));
	g_assert_cmpuint(BODY(3), ==, (uint32_t)offset);
}

static void
test_small_write_is_buffered(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(60, T_WRITE);
	uint32_t sum = add_write(m, 5, W_PLAIN, 4097, 4097);

	send_call(f->fd, m);
	expect_write(f->fd, 60, false, sum, 5);
	g_assert_cmpuint(BODY(0), ==, 0);
}

static void
test_large_write_is_received_directly(struct fixture *f, gconstpointer data)
{
	static const uint32_t sizes[] = {100001, 262146, 1048575, 1048576};

	for (unsigned how = W_PLAIN; how <= W_GATED; how++)
		for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++) {
			struct message *m = call_new(s, T_WRITE);
			uint32_t sum = add_write(m, UINT64_C(1) << 40, how, sizes[s], sizes[s]);
			send_call(f->fd, m);
			if (how == W_GATED)
				sem_post(&sync_go);
			expect_write(f->fd, s, true, sum, UINT64_C(1) << 40);
		}
	g_assert_cmpint(f->server->receiving, ==, 0);
}

static void
test_writes_follow_each_other(struct fixture *f, gconstpointer data)
{
	uint32_t sums[24];
	GByteArray *a = g_byte_array_new();

	for (uint32_t i = 0; i < 24; i++) {
		struct message *m = call_new(i, T_WRITE);
		uint32_t len = i % 3 == 2 ? 100 + i : 60000 + i * 7777;
		sums[i] = add_write(m, i, W_PLAIN, len, len);
		finish(m);
		g_byte_array_append(a, m->bytes, m->len);
		g_free(m);
	}
	send_all(f->fd, a->data, a->len);
	for (uint32_t i = 0; i < 24; i++)
		expect_write(f->fd, i, false, sums[i], i);
	g_byte_array_free(a, TRUE);
}

static void
test_write_in_fragments_is_buffered(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(61, T_WRITE);
	uint32_t sum = add_write(m, 9, W_PLAIN, 200000, 200000);

	send_fragments(f->fd, m, 7001, 0);
	g_free(m);
	expect_write(f->fd, 61, false, sum, 9);
}

static void
test_write_with_odd_count_is_not_direct(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(62, T_WRITE);
	uint32_t sum = add_write(m, 9, W_PLAIN, 200000, 100);

	send_call(f->fd, m);
	expect_write(f->fd, 62, false, sum, 9);
	g_assert_cmpuint(BODY(0), ==, 0);
}

static void
test_write_with_false_length_is_garbage(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(63, T_WRITE);
	uint32_t huge = htonl(0xfffffff0), at = m->len + 36 + 8 + 8;

	add_write(m, 9, W_PLAIN, 200000, 200000);
	memcpy(m->bytes + at, &huge, 4);
	send_call(f->fd, m);
	expect_accepted(f->fd, 63, RPC_GARBAGE_ARGS);
	expect_alive(f->fd);
}

static void
test_write_that_breaks_off_gives_its_pages_back(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(64, T_WRITE);
	char c;

	add_write(m, 9, W_PLAIN, 900000, 900000);
	finish(m);
	send_all(f->fd, m->bytes, 300000);
	g_free(m);
	shutdown(f->fd, SHUT_WR);
	g_assert_cmpint(recv(f->fd, &c, 1, 0), <=, 0); /* closed: and so given back */
	g_assert_cmpint(f->server->receiving, ==, 0);
}

static void
test_write_without_memory_is_told_to_come_again(struct fixture *f, gconstpointer data)
{
	struct message *m = call_new(65, T_WRITE);

	test_write_status = DFS_DELAY;
	add_write(m, 9, W_PLAIN, 900000, 900000);
	send_call(f->fd, m);
	expect_accepted(f->fd, 65, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1000 + DFS_DELAY);
	expect_alive(f->fd);
}

static void
test_write_with_bad_credential(struct fixture *f, gconstpointer data)
{
	struct message *m = message_new();

	add_head(m, 66, NFS_PROGRAM, 3, T_WRITE);
	add_u32(m, 5);
	add_u32(m, 0);
	add_u32(m, 0);
	add_u32(m, 0);
	add_write(m, 9, W_PLAIN, 900000, 900000);
	send_call(f->fd, m);
	expect_auth_error(f->fd, 66, RPC_AUTH_REJECTEDCRED);
	expect_alive(f->fd);
}

static void
test_idle_connection_is_small(struct fixture *f, gconstpointer data)
{
	g_assert_cmpuint(sizeof(struct nfs_conn), <=, 1800); /* and malloc's part */
}

#define TEST(name, fn) g_test_add("/rpc/" name, struct fixture, NULL, setup, fn, teardown)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST("null", test_null);
	TEST("prog-unavail", test_prog_unavail);
	TEST("prog-mismatch", test_prog_mismatch);
	TEST("proc-unavail", test_proc_unavail);
	TEST("garbage-args", test_garbage_args);
	TEST("system-err", test_system_err);
	TEST("rpc-mismatch", test_rpc_mismatch);
	TEST("auth-none", test_auth_none);
	TEST("auth-badcred", test_auth_badcred);
	TEST("auth-too-many-groups", test_auth_too_many_groups);
	TEST("auth-rejectedcred", test_auth_rejectedcred);
	TEST("auth-badverf", test_auth_badverf);
	TEST("credential-changes-are-seen", test_credential_changes_are_seen);
	TEST("reply-instead-of-call-closes", test_reply_instead_of_call_closes);
	TEST("short-head-closes", test_short_head_closes);
	TEST("every-split-of-the-stream", test_every_split_of_the_stream);
	TEST("record-in-many-fragments", test_record_in_many_fragments);
	TEST("last-fragment-may-be-empty", test_last_fragment_may_be_empty);
	TEST("too-many-fragments-close", test_too_many_fragments_close);
	TEST("too-many-empty-fragments-close", test_too_many_empty_fragments_close);
	TEST("oversized-record-closes", test_oversized_record_closes);
	TEST("oversized-fragments-close", test_oversized_fragments_close);
	TEST("other-protocols-close", test_other_protocols_close);
	TEST("many-calls-in-one-segment", test_many_calls_in_one_segment);
	TEST("record-larger-than-a-chunk", test_record_larger_than_a_chunk);
	TEST("worker-does-not-hold-the-connection", test_worker_does_not_hold_the_connection);
	TEST("large-reply-of-a-worker", test_large_reply_of_a_worker);
	TEST("reply-waits-for-its-gate", test_reply_waits_for_its_gate);
	TEST("hundreds-wait-for-one-sync", test_hundreds_wait_for_one_sync);
	TEST("failed-sync-fails-the-reply", test_failed_sync_fails_the_reply);
	TEST("reply-after-close-is-dropped", test_reply_after_close_is_dropped);
	TEST("full-lane-is-told", test_full_lane_is_told);
	TEST("duplicate-gets-the-first-reply", test_duplicate_gets_the_first_reply);
	TEST("duplicate-of-a-gated-call-waits", test_duplicate_of_a_gated_call_waits);
	TEST("read-sends-pages", test_read_sends_pages);
	TEST("small-write-is-buffered", test_small_write_is_buffered);
	TEST("large-write-is-received-directly", test_large_write_is_received_directly);
	TEST("writes-follow-each-other", test_writes_follow_each_other);
	TEST("write-in-fragments-is-buffered", test_write_in_fragments_is_buffered);
	TEST("write-with-odd-count-is-not-direct", test_write_with_odd_count_is_not_direct);
	TEST("write-with-false-length-is-garbage", test_write_with_false_length_is_garbage);
	TEST("write-that-breaks-off-gives-its-pages-back",
	     test_write_that_breaks_off_gives_its_pages_back);
	TEST("write-without-memory-is-told-to-come-again",
	     test_write_without_memory_is_told_to_come_again);
	TEST("write-with-bad-credential", test_write_with_bad_credential);
	TEST("idle-connection-is-small", test_idle_connection_is_small);
	return g_test_run();
}
