/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <fcntl.h>

#include "adapters/nfs/rpc/test-server.h"
#include "base/log.h"

static struct dfs_gate *gate;
static _Atomic uint64_t gate_seq;
sem_t sync_go; /* the gate's sync waits for it */
_Atomic int sync_status;
sem_t work_go; /* T_WORKER waits for it */
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

int
dial(struct fixture *f)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(dfs_net_port(f->server->net, 0))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&in, sizeof in), ==, 0);
	return fd;
}

void
test_setup(struct fixture *f, gconstpointer data)
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

void
test_teardown(struct fixture *f, gconstpointer data)
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

void
add_u32(struct message *m, uint32_t v)
{
	v = htonl(v);
	memcpy(m->bytes + m->len, &v, 4);
	m->len += 4;
}

void
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

struct message *
message_new(void)
{
	struct message *m = g_malloc(sizeof *m);

	m->len = 4; /* the mark */
	return m;
}

void
add_head(struct message *m, uint32_t xid, uint32_t program, uint32_t version, uint32_t procedure)
{
	add_u32(m, xid);
	add_u32(m, 0);
	add_u32(m, 2);
	add_u32(m, program);
	add_u32(m, version);
	add_u32(m, procedure);
}

void
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

struct message *
call_new(uint32_t xid, uint32_t procedure)
{
	struct message *m = message_new();

	add_head(m, xid, NFS_PROGRAM, 3, procedure);
	add_auth_sys(m, 7);
	return m;
}

void
finish(struct message *m)
{
	uint32_t mark = htonl(0x80000000u | (m->len - 4));

	memcpy(m->bytes, &mark, 4);
}

void
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

void
send_call(int fd, struct message *m)
{
	finish(m);
	send_all(fd, m->bytes, m->len);
	g_free(m);
}

void
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

void
send_simple(int fd, uint32_t xid, uint32_t procedure, uint32_t arg)
{
	struct message *m = call_new(xid, procedure);

	add_u32(m, arg);
	send_call(fd, m);
}

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

struct reply reply;

void
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

void
expect_accepted(int fd, uint32_t xid, enum rpc_accept_stat stat)
{
	recv_reply(fd);
	g_assert_cmpuint(reply.words[0], ==, xid);
	g_assert_cmpuint(reply.words[2], ==, 0);
	g_assert_cmpuint(reply.words[3], ==, 0);
	g_assert_cmpuint(reply.words[4], ==, 0);
	g_assert_cmpuint(reply.words[5], ==, stat);
}

void
expect_auth_error(int fd, uint32_t xid, enum rpc_auth_stat stat)
{
	recv_reply(fd);
	g_assert_cmpuint(reply.n, ==, 5);
	g_assert_cmpuint(reply.words[0], ==, xid);
	g_assert_cmpuint(reply.words[2], ==, 1);
	g_assert_cmpuint(reply.words[3], ==, 1);
	g_assert_cmpuint(reply.words[4], ==, stat);
}

void
expect_closed(struct fixture *f)
{
	char c;

	g_assert_cmpint(recv(f->fd, &c, 1, 0), <=, 0);
}

void
expect_alive(int fd)
{
	send_simple(fd, 999, T_NULL, 0);
	expect_accepted(fd, 999, RPC_SUCCESS);
}

/* The line that is logged is expected: keep it out of the test's output. */
int
log_away(void)
{
	int log = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
	return log;
}

void
log_back(int log)
{
	dup2(log, STDERR_FILENO);
	close(log);
}
