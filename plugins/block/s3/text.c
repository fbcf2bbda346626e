/* SPDX-License-Identifier: MIT
 *
 * Text that grows: see text.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool
reserve(struct text *t, size_t len)
{
	size_t max = t->max ? t->max : TEXT_MAX, want = t->cap ? t->cap : 256;
	char *data;

	if (t->failed || len > max - t->len) {
		t->failed = true;
		return false;
	}
	if (t->len + len < t->cap)
		return true;
	while (want <= t->len + len)
		want *= 2;
	/* Not realloc, which would leave a copy behind. */
	data = malloc(want);
	if (!data) {
		t->failed = true;
		return false;
	}
	if (t->data) {
		memcpy(data, t->data, t->len);
		explicit_bzero(t->data, t->len);
		free(t->data);
	}
	t->data = data;
	t->cap = want;
	return true;
}

void
text_add(struct text *t, const void *data, size_t len)
{
	if (!reserve(t, len))
		return;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
}

void
text_put(struct text *t, const char *string)
{
	text_add(t, string, strlen(string));
}

void
text_format(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !reserve(t, (size_t)len)) {
		t->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(t->data + t->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)len;
}

const char *
text_string(const struct text *t)
{
	return t->data ? t->data : "";
}

void
text_reset(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->data)
		t->data[0] = '\0';
}

void
text_clear(struct text *t)
{
	if (t->data) {
		explicit_bzero(t->data, t->len);
		free(t->data);
	}
	*t = (struct text){.max = t->max};
}
