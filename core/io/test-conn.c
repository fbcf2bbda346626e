/* SPDX-License-Identifier: MIT
 *
 * A toy protocol over socket pairs, the loop turned by the test itself.  A message is a letter and
 * a 32-bit length (host order):
 *   e  payload of that length: echoed
 *   b  that many bytes are sent back out of one buffer
 *   d  payload received directly into two vectors and 3 bytes skipped: answered with its sum
 *   h  held: no answer until the test lets it go
 */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/conn.h"

#define HEAD 5u

struct toy {
	struct dfs_conn io;
	unsigned char *mem;
	struct iovec iov[2];
	uint32_t mem_len;
	unsigned messages, held;
	unsigned *freed, *closed, *total;
};

static struct dfs_conn_limits limits = {
	.requests = 256, .out_bytes = 32u << 20, .stall = 60 * DFS_SECOND};

static void
toy_opened(struct dfs_conn *io)
{
}

static void
answer(struct dfs_conn *io, const void *data, uint32_t len)
{
	unsigned char *p = dfs_conn_reserve(io, len);

	memcpy(p, data, len);
	dfs_conn_commit(io, p, len);
}

static size_t
toy_data(struct dfs_conn *io, const unsigned char *p, size_t n)
{
	struct toy *toy = (struct toy *)io;
	size_t used = 0;

	while (n - used >= HEAD && !io->receiving) {
		const unsigned char *at = p + used;
		uint32_t len;
		memcpy(&len, at + 1, 4);
		if (!dfs_conn_may_go_on(io)) {
			dfs_conn_yield(io);
			break;
		}
		if (*at == 'e') {
			if (n - used < HEAD + len)
				break;
			answer(io, at + HEAD, len);
			used += HEAD + len;
		} else if (*at == 'b') {
			struct dfs_buf *buf = dfs_buf_alloc(len);
			memset(buf->data, 'b', len);
			dfs_conn_put(io, buf, buf->data, len);
			used += HEAD;
		} else if (*at == 'd') {
			toy->mem = g_malloc(len);
			toy->mem_len = len;
			toy->iov[0] = (struct iovec){toy->mem, len / 3};
			toy->iov[1] = (struct iovec){toy->mem + len / 3, len - len / 3};
			dfs_conn_receive(io, toy->iov, 2, 3);
			used += HEAD;
		} else if (*at == 'h') {
			dfs_conn_begin(io);
			toy->held++;
			used += HEAD;
		} else {
			return DFS_CONN_CLOSE;
		}
		toy->messages++;
		++*toy->total;
		dfs_conn_used(io);
	}
	return used;
}

static void
toy_received(struct dfs_conn *io)
{
	struct toy *toy = (struct toy *)io;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < toy->mem_len; i++)
		sum += toy->mem[i];
	g_clear_pointer(&toy->mem, g_free);
	answer(io, &sum, 4);
}

static void
toy_closed(struct dfs_conn *io)
{
	struct toy *toy = (struct toy *)io;

	g_clear_pointer(&toy->mem, g_free);
	if (toy->closed)
		++*toy->closed;
}

static void
toy_freed(struct dfs_conn *io)
{
	struct toy *toy = (struct toy *)io;

	if (toy->freed)
		++*toy->freed;
}

static const struct dfs_conn_ops toy_ops = {
	.size = sizeof(struct toy),
	.opened = toy_opened,
	.data = toy_data,
	.received = toy_received,
	.closed = toy_closed,
	.freed = toy_freed,
};

struct fixture {
	struct dfs_loop *loop;
	struct toy *toy;
	int fd; /* the peer's end */
	unsigned closed, freed, total;
};

static void
setup(struct fixture *f, gconstpointer data)
{
	int fds[2];

	f->loop = dfs_loop_new("test");
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), ==, 0);
	f->fd = fds[0];
	limits = (struct dfs_conn_limits){
		.requests = 256, .out_bytes = 32u << 20, .stall = 60 * DFS_SECOND};
	f->toy = (struct toy *)dfs_conn_new(f->loop, fds[1], NULL, &toy_ops, &limits, NULL);
	f->toy->closed = &f->closed;
	f->toy->freed = &f->freed;
	f->toy->total = &f->total;
	dfs_conn_open(&f->toy->io);
}

static void
teardown(struct fixture *f, gconstpointer data)
{
	if (!f->closed)
		dfs_conn_close(&f->toy->io, "the test ends");
	for (unsigned i = 0; i < 3; i++)
		dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->closed, ==, 1);
	g_assert_cmpuint(f->freed, ==, 1);
	if (f->fd >= 0)
		close(f->fd);
	dfs_loop_free(f->loop);
}

static void
push(struct fixture *f, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(f->fd, p, len, MSG_NOSIGNAL);
		if (n < 0) {
			g_assert_cmpint(errno, ==, EAGAIN);
			dfs_loop_turn(f->loop, 0);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
}

static void
push_head(struct fixture *f, char letter, uint32_t len)
{
	unsigned char head[HEAD] = {(unsigned char)letter};

	memcpy(head + 1, &len, 4);
	push(f, head, HEAD);
}

/* Read n bytes, turning the loop meanwhile. */
static void
pull(struct fixture *f, void *data, size_t n)
{
	char *p = data;

	while (n > 0) {
		ssize_t got = recv(f->fd, p, n, 0);
		if (got < 0) {
			g_assert_cmpint(errno, ==, EAGAIN);
			dfs_loop_turn(f->loop, 0);
			continue;
		}
		g_assert_cmpint(got, >, 0);
		p += got;
		n -= (size_t)got;
	}
}

static void
turn_until_closed(struct fixture *f)
{
	while (!f->closed)
		dfs_loop_turn(f->loop, 100);
}

static void
test_echo(struct fixture *f, gconstpointer data)
{
	char text[6];

	push(f, "e\5\0\0\0hello", 10);
	pull(f, text, 5);
	g_assert_cmpmem(text, 5, "hello", 5);
}

static void
test_bytes_one_at_a_time(struct fixture *f, gconstpointer data)
{
	const char *message = "e\5\0\0\0helloe\2\0\0\0ab";
	char text[7];

	for (unsigned i = 0; i < 17; i++) {
		push(f, message + i, 1);
		dfs_loop_turn(f->loop, 0);
	}
	pull(f, text, 7);
	g_assert_cmpmem(text, 7, "helloab", 7);
}

static void
test_nothing_is_held_when_idle(struct fixture *f, gconstpointer data)
{
	char text[5];

	push(f, "e\5\0\0\0hello", 10);
	pull(f, text, 5);
	g_assert_null(f->toy->io.in);
	g_assert_null(f->toy->io.stash);
	g_assert_true(f->toy->io.segs == f->toy->io.inline_segs);
	g_assert_cmpuint(f->loop->n_spare, >, 0);
}

static void
test_short_rest_is_stashed(struct fixture *f, gconstpointer data)
{
	push(f, "e\5\0\0\0he", 7);
	dfs_loop_turn(f->loop, 0);
	g_assert_null(f->toy->io.in);
	g_assert_nonnull(f->toy->io.stash);
	g_assert_cmpuint(f->toy->io.in_len, ==, 7);
}

static void
test_message_as_large_as_a_chunk(struct fixture *f, gconstpointer data)
{
	uint32_t len = DFS_PAGE_SIZE - HEAD;
	g_autofree unsigned char *out = g_malloc(len), *in = g_malloc(len);

	for (uint32_t i = 0; i < len; i++)
		out[i] = (unsigned char)(i * 7);
	push(f, "e\3\0\0\0abc", 8); /* so that the large one does not begin at the chunk's start */
	push_head(f, 'e', len);
	push(f, out, len);
	pull(f, in, 3);
	pull(f, in, len);
	g_assert_cmpmem(in, len, out, len);
}

static void
test_too_large_for_a_chunk_closes(struct fixture *f, gconstpointer data)
{
	g_autofree unsigned char *out = g_malloc0(2 * DFS_PAGE_SIZE);

	push_head(f, 'e', 2 * DFS_PAGE_SIZE);
	for (unsigned i = 0; i < 2 * DFS_PAGE_SIZE / 4096 && !f->closed; i++) {
		if (send(f->fd, out, 4096, MSG_NOSIGNAL) < 0)
			break;
		dfs_loop_turn(f->loop, 0);
	}
	turn_until_closed(f);
}

static void
test_direct_receive(struct fixture *f, gconstpointer data)
{
	/* Odd sizes around the pieces in which it comes: buffered, direct, tail. */
	static const uint32_t sizes[] = {3, 4090, 65536, 65537, 300001, 1048576};

	for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++) {
		uint32_t len = sizes[s], sum = 0, got;
		g_autofree unsigned char *out = g_malloc0(len + 3);
		char text[2];
		for (uint32_t i = 0; i < len; i++)
			sum += out[i] = (unsigned char)(i * 13 + s);
		push_head(f, 'd', len);
		push(f, out, len + 3);
		push(f, "e\2\0\0\0ok", 7);
		pull(f, &got, 4);
		g_assert_cmpuint(got, ==, sum);
		pull(f, text, 2);
		g_assert_cmpmem(text, 2, "ok", 2);
	}
}

static void
test_direct_receives_follow_each_other(struct fixture *f, gconstpointer data)
{
	GByteArray *stream = g_byte_array_new();
	unsigned char payload[70003];
	uint32_t sum = 0, got;

	for (uint32_t i = 0; i < 70000; i++)
		sum += payload[i] = (unsigned char)(i * 31);
	for (unsigned i = 0; i < 20; i++) {
		uint32_t len = 70000;
		g_byte_array_append(stream, (const guint8 *)"d", 1);
		g_byte_array_append(stream, (const guint8 *)&len, 4);
		g_byte_array_append(stream, payload, 70003);
	}
	push(f, stream->data, stream->len);
	for (unsigned i = 0; i < 20; i++) {
		pull(f, &got, 4);
		g_assert_cmpuint(got, ==, sum);
	}
	g_byte_array_free(stream, TRUE);
}

static void
test_buffers_are_sent_by_reference(struct fixture *f, gconstpointer data)
{
	uint32_t len = 1u << 20;
	g_autofree char *in = g_malloc(len);
	uint64_t before, after, mapped;

	dfs_loop_turn(f->loop, 0);
	push(f, "e\1\0\0\0x", 6);
	pull(f, in, 1);
	dfs_buf_usage(&before, &mapped);
	push_head(f, 'b', len);
	push(f, "e\2\0\0\0ok", 7);
	pull(f, in, len);
	for (uint32_t i = 0; i < len; i++)
		g_assert_cmpint(in[i], ==, 'b');
	pull(f, in, 2);
	g_assert_cmpmem(in, 2, "ok", 2);
	dfs_loop_turn(f->loop, 0);
	dfs_buf_usage(&after, &mapped);
	g_assert_cmpuint(after, ==, before);
}

static void
test_unread_replies_stop_reading(struct fixture *f, gconstpointer data)
{
	g_autofree char *in = g_malloc(1u << 20);

	limits.out_bytes = 2u << 20;
	for (unsigned i = 0; i < 32; i++)
		push_head(f, 'b', 1u << 20);
	for (unsigned i = 0; i < 200; i++)
		dfs_loop_turn(f->loop, 0);
	g_assert_true(f->toy->io.full);
	g_assert_cmpuint(f->toy->messages, <, 6);
	g_assert_cmpuint(f->toy->io.out_bytes, <=, 3u << 20);
	for (unsigned i = 0; i < 32; i++)
		pull(f, in, 1u << 20);
	g_assert_cmpuint(f->toy->messages, ==, 32);
	g_assert_false(f->toy->io.full);
}

static void
test_requests_under_way_are_bounded(struct fixture *f, gconstpointer data)
{
	limits.requests = 8;
	for (unsigned i = 0; i < 20; i++)
		push_head(f, 'h', 0);
	for (unsigned i = 0; i < 10; i++)
		dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->toy->held, ==, 8);
	for (unsigned done = 0; done < 20; done++) {
		dfs_conn_end(&f->toy->io);
		dfs_loop_turn(f->loop, 0);
		dfs_loop_turn(f->loop, 0);
		g_assert_cmpuint(f->toy->io.in_flight, <=, 8);
	}
	g_assert_cmpuint(f->toy->held, ==, 20);
}

static void
test_quantum_is_64_messages(struct fixture *f, gconstpointer data)
{
	for (unsigned i = 0; i < 150; i++)
		push(f, "e\1\0\0\0x", 6);
	dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->toy->messages, ==, 64);
	dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->toy->messages, ==, 128);
	dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->toy->messages, ==, 150);
}

static void
test_half_close_is_answered(struct fixture *f, gconstpointer data)
{
	char text[3];

	push(f, "e\2\0\0\0abh\0\0\0\0", 12);
	shutdown(f->fd, SHUT_WR);
	pull(f, text, 2);
	g_assert_cmpuint(f->closed, ==, 0);
	answer(&f->toy->io, "z", 1);
	dfs_conn_end(&f->toy->io);
	pull(f, text, 1);
	g_assert_cmpint(text[0], ==, 'z');
	turn_until_closed(f);
}

static void
test_late_end_after_close(struct fixture *f, gconstpointer data)
{
	push_head(f, 'h', 0);
	while (f->toy->held == 0)
		dfs_loop_turn(f->loop, 0);
	close(f->fd);
	f->fd = -1;
	dfs_conn_close(&f->toy->io, "test");
	dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->closed, ==, 1);
	g_assert_cmpuint(f->freed, ==, 0);
	answer(&f->toy->io, "late", 4); /* dropped */
	dfs_conn_end(&f->toy->io);
	g_assert_cmpuint(f->freed, ==, 1);
}

static void
test_close_while_ready_again(struct fixture *f, gconstpointer data)
{
	for (unsigned i = 0; i < 150; i++)
		push(f, "e\1\0\0\0x", 6);
	dfs_loop_turn(f->loop, 0);
	g_assert_true(f->toy->io.again.queued);
	dfs_conn_close(&f->toy->io, "test");
}

static void
test_garbage_closes(struct fixture *f, gconstpointer data)
{
	push(f, "?????", 5);
	turn_until_closed(f);
}

static void
test_peer_that_does_not_read_is_closed(struct fixture *f, gconstpointer data)
{
	limits.stall = DFS_SECOND / 100;
	for (unsigned i = 0; i < 16; i++)
		push_head(f, 'b', 1u << 20);
	turn_until_closed(f);
}

static void
test_incomplete_message_is_closed(struct fixture *f, gconstpointer data)
{
	limits.stall = DFS_SECOND / 100;
	push(f, "e\5\0\0\0he", 7);
	turn_until_closed(f);
}

static void
test_incomplete_direct_receive_is_closed(struct fixture *f, gconstpointer data)
{
	limits.stall = DFS_SECOND / 100;
	push_head(f, 'd', 100000);
	push(f, "abc", 3);
	turn_until_closed(f);
}

static void
test_cut_off_direct_receive_is_closed(struct fixture *f, gconstpointer data)
{
	push_head(f, 'd', 100000);
	push(f, "abc", 3);
	shutdown(f->fd, SHUT_WR);
	turn_until_closed(f);
}

static void
test_pause_ends(struct fixture *f, gconstpointer data)
{
	char text[2];

	dfs_conn_pause(&f->toy->io, 1);
	push(f, "e\2\0\0\0ok", 7);
	dfs_conn_relax(&f->toy->io);
	while (f->toy->messages == 0)
		dfs_loop_turn(f->loop, 100);
	pull(f, text, 2);
}

static void
test_drain_closes_when_answered(struct fixture *f, gconstpointer data)
{
	char text[1];

	push_head(f, 'h', 0);
	while (f->toy->held == 0)
		dfs_loop_turn(f->loop, 0);
	dfs_conn_drain(&f->toy->io);
	push(f, "e\1\0\0\0x", 6); /* not taken any more */
	dfs_loop_turn(f->loop, 0);
	g_assert_cmpuint(f->closed, ==, 0);
	answer(&f->toy->io, "z", 1);
	dfs_conn_end(&f->toy->io);
	pull(f, text, 1);
	turn_until_closed(f);
	g_assert_cmpuint(f->total, ==, 1);
}

#define TEST(name, fn) g_test_add("/conn/" name, struct fixture, NULL, setup, fn, teardown)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST("echo", test_echo);
	TEST("bytes-one-at-a-time", test_bytes_one_at_a_time);
	TEST("nothing-is-held-when-idle", test_nothing_is_held_when_idle);
	TEST("short-rest-is-stashed", test_short_rest_is_stashed);
	TEST("message-as-large-as-a-chunk", test_message_as_large_as_a_chunk);
	TEST("too-large-for-a-chunk-closes", test_too_large_for_a_chunk_closes);
	TEST("direct-receive", test_direct_receive);
	TEST("direct-receives-follow-each-other", test_direct_receives_follow_each_other);
	TEST("buffers-are-sent-by-reference", test_buffers_are_sent_by_reference);
	TEST("unread-replies-stop-reading", test_unread_replies_stop_reading);
	TEST("requests-under-way-are-bounded", test_requests_under_way_are_bounded);
	TEST("quantum-is-64-messages", test_quantum_is_64_messages);
	TEST("half-close-is-answered", test_half_close_is_answered);
	TEST("late-end-after-close", test_late_end_after_close);
	TEST("close-while-ready-again", test_close_while_ready_again);
	TEST("garbage-closes", test_garbage_closes);
	TEST("peer-that-does-not-read-is-closed", test_peer_that_does_not_read_is_closed);
	TEST("incomplete-message-is-closed", test_incomplete_message_is_closed);
	TEST("incomplete-direct-receive-is-closed", test_incomplete_direct_receive_is_closed);
	TEST("cut-off-direct-receive-is-closed", test_cut_off_direct_receive_is_closed);
	TEST("pause-ends", test_pause_ends);
	TEST("drain-closes-when-answered", test_drain_closes_when_answered);
	return g_test_run();
}
