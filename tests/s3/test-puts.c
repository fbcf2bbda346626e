/* SPDX-License-Identifier: MIT
 *
 * Puts to the S3 store: those whose fate is not known, what a server may not know of, and objects
 * in parts.
 */
#include <glib.h>
#include <string.h>

#include "plugins/block/s3/store.h"
#include "tests/s3/fixture.h"

#define MIB (1u << 20)

/* ---- puts whose fate is not known ---- */

static void
test_lost_answer(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	fix_fault(f, "rule PUT * 1 lost");
	g_assert_cmpint(fix_put(f, "a", 1, 5000), ==, DFS_IO);
	/* As the core does: again.  It is there already, which is fine. */
	OK(fix_put(f, "a", 1, 5000));
	g_assert_cmpuint(fix_counter("s3_put_was_there"), ==, 1);
	OK(fix_get(f, "a", 1, 0, 5000));
}

static void
test_zombie(struct fix *f, gconstpointer unused)
{
	struct store *s;

	fix_open(f);
	s = f->inst;
	fix_fault(f, "rule PUT * 1 zombie 300");
	g_assert_cmpint(fix_put(f, "a", 1, 5000), ==, DFS_TIMEDOUT);
	/* Another content takes the key before the first one comes. */
	OK(fix_put(f, "a", 2, 5000));
	g_usleep(500000);
	OK(fix_get(f, "a", 2, 0, 5000));
	g_assert_cmpuint(s->features & FEATURE_CONDITIONAL, !=, 0);
}

static void
test_replaces(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, 5000));
	OK(fix_put(f, "a", 2, 5000));
	OK(fix_get(f, "a", 2, 0, 5000));
	g_assert_cmpuint(fix_counter("s3_put_was_there"), ==, 0);
}

static void
test_features(struct fix *f, gconstpointer unused)
{
	struct store *s;

	fix_open(f);
	s = f->inst;
	fix_fault(f, "without checksum");
	OK(fix_put(f, "a", 1, 100));
	/* Only what the server does not know is given up. */
	g_assert_cmphex(s->features, ==, FEATURE_CONDITIONAL);
	fix_fault(f, "without conditional");
	OK(fix_put(f, "b", 1, 100));
	g_assert_cmphex(s->features, ==, 0);
	uint64_t before = fix_figure(f, "requests ");
	OK(fix_put(f, "c", 1, 100));
	g_assert_cmpuint(fix_figure(f, "requests "), ==, before + 1);
}

static void
test_required_feature(struct fix *f, gconstpointer unused)
{
	f->config.conditional_put = YES;
	fix_open(f);
	fix_fault(f, "without conditional");
	g_assert_cmpint(fix_put(f, "a", 1, 100), ==, DFS_NOTSUP);
	g_assert_nonnull(strstr(fix_text(), "HTTP 501 NotImplemented"));
}

/* ---- parts ---- */

static enum dfs_status
put_large(struct fix *f, const char *key, uint64_t id, uint64_t length)
{
	g_autofree unsigned char *data = fix_bytes(id, length);
	struct dfs_span spans[3] = {{data, 1000, NULL},
				    {data + 1000, 7 * MIB, NULL},
				    {data + 1000 + 7 * MIB, length - 1000 - 7 * MIB, NULL}};

	return put_object(f->inst, key, spans, 3, length);
}

static void
test_parts(struct fix *f, gconstpointer unused)
{
	f->config.part_size = 5 * MIB;
	fix_open(f);
	OK(put_large(f, "large", 1, 12 * MIB + 5));
	OK(fix_get(f, "large", 1, 0, 12 * MIB + 5));
	OK(fix_get(f, "large", 1, 5 * MIB - 3, 100));
	fix_fault(f, "rule GET * 1 corrupt 6000000");
	g_assert_cmpint(fix_get(f, "large", 1, 0, 12 * MIB + 5), ==, DFS_CORRUPT);
}

static unsigned
uploads(struct fix *f)
{
	REQUEST_AUTO r = {.what = "listing", .method = "GET", .body_max = MIB};
	unsigned n = 0;

	request_query(&r, "uploads", "");
	OK(request_run(f->inst, &r));
	for (const char *p = r.transfer.answer.body.data; (p = strstr(p, "<Upload>")); p++)
		n++;
	return n;
}

static void
test_parts_fail(struct fix *f, gconstpointer unused)
{
	f->config.part_size = 5 * MIB;
	fix_open(f);
	fix_fault(f, "rule PUT * 1 none\nrule PUT * 1 status 503 SlowDown");
	g_assert_cmpint(put_large(f, "large", 1, 12 * MIB), ==, DFS_DELAY);
	g_assert_nonnull(strstr(fix_text(), "SlowDown"));
	g_assert_cmpuint(uploads(f), ==, 0);
	/* 200, and in the body that it did not work. */
	fix_fault(f, "rule POST * 2 lost");
	g_assert_cmpint(put_large(f, "large", 1, 12 * MIB), ==, DFS_IO);
	g_assert_nonnull(strstr(fix_text(), "InternalError"));
}

static void
test_stale_uploads(struct fix *f, gconstpointer unused)
{
	REQUEST_AUTO old = {.what = "beginning", .method = "POST", .key = "old"};
	REQUEST_AUTO young = {.what = "beginning", .method = "POST", .key = "young"};
	REQUEST_AUTO foreign = {.what = "beginning", .method = "POST", .key = "foreign"};
	struct store *s;

	fix_open(f);
	request_query(&foreign, "uploads", "");
	request_query(&old, "uploads", "");
	request_query(&young, "uploads", "");
	OK(request_run(f->inst, &foreign));
	fix_close(f);
	f->config.key_prefix = "mine/";
	fix_open(f);
	OK(request_run(f->inst, &old));
	fix_fault(f, "clock 90000");
	OK(request_run(f->inst, &young));
	g_assert_cmpuint(uploads(f), ==, 3);
	s = f->inst;
	clean_uploads(s);
	g_assert_cmpuint(uploads(f), ==, 2);
}

#define ADD(name, fn) g_test_add("/puts/" name, struct fix, NULL, fix_setup, fn, fix_teardown)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("a put whose answer was lost succeeds when repeated", test_lost_answer);
	ADD("a put that comes late replaces nothing", test_zombie);
	ADD("a put with other bytes replaces", test_replaces);
	ADD("what the server does not know is left out, and nothing else", test_features);
	ADD("what is required is not left out", test_required_feature);
	ADD("large objects go in parts", test_parts);
	ADD("parts that fail leave no upload", test_parts_fail);
	ADD("stale uploads under the prefix are given up", test_stale_uploads);
	return g_test_run();
}
