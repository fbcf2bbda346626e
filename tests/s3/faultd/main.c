/* SPDX-License-Identifier: MIT
 *
 * faultd [--port N] [--port-file FILE] [--bucket NAME] [--access-key A --secret-key S]
 *        [--latency MS] [--cert FILE --key FILE]
 *
 * See faultd.h; control.c has the commands.  Listens on 127.0.0.1; with a certificate, over TLS too.
 * Buckets stand in the path, or in the host as BUCKET.s3.localhost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "faultd.h"
#include "plugins/block/s3/encode.h"

struct settings settings;

static int opt_port;
static char *opt_port_file, *opt_bucket, *opt_access, *opt_secret, *opt_cert, *opt_key;
static double opt_latency;
static SSL_CTX *tls;

static const GOptionEntry entries[] = {
	{"port", 0, 0, G_OPTION_ARG_INT, &opt_port, "port, 0: any", "N"},
	{"port-file", 0, 0, G_OPTION_ARG_FILENAME, &opt_port_file, "where to write the port", "F"},
	{"bucket", 0, 0, G_OPTION_ARG_STRING, &opt_bucket, "a bucket to make", "NAME"},
	{"access-key", 0, 0, G_OPTION_ARG_STRING, &opt_access, "access key", "TEXT"},
	{"secret-key", 0, 0, G_OPTION_ARG_STRING, &opt_secret, "secret key", "TEXT"},
	{"latency", 0, 0, G_OPTION_ARG_DOUBLE, &opt_latency, "ms before each answer", "MS"},
	{"cert", 0, 0, G_OPTION_ARG_FILENAME, &opt_cert, "certificate, PEM", "F"},
	{"key", 0, 0, G_OPTION_ARG_FILENAME, &opt_key, "its key, PEM", "F"},
	{NULL}};

int64_t
clock_now(void)
{
	return (int64_t)time(NULL) + settings.clock;
}

void
latency_wait(void)
{
	int64_t us = settings.latency_us, jitter = settings.jitter_us;

	if (settings.tail_percent > g_random_int_range(0, 100))
		us = settings.tail_us;
	else if (jitter > 0)
		us += g_random_int_range((gint32)-jitter, (gint32)jitter + 1);
	if (us > 0)
		g_usleep((gulong)us);
}

/* Bucket and key, from the path or from the host. */
static void
find_target(struct exchange *x)
{
	const char *path = x->request.path, *host = x->request.host;
	const char *domain = strstr(host, ".s3.localhost");
	const char *rest = path[0] == '/' ? path + 1 : path;

	if (domain) {
		x->bucket = g_strndup(host, (size_t)(domain - host));
	} else {
		size_t len = strcspn(rest, "/");

		x->bucket = g_strndup(rest, len);
		rest += len + (rest[len] == '/');
	}
	x->key = g_strdup(rest);
	decode_uri(x->key, false);
}

static void
parse_query(struct exchange *x)
{
	g_auto(GStrv) part = g_strsplit(x->request.query, "&", 0);

	x->query = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (char **p = part; *p; p++) {
		char *equals = strchr(*p, '='), *value = g_strdup(equals ? equals + 1 : "");

		if (equals)
			*equals = '\0';
		decode_uri(value, false);
		g_hash_table_insert(x->query, g_strdup(*p), value);
	}
}

/* Those before anything is done; true: that was all. */
static bool
fail_first(struct exchange *x)
{
	g_autofree char *location = NULL;

	switch (x->rule.fault) {
	case FAULT_STATUS:
		answer_error(x, (int)x->rule.arg, x->rule.text, "");
		return true;
	case FAULT_STALL:
		conn_wait_gone(x->conn);
		x->keep = false;
		return true;
	case FAULT_CLOSE:
		x->keep = false;
		return true;
	case FAULT_REDIRECT:
		location = g_strdup_printf("Location: %s%s\r\n", x->rule.text, x->request.path);
		answer(x, 307, location, NULL, 0);
		return true;
	default:
		return false;
	}
}

static void
handle(struct exchange *x)
{
	find_target(x);
	parse_query(x);
	if (strcmp(x->bucket, "_faultd") == 0) {
		control(x);
		return;
	}
	settings.requests++;
	latency_wait();
	x->rule = rule_for(x->request.method, x->key);
	if (!fail_first(x) && verify(x))
		serve(x);
	settings.answered++;
}

static gpointer
run_connection(gpointer arg)
{
	struct conn *c = g_new0(struct conn, 1);
	struct exchange x = {.conn = c, .keep = true};
	unsigned char first = 0;
	int on = 1;

	c->fd = GPOINTER_TO_INT(arg);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	settings.connections++;
	/* Over TLS when the client begins so: the control URL needs none. */
	if (tls && recv(c->fd, &first, 1, MSG_PEEK) == 1 && first == 0x16) {
		c->ssl = SSL_new(tls);
		SSL_set_fd(c->ssl, c->fd);
		x.keep = SSL_accept(c->ssl) == 1;
	}
	while (x.keep && conn_read_request(c, &x.request)) {
		x.rule = (struct rule){.fault = FAULT_NONE};
		handle(&x);
		request_free(&x.request);
		g_free(x.bucket);
		g_free(x.key);
		g_hash_table_unref(x.query);
		x.request = (struct request){.head = NULL};
	}
	request_free(&x.request);
	SSL_free(c->ssl);
	close(c->fd);
	g_free(c);
	return NULL;
}

static int
listen_on(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t len = sizeof a;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, 256) != 0) {
		fprintf(stderr, "faultd: port %d: %s\n", port, strerror(errno));
		exit(1);
	}
	getsockname(fd, (struct sockaddr *)&a, &len);
	opt_port = ntohs(a.sin_port);
	return fd;
}

static void
set_up_tls(void)
{
	tls = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(tls, opt_cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, opt_key, SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "faultd: the certificate or its key is not usable\n");
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	g_autoptr(GOptionContext) options = g_option_context_new("- an S3 server that fails");
	g_autoptr(GError) error = NULL;
	int fd;

	g_option_context_add_main_entries(options, entries, NULL);
	if (!g_option_context_parse(options, &argc, &argv, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (opt_cert)
		set_up_tls();
	settings.latency_us = (int64_t)(opt_latency * 1000);
	identity_region("us-east-1");
	if (opt_secret)
		identity_set(opt_access ? opt_access : "", opt_secret, "");
	bucket_make(opt_bucket ? opt_bucket : "bucket");
	fd = listen_on(opt_port);
	if (opt_port_file) {
		g_autofree char *text = g_strdup_printf("%d\n", opt_port);

		/* Renamed into place: who waits for it reads all of it. */
		if (!g_file_set_contents(opt_port_file, text, -1, &error)) {
			fprintf(stderr, "%s\n", error->message);
			return 1;
		}
	}
	for (;;) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn >= 0)
			g_thread_unref(
				g_thread_new("connection", run_connection, GINT_TO_POINTER(conn)));
	}
}
