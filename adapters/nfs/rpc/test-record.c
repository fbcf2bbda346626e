/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "adapters/nfs/rpc/test-server.h"

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
	return g_test_run();
}
