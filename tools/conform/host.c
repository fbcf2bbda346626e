/* SPDX-License-Identifier: MIT
 *
 * The host table that the plugin under test is given: it counts what the plugin holds and does
 * wrong.
 */
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tools/conform/frame.h"
#include "tools/conform/tap.h"

static struct conform *self; /* the host table's context; one per process */
static __thread char fail_text[512];

struct host_buf {
	struct dfs_buf buf;
	_Atomic unsigned refs;
	unsigned char bytes[];
};

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (self->verbose)
		tap_remark("log %d: %s", (int)level, text);
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof(fail_text), fmt, ap);
	va_end(ap);
	if (self->verbose)
		tap_remark("fail %s: %s", dfs_status_name(status), fail_text);
	return status;
}

static struct dfs_buf *
host_buf_alloc(void *ctx, uint32_t len)
{
	struct host_buf *b;

	if (len < 1 || len > DFS_OBJECT_MAX) {
		self->host_misuse++;
		return NULL;
	}
	b = g_malloc(sizeof(*b) + len);
	b->refs = 1;
	b->buf.data = b->bytes;
	b->buf.len = len;
	self->buffers++;
	self->buffer_bytes += len;
	return &b->buf;
}

static void
host_buf_ref(void *ctx, struct dfs_buf *buf)
{
	((struct host_buf *)buf)->refs++;
}

static void
host_buf_unref(void *ctx, struct dfs_buf *buf)
{
	struct host_buf *b = (struct host_buf *)buf;

	if (--b->refs == 0) {
		self->buffers--;
		self->buffer_bytes -= buf->len;
		g_free(b);
	}
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (n == 0 || n > 63 || name[n] || !g_ascii_islower(name[0]))
		self->host_misuse++;
}

void
conform_host_init(struct conform *c)
{
	self = c;
	c->host = (struct dfs_host){
		.size = sizeof(struct dfs_host),
		.minor = DFS_HOST_MINOR,
		.ctx = c,
		.log = host_log,
		.fail = host_fail,
		.buf_alloc = host_buf_alloc,
		.buf_ref = host_buf_ref,
		.buf_unref = host_buf_unref,
		.count = host_count,
	};
}

const char *
conform_fail_text(void)
{
	return fail_text;
}

void
conform_fail_clear(void)
{
	fail_text[0] = 0;
}
