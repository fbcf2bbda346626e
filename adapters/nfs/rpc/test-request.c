/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "adapters/nfs/rpc/test-server.h"

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
expect_of_failed_sync(struct fixture *f, enum dfs_status sync, enum dfs_status answer)
{
	int log = log_away();

	sync_status = sync;
	send_simple(f->fd, 34, T_GATED, 17);
	sem_post(&sync_go);
	expect_accepted(f->fd, 34, RPC_SUCCESS);
	g_assert_cmpuint(BODY(0), ==, 1000 + answer);
	log_back(log);
}

static void
test_failed_sync_fails_the_reply(struct fixture *f, gconstpointer data)
{
	expect_of_failed_sync(f, DFS_CORRUPT, DFS_IO);
}

static void
test_full_store_is_told_as_such(struct fixture *f, gconstpointer data)
{
	expect_of_failed_sync(f, DFS_NOSPC, DFS_NOSPC);
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
	g_assert_cmpint(recv(f->fd, &c, 1, 0), <=, 0);
	/* The turn that closed the socket gives them back at its end. */
	while (atomic_load(&f->server->receiving) != 0)
		g_usleep(1000);
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

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST("worker-does-not-hold-the-connection", test_worker_does_not_hold_the_connection);
	TEST("large-reply-of-a-worker", test_large_reply_of_a_worker);
	TEST("reply-waits-for-its-gate", test_reply_waits_for_its_gate);
	TEST("hundreds-wait-for-one-sync", test_hundreds_wait_for_one_sync);
	TEST("failed-sync-fails-the-reply", test_failed_sync_fails_the_reply);
	TEST("full-store-is-told-as-such", test_full_store_is_told_as_such);
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
