/* SPDX-License-Identifier: MIT
 *
 * Where keys come from, in which order, and how those that end are renewed.  The endpoints of
 * containers and instances are a small server of this test's.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugins/block/s3/credentials.h"
#include "plugins/block/s3/test-stub.h"

/* ---- keys ---- */

static char *
keys_json(const char *access_key, int seconds)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autoptr(GDateTime) end = g_date_time_add_seconds(now, seconds);
	g_autofree char *when = g_date_time_format(end, "%Y-%m-%dT%H:%M:%SZ");

	return g_strdup_printf("{\"Code\": \"Success\", \"AccessKeyId\": \"%s\", "
			       "\"SecretAccessKey\": \"hidden\", \"Token\": \"tok\", "
			       "\"Expiration\": \"%s\"}",
			       access_key, when);
}

/* ---- a chain ---- */

static char log_text[4096];

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_vsnprintf(log_text, sizeof log_text, fmt, ap);
	va_end(ap);
}

static const struct dfs_host host = {.size = sizeof host, .log = host_log};

struct fix {
	char *home;
	struct engine *engine;
	struct credentials_config config;
	struct chain *chain;
	struct text why;
};

static void
setup(struct fix *f, gconstpointer unused)
{
	static const char *const names[] = {"AWS_ACCESS_KEY_ID",
					    "AWS_SECRET_ACCESS_KEY",
					    "AWS_SESSION_TOKEN",
					    "AWS_SHARED_CREDENTIALS_FILE",
					    "AWS_PROFILE",
					    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
					    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};
	struct engine_options options = {.max_connections = 4, .proxy = ""};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		g_unsetenv(names[i]);
	f->home = g_dir_make_tmp("test-credentials-XXXXXX", NULL);
	g_setenv("HOME", f->home, TRUE);
	stub_start();
	g_autofree char *base = g_strdup_printf("http://127.0.0.1:%d", stub_port());
	g_setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", base, TRUE);
	g_unsetenv("AWS_EC2_METADATA_DISABLED");
	f->engine = engine_new(&options);
	g_assert_nonnull(f->engine);
}

static void
teardown(struct fix *f, gconstpointer unused)
{
	g_autofree char *folder = g_build_filename(f->home, ".aws", NULL);
	g_autofree char *file = g_build_filename(folder, "credentials", NULL);

	chain_free(f->chain);
	engine_free(f->engine);
	text_clear(&f->why);
	stub_stop();
	g_unlink(file);
	g_rmdir(folder);
	g_rmdir(f->home);
	g_free(f->home);
}

static bool
open_chain(struct fix *f)
{
	text_reset(&f->why);
	f->chain = chain_new(&host, f->engine, &f->config, &f->why);
	return f->chain != NULL;
}

static void
expect_keys(struct fix *f, const char *access_key, const char *secret_key, const char *token)
{
	struct credentials *got = chain_get(f->chain, NULL, &f->why);

	g_assert_nonnull(got);
	g_assert_cmpstr(got->access_key, ==, access_key);
	g_assert_cmpstr(got->secret_key, ==, secret_key);
	g_assert_cmpstr(got->session_token, ==, token);
	credentials_unref(got);
}

static void
write_file(struct fix *f, const char *text)
{
	g_autofree char *folder = g_build_filename(f->home, ".aws", NULL);
	g_autofree char *file = g_build_filename(folder, "credentials", NULL);

	g_mkdir(folder, 0700);
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void
set_env(void)
{
	g_setenv("AWS_ACCESS_KEY_ID", "AKENV", TRUE);
	g_setenv("AWS_SECRET_ACCESS_KEY", "senv", TRUE);
}

static void
test_order(struct fix *f, gconstpointer unused)
{
	f->config.access_key = "AKCONF";
	f->config.secret_key = "sconf";
	set_env();
	write_file(f, "[default]\naws_access_key_id = AKFILE\naws_secret_access_key = sfile\n");
	g_assert_true(open_chain(f));
	expect_keys(f, "AKCONF", "sconf", "");
	chain_free(f->chain);
	f->config.access_key = f->config.secret_key = NULL;
	g_assert_true(open_chain(f));
	expect_keys(f, "AKENV", "senv", "");
	chain_free(f->chain);
	g_unsetenv("AWS_SECRET_ACCESS_KEY");
	g_assert_true(open_chain(f));
	expect_keys(f, "AKFILE", "sfile", "");
	g_assert_cmpint(stub_count(), ==, 0);
}

static void
test_none(struct fix *f, gconstpointer unused)
{
	g_assert_false(open_chain(f));
	g_assert_nonnull(strstr(f->why.data, ".aws/credentials cannot be read"));
	g_assert_nonnull(strstr(f->why.data, "HTTP 404"));
	g_setenv("AWS_EC2_METADATA_DISABLED", "TRUE", TRUE);
	int before = stub_count();
	g_assert_false(open_chain(f));
	g_assert_cmpint(stub_count(), ==, before);
}

static void
test_half(struct fix *f, gconstpointer unused)
{
	set_env();
	f->config.access_key = "AKCONF";
	g_assert_false(open_chain(f));
	g_assert_nonnull(strstr(f->why.data, "one is missing"));
}

static void
test_profile(struct fix *f, gconstpointer unused)
{
	write_file(f, "[work]\naws_access_key_id = AKW\naws_secret_access_key = sw\n"
		      "aws_session_token = tw\n[play]\naws_access_key_id = AKP\n"
		      "aws_secret_access_key = sp\n");
	g_setenv("AWS_PROFILE", "work", TRUE);
	g_assert_true(open_chain(f));
	expect_keys(f, "AKW", "sw", "tw");
	chain_free(f->chain);
	f->config.profile = "play";
	g_assert_true(open_chain(f));
	expect_keys(f, "AKP", "sp", "");
	chain_free(f->chain);
	/* Who names a profile wants no other keys. */
	f->config.profile = "none";
	g_assert_false(open_chain(f));
	g_assert_nonnull(strstr(f->why.data, "no keys for the profile \"none\""));
	f->config.profile = NULL;
	f->config.file = "/nonexistent";
	g_assert_false(open_chain(f));
}

static void
test_bad_characters(struct fix *f, gconstpointer unused)
{
	write_file(f, "[default]\naws_access_key_id = AK\x01X\naws_secret_access_key = hidden\n");
	g_assert_false(open_chain(f));
	g_assert_null(strstr(f->why.data, "hidden"));
	write_file(f, "[default]\naws_access_key_id = AK X\naws_secret_access_key = hidden\n");
	g_assert_false(open_chain(f));
}

static void
test_file_again(struct fix *f, gconstpointer unused)
{
	struct credentials *first, *second;

	write_file(f, "[default]\naws_access_key_id = AK1\naws_secret_access_key = s1\n");
	g_assert_true(open_chain(f));
	first = chain_get(f->chain, NULL, &f->why);
	write_file(f, "[default]\naws_access_key_id = AK2\naws_secret_access_key = s2\n");
	expect_keys(f, "AK1", "s1", "");
	second = chain_get(f->chain, first, &f->why);
	g_assert_cmpstr(second->access_key, ==, "AK2");
	g_assert_cmpstr(first->access_key, ==, "AK1");
	credentials_unref(first);
	/* Not at every refusal anew. */
	first = chain_get(f->chain, second, &f->why);
	g_assert_true(first == second);
	credentials_unref(first);
	credentials_unref(second);
}

static void
test_container(struct fix *f, gconstpointer unused)
{
	g_autofree char *url = g_strdup_printf("http://127.0.0.1:%d/keys", stub_port());
	g_autofree char *json = keys_json("AKC", 3600);

	g_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, TRUE);
	g_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in", TRUE);
	stub_answer("GET /keys", json);
	g_assert_true(open_chain(f));
	expect_keys(f, "AKC", "hidden", "tok");
	expect_keys(f, "AKC", "hidden", "tok");
	g_assert_true(stub_saw("Authorization: let-me-in\r\n"));
	g_assert_cmpint(stub_count(), ==, 1);
}

static void
test_container_token_file(struct fix *f, gconstpointer unused)
{
	g_autofree char *url = g_strdup_printf("http://127.0.0.1:%d/keys", stub_port());
	g_autofree char *json = keys_json("AKC", 3600);
	g_autofree char *file = g_build_filename(f->home, ".aws/credentials", NULL);

	write_file(f, "from-a-file\n");
	g_setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", TRUE);
	g_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, TRUE);
	g_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, TRUE);
	stub_answer("GET /keys", json);
	g_assert_true(open_chain(f));
	g_assert_true(stub_saw("Authorization: from-a-file\r\n"));
}

static void
test_container_elsewhere(struct fix *f, gconstpointer unused)
{
	static const char *const bad[] = {"http://192.0.2.1/keys", "http://127.0.0.1.evil.test/",
					  "ftp://127.0.0.1/", "http://localhost@192.0.2.1/"};

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], TRUE);
		g_assert_false(open_chain(f));
		g_assert_nonnull(strstr(f->why.data, "neither https nor on this machine"));
	}
}

/* A place that is set up but does not answer yet is no reason not to open. */
static void
test_container_later(struct fix *f, gconstpointer unused)
{
	g_autofree char *url = g_strdup_printf("http://127.0.0.1:%d/keys", stub_port());
	g_autofree char *json = keys_json("AKC", 3600);

	g_setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, TRUE);
	g_assert_true(open_chain(f));
	stub_answer("GET /keys", json);
	expect_keys(f, "AKC", "hidden", "tok");
}

static void
set_instance(const char *json)
{
	stub_answer("PUT /latest/api/token", "session-1");
	stub_answer("GET /latest/meta-data/iam/security-credentials/", "my-role\nother");
	stub_answer("GET /latest/meta-data/iam/security-credentials/my-role", json);
}

static void
test_instance(struct fix *f, gconstpointer unused)
{
	g_autofree char *json = keys_json("AKI", 3600);

	set_instance(json);
	g_assert_true(open_chain(f));
	expect_keys(f, "AKI", "hidden", "tok");
	g_assert_true(stub_saw("X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
	g_assert_true(stub_saw("X-aws-ec2-metadata-token: session-1\r\n"));
	g_assert_cmpint(stub_count(), ==, 3);
}

static void
test_renewed(struct fix *f, gconstpointer unused)
{
	g_autofree char *soon = keys_json("AKI", 120), *later = keys_json("AKJ", 3600);

	set_instance(soon);
	g_assert_true(open_chain(f));
	set_instance(later);
	expect_keys(f, "AKJ", "hidden", "tok");
}

static void
test_not_renewed(struct fix *f, gconstpointer unused)
{
	g_autofree char *soon = keys_json("AKI", 120);

	set_instance(soon);
	g_assert_true(open_chain(f));
	stub_answer("GET /latest/meta-data/iam/security-credentials/my-role",
		    "{\"Code\": \"Failed\"}");
	log_text[0] = '\0';
	/* Valid still. */
	expect_keys(f, "AKI", "hidden", "tok");
	g_assert_nonnull(strstr(log_text, "keys are not renewed"));
	/* And the place is left alone for a while. */
	int before = stub_count();
	expect_keys(f, "AKI", "hidden", "tok");
	g_assert_cmpint(stub_count(), ==, before);
}

static void
test_ended(struct fix *f, gconstpointer unused)
{
	g_autofree char *json = keys_json("AKI", -10);

	set_instance(json);
	g_assert_true(open_chain(f));
	g_assert_null(chain_get(f->chain, NULL, &f->why));
}

static void
test_role(struct fix *f, gconstpointer unused)
{
	g_autofree char *json = keys_json("AKI", 3600);

	set_instance(json);
	stub_answer("GET /latest/meta-data/iam/security-credentials/", "../../evil");
	g_assert_true(open_chain(f));
	g_assert_null(chain_get(f->chain, NULL, &f->why));
	g_assert_false(stub_saw("evil"));
}

static void
test_json(struct fix *f, gconstpointer unused)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"AccessKeyId\": 1}",
		"{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"\"}",
		"{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\", \"Expiration\": \"soon\"}",
		"{\"AccessKeyId\": \"a\\r\\nX: y\", \"SecretAccessKey\": \"b\"}"};
	struct credentials *c = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_cmpint(credentials_parse(bad[i], strlen(bad[i]), &c, &f->why), !=, FOUND);
	g_assert_null(c);
}

static gpointer
get_many(gpointer arg)
{
	struct fix *f = arg;

	for (int i = 0; i < 200; i++) {
		TEXT_AUTO why = {0};
		struct credentials *c = chain_get(f->chain, NULL, &why);

		g_assert_nonnull(c);
		credentials_unref(c);
	}
	return NULL;
}

static void
test_single_flight(struct fix *f, gconstpointer unused)
{
	g_autofree char *soon = keys_json("AKI", 120);
	GThread *thread[4];

	set_instance(soon);
	g_assert_true(open_chain(f));
	int before = stub_count();
	for (int i = 0; i < 4; i++)
		thread[i] = g_thread_new("get", get_many, f);
	for (int i = 0; i < 4; i++)
		g_thread_join(thread[i]);
	g_assert_cmpint(stub_count(), ==, before + 3);
}

#define ADD(name, fn) g_test_add("/credentials/" name, struct fix, NULL, setup, fn, teardown)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("configuration, then environment, then file", test_order);
	ADD("no place has any, and why is said", test_none);
	ADD("half a pair in the configuration is an error", test_half);
	ADD("the profile is that of the configuration, else of the environment", test_profile);
	ADD("keys that could break a header are refused", test_bad_characters);
	ADD("a file is read again for keys that are refused, once in a while", test_file_again);
	ADD("a container's endpoint", test_container);
	ADD("a container's token from a file", test_container_token_file);
	ADD("a container's endpoint on another host is refused", test_container_elsewhere);
	ADD("a container's endpoint that answers later", test_container_later);
	ADD("an instance's metadata service, version 2", test_instance);
	ADD("keys near their end are renewed", test_renewed);
	ADD("old keys serve until their end when none are to be had", test_not_renewed);
	ADD("keys that have ended are not used", test_ended);
	ADD("a role that is no name is not asked for", test_role);
	ADD("JSON without keys is refused", test_json);
	ADD("one thread renews for all", test_single_flight);
	return g_test_run();
}
