/* SPDX-License-Identifier: MIT
 *
 * The fixture of the tests of the S3 store: see fixture.h.
 */
#include "tests/s3/fixture.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the host ---- */

static __thread char text[1024];
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *counters; /* guarded by mu */

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	g_autofree char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (g_test_initialized())
		g_test_message("log: %s", line);
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return status;
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
	pthread_mutex_lock(&mu);
	if (!counters)
		counters = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_replace(
		counters, (char *)name,
		GINT_TO_POINTER(GPOINTER_TO_INT(g_hash_table_lookup(counters, name)) + (int)delta));
	pthread_mutex_unlock(&mu);
}

const struct dfs_host fix_host = {
	.size = sizeof fix_host, .log = host_log, .fail = host_fail, .count = host_count};

const char *
fix_text(void)
{
	return text;
}

int64_t
fix_counter(const char *name)
{
	int64_t value;

	pthread_mutex_lock(&mu);
	value = counters ? GPOINTER_TO_INT(g_hash_table_lookup(counters, name)) : 0;
	pthread_mutex_unlock(&mu);
	return value;
}

/* ---- the server ---- */

static void
die_with_us(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void
start_server(struct fix *f, const char *certificate)
{
	g_autofree char *program =
		g_build_filename(g_getenv("DFS_BUILDDIR"), "tests/s3/faultd/faultd", NULL);
	g_autofree char *port_file = g_build_filename(f->folder, "port", NULL), *number = NULL;
	char *argv[] = {program,
			"--port-file",
			port_file,
			"--access-key",
			"ak",
			"--secret-key",
			"sk",
			certificate ? "--cert" : NULL,
			(char *)certificate,
			"--key",
			(char *)certificate,
			NULL};
	GError *error = NULL;

	g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_us, NULL, &f->server,
		      &error);
	g_assert_no_error(error);
	for (int i = 0; i < 1000 && !g_file_get_contents(port_file, &number, NULL, NULL); i++)
		g_usleep(10000);
	g_assert_nonnull(number);
	f->port = atoi(number);
	g_unlink(port_file);
}

/* One plain request on a connection of its own; the answer's body, g_free. */
static char *
ask(struct fix *f, const char *method, const char *body)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)f->port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	g_autofree char *request =
		g_strdup_printf("%s /_faultd HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
				method, strlen(body), body);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[2048] = "";
	size_t len = 0;

	g_assert_cmpint(connect(fd, (struct sockaddr *)&a, sizeof a), ==, 0);
	g_assert_cmpint(write(fd, request, strlen(request)), ==, (ssize_t)strlen(request));
	shutdown(fd, SHUT_WR);
	for (;;) {
		ssize_t n = read(fd, answer + len, sizeof answer - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		answer[len] = '\0';
	}
	close(fd);
	g_assert_true(g_str_has_prefix(answer, "HTTP/1.1 200"));
	return g_strdup(strstr(answer, "\r\n\r\n") + 4);
}

void
fix_fault(struct fix *f, const char *commands)
{
	g_autofree char *all = g_strconcat("clear\n", commands, NULL);

	g_free(ask(f, "POST", all));
}

uint64_t
fix_figure(struct fix *f, const char *word)
{
	g_autofree char *figures = ask(f, "GET", "");
	const char *at = strstr(figures, word);

	g_assert_nonnull(at);
	return g_ascii_strtoull(at + strlen(word), NULL, 10);
}

/* ---- the store ---- */

struct s3_config
fix_config(const char *endpoint)
{
	return (struct s3_config){.bucket = "bucket",
				  .region = "us-east-1",
				  .endpoint = endpoint,
				  .key_prefix = "",
				  .access_key = "ak",
				  .secret_key = "sk",
				  .part_size = 16 << 20,
				  .max_connections = 16,
				  .connect_timeout = 2 * SECOND,
				  .response_timeout = 10 * SECOND,
				  .stall_timeout = 10 * SECOND,
				  .stall_rate = 65536,
				  .request_timeout = 60 * SECOND,
				  .tls_verify = 1};
}

void
fix_setup(struct fix *f, gconstpointer tls)
{
	f->folder = g_dir_make_tmp("test-s3-XXXXXX", NULL);
	start_server(f, tls);
	f->endpoint = g_strdup_printf("%s://127.0.0.1:%d", tls ? "https" : "http", f->port);
	f->config = fix_config(f->endpoint);
	f->ops = block_s3_LTX_dfs_plugin.ops;
	pthread_mutex_lock(&mu);
	g_clear_pointer(&counters, g_hash_table_unref);
	pthread_mutex_unlock(&mu);
}

void
fix_teardown(struct fix *f, gconstpointer tls)
{
	fix_close(f);
	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	g_spawn_close_pid(f->server);
	g_rmdir(f->folder);
	g_free(f->folder);
	g_free(f->endpoint);
}

void
fix_open(struct fix *f)
{
	bool ours = f->config.endpoint == f->endpoint;
	uint64_t before = ours ? fix_figure(f, "answered ") : 0;

	OK(f->ops->validate(&f->config, &f->diag));
	OK(f->ops->create(&fix_host, &f->config, &f->inst, &f->diag));
	/* The clean-up that opening begins: what the test counts comes after it. */
	for (int i = 0; i < 50 && ours && fix_figure(f, "answered ") == before; i++)
		g_usleep(10000);
}

void
fix_close(struct fix *f)
{
	if (f->inst)
		f->ops->destroy(f->inst);
	f->inst = NULL;
}

void
fix_refused(struct fix *f, const char *key, const char **field, const char *value)
{
	const char *old = *field;

	*field = value;
	memset(&f->diag, 0, sizeof f->diag);
	g_assert_cmpint(f->ops->validate(&f->config, &f->diag), ==, DFS_CONFIG);
	g_assert_cmpstr(f->diag.key, ==, key);
	g_assert_cmpuint(strlen(f->diag.text), >, 0);
	*field = old;
}

unsigned char *
fix_bytes(uint64_t id, uint64_t length)
{
	unsigned char *data = g_malloc(length);

	for (uint64_t i = 0; i < length; i++)
		data[i] = (unsigned char)((i * 2654435761u >> 13) + id * 31);
	return data;
}

enum dfs_status
fix_put(struct fix *f, const char *key, uint64_t id, uint64_t length)
{
	g_autofree unsigned char *data = fix_bytes(id, length);
	struct dfs_span span = {data, length, NULL};

	return f->ops->put(f->inst, key, &span, 1, 0);
}

void *
fix_space(void *ctx, uint64_t *len)
{
	struct fix_landing *l = ctx;
	unsigned char *at = l->data + l->got;

	*len = MIN(65536, l->length - l->got);
	l->got += *len;
	return at;
}

enum dfs_status
fix_get(struct fix *f, const char *key, uint64_t id, uint64_t offset, uint64_t length)
{
	g_autofree unsigned char *want = fix_bytes(id, offset + length);
	struct fix_landing l = {g_malloc(length), 0, length};
	struct dfs_sink sink = {&l, NULL, fix_space};
	enum dfs_status st = f->ops->get(f->inst, key, offset, length, &sink, 0);

	if (st == DFS_OK) {
		g_assert_cmpuint(l.got, ==, length);
		g_assert_true(memcmp(l.data, want + offset, length) == 0);
	}
	g_free(l.data);
	return st;
}
