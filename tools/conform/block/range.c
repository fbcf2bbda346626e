/* SPDX-License-Identifier: MIT
 *
 * Reading ranges, and how sinks are used.
 */
#include "tools/conform/block/block.h"

#define LEN 200000u

/* One object of plain bytes, buffers and small pieces, so that every store has seams in it. */
static char *
put_seamed(struct box *b)
{
	static const uint32_t parts[] = {1, 65536, 100, 65536, 4096, 60000, 4731};
	char *key = key_of(b, "seamed");
	g_autofree unsigned char *all = g_malloc(LEN);
	struct dfs_span spans[G_N_ELEMENTS(parts)];
	struct dfs_buf *buf[G_N_ELEMENTS(parts)] = {NULL};
	uint64_t at = 0;

	fill_bytes(all, LEN, 77);
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
		spans[i] = (struct dfs_span){all + at, parts[i], NULL};
		if (i % 2) {
			buf[i] = b->c->host.buf_alloc(b->c->host.ctx, 65536);
			memcpy(buf[i]->data, all + at, parts[i]);
			spans[i] = (struct dfs_span){buf[i]->data, parts[i], buf[i]};
		}
		at += parts[i];
	}
	EXPECT(b->c, b->ops->put(b->inst, key, spans, G_N_ELEMENTS(parts), 0), DFS_OK);
	for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
		if (buf[i])
			b->c->host.buf_unref(b->c->host.ctx, buf[i]);
	return key;
}

static void
check_range(struct box *b, const char *key, uint64_t offset, uint64_t len, uint64_t lend, bool take)
{
	struct catch k;

	catch_init(&k, len);
	k.lend = lend;
	k.take_bufs = take;
	EXPECT(b->c, b->ops->get(b->inst, key, offset, len, &k.sink, 0), DFS_OK);
	CHECK(b->c, k.got == len && !k.beyond && same_bytes(k.data, offset, len, 77),
	      "range %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT ", lending %" G_GUINT64_FORMAT
	      ", is delivered wrongly",
	      offset, len, lend);
	catch_clear(&k);
}

static void
test_edges(struct conform *c)
{
	static const uint64_t edges[] = {0,      1,      2,      65536,   65537, 65637,
					 131173, 135269, 195269, LEN - 1, LEN};
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = put_seamed(&b);
	for (unsigned i = 0; i < G_N_ELEMENTS(edges); i++)
		for (unsigned j = i + 1; j < G_N_ELEMENTS(edges); j++)
			check_range(&b, key, edges[i], edges[j] - edges[i], 0, j % 2);
	box_close(&b);
}

static void
test_random(struct conform *c)
{
	uint64_t rnd = c->seed;
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = put_seamed(&b);
	for (int i = 0; i < 300; i++) {
		uint64_t offset = conform_random(&rnd) % LEN;
		uint64_t len = 1 + conform_random(&rnd) % (LEN - offset);

		check_range(&b, key, offset, len, conform_random(&rnd) % 100000, i % 2);
	}
	box_close(&b);
}

static void
test_small_space(struct conform *c)
{
	static const uint64_t lend[] = {1, 2, 7, 512, 4096, 65536};
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = put_seamed(&b);
	for (unsigned i = 0; i < G_N_ELEMENTS(lend); i++) {
		uint64_t len = lend[i] < 100 ? 3000 : LEN - 60000;

		check_range(&b, key, 60000, len, lend[i], false);
		check_range(&b, key, 60000, len, lend[i], true);
	}
	box_close(&b);
}

static void
refuse_range(struct box *b, const char *key, uint64_t offset, uint64_t len)
{
	struct catch k;

	catch_init(&k, 16);
	conform_fail_clear();
	EXPECT(b->c, b->ops->get(b->inst, key, offset, len, &k.sink, 0), DFS_INVAL);
	CHECK(b->c, k.lent == 0 && k.given == 0, "a refused range delivers something");
	CHECK(b->c, conform_fail_text()[0], "a refused range has no sentence");
	catch_clear(&k);
}

static void
test_beyond(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = put_seamed(&b);
	refuse_range(&b, key, 0, LEN + 1);
	refuse_range(&b, key, LEN - 1, 2);
	refuse_range(&b, key, LEN, 1);
	refuse_range(&b, key, LEN + 1, 1);
	refuse_range(&b, key, 1, UINT64_MAX);
	refuse_range(&b, key, UINT64_MAX, 1);
	refuse_range(&b, key, UINT64_MAX, UINT64_MAX);
	refuse_range(&b, key, UINT64_C(1) << 63, 1);
	box_close(&b);
}

/* What give() has handed out outlives the object: references are counted. */
struct keeper {
	struct conform *c;
	struct dfs_buf *buf;
	const void *data;
	uint64_t len;
	unsigned char rest[65536];
};

static int
keep(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	struct keeper *k = ctx;

	if (k->buf)
		return 0;
	k->c->host.buf_ref(k->c->host.ctx, buf);
	k->buf = buf;
	k->data = data;
	k->len = len;
	return 1;
}

static void *
keep_space(void *ctx, uint64_t *len)
{
	struct keeper *k = ctx;

	*len = sizeof(k->rest);
	return k->rest;
}

static void
test_given(struct conform *c)
{
	struct box b;
	g_autofree struct keeper *k = g_new0(struct keeper, 1);
	struct dfs_sink sink = {k, keep, keep_space};
	struct dfs_buf *buf;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	buf = c->host.buf_alloc(c->host.ctx, 65536);
	fill_bytes(buf->data, 65536, 3);
	struct dfs_span span = {buf->data, 65536, buf};
	k->c = c;
	EXPECT(c, b.ops->put(b.inst, key, &span, 1, 0), DFS_OK);
	c->host.buf_unref(c->host.ctx, buf);
	EXPECT(c, b.ops->get(b.inst, key, 0, 65536, &sink, 0), DFS_OK);
	EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
	if (k->buf) {
		CHECK(c, k->len <= 65536 && same_bytes(k->data, 0, k->len, 3),
		      "the bytes have changed");
		c->host.buf_unref(c->host.ctx, k->buf);
	} else {
		CHECK(c, same_bytes(k->rest, 0, 65536, 3), "other bytes are delivered");
	}
	box_close(&b);
	CHECK(c, c->buffers == 0, "%" G_GINT64_FORMAT " buffers are still held",
	      (gint64)c->buffers);
}

const struct conform_test range_tests[] = {
	{"range", "ranges between all seams of an object are exact", test_edges},
	{"range", "random ranges into random spaces are exact", test_random},
	{"range", "space lent a few bytes at a time is filled front to back", test_small_space},
	{"range", "a range beyond the end is refused and delivers nothing", test_beyond},
	{"range", "a buffer given away outlives its object", test_given},
	{NULL}};
