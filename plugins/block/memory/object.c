/* SPDX-License-Identifier: MIT
 *
 * Making, delivering and freeing objects.
 *
 * Whether to keep a caller's buffer or to copy out of it is decided by ratio: a buffer of which
 * the object uses at least half is kept (no copy, and at most as much again is wasted); of one
 * that it uses less the bytes are copied, so that a 4 KiB span does not pin 64 KiB.
 */
#include "object.h"

#include <stdlib.h>
#include <string.h>

/* Copies below this go into the object: a buffer of their own would cost more than it saves. */
#define INLINE_MAX 1024u

/* How a run of spans becomes one piece. */
struct plan {
	struct dfs_buf *buf; /* the buffer to refer to, NULL: copy into the object */
	const unsigned char *data;
	uint32_t first, count; /* spans */
	uint32_t len;
};

static inline int
worth_keeping(uint64_t len, const struct dfs_buf *buf)
{
	return len * 2 >= buf->len;
}

static void
copy_spans(unsigned char *to, const struct dfs_span *spans, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		if (spans[i].len > 0)
			memcpy(to, spans[i].data, spans[i].len);
		to += spans[i].len;
	}
}

/* Group the spans: neighbours that lie side by side in one buffer are judged together, and so are
 * neighbours to be copied. */
static uint32_t
plan_pieces(const struct dfs_span *spans, uint32_t n, struct plan *plan)
{
	uint32_t n_plan = 0;

	for (uint32_t i = 0; i < n;) {
		struct dfs_buf *buf = spans[i].buf;
		uint64_t len = spans[i].len;
		uint32_t first = i++;

		while (buf && i < n && spans[i].buf == buf &&
		       (const unsigned char *)spans[i].data ==
			       (const unsigned char *)spans[first].data + len)
			len += spans[i++].len;
		if (len == 0)
			continue;
		if (buf && !worth_keeping(len, buf))
			buf = NULL;
		if (!buf && n_plan > 0 && !plan[n_plan - 1].buf) {
			plan[n_plan - 1].count = i - plan[n_plan - 1].first;
			plan[n_plan - 1].len += (uint32_t)len;
			continue;
		}
		plan[n_plan++] = (struct plan){.buf = buf,
					       .data = spans[first].data,
					       .first = first,
					       .count = i - first,
					       .len = (uint32_t)len};
	}
	return n_plan;
}

/* Give larger copies a buffer of their own, so that get() can hand them out without copying.
 * False: the server's memory budget is used up. */
static int
fill_buffers(const struct dfs_host *host, const struct dfs_span *spans, struct plan *plan,
	     uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct plan *p = &plan[i];
		struct dfs_buf *buf;

		if (p->buf) {
			host->buf_ref(host->ctx, p->buf);
			continue;
		}
		if (p->len < INLINE_MAX)
			continue;
		buf = host->buf_alloc(host->ctx, p->len);
		if (buf && !worth_keeping(p->len, buf)) {
			/* The host's size classes do not fit: exact bytes in the object are
			 * cheaper. */
			host->buf_unref(host->ctx, buf);
			continue;
		}
		if (!buf) {
			while (i-- > 0)
				if (plan[i].buf)
					host->buf_unref(host->ctx, plan[i].buf);
			return 0;
		}
		copy_spans(buf->data, spans, p->first, p->count);
		p->buf = buf;
		p->data = buf->data;
	}
	return 1;
}

static enum dfs_status
build(const struct dfs_host *host, const char *key, uint32_t key_len, const struct dfs_span *spans,
      struct plan *plan, uint32_t n_plan, uint32_t length, struct object **out)
{
	size_t head = sizeof(struct object) + n_plan * sizeof(struct piece), inlined = 0;
	uint64_t charge;
	struct object *o;
	unsigned char *bytes;

	if (!fill_buffers(host, spans, plan, n_plan))
		return host->fail(host->ctx, DFS_NOSPC, "the server's memory budget is used up");
	for (uint32_t i = 0; i < n_plan; i++)
		if (!plan[i].buf)
			inlined += plan[i].len;
	charge = head + key_len + 1 + inlined;
	o = malloc(charge);
	if (!o) {
		for (uint32_t i = 0; i < n_plan; i++)
			if (plan[i].buf)
				host->buf_unref(host->ctx, plan[i].buf);
		return host->fail(host->ctx, DFS_NOSPC, "out of memory");
	}
	atomic_init(&o->refs, 1);
	o->length = length;
	o->key_len = (uint16_t)key_len;
	o->n_pieces = (uint16_t)n_plan;
	o->key = (char *)o + head;
	memcpy(o->key, key, key_len + 1);
	bytes = (unsigned char *)o->key + key_len + 1;
	for (uint32_t i = 0; i < n_plan; i++) {
		o->pieces[i] = (struct piece){plan[i].data, plan[i].buf, plan[i].len};
		if (plan[i].buf) {
			charge += plan[i].buf->len;
			continue;
		}
		copy_spans(bytes, spans, plan[i].first, plan[i].count);
		o->pieces[i].data = bytes;
		bytes += plan[i].len;
	}
	o->charge = charge;
	*out = o;
	return DFS_OK;
}

static enum dfs_status
build_many(const struct dfs_host *host, const char *key, uint32_t key_len,
	   const struct dfs_span *spans, uint32_t n, uint32_t length, struct object **out)
{
	struct plan plan[n];

	return build(host, key, key_len, spans, plan, plan_pieces(spans, n, plan), length, out);
}

enum dfs_status
object_new(const struct dfs_host *host, const char *key, uint32_t key_len,
	   const struct dfs_span *spans, uint32_t n, uint32_t length, struct object **out)
{
	struct plan plan[4];

	if (n > 4)
		return build_many(host, key, key_len, spans, n, length, out);
	return build(host, key, key_len, spans, plan, plan_pieces(spans, n, plan), length, out);
}

void
object_unref(const struct dfs_host *host, struct object *o)
{
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < o->n_pieces; i++)
		if (o->pieces[i].buf)
			host->buf_unref(host->ctx, o->pieces[i].buf);
	free(o);
}

enum dfs_status
object_deliver(const struct dfs_host *host, const struct object *o, uint64_t offset,
	       uint64_t length, const struct dfs_sink *sink)
{
	unsigned char *room = NULL; /* what is left of the last space() */
	uint64_t room_len = 0;

	for (const struct piece *p = o->pieces; length > 0; p++) {
		const unsigned char *data = p->data + offset;
		uint64_t len;

		if (offset >= p->len) {
			offset -= p->len;
			continue;
		}
		len = p->len - offset < length ? p->len - offset : length;
		offset = 0;
		length -= len;
		/* A lent space must be filled before anything else is delivered. */
		if (p->buf && room_len == 0 && sink->give &&
		    sink->give(sink->ctx, p->buf, data, len))
			continue;
		while (len > 0) {
			uint64_t part;

			if (room_len == 0) {
				room = sink->space(sink->ctx, &room_len);
				if (!room || room_len == 0)
					return host->fail(host->ctx, DFS_NOMEM,
							  "the reader has no room for the object");
			}
			part = len < room_len ? len : room_len;
			memcpy(room, data, part);
			room += part;
			room_len -= part;
			data += part;
			len -= part;
		}
	}
	return DFS_OK;
}
