/* SPDX-License-Identifier: MIT
 *
 * The S3 store against a server that fails: what each fault becomes, and that every call ends.
 *
 * The plugin's sources are linked in; faultd runs beside as a child and is told through its control
 * URL what to do wrong.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "plugins/block/s3/store.h"
#include "tests/s3/fixture.h"

#define MIB (1u << 20)

/* ---- answers that say what is wrong ---- */

static void
test_statuses(struct fix *f, gconstpointer unused)
{
	static const struct {
		const char *rule;
		enum dfs_status want;
		const char *text;
	} table[] = {
		{"rule GET * 1 status 500 InternalError", DFS_IO, "HTTP 500 InternalError"},
		{"rule GET * 1 status 503 SlowDown", DFS_DELAY, "HTTP 503 SlowDown"},
		{"rule GET * 1 status 429 TooManyRequests", DFS_DELAY, "HTTP 429"},
		{"rule GET * 1 status 403 AccessDenied", DFS_ACCESS, "do not allow it"},
		{"rule GET * 1 status 404 NoSuchKey", DFS_NOENT, "NoSuchKey"},
		{"rule GET * 1 status 404 NoSuchBucket", DFS_ACCESS, "the bucket does not exist"},
		{"rule GET * 1 status 504 GatewayTimeout", DFS_TIMEDOUT, "HTTP 504"},
	};

	fix_open(f);
	OK(fix_put(f, "a/b", 1, 1000));
	for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
		fix_fault(f, table[i].rule);
		g_assert_cmpint(fix_get(f, "a/b", 1, 0, 1000), ==, table[i].want);
		g_assert_nonnull(strstr(fix_text(), table[i].text));
		g_assert_nonnull(strstr(fix_text(), "bucket/a/b"));
		g_assert_nonnull(strstr(fix_text(), "request F0"));
		OK(fix_get(f, "a/b", 1, 0, 1000));
	}
}

static void
test_bucket_gone(struct fix *f, gconstpointer unused)
{
	uint64_t length;

	f->config.bucket = "other";
	fix_open(f);
	g_assert_cmpint(fix_put(f, "a", 1, 10), ==, DFS_ACCESS);
	g_assert_cmpint(fix_get(f, "a", 1, 0, 10), ==, DFS_ACCESS);
	/* HEAD has no body that would say it: no object may pass for gone. */
	g_assert_cmpint(store_head(f->inst, "a", &length, 0), ==, DFS_ACCESS);
	g_assert_cmpint(store_erase(f->inst, "a", 0), ==, DFS_ACCESS);
	g_assert_cmpint(store_health(f->inst), ==, DFS_ACCESS);
}

static void
test_wrong_secret(struct fix *f, gconstpointer unused)
{
	f->config.secret_key = "another-secret";
	fix_open(f);
	g_assert_cmpint(fix_put(f, "a", 1, 10), ==, DFS_ACCESS);
	g_assert_nonnull(strstr(fix_text(), "SignatureDoesNotMatch"));
	g_assert_null(strstr(fix_text(), "another-secret"));
	f->config.secret_key = "sk";
}

/* A copy can fail behind a 200. */
static void
test_copy(struct fix *f, gconstpointer unused)
{
	uint64_t length;

	fix_open(f);
	OK(fix_put(f, "___temp/1", 1, MIB));
	fix_fault(f, "rule PUT * 1 inside InternalError");
	g_assert_cmpint(store_copy(f->inst, "___temp/1", "a/b", 0), ==, DFS_IO);
	g_assert_nonnull(strstr(fix_text(), "InternalError"));
	fix_fault(f, "rule PUT * 1 inside SlowDown");
	g_assert_cmpint(store_copy(f->inst, "___temp/1", "a/b", 0), ==, DFS_DELAY);
	fix_fault(f, "rule PUT * 1 status 501 NotImplemented");
	g_assert_cmpint(store_copy(f->inst, "___temp/1", "a/b", 0), ==, DFS_NOTSUP);
	g_assert_cmpint(store_head(f->inst, "a/b", &length, 0), ==, DFS_NOENT);
	OK(store_copy(f->inst, "___temp/1", "a/b", 0));
	OK(store_erase(f->inst, "___temp/1", 0));
	/* The check values have come along. */
	OK(fix_get(f, "a/b", 1, 0, MIB));
	g_assert_cmpint(store_copy(f->inst, "___temp/1", "a/c", 0), ==, DFS_NOENT);
}

/* ---- connections ---- */

static void
test_no_server(struct fix *f, gconstpointer unused)
{
	f->config.endpoint = "http://127.0.0.1:1";
	fix_open(f);
	g_assert_cmpint(fix_put(f, "a", 1, 10), ==, DFS_IO);
	g_assert_cmpint(store_health(f->inst), ==, DFS_IO);
	g_assert_nonnull(strstr(fix_text(), "127.0.0.1"));
}

static void
test_kept_connection_dies(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, 3 * MIB));
	/* The connection that is kept breaks with the next request: once that is no failure. */
	fix_fault(f, "rule PUT * 1 close");
	OK(fix_put(f, "b", 2, 3 * MIB));
	fix_fault(f, "rule GET * 1 close");
	OK(fix_get(f, "b", 2, 0, 3 * MIB));
	fix_fault(f, "rule GET * -1 close");
	g_assert_cmpint(fix_get(f, "b", 2, 0, 3 * MIB), ==, DFS_IO);
}

static void
test_reuse(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, 100));
	uint64_t before = fix_figure(f, "connections ");
	for (int i = 0; i < 50; i++)
		OK(fix_get(f, "a", 1, 0, 100));
	/* One more for the figures themselves. */
	g_assert_cmpuint(fix_figure(f, "connections "), <=, before + 1);
}

static void
test_broken_body(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, MIB));
	fix_fault(f, "rule GET * 1 reset 300000");
	g_assert_cmpint(fix_get(f, "a", 1, 0, MIB), ==, DFS_IO);
	fix_fault(f, "rule GET * 1 truncate 300000");
	g_assert_cmpint(fix_get(f, "a", 1, 0, MIB), ==, DFS_CORRUPT);
	g_assert_nonnull(strstr(fix_text(), "cut short"));
	OK(fix_get(f, "a", 1, 0, MIB));
}

static void
test_proxy(struct fix *f, gconstpointer unused)
{
	f->config.proxy = f->endpoint;
	f->config.endpoint = "http://storage.invalid";
	fix_open(f);
	OK(fix_put(f, "a", 1, 1000));
	OK(fix_get(f, "a", 1, 0, 1000));
}

/* ---- limits in time ---- */

static void
expect_timeout(struct fix *f, const char *rule, const char *text)
{
	gint64 begun = g_get_monotonic_time();

	fix_fault(f, rule);
	g_assert_cmpint(fix_get(f, "a", 1, 0, 4 * MIB), ==, DFS_TIMEDOUT);
	g_assert_nonnull(strstr(fix_text(), text));
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 60 * G_USEC_PER_SEC);
}

static void
test_timeouts(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, 4 * MIB));
	fix_close(f);
	f->config.response_timeout = SECOND;
	f->config.stall_timeout = 2 * SECOND;
	f->config.request_timeout = 6 * SECOND;
	fix_open(f);
	expect_timeout(f, "rule GET * 1 stall", "no answer within 1 s");
	expect_timeout(f, "rule GET * 1 hang 500000", "fewer than 65536 bytes/s for 2 s");
	expect_timeout(f, "rule GET * 1 slow 20000", "fewer than 65536 bytes/s for 2 s");
	/* Fast enough, but too slow in all. */
	expect_timeout(f, "rule GET * 1 slow 500000", "not finished within");
	OK(fix_get(f, "a", 1, 0, 4 * MIB));
}

static void
test_put_timeout(struct fix *f, gconstpointer unused)
{
	f->config.response_timeout = SECOND / 2;
	fix_open(f);
	fix_fault(f, "rule PUT * 1 stall");
	g_assert_cmpint(fix_put(f, "a", 1, 100000), ==, DFS_TIMEDOUT);
	OK(fix_put(f, "a", 1, 100000));
}

static void
test_no_connection(struct fix *f, gconstpointer unused)
{
	/* TEST-NET-1: nobody answers, or the network says at once that there is no way. */
	f->config.endpoint = "http://192.0.2.1";
	f->config.connect_timeout = SECOND / 2;
	fix_open(f);
	gint64 begun = g_get_monotonic_time();
	enum dfs_status st = fix_get(f, "a", 1, 0, 10);
	g_assert_true(st == DFS_TIMEDOUT || st == DFS_IO);
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 5 * G_USEC_PER_SEC);
}

static void
test_health_in_time(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(store_health(f->inst));
	fix_fault(f, "rule HEAD * 1 stall");
	gint64 begun = g_get_monotonic_time();
	g_assert_cmpint(store_health(f->inst), ==, DFS_TIMEDOUT);
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 20 * G_USEC_PER_SEC);
}

static gpointer
get_in_thread(gpointer arg)
{
	return GINT_TO_POINTER(fix_get(arg, "a", 1, 0, 10));
}

/* More callers than connections wait in line; those without time left end there. */
static void
test_queue(struct fix *f, gconstpointer unused)
{
	GThread *thread[6];
	unsigned timed_out = 0;

	f->config.max_connections = 2;
	f->config.request_timeout = 3 * SECOND;
	f->config.response_timeout = 10 * SECOND;
	fix_open(f);
	OK(fix_put(f, "a", 1, 10));
	fix_fault(f, "rule GET * -1 stall");
	for (int i = 0; i < 6; i++)
		thread[i] = g_thread_new("get", get_in_thread, f);
	for (int i = 0; i < 6; i++)
		timed_out += GPOINTER_TO_INT(g_thread_join(thread[i])) == DFS_TIMEDOUT;
	g_assert_cmpuint(timed_out, ==, 6);
	fix_fault(f, "clear");
	OK(fix_get(f, "a", 1, 0, 10));
}

/* ---- bytes ---- */

static void
test_corrupt(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, MIB));
	fix_fault(f, "rule GET * 1 corrupt 777777");
	g_assert_cmpint(fix_get(f, "a", 1, 0, MIB), ==, DFS_CORRUPT);
	g_assert_nonnull(strstr(fix_text(), "CRC32C"));
	fix_fault(f, "rule GET * 1 corrupt 70000");
	g_assert_cmpint(fix_get(f, "a", 1, 65536, 131072), ==, DFS_CORRUPT);
	fix_fault(f, "rule GET * 1 wrongrange");
	g_assert_cmpint(fix_get(f, "a", 1, 65536, 131072), ==, DFS_IO);
	OK(fix_get(f, "a", 1, 0, MIB));
}

static void
test_foreign(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	fix_fault(f, "without metadata");
	OK(fix_put(f, "a", 1, 100000));
	OK(fix_get(f, "a", 1, 0, 100000));
	OK(fix_get(f, "a", 1, 5, 99995));
}

/* ---- what is learnt on the way ---- */

static void
test_clock(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	fix_fault(f, "clock 7200");
	OK(fix_put(f, "a", 1, 100));
	fix_fault(f, "clock -7200");
	/* Amazon says no more to HEAD than 403. */
	uint64_t length;
	OK(store_head(f->inst, "a", &length, 0));
	uint64_t before = fix_figure(f, "requests ");
	OK(fix_get(f, "a", 1, 0, 100));
	g_assert_cmpuint(fix_figure(f, "requests "), ==, before + 1);
}

static void
test_region(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	fix_fault(f, "region eu-central-1");
	OK(fix_put(f, "a", 1, 100));
	uint64_t before = fix_figure(f, "requests "), length;
	OK(fix_get(f, "a", 1, 0, 100));
	g_assert_cmpuint(fix_figure(f, "requests "), ==, before + 1);
	/* To HEAD it is named in a header. */
	fix_fault(f, "region eu-west-3");
	OK(store_head(f->inst, "a", &length, 0));
}

static void
test_redirect(struct fix *f, gconstpointer unused)
{
	g_autofree char *rule =
		g_strdup_printf("rule PUT * 1 redirect http://localhost:%d", f->port);

	fix_open(f);
	fix_fault(f, rule);
	OK(fix_put(f, "a", 1, 100000));
	OK(fix_get(f, "a", 1, 0, 100000));
	/* Once, not in circles. */
	fix_fault(f, "rule GET * -1 redirect http://127.0.0.1:1");
	g_assert_cmpint(fix_get(f, "a", 1, 0, 10), ==, DFS_IO);
}

static void
test_token(struct fix *f, gconstpointer unused)
{
	fix_fault(f, "keys ak sk the-token");
	f->config.session_token = "the-token";
	fix_open(f);
	OK(fix_put(f, "a", 1, 100));
	fix_fault(f, "keys ak sk a-newer-one");
	g_assert_cmpint(fix_put(f, "b", 1, 100), ==, DFS_ACCESS);
	g_assert_nonnull(strstr(fix_text(), "the keys in use have ended"));
	g_assert_null(strstr(fix_text(), "the-token"));
}

/* ---- lists and erasing ---- */

static int
count_keys(void *arg, const char *key, uint64_t length)
{
	++*(unsigned *)arg;
	return 1;
}

static void
test_batch_refused(struct fix *f, gconstpointer unused)
{
	unsigned n = 0;

	fix_open(f);
	for (int i = 0; i < 10; i++) {
		g_autofree char *key = g_strdup_printf("p/%d", i);

		OK(fix_put(f, key, 1, 10));
	}
	fix_fault(f, "rule ERASE p/7 1 status 403 AccessDenied");
	g_assert_cmpint(store_erase_prefix(f->inst, "p/"), ==, DFS_ACCESS);
	g_assert_nonnull(strstr(fix_text(), "p/7: AccessDenied"));
	OK(store_list(f->inst, "p/", "", count_keys, &n));
	g_assert_cmpuint(n, ==, 1);
	OK(store_erase_prefix(f->inst, "p/"));
}

static void
test_list_fails(struct fix *f, gconstpointer unused)
{
	unsigned n = 0;

	fix_open(f);
	OK(fix_put(f, "p/1", 1, 10));
	fix_fault(f, "rule GET * 1 truncate 100");
	g_assert_cmpint(store_list(f->inst, "p/", "", count_keys, &n), ==, DFS_CORRUPT);
	/* A byte of the first tag. */
	fix_fault(f, "rule GET * 1 corrupt 45");
	g_assert_cmpint(store_list(f->inst, "p/", "", count_keys, &n), ==, DFS_IO);
	g_assert_cmpuint(n, ==, 0);
}

/* ---- opening and closing ---- */

static void
test_close_at_once(struct fix *f, gconstpointer unused)
{
	/* The clean-up that runs beside is stuck: closing does not wait for it. */
	fix_fault(f, "rule GET * -1 stall");
	fix_open(f);
	gint64 begun = g_get_monotonic_time();
	fix_close(f);
	g_assert_cmpint(g_get_monotonic_time() - begun, <, 8 * G_USEC_PER_SEC);
}

static void
test_bad_config(struct fix *f, gconstpointer unused)
{
	fix_refused(f, "bucket", &f->config.bucket, "a/b");
	fix_refused(f, "endpoint", &f->config.endpoint, "ftp://x");
	fix_refused(f, "key_prefix", &f->config.key_prefix, "/x");
	fix_refused(f, "key_prefix", &f->config.key_prefix, "a b");
	fix_refused(f, "region", &f->config.region, "a b");
	fix_refused(f, "kms_key", &f->config.kms_key, "k");
	fix_refused(f, "proxy", &f->config.proxy, "http://h:x");
	fix_refused(f, "access_key", &f->config.access_key, NULL);
	f->config.path_style = PATH_STYLE_NO;
	fix_refused(f, "endpoint", &f->config.endpoint, "http://127.0.0.1:9000");
	f->config.path_style = PATH_STYLE_AUTO;
	f->config.ca_file = "/nonexistent";
	g_assert_cmpint(f->ops->create(NULL, &f->config, &f->inst, &f->diag), ==, DFS_CONFIG);
	g_assert_cmpstr(f->diag.key, ==, "ca_file");
}

#define ADD(name, fn) g_test_add("/s3/" name, struct fix, NULL, fix_setup, fn, fix_teardown)

int
main(int argc, char **argv)
{
	/* What the environment has for other programs is not for this one. */
	g_setenv("http_proxy", "http://127.0.0.1:1", TRUE);
	g_test_init(&argc, &argv, NULL);
	ADD("each kind of failure has its status and sentence", test_statuses);
	ADD("a bucket that is gone is no absent object", test_bucket_gone);
	ADD("a copy that fails behind a 200 has failed", test_copy);
	ADD("a wrong secret is refused and not printed", test_wrong_secret);
	ADD("opening needs no server", test_no_server);
	ADD("a kept connection that dies is replaced once", test_kept_connection_dies);
	ADD("connections are used again", test_reuse);
	ADD("requests go through the proxy", test_proxy);
	ADD("a reset and a truncated body", test_broken_body);
	ADD("every limit in time ends a read", test_timeouts);
	ADD("a put without an answer ends", test_put_timeout);
	ADD("a host that does not answer ends", test_no_connection);
	ADD("health answers within 5 s", test_health_in_time);
	ADD("callers beyond the connections wait in line", test_queue);
	ADD("changed bytes are found in whole and ranged reads", test_corrupt);
	ADD("objects of others are read unchecked", test_foreign);
	ADD("a clock that differs is corrected", test_clock);
	ADD("another region is taken over", test_region);
	ADD("a redirect is followed once", test_redirect);
	ADD("a session token is sent, and its end told", test_token);
	ADD("an object of a batch that stays is told", test_batch_refused);
	ADD("a list that is cut or damaged is an error", test_list_fails);
	ADD("closing waits for nothing", test_close_at_once);
	ADD("configurations that cannot work are refused", test_bad_config);
	return g_test_run();
}
