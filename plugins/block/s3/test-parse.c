/* SPDX-License-Identifier: MIT
 *
 * What comes from outside: XML, header lines, ini files, endpoints, and what errors become.
 */
#include <glib.h>
#include <string.h>

#include "plugins/block/s3/credentials.h"
#include "plugins/block/s3/headers.h"
#include "plugins/block/s3/site.h"
#include "plugins/block/s3/store.h"
#include "plugins/block/s3/xml.h"

/* ---- XML ---- */

static bool
collect(void *arg, const char *path, const char *text)
{
	g_string_append_printf(arg, "%s=%s;", path, text);
	return true;
}

static void
expect_leaves(const char *xml, const char *want)
{
	g_autoptr(GString) got = g_string_new("");

	g_assert_true(xml_read(xml, strlen(xml), collect, got));
	g_assert_cmpstr(got->str, ==, want);
}

static void
refuse_xml(const char *xml, size_t len)
{
	g_autoptr(GString) got = g_string_new("");

	g_assert_false(xml_read(xml, len, collect, got));
}

static void
test_xml(void)
{
	expect_leaves("<a><b>1</b><c> 2\n</c><b/></a>", "a/b=1;a/c=2;a/b=;a=;");
	expect_leaves("<?xml version=\"1.0\"?>\n<x:a xmlns:x=\"u\"><x:b>&lt;&amp;&#65;</x:b></x:a>",
		      "a/b=<&A;a=;");
	expect_leaves("<a><![CDATA[<b>]]></a>", "a=<b>;");
	expect_leaves("<a>x<!-- no -->y</a>", "a=xy;");
}

static void
test_xml_hostile(void)
{
	static const char *const bad[] = {
		"",
		"no",
		"<a>",
		"<a></b>",
		"<a/><b/>",
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
		"<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;\"><!ENTITY z "
		"\"&y;&y;\">]><a>&z;</a>",
		"<a>&b;</a>",
		"<1/><2/><3/>",
		"<1>",
		"<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>",
	};
	g_autofree char *name = g_strnfill(300, 'n');
	g_autofree char *long_name = g_strdup_printf("<%s/>", name);
	g_autofree char *text = g_strnfill(XML_TEXT_MAX + 1, 't');
	g_autofree char *long_text = g_strdup_printf("<a>%s</a>", text);

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		refuse_xml(bad[i], strlen(bad[i]));
	refuse_xml(long_name, strlen(long_name));
	refuse_xml(long_text, strlen(long_text));
	refuse_xml("<a>\0</a>", 8);
	refuse_xml("<a>\xff\xfe</a>", 9);
}

static bool
stop(void *arg, const char *path, const char *text)
{
	return ++*(int *)arg < 2;
}

static void
test_xml_stop(void)
{
	static const char xml[] = "<a><b/><b/><b/></a>";
	int n = 0;

	g_assert_false(xml_read(xml, strlen(xml), stop, &n));
	g_assert_cmpint(n, ==, 2);
}

/* ---- lists ---- */

#define OBJECT(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"

static enum page_trouble
parse_page(struct page *page, const char *inner)
{
	g_autofree char *xml =
		g_strdup_printf("<ListBucketResult xmlns=\"x\">%s</ListBucketResult>", inner);

	page_clear(page);
	return page_parse(page, xml, strlen(xml), "p/", "", "b", "");
}

static void
test_page(void)
{
	g_autofree struct page *page = g_new0(struct page, 1);

	g_assert_cmpint(parse_page(page, OBJECT("p/a", "1") OBJECT("p/b", "2") OBJECT("p%2Fc", "3")
						 OBJECT("p/d+e", "4") OBJECT("p/.hidden", "5")
							 OBJECT("q/z", "6") OBJECT("p/e/f", "7")),
			==, PAGE_GOOD);
	g_assert_cmpuint(page->n, ==, 2);
	g_assert_cmpstr(page->key[0], ==, "c");
	g_assert_cmpstr(page->key[1], ==, "e/f");
	g_assert_cmpuint(page->length[1], ==, 7);
	g_assert_false(page->more);
	g_assert_cmpint(parse_page(page, "<IsTruncated>true</IsTruncated>"
					 "<NextContinuationToken>t&amp;</NextContinuationToken>"),
			==, PAGE_GOOD);
	g_assert_true(page->more);
	g_assert_cmpstr(page->token.data, ==, "t&");
	page_clear(page);
}

static void
test_page_hostile(void)
{
	static const char *const bad[] = {
		"<IsTruncated>true</IsTruncated>",
		"<Contents><Key>p/c",
		OBJECT("p/d", "1") "</ListBucketResult><x>",
	};
	g_autofree struct page *page = g_new0(struct page, 1);
	g_autoptr(GString) many = g_string_new("");

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_cmpint(parse_page(page, bad[i]), ==, PAGE_MALFORMED);
	g_assert_cmpint(parse_page(page, OBJECT("p/d", "1") OBJECT("p/c", "1")), ==,
			PAGE_OUT_OF_ORDER);
	g_assert_cmpint(parse_page(page, OBJECT("p/d", "1") OBJECT("p/d", "1")), ==,
			PAGE_OUT_OF_ORDER);
	/* A length that is none, a key that hides a NUL. */
	g_assert_cmpint(parse_page(page, OBJECT("p/d", "-1") OBJECT("p/e%00", "1")), ==, PAGE_GOOD);
	g_assert_cmpuint(page->n, ==, 0);
	for (int i = 0; i < 1001; i++)
		g_string_append_printf(many, OBJECT("p/c%04d", "1"), i);
	g_assert_cmpint(parse_page(page, many->str), ==, PAGE_MALFORMED);
	page_clear(page);
	g_assert_cmpint(page_parse(page, "<Other/>", 8, "", "", "", ""), ==, PAGE_MALFORMED);
	g_assert_cmpint(page_parse(page, "", 0, "", "", "", ""), ==, PAGE_MALFORMED);
	page_clear(page);
}

/* ---- headers ---- */

static bool
feed(struct answer *a, const char *line)
{
	return headers_line(a, line, strlen(line));
}

static void
test_headers(void)
{
	struct answer a = {.status = 0};

	headers_reset(&a);
	g_assert_false(feed(&a, "HTTP/1.1 100 Continue\r\n"));
	g_assert_false(feed(&a, "\r\n"));
	g_assert_false(feed(&a, "HTTP/1.1 206 Partial Content\r\n"));
	g_assert_false(feed(&a, "content-LENGTH: 10\r\n"));
	g_assert_false(feed(&a, "Content-Range: bytes 5-14/100\r\n"));
	g_assert_false(feed(&a, "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"));
	g_assert_false(feed(&a, "ETag:  \"abc\" \t\r\n"));
	g_assert_false(feed(&a, "x-amz-request-id: R\r\n"));
	g_assert_true(feed(&a, "\r\n"));
	g_assert_cmpint(a.status, ==, 206);
	g_assert_cmpint(a.length, ==, 10);
	g_assert_cmpint(a.range_first, ==, 5);
	g_assert_cmpint(a.range_total, ==, 100);
	g_assert_cmpint(a.date, ==, 1369353600);
	g_assert_cmpstr(a.etag, ==, "\"abc\"");
	g_assert_cmpstr(a.request_id, ==, "R");
	/* What a redirect's answer said is not the next one's. */
	g_assert_false(feed(&a, "HTTP/1.1 200 OK\r\n"));
	g_assert_cmpint(a.length, ==, -1);
	g_assert_cmpstr(a.etag, ==, "");
}

static void
test_headers_hostile(void)
{
	static const char *const lines[] = {
		"Content-Length: -1",
		"Content-Length: 99999999999999999999999",
		"Content-Length: 1x",
		"Content-Length:",
		"Content-Range: bytes 5-4/10",
		"Content-Range: bytes 5-10/10",
		"Content-Range: bytes */x",
		"Content-Range: pages 1-2/3",
		"Content-Range: bytes 1-/3",
		"Content-Range: bytes",
		"Date: yesterday",
		"no colon",
		":",
		"x-amz-meta-crc32c: 1234567890",
	};
	g_autofree char *huge = g_strnfill(100000, 'h');
	g_autofree char *id = g_strdup_printf("x-amz-request-id: %.500s", huge);
	struct answer a = {.status = 0};

	headers_reset(&a);
	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
		g_assert_false(feed(&a, lines[i]));
	feed(&a, huge);
	feed(&a, id);
	headers_line(&a, "x-amz-request-id: a\0b", 21);
	g_assert_cmpint(a.length, ==, -1);
	g_assert_cmpint(a.range_first, ==, -1);
	g_assert_cmpint(a.range_total, ==, -1);
	g_assert_cmpint(a.date, ==, -1);
	g_assert_cmpstr(a.crc, ==, "");
	g_assert_cmpstr(a.request_id, ==, "");
	g_assert_false(feed(&a, "HTTP/1.1 20 OK"));
	g_assert_cmpint(a.status, ==, 0);
	g_assert_false(feed(&a, "\r\n"));
}

/* ---- ini ---- */

static const char ini[] = "# a comment\n"
			  "key = outside\n"
			  "[default]\r\n"
			  "aws_access_key_id = AK1\r\n"
			  "aws_secret_access_key=S=1 \n"
			  ";aws_session_token = no\n"
			  "[ other ]\n"
			  "aws_access_key_id\t=\tAK2\n"
			  "empty =\n"
			  "[default]\n"
			  "aws_session_token = late";

static void
expect_ini(const char *section, const char *key, const char *want)
{
	TEXT_AUTO out = {0};
	bool found = ini_find(ini, strlen(ini), section, key, &out);

	g_assert_cmpint(found, ==, want != NULL);
	if (want)
		g_assert_cmpstr(text_string(&out), ==, want);
}

static void
test_ini(void)
{
	TEXT_AUTO out = {0};

	expect_ini("default", "aws_access_key_id", "AK1");
	expect_ini("default", "aws_secret_access_key", "S=1");
	expect_ini("default", "aws_session_token", "late");
	expect_ini("default", "key", NULL);
	expect_ini("other", "aws_access_key_id", "AK2");
	expect_ini("other", "empty", "");
	expect_ini("other", "aws_session_token", NULL);
	expect_ini("third", "aws_access_key_id", NULL);
	g_assert_false(ini_find("[a]\nb = c\0d", 11, "a", "b", &out));
	g_assert_false(ini_find("[a\n=", 4, "a", "b", &out));
	g_assert_false(ini_find("[", 1, "", "", &out));
}

/* ---- where the bucket is ---- */

static void
expect_site(const char *endpoint, enum path_style style, const char *bucket, const char *host,
	    const char *path)
{
	TEXT_AUTO got_host = {0};
	TEXT_AUTO got_path = {0};
	struct site site;

	g_assert_cmpstr(site_init(&site, endpoint, "eu-west-1", bucket, style), ==, NULL);
	site_host(&got_host, &site, bucket);
	site_path(&got_path, &site, bucket, "k/1");
	g_assert_cmpstr(got_host.data, ==, host);
	g_assert_cmpstr(got_path.data, ==, path);
}

static void
test_site(void)
{
	expect_site("", PATH_STYLE_AUTO, "data", "data.s3.eu-west-1.amazonaws.com", "/k/1");
	expect_site("", PATH_STYLE_YES, "data", "s3.eu-west-1.amazonaws.com", "/data/k/1");
	/* A dot would not be covered by the certificate; capitals are no host name. */
	expect_site("", PATH_STYLE_AUTO, "a.data", "s3.eu-west-1.amazonaws.com", "/a.data/k/1");
	expect_site("", PATH_STYLE_AUTO, "Data", "s3.eu-west-1.amazonaws.com", "/Data/k/1");
	expect_site("http://h:9000", PATH_STYLE_AUTO, "data", "h:9000", "/data/k/1");
	expect_site("http://h:9000/", PATH_STYLE_NO, "data", "data.h:9000", "/k/1");
	expect_site("https://h:443", PATH_STYLE_AUTO, "data", "h", "/data/k/1");
	expect_site("http://h:443", PATH_STYLE_AUTO, "data", "h:443", "/data/k/1");
	expect_site("h", PATH_STYLE_AUTO, "data", "h", "/data/k/1");
	expect_site("http://[::1]:80", PATH_STYLE_AUTO, "data", "[::1]", "/data/k/1");
}

static void
test_site_moves(void)
{
	struct site site;

	site_init(&site, "", "us-east-1", "data", PATH_STYLE_AUTO);
	site_move(&site, "cn-north-1");
	g_assert_cmpstr(site.host, ==, "s3.cn-north-1.amazonaws.com.cn");
	site_init(&site, "http://h", "us-east-1", "data", PATH_STYLE_AUTO);
	site_move(&site, "x");
	g_assert_cmpstr(site.host, ==, "h");
	g_assert_cmpstr(site.region, ==, "x");
}

static void
test_site_refuses(void)
{
	static const char *const bad[] = {
		"ftp://h",       "http://",    "http://h:0",     "http://h:x",  "http://h:65536",
		"http://h/path", "http://u@h", "http://h?q",     "http://[::1", "http://h:1:2",
		"http://h h",    "://h",       "http://h:123456"};
	struct site site;

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_nonnull(site_parse(&site, bad[i]));
	g_assert_nonnull(site_init(&site, "http://127.0.0.1:80", "r", "data", PATH_STYLE_NO));
	g_assert_nonnull(site_init(&site, "http://[::1]:81", "r", "data", PATH_STYLE_NO));
	g_assert_false(site_region_ok(""));
	g_assert_false(site_region_ok("a/b"));
	g_assert_false(site_bucket_ok("a/b"));
	g_assert_false(site_bucket_ok(".."));
	g_assert_false(site_bucket_ok("a b"));
}

/* ---- errors ---- */

static void
test_status(void)
{
	static const struct {
		int http;
		const char *code;
		bool bucket;
		enum dfs_status want;
	} table[] = {
		{404, "NoSuchKey", false, DFS_NOENT},
		{404, "", false, DFS_NOENT},
		{404, "NoSuchBucket", false, DFS_ACCESS},
		{404, "", true, DFS_ACCESS},
		{403, "AccessDenied", false, DFS_ACCESS},
		{403, "", false, DFS_ACCESS},
		{403, "SignatureDoesNotMatch", false, DFS_ACCESS},
		{403, "SomethingNew", false, DFS_ACCESS},
		{503, "SlowDown", false, DFS_DELAY},
		{503, "", false, DFS_DELAY},
		{429, "", false, DFS_DELAY},
		{400, "RequestTimeout", false, DFS_TIMEDOUT},
		{504, "", false, DFS_TIMEDOUT},
		{500, "InternalError", false, DFS_IO},
		{502, "", false, DFS_IO},
		{400, "BadDigest", false, DFS_CORRUPT},
		{400, "SomethingNew", false, DFS_IO},
		{416, "InvalidRange", false, DFS_INVAL},
		{507, "", false, DFS_NOSPC},
		{501, "NotImplemented", false, DFS_NOTSUP},
		{412, "PreconditionFailed", false, DFS_IO},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
		g_assert_cmpint(error_status(table[i].http, table[i].code, table[i].bucket), ==,
				table[i].want);
}

static void
read_error(struct request *r, const char *body)
{
	r->transfer.ending = END_ANSWERED;
	r->transfer.answer.status = 403;
	text_reset(&r->transfer.answer.body);
	text_put(&r->transfer.answer.body, body);
	error_read(r);
}

static void
test_error_body(void)
{
	REQUEST_AUTO r = {.what = "reading"};

	read_error(&r, "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No\nway"
		       "</Message><Region>eu-west-1</Region></Error>");
	g_assert_cmpstr(r.code, ==, "AccessDenied");
	g_assert_cmpstr(r.message, ==, "No way");
	g_assert_cmpstr(r.region, ==, "eu-west-1");
	read_error(&r, "<html>\033[31mproxy says no</html");
	g_assert_cmpstr(r.code, ==, "");
	g_assert_cmpstr(r.message, ==, "<html> [31mproxy says no</html");
	read_error(&r, "");
	g_assert_cmpstr(r.message, ==, "");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/xml/a document is its leaves", test_xml);
	g_test_add_func("/xml/document types, entities, depth and length are refused",
			test_xml_hostile);
	g_test_add_func("/xml/reading stops when told", test_xml_stop);
	g_test_add_func("/list/a page holds our keys in order", test_page);
	g_test_add_func("/list/a page that is cut, too long or out of order is refused",
			test_page_hostile);
	g_test_add_func("/headers/those of the last answer count", test_headers);
	g_test_add_func("/headers/malformed ones are as if absent", test_headers_hostile);
	g_test_add_func("/ini/sections, blanks, comments", test_ini);
	g_test_add_func("/site/host and path of a bucket", test_site);
	g_test_add_func("/site/another region is another host of Amazon's only", test_site_moves);
	g_test_add_func("/site/endpoints that cannot be are refused", test_site_refuses);
	g_test_add_func("/error/HTTP status and S3 code make a status", test_status);
	g_test_add_func("/error/the body of an error, and what is none", test_error_body);
	return g_test_run();
}
