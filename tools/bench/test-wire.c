/* SPDX-License-Identifier: MIT
 *
 * The XDR builder and reader, the RPC heads.
 */
#include <glib.h>

#include "call.h"

static void
test_u32_is_big_endian(void)
{
	uint8_t b[4];
	struct xdrw w = {b};

	xdrw_u32(&w, 0x01020304);
	g_assert_cmpmem(b, 4, "\1\2\3\4", 4);
	g_assert_true(w.p == b + 4);
}

static void
test_u64_is_big_endian(void)
{
	uint8_t b[8];
	struct xdrw w = {b};

	xdrw_u64(&w, UINT64_C(0x0102030405060708));
	g_assert_cmpmem(b, 8, "\1\2\3\4\5\6\7\10", 8);
}

static void
test_opaque_is_padded_with_zeros(void)
{
	uint8_t b[12];
	struct xdrw w = {b};

	memset(b, 0xff, sizeof b);
	xdrw_opaque(&w, "abcde", 5);
	g_assert_cmpmem(b, 12, "\0\0\0\5abcde\0\0\0", 12);
}

static void
test_opaque_of_four_has_no_padding(void)
{
	uint8_t b[8];
	struct xdrw w = {b};

	xdrw_opaque(&w, "abcd", 4);
	g_assert_cmpmem(b, 8, "\0\0\0\4abcd", 8);
	g_assert_true(w.p == b + 8);
}

static void
test_round_trip(void)
{
	uint8_t b[64];
	struct xdrw w = {b};
	uint32_t len;

	xdrw_u32(&w, 7);
	xdrw_opaque(&w, "name", 4);
	xdrw_u64(&w, UINT64_MAX - 1);
	struct xdrr r = {b, w.p, false};
	g_assert_cmpuint(xdrr_u32(&r), ==, 7);
	const uint8_t *p = xdrr_opaque(&r, 255, &len);
	g_assert_cmpmem(p, len, "name", 4);
	g_assert_cmpuint(xdrr_u64(&r), ==, UINT64_MAX - 1);
	g_assert_true(!r.bad && r.p == r.end);
}

static void
test_reader_is_sticky(void)
{
	const uint8_t b[6] = {0, 0, 0, 1, 9, 9};
	struct xdrr r = {b, b + 6, false};

	g_assert_cmpuint(xdrr_u32(&r), ==, 1);
	g_assert_cmpuint(xdrr_u32(&r), ==, 0);
	g_assert_true(r.bad);
	g_assert_cmpuint(xdrr_u32(&r), ==, 0);
}

static void
test_opaque_longer_than_max_is_bad(void)
{
	const uint8_t b[12] = {0, 0, 0, 5, 1, 2, 3, 4, 5};
	struct xdrr r = {b, b + 12, false};
	uint32_t len;

	g_assert_null(xdrr_opaque(&r, 4, &len));
	g_assert_true(r.bad);
	g_assert_cmpuint(len, ==, 0);
}

static void
test_opaque_longer_than_the_rest_is_bad(void)
{
	const uint8_t b[8] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
	struct xdrr r = {b, b + 8, false};
	uint32_t len;

	g_assert_null(xdrr_opaque(&r, UINT32_MAX, &len));
	g_assert_true(r.bad);
}

static void
test_call_is_patched_in_place(void)
{
	struct call_head h;
	uint8_t b[REQUEST_MAX];

	call_head_init(&h, 100003, 3, 11, 22);
	uint8_t *args = call_begin(&h, b, 0xcafe, 7);
	uint32_t len = call_end(b, args, 4096);
	g_assert_cmpuint(len, ==, h.len);
	g_assert_cmpuint(xdrr_peek32(b), ==, 0x80000000u | (len - 4 + 4096));
	g_assert_cmpuint(xdrr_peek32(b + 4), ==, 0xcafe);
	g_assert_cmpuint(xdrr_peek32(b + 8), ==, 0);
	g_assert_cmpuint(xdrr_peek32(b + 12), ==, 2);
	g_assert_cmpuint(xdrr_peek32(b + 16), ==, 100003);
	g_assert_cmpuint(xdrr_peek32(b + 20), ==, 3);
	g_assert_cmpuint(xdrr_peek32(b + 24), ==, 7);
}

static void
test_credentials_are_whole(void)
{
	struct call_head h;

	call_head_init(&h, 100003, 3, 11, 22);
	struct xdrr r = {h.bytes + 28, h.bytes + h.len, false};
	uint32_t len, name;
	g_assert_cmpuint(xdrr_u32(&r), ==, 1);
	const uint8_t *body = xdrr_opaque(&r, 400, &len);
	g_assert_cmpuint(xdrr_u32(&r), ==, 0);
	g_assert_cmpuint(xdrr_u32(&r), ==, 0);
	g_assert_true(!r.bad && r.p == r.end);
	struct xdrr cred = {body, body + len, false};
	xdrr_u32(&cred);
	xdrr_opaque(&cred, 255, &name);
	g_assert_cmpuint(xdrr_u32(&cred), ==, 11);
	g_assert_cmpuint(xdrr_u32(&cred), ==, 22);
	g_assert_cmpuint(xdrr_u32(&cred), ==, 0);
	g_assert_true(!cred.bad && cred.p == cred.end);
}

static enum reply_kind
head(const uint32_t *words, unsigned n, uint32_t *xid, uint32_t *stat)
{
	uint8_t b[64];
	struct xdrw w = {b};

	for (unsigned i = 0; i < n; i++)
		xdrw_u32(&w, words[i]);
	struct xdrr in = {b, w.p, false};
	return reply_head(&in, xid, stat);
}

static void
test_reply_accepted(void)
{
	uint32_t xid, stat;

	g_assert_cmpint(head((uint32_t[]){5, 1, 0, 0, 0, 0}, 6, &xid, &stat), ==, REPLY_OK);
	g_assert_cmpuint(xid, ==, 5);
}

static void
test_reply_with_verifier(void)
{
	uint32_t xid, stat;

	g_assert_cmpint(head((uint32_t[]){5, 1, 0, 2, 6, 0, 0, 0}, 8, &xid, &stat), ==, REPLY_OK);
}

static void
test_reply_not_accepted(void)
{
	uint32_t xid, stat;

	g_assert_cmpint(head((uint32_t[]){5, 1, 0, 0, 0, 3}, 6, &xid, &stat), ==, REPLY_NOT_OK);
	g_assert_cmpuint(stat, ==, 3);
}

static void
test_reply_denied(void)
{
	uint32_t xid, stat;

	g_assert_cmpint(head((uint32_t[]){5, 1, 1, 1, 2}, 5, &xid, &stat), ==, REPLY_NOT_OK);
	g_assert_cmpuint(stat, ==, UINT32_MAX);
}

static void
test_reply_malformed(void)
{
	uint32_t xid, stat;

	g_assert_cmpint(head((uint32_t[]){5, 0, 0, 0, 0, 0}, 6, &xid, &stat), ==, REPLY_MALFORMED);
	g_assert_cmpint(head((uint32_t[]){5, 1}, 2, &xid, &stat), ==, REPLY_MALFORMED);
	g_assert_cmpint(head((uint32_t[]){5, 1, 0, 0}, 4, &xid, &stat), ==, REPLY_MALFORMED);
	g_assert_cmpint(head((uint32_t[]){5, 1, 0, 0, 401, 0}, 6, &xid, &stat), ==,
			REPLY_MALFORMED);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/xdrw/u32-is-big-endian", test_u32_is_big_endian);
	g_test_add_func("/xdrw/u64-is-big-endian", test_u64_is_big_endian);
	g_test_add_func("/xdrw/opaque-is-padded-with-zeros", test_opaque_is_padded_with_zeros);
	g_test_add_func("/xdrw/opaque-of-four-has-no-padding", test_opaque_of_four_has_no_padding);
	g_test_add_func("/xdrr/reads-what-was-written", test_round_trip);
	g_test_add_func("/xdrr/the-error-is-sticky", test_reader_is_sticky);
	g_test_add_func("/xdrr/opaque-is-bounded-by-max", test_opaque_longer_than_max_is_bad);
	g_test_add_func("/xdrr/opaque-is-bounded-by-the-rest",
			test_opaque_longer_than_the_rest_is_bad);
	g_test_add_func("/call/is-patched-in-place", test_call_is_patched_in_place);
	g_test_add_func("/call/credentials-are-whole", test_credentials_are_whole);
	g_test_add_func("/reply/accepted", test_reply_accepted);
	g_test_add_func("/reply/a-verifier-is-skipped", test_reply_with_verifier);
	g_test_add_func("/reply/not-accepted", test_reply_not_accepted);
	g_test_add_func("/reply/denied-is-shorter", test_reply_denied);
	g_test_add_func("/reply/malformed", test_reply_malformed);
	return g_test_run();
}
