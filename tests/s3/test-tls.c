/* SPDX-License-Identifier: MIT
 *
 * The S3 store over TLS: who the server must be, and what covers the payload there.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "plugins/block/s3/store.h"
#include "tests/s3/fixture.h"

static char *pem; /* a certificate for 127.0.0.1 and its key */

static void
make_certificate(void)
{
	g_autofree char *folder = g_dir_make_tmp("test-tls-XXXXXX", NULL);
	g_autofree char *key = g_build_filename(folder, "key", NULL);
	g_autofree char *certificate = g_build_filename(folder, "certificate", NULL);
	g_autofree char *key_text = NULL, *text = NULL, *both = NULL;
	g_autofree char *command = g_strdup_printf(
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=faultd -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s",
		key, certificate);
	g_autofree char *ignored = NULL;
	int status = 1;

	g_assert_true(g_spawn_command_line_sync(command, NULL, &ignored, &status, NULL));
	g_assert_cmpint(status, ==, 0);
	g_assert_true(g_file_get_contents(key, &key_text, NULL, NULL));
	g_assert_true(g_file_get_contents(certificate, &text, NULL, NULL));
	both = g_strconcat(text, key_text, NULL);
	pem = g_build_filename(folder, "pem", NULL);
	g_assert_true(g_file_set_contents(pem, both, -1, NULL));
	g_unlink(key);
	g_unlink(certificate);
}

static void
setup(struct fix *f, gconstpointer unused)
{
	fix_setup(f, pem);
	f->config.ca_file = pem;
}

static void
test_round_trip(struct fix *f, gconstpointer unused)
{
	fix_open(f);
	OK(fix_put(f, "a", 1, 4 << 20));
	OK(fix_get(f, "a", 1, 0, 4 << 20));
	OK(fix_get(f, "a", 1, 100000, 200000));
	OK(store_erase_prefix(f->inst, "b/"));
	OK(store_health(f->inst));
}

static void
test_unknown(struct fix *f, gconstpointer unused)
{
	f->config.ca_file = NULL;
	fix_open(f);
	g_assert_cmpint(fix_get(f, "a", 1, 0, 10), ==, DFS_IO);
	g_assert_nonnull(strstr(fix_text(), "certificate"));
	fix_close(f);
	f->config.tls_verify = 0;
	fix_open(f);
	OK(fix_put(f, "a", 1, 10));
}

static void
test_other_name(struct fix *f, gconstpointer unused)
{
	g_autofree char *endpoint = g_strdup_printf("https://localhost:%d", f->port);

	f->config.endpoint = endpoint;
	fix_open(f);
	g_assert_cmpint(fix_get(f, "a", 1, 0, 10), ==, DFS_IO);
	fix_close(f);
}

/* MD5 goes along until the server is known to compare the checksum. */
static void
test_md5(struct fix *f, gconstpointer unused)
{
	struct store *s;

	fix_fault(f, "without checksum");
	fix_open(f);
	s = f->inst;
	g_assert_cmphex(s->features & FEATURE_MD5, !=, 0);
	OK(fix_put(f, "a", 1, 10));
	g_assert_cmphex(s->features, ==, FEATURE_MD5 | FEATURE_CONDITIONAL);
	fix_close(f);
	fix_fault(f, "with checksum");
	fix_open(f);
	s = f->inst;
	OK(fix_put(f, "b", 1, 10));
	g_assert_cmphex(s->features, ==, FEATURE_CHECKSUM | FEATURE_CONDITIONAL);
	OK(fix_put(f, "c", 1, 10));
}

static void
test_no_downgrade(struct fix *f, gconstpointer unused)
{
	g_autofree char *rule =
		g_strdup_printf("rule PUT * 1 redirect http://127.0.0.1:%d", f->port);

	fix_open(f);
	fix_fault(f, rule);
	g_assert_cmpint(fix_put(f, "a", 1, 10), ==, DFS_IO);
	g_assert_nonnull(strstr(fix_text(), "HTTP 307"));
}

#define ADD(name, fn) g_test_add("/tls/" name, struct fix, NULL, setup, fn, fix_teardown)

int
main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	make_certificate();
	ADD("objects go and come with an unsigned payload", test_round_trip);
	ADD("a certificate that nobody vouches for is refused", test_unknown);
	ADD("a certificate for another name is refused", test_other_name);
	ADD("MD5 goes along until the checksum is compared", test_md5);
	ADD("a redirect to plain HTTP is not followed", test_no_downgrade);
	status = g_test_run();
	g_unlink(pem);
	g_autofree char *folder = g_path_get_dirname(pem);
	g_rmdir(folder);
	g_free(pem);
	return status;
}
