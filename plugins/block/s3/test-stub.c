/* SPDX-License-Identifier: MIT
 *
 * A small HTTP server: see test-stub.h.
 */
#include "plugins/block/s3/test-stub.h"

#include <arpa/inet.h>
#include <glib.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	pthread_mutex_t mu;
	int fd, port;
	GThread *thread;
	GHashTable *answers; /* guarded by mu; "METHOD PATH" to body */
	GString *seen;       /* guarded by mu; the heads of all requests */
	int n_requests;      /* guarded by mu */
} stub = {.mu = PTHREAD_MUTEX_INITIALIZER};

static void
serve_one(int fd)
{
	char head[4096] = "", line[256], *space;
	size_t len = 0;
	const char *body;

	while (len < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
		ssize_t n = read(fd, head + len, sizeof head - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		head[len] = '\0';
	}
	g_strlcpy(line, head, sizeof line);
	space = strstr(line, " HTTP/");
	if (space)
		*space = '\0';
	pthread_mutex_lock(&stub.mu);
	stub.n_requests++;
	g_string_append(stub.seen, head);
	body = g_hash_table_lookup(stub.answers, line);
	g_autofree char *answer =
		body ? g_strdup_printf("HTTP/1.1 200 OK\r\nConnection: close\r\n"
				       "Content-Length: %zu\r\n\r\n%s",
				       strlen(body), body)
		     : g_strdup(
			       "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	pthread_mutex_unlock(&stub.mu);
	if (write(fd, answer, strlen(answer)) < 0)
		return;
}

static gpointer
serve(gpointer unused)
{
	for (;;) {
		int fd = accept(stub.fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		serve_one(fd);
		close(fd);
	}
}

void
stub_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	stub.answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	stub.seen = g_string_new("");
	stub.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(stub.fd, (struct sockaddr *)&a, len), ==, 0);
	g_assert_cmpint(listen(stub.fd, 16), ==, 0);
	getsockname(stub.fd, (struct sockaddr *)&a, &len);
	stub.port = ntohs(a.sin_port);
	stub.thread = g_thread_new("stub", serve, NULL);
}

void
stub_answer(const char *request, const char *body)
{
	pthread_mutex_lock(&stub.mu);
	g_hash_table_replace(stub.answers, g_strdup(request), g_strdup(body));
	pthread_mutex_unlock(&stub.mu);
}

bool
stub_saw(const char *text)
{
	bool found;

	pthread_mutex_lock(&stub.mu);
	found = strstr(stub.seen->str, text) != NULL;
	pthread_mutex_unlock(&stub.mu);
	return found;
}

int
stub_count(void)
{
	int n;

	pthread_mutex_lock(&stub.mu);
	n = stub.n_requests;
	pthread_mutex_unlock(&stub.mu);
	return n;
}

void
stub_stop(void)
{
	shutdown(stub.fd, SHUT_RDWR);
	g_thread_join(stub.thread);
	close(stub.fd);
	g_hash_table_unref(stub.answers);
	g_string_free(stub.seen, TRUE);
	stub.n_requests = 0;
}

int
stub_port(void)
{
	return stub.port;
}
