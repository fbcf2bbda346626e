/* SPDX-License-Identifier: MIT
 *
 * Signatures against Amazon's published examples, and what they are made of: encodings, digests,
 * dates, check values.
 */
#include <glib.h>
#include <string.h>

#include "plugins/block/s3/check.h"
#include "plugins/block/s3/date.h"
#include "plugins/block/s3/digest.h"
#include "plugins/block/s3/encode.h"
#include "plugins/block/s3/sign.h"
#include "plugins/crc32c/crc32c.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MAY_24 INT64_C(1369353600) /* 2013-05-24 */

/* ---- "Examples: Signature Calculations", Amazon S3 API reference ---- */

static void
expect_s3(const char *method, const char *path, const char *query, const struct pair *more,
	  uint32_t n_more, const char *hash, const char *signature)
{
	struct signer signer = {.access_key = "AKIAIOSFODNN7EXAMPLE",
				.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				.region = "us-east-1",
				.service = "s3",
				.now = MAY_24};
	struct pair header[8] = {{"x-amz-date", "20130524T000000Z"},
				 {"x-amz-content-sha256", hash},
				 {"host", "examplebucket.s3.amazonaws.com"}};
	TEXT_AUTO out = {0};
	TEXT_AUTO encoded = {0};

	for (uint32_t i = 0; i < n_more; i++)
		header[3 + i] = more[i];
	encode_uri(&encoded, path, false);
	sign_authorization(&out, &signer, method, encoded.data, query, header, 3 + n_more, hash);
	g_assert_false(out.failed);
	g_assert_true(g_str_has_prefix(out.data,
				       "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
				       "us-east-1/s3/aws4_request, SignedHeaders="));
	g_assert_cmpstr(strrchr(out.data, '=') + 1, ==, signature);
}

static void
test_get_object(void)
{
	static const struct pair range[] = {{"range", "bytes=0-9"}};

	expect_s3("GET", "/test.txt", "", range, 1, EMPTY,
		  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void
test_put_object(void)
{
	static const struct pair more[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
					   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
	unsigned char digest[SHA256_SIZE];
	char hash[65];

	g_assert_true(digest_sha256("Welcome to Amazon S3.", 21, digest));
	encode_hex(hash, digest, sizeof digest);
	expect_s3("PUT", "/test$file.text", "", more, 2, hash,
		  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void
test_get_lifecycle(void)
{
	static const struct pair query[] = {{"lifecycle", ""}};
	TEXT_AUTO text = {0};

	sign_query(&text, query, 1);
	expect_s3("GET", "/", text.data, NULL, 0, EMPTY,
		  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void
test_list_objects(void)
{
	static const struct pair query[] = {{"prefix", "J"}, {"max-keys", "2"}};
	TEXT_AUTO text = {0};

	sign_query(&text, query, 2);
	g_assert_cmpstr(text.data, ==, "max-keys=2&prefix=J");
	expect_s3("GET", "/", text.data, NULL, 0, EMPTY,
		  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* ---- the Signature Version 4 test suite ---- */

static void
expect_suite(const char *method, const char *path, const struct pair *query, uint32_t n_query,
	     const struct pair *more, uint32_t n_more, const char *signature)
{
	struct signer signer = {.access_key = "AKIDEXAMPLE",
				.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
				.region = "us-east-1",
				.service = "service",
				.now = 1440938160};
	struct pair header[8] = {{"x-amz-date", "20150830T123600Z"},
				 {"host", "example.amazonaws.com"}};
	TEXT_AUTO out = {0};
	TEXT_AUTO encoded = {0};
	TEXT_AUTO text = {0};

	for (uint32_t i = 0; i < n_more; i++)
		header[2 + i] = more[i];
	sign_query(&text, query, n_query);
	encode_uri(&encoded, path, false);
	sign_authorization(&out, &signer, method, encoded.data, text_string(&text), header,
			   2 + n_more, EMPTY);
	g_assert_cmpstr(strrchr(out.data, '=') + 1, ==, signature);
}

static void
test_suite(void)
{
	static const struct pair order[] = {{"Param2", "value2"}, {"Param1", "value1"}};
	static const struct pair trim[] = {{"my-header1", " value1"},
					   {"my-header2", " \"a   b   c\""}};

	expect_suite("GET", "/", NULL, 0, NULL, 0,
		     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
	expect_suite("POST", "/", NULL, 0, NULL, 0,
		     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
	expect_suite("GET", "/", order, 2, NULL, 0,
		     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
	expect_suite("GET", "/\xe1\x88\xb4", NULL, 0, NULL, 0,
		     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
	expect_suite("GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
		     NULL, 0, NULL, 0,
		     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
	expect_suite("GET", "/", NULL, 0, trim, 2,
		     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

/* ---- encodings ---- */

static void
test_uri(void)
{
	TEXT_AUTO out = {0};
	char plus[] = "a%20b+c%2f", bad[][8] = {"%", "%1", "%zz", "a%00b", "%-1"};

	encode_uri(&out, "a b/c+~\xff!'()*", false);
	g_assert_cmpstr(out.data, ==, "a%20b/c%2B~%FF%21%27%28%29%2A");
	text_reset(&out);
	encode_uri(&out, "a/b=&", true);
	g_assert_cmpstr(out.data, ==, "a%2Fb%3D%26");
	g_assert_true(decode_uri(plus, true));
	g_assert_cmpstr(plus, ==, "a b c/");
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(decode_uri(bad[i], false));
}

static void
test_base64(void)
{
	unsigned char bytes[40], back[40];
	char text[60];

	for (unsigned len = 0; len <= sizeof bytes; len++) {
		g_autofree char *want = g_base64_encode(bytes, len);

		for (unsigned i = 0; i < len; i++)
			bytes[i] = (unsigned char)(i * 37 + len);
		g_free(want);
		want = g_base64_encode(bytes, len);
		encode_base64(text, bytes, len);
		g_assert_cmpstr(text, ==, want);
		g_assert_cmpint(decode_base64(back, sizeof back, text), ==, (int)len);
		g_assert_cmpmem(back, len, bytes, len);
	}
	g_assert_cmpint(decode_base64(back, 1, "QUJD"), ==, -1);
	g_assert_cmpint(decode_base64(back, 40, "QUJ"), ==, -1);
	g_assert_cmpint(decode_base64(back, 40, "Q*JD"), ==, -1);
	g_assert_cmpint(decode_base64(back, 40, "QU==QUJD"), ==, -1);
}

static void
test_crc32c(void)
{
	unsigned char zeros[32] = {0}, count[32];
	g_autofree unsigned char *large = g_malloc(100000);
	uint32_t whole, cut = 0;

	/* RFC 3720 B.4. */
	g_assert_cmphex(crc32c(0, zeros, 32), ==, 0x8a9136aa);
	for (unsigned i = 0; i < 32; i++)
		count[i] = (unsigned char)i;
	g_assert_cmphex(crc32c(0, count, 32), ==, 0x46dd794e);
	for (unsigned i = 0; i < 100000; i++)
		large[i] = (unsigned char)(i * i);
	whole = crc32c(0, large, 100000);
	for (unsigned i = 0; i < 100000; i += 7777)
		cut = crc32c(cut, large + i, MIN(7777, 100000 - i));
	g_assert_cmphex(cut, ==, whole);
	for (unsigned at = 0; at <= 100000; at += 12500)
		g_assert_cmphex(crc32c_join(crc32c(0, large, at),
					    crc32c(0, large + at, 100000 - at), 100000 - at),
				==, whole);
}

/* ---- dates ---- */

static void
test_amz_date(void)
{
	char out[17];

	date_amz(MAY_24, out);
	g_assert_cmpstr(out, ==, "20130524T000000Z");
	date_amz(951827696, out);
	g_assert_cmpstr(out, ==, "20000229T123456Z");
	date_amz(-5, out);
	g_assert_cmpstr(out, ==, "19700101T000000Z");
	date_amz(INT64_MAX, out);
	g_assert_cmpstr(out, ==, "99991231T235959Z");
}

static void
test_http_date(void)
{
	static const char *const bad[] = {"",
					  "Fri",
					  "Fri, 24 May 2013 00:00:00",
					  "Fri, 24 May 2013 00:00:00 GMT+1",
					  "Fri, 24 Mai 2013 00:00:00 GMT",
					  "Fri, 32 May 2013 00:00:00 GMT",
					  "Fri, 24 May 2013 24:00:00 GMT",
					  "Fri, 24 May 1913 00:00:00 GMT"};
	int64_t seconds;

	g_assert_true(date_http("Fri, 24 May 2013 00:00:00 GMT", &seconds));
	g_assert_cmpint(seconds, ==, MAY_24);
	g_assert_true(date_http("Tue, 29 Feb 2000 12:34:56 GMT", &seconds));
	g_assert_cmpint(seconds, ==, 951827696);
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(date_http(bad[i], &seconds));
}

static void
test_iso_date(void)
{
	static const char *const bad[] = {"",
					  "2013-05-24",
					  "2013-05-24T00:00:00",
					  "2013-05-24T00:00:00Zx",
					  "2013-13-24T00:00:00Z",
					  "2013-05-24T00:00:00+",
					  "2013-05-24T00:00:00+0"};
	int64_t seconds;

	g_assert_true(date_iso("2013-05-24T00:00:00Z", &seconds));
	g_assert_cmpint(seconds, ==, MAY_24);
	g_assert_true(date_iso("2013-05-24T00:00:00.123Z", &seconds));
	g_assert_cmpint(seconds, ==, MAY_24);
	g_assert_true(date_iso("2013-05-24T02:30:00+02:30", &seconds));
	g_assert_cmpint(seconds, ==, MAY_24);
	g_assert_true(date_iso("2013-05-23T19:00:00-0500", &seconds));
	g_assert_cmpint(seconds, ==, MAY_24);
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(date_iso(bad[i], &seconds));
}

/* ---- check values ---- */

#define LEN (5 * CHECK_PART + 1000u)

static bool
reads(const unsigned char *data, const char *crc, const char *table, uint64_t offset,
      uint64_t length, uint64_t step)
{
	struct checking c;

	g_assert_true(checking_begin(&c, crc, table, offset, length, LEN));
	for (uint64_t at = offset; at < offset + length; at += step)
		if (!checking_feed(&c, data + at, MIN(step, offset + length - at)))
			return false;
	return true;
}

static void
test_check(void)
{
	g_autofree unsigned char *data = g_malloc(LEN);
	struct dfs_span spans[3] = {
		{data, 7, NULL}, {data + 7, 0, NULL}, {data + 7, LEN - 7, NULL}};
	char crc[9], table[CHECK_TABLE_TEXT];
	struct check check;

	for (unsigned i = 0; i < LEN; i++)
		data[i] = (unsigned char)(i >> 3 ^ i);
	check_spans(&check, spans, 3, LEN);
	g_assert_cmphex(check.crc, ==, crc32c(0, data, LEN));
	check_print(&check, crc, table);
	g_assert_true(reads(data, crc, table, 0, LEN, 4000));
	g_assert_true(reads(data, crc, table, CHECK_PART, 2 * CHECK_PART, 3999));
	g_assert_true(reads(data, crc, table, 5, LEN - 5, 70000));
	data[3 * CHECK_PART + 5] ^= 1;
	g_assert_false(reads(data, crc, table, 0, LEN, 4000));
	g_assert_false(reads(data, crc, table, 3 * CHECK_PART, CHECK_PART, 4000));
	/* Outside of what is read, or in a part that is not read whole, it cannot be seen. */
	g_assert_true(reads(data, crc, table, 0, 3 * CHECK_PART, 4000));
	g_assert_true(reads(data, crc, table, 3 * CHECK_PART + 1, CHECK_PART - 1, 4000));
	g_assert_true(reads(data, "", "", 0, LEN, 4000));
	/* The last part is a short one. */
	data[LEN - 1] ^= 1;
	g_assert_false(reads(data, crc, table, 5 * CHECK_PART, 1000, 10));
}

static void
test_check_malformed(void)
{
	struct checking c;

	g_assert_false(checking_begin(&c, "1234567", "", 0, 10, 10));
	g_assert_false(checking_begin(&c, "1234567x", "", 0, 10, 10));
	g_assert_false(checking_begin(&c, "", "AAAA", 0, 10, 10));
	g_assert_false(checking_begin(&c, "", "*", 0, 10, 10));
	g_assert_true(checking_begin(&c, "", "AAAAAA==", 0, 10, 10));
	/* A value that proves nothing for this read is not looked at. */
	g_assert_true(checking_begin(&c, "rubbish", "", 0, 9, 10));
}

/* The table of the largest object in two values, which together are base64 again. */
static void
test_check_cut(void)
{
	struct check check = {.n_parts = CHECK_PARTS};
	char crc[9], table[CHECK_TABLE_TEXT];

	check_print(&check, crc, table);
	g_assert_cmpuint(strlen(table), >, CHECK_TABLE_CUT);
	g_assert_cmpuint(strlen(table) - CHECK_TABLE_CUT, <=, 256);
	g_assert_cmpuint(CHECK_TABLE_CUT % 4, ==, 0);
	g_assert_null(memchr(table, '=', CHECK_TABLE_CUT));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sign/amazon's example of GET Object", test_get_object);
	g_test_add_func("/sign/amazon's example of PUT Object", test_put_object);
	g_test_add_func("/sign/amazon's example of a parameter without a value",
			test_get_lifecycle);
	g_test_add_func("/sign/amazon's example of a list", test_list_objects);
	g_test_add_func("/sign/cases of the version 4 test suite", test_suite);
	g_test_add_func("/encode/uri", test_uri);
	g_test_add_func("/encode/base64 as GLib has it", test_base64);
	g_test_add_func("/digest/CRC32C as in RFC 3720, whole and in pieces", test_crc32c);
	g_test_add_func("/date/x-amz-date", test_amz_date);
	g_test_add_func("/date/the Date header, and what is none", test_http_date);
	g_test_add_func("/date/ISO 8601, and what is none", test_iso_date);
	g_test_add_func("/check/a changed byte is found where the read covers it", test_check);
	g_test_add_func("/check/malformed values are refused", test_check_malformed);
	g_test_add_func("/check/the table of 4 MiB fits in two values of 256", test_check_cut);
	return g_test_run();
}
