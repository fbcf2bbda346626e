/* SPDX-License-Identifier: MIT
 *
 * Record marking, the receive buffer and the send queue.
 */
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record.h"
#include "rxbuf.h"
#include "txq.h"
#include "xdrw.h"

#define LAST UINT32_C(0x80000000)

/* Append a fragment whose bytes count up from `from`. */
static uint8_t *
fragment(uint8_t *p, uint32_t len, bool last, uint8_t from)
{
	xdrw_poke32(p, len | (last ? LAST : 0));
	for (uint32_t i = 0; i < len; i++)
		p[4 + i] = (uint8_t)(from + i);
	return p + 4 + len;
}

static void
test_whole(void)
{
	uint8_t b[64], *end = fragment(b, 8, true, 0);
	struct record r;

	fragment(end, 4, true, 0);
	g_assert_cmpint(record_parse(b, 20, 100, &r), ==, RECORD_OK);
	g_assert_true(r.data == b + 4 && r.len == 8 && r.consumed == 12);
}

static void
test_each_prefix_needs_more(void)
{
	uint8_t b[64];
	struct record r;

	fragment(b, 8, true, 0);
	for (uint32_t n = 0; n < 12; n++) {
		g_assert_cmpint(record_parse(b, n, 100, &r), ==, RECORD_NEED);
		g_assert_cmpuint(r.need, ==, n < 4 ? 4 : 12);
		g_assert_true(r.single == (n >= 4));
	}
}

static void
test_too_long(void)
{
	uint8_t b[4];
	struct record r;

	xdrw_poke32(b, LAST | 101);
	g_assert_cmpint(record_parse(b, 4, 100, &r), ==, RECORD_BAD);
}

static void
test_fragments_are_joined(void)
{
	uint8_t b[64], *p = fragment(b, 3, false, 0);
	struct record r;

	p = fragment(p, 0, false, 0);
	p = fragment(p, 5, true, 3);
	uint32_t all = (uint32_t)(p - b);
	for (uint32_t n = 0; n < all; n++)
		g_assert_cmpint(record_parse(b, n, 100, &r), ==, RECORD_NEED);
	g_assert_cmpint(record_parse(b, all, 100, &r), ==, RECORD_OK);
	g_assert_cmpuint(r.consumed, ==, all);
	g_assert_cmpmem(r.data, r.len, "\0\1\2\3\4\5\6\7", 8);
}

static void
test_fragments_too_long_together(void)
{
	uint8_t b[64], *p = fragment(b, 8, false, 0);
	struct record r;

	p = fragment(p, 8, true, 0);
	g_assert_cmpint(record_parse(b, (uint32_t)(p - b), 15, &r), ==, RECORD_BAD);
}

static void
test_endless_fragments(void)
{
	uint8_t b[4 * (RECORD_MAX_FRAGMENTS + 1)] = {0};
	struct record r;

	g_assert_cmpint(record_parse(b, sizeof b, 100, &r), ==, RECORD_BAD);
}

static void
test_bypass(void)
{
	uint8_t b[4096], sink[1024], scratch[16], *end = fragment(b, 1000, true, 0);
	struct rxbuf rx;
	struct record r;
	int fd[2];

	end = fragment(end, 8, true, 100);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), ==, 0);
	rxbuf_init(&rx, 256);
	g_assert_cmpint(write(fd[1], b, 100), ==, 100);
	g_assert_cmpint(rxbuf_receive(&rx, fd[0], scratch), ==, 1);
	g_assert_cmpint(rxbuf_next(&rx, &r), ==, RECORD_NEED);
	g_assert_true(r.single && r.need == 1004);
	rxbuf_bypass(&rx, &r, sink);
	g_assert_cmpint(write(fd[1], b + 100, (size_t)(end - b - 100)), ==, end - b - 100);
	while (rx.bypass)
		g_assert_cmpint(rxbuf_receive(&rx, fd[0], scratch), ==, 1);
	g_assert_cmpmem(sink, 904, b + 100, 904);
	g_assert_cmpint(rxbuf_next(&rx, &r), ==, RECORD_OK);
	g_assert_cmpuint(r.len, ==, 8);
	g_assert_cmpuint(r.data[0], ==, 100);
	rxbuf_free(&rx);
	close(fd[0]);
	close(fd[1]);
}

static void
test_moves_to_the_front(void)
{
	uint8_t b[256], scratch[16], *end = fragment(b, 80, true, 0);
	struct rxbuf rx;
	struct record r;
	int fd[2];

	end = fragment(end, 80, true, 80);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), ==, 0);
	g_assert_cmpint(write(fd[1], b, (size_t)(end - b)), ==, end - b);
	rxbuf_init(&rx, 100);
	for (uint8_t i = 0; i < 2; i++) {
		while (rxbuf_next(&rx, &r) == RECORD_NEED)
			g_assert_cmpint(rxbuf_receive(&rx, fd[0], scratch), ==, 1);
		g_assert_cmpuint(r.data[0], ==, i * 80);
		rxbuf_consume(&rx, &r);
	}
	rxbuf_free(&rx);
	close(fd[0]);
	close(fd[1]);
}

static void
test_full_of_one_record(void)
{
	uint8_t b[256], scratch[16];
	struct rxbuf rx;
	struct record r;
	int fd[2];

	fragment(b, 200, true, 0);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), ==, 0);
	g_assert_cmpint(write(fd[1], b, 204), ==, 204);
	rxbuf_init(&rx, 100);
	g_assert_cmpint(rxbuf_receive(&rx, fd[0], scratch), ==, 1);
	g_assert_cmpint(rxbuf_next(&rx, &r), ==, RECORD_NEED);
	g_assert_cmpint(rxbuf_receive(&rx, fd[0], scratch), ==, -1);
	rxbuf_free(&rx);
	close(fd[0]);
	close(fd[1]);
}

static void
put_head(struct txq *q, const char *text)
{
	uint8_t *p = txq_reserve(q, 16);

	g_assert_nonnull(p);
	memcpy(p, text, strlen(text));
	txq_commit(q, (uint32_t)strlen(text));
}

static void
test_order(void)
{
	struct txq q;
	char got[64] = "";
	int fd[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), ==, 0);
	txq_init(&q, 256, 16);
	put_head(&q, "one ");
	put_head(&q, "two ");
	txq_payload(&q, (const uint8_t *)"DATA ", 5);
	put_head(&q, "three");
	g_assert_cmpint(txq_flush(&q, fd[0]), ==, 1);
	g_assert_true(txq_empty(&q));
	g_assert_cmpint(read(fd[1], got, sizeof got), ==, 18);
	g_assert_cmpstr(got, ==, "one two DATA three");
	txq_free(&q);
	close(fd[0]);
	close(fd[1]);
}

static void
test_neighbours_are_one_entry(void)
{
	struct txq q;

	txq_init(&q, 256, 16);
	put_head(&q, "one");
	put_head(&q, "two");
	g_assert_cmpuint(q.last - q.first, ==, 1);
	txq_free(&q);
}

/* Through a socket that takes little at a time, with more queued in between. */
static void
test_partial_sends_keep_the_order(void)
{
	static uint8_t payload[100000];
	struct txq q;
	int fd[2], size = 4096;
	uint64_t want = 0, got = 0, sum_want = 0, sum_got = 0;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), ==, 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	for (unsigned i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7);
	txq_init(&q, 64, 6);
	for (unsigned turn = 0; turn < 5000 && (turn < 200 || !txq_empty(&q)); turn++) {
		uint8_t *p = turn < 200 ? txq_reserve(&q, 16) : NULL, b[10000];
		if (p) {
			memset(p, (int)turn, 16);
			txq_commit(&q, 16);
			txq_payload(&q, payload, 5000);
			for (unsigned i = 0; i < 16; i++)
				sum_want += (uint8_t)turn * (++want % 251);
			for (unsigned i = 0; i < 5000; i++)
				sum_want += payload[i] * (++want % 251);
		}
		g_assert_cmpint(txq_flush(&q, fd[0]), >=, 0);
		ssize_t n = read(fd[1], b, sizeof b);
		for (ssize_t i = 0; i < n; i++)
			sum_got += b[i] * (++got % 251);
	}
	g_assert_true(txq_empty(&q));
	for (uint8_t b; read(fd[1], &b, 1) == 1;)
		sum_got += b * (++got % 251);
	g_assert_cmpuint(got, ==, want);
	g_assert_cmpuint(sum_got, ==, sum_want);
	txq_free(&q);
	close(fd[0]);
	close(fd[1]);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/record/one-fragment", test_whole);
	g_test_add_func("/record/each-prefix-needs-more", test_each_prefix_needs_more);
	g_test_add_func("/record/longer-than-allowed", test_too_long);
	g_test_add_func("/record/fragments-are-joined", test_fragments_are_joined);
	g_test_add_func("/record/fragments-longer-than-allowed", test_fragments_too_long_together);
	g_test_add_func("/record/endless-empty-fragments", test_endless_fragments);
	g_test_add_func("/rxbuf/a-large-record-bypasses", test_bypass);
	g_test_add_func("/rxbuf/the-rest-moves-to-the-front", test_moves_to_the_front);
	g_test_add_func("/rxbuf/full-of-one-record-is-an-error", test_full_of_one_record);
	g_test_add_func("/txq/order-is-kept", test_order);
	g_test_add_func("/txq/neighbours-are-one-entry", test_neighbours_are_one_entry);
	g_test_add_func("/txq/partial-sends-keep-the-order", test_partial_sends_keep_the_order);
	return g_test_run();
}
