/* SPDX-License-Identifier: MIT
 *
 * Putting and erasing objects: sizes, spans, buffers, statuses.
 */
#include "tools/conform/block/block.h"

static void
test_sizes(struct conform *c)
{
	static const uint32_t sizes[] = {
		1,    2,    7,     8,     511,   512,     513, 1023,         1024,        4095,
		4096, 4097, 65535, 65536, 65537, MIB - 1, MIB, 3 * MIB + 17, 4 * MIB - 1, 4 * MIB};
	struct box b;

	if (!box_open(c, &b))
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *key = key_of(&b, "%u", sizes[i]);

		EXPECT(c, put_bytes(&b, key, sizes[i], sizes[i]), DFS_OK);
		expect_object(&b, key, sizes[i], sizes[i]);
	}
	box_close(&b);
}

static void
test_replace(struct conform *c)
{
	static const uint32_t sizes[] = {5000, 10, 4 * MIB, 1};
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		EXPECT(c, put_bytes(&b, key, i, sizes[i]), DFS_OK);
		expect_object(&b, key, i, sizes[i]);
	}
	box_close(&b);
}

/* Cut contents into n spans of sizes that vary, some of them empty. */
static void
put_cut(struct box *b, uint32_t n, uint32_t len)
{
	g_autofree char *key = key_of(b, "spans-%u-%u", n, len);
	g_autofree unsigned char *data = g_malloc(len);
	g_autofree struct dfs_span *spans = g_new0(struct dfs_span, n);
	uint64_t rnd = b->c->seed + n, at = 0;

	fill_bytes(data, len, n);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t part = i + 1 == n ? len - at : conform_random(&rnd) % (2 * len / n + 1);

		if (part > len - at)
			part = len - at;
		spans[i] = (struct dfs_span){data + at, part, NULL};
		at += part;
	}
	EXPECT(b->c, b->ops->put(b->inst, key, spans, n, 0), DFS_OK);
	expect_object(b, key, n, len);
}

static void
test_spans(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	put_cut(&b, 2, 3);
	put_cut(&b, 3, 70000);
	put_cut(&b, 64, 4 * MIB);
	put_cut(&b, 1023, 5000);
	put_cut(&b, 1024, 4 * MIB);
	box_close(&b);
}

/* An object of whole and partial buffers and plain memory; the caller's references are dropped
 * after the put. */
static void
test_buffers(struct conform *c)
{
	struct box b;
	struct dfs_buf *buf[3];
	unsigned char plain[5000];
	g_autofree unsigned char *all = g_malloc(200000);
	uint64_t at = 0;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	fill_bytes(all, 200000, 9);
	for (int i = 0; i < 3; i++)
		buf[i] = c->host.buf_alloc(c->host.ctx, 65536);
	struct dfs_span spans[] = {
		{buf[0]->data, 65536, buf[0]},         {plain, 5000, NULL},
		{buf[1]->data + 1000, 4096, buf[1]},   {buf[2]->data, 30000, buf[2]},
		{buf[2]->data + 30000, 20000, buf[2]}, {buf[1]->data + 9000, 1, buf[1]},
	};
	for (unsigned i = 0; i < G_N_ELEMENTS(spans); i++) {
		memcpy((void *)spans[i].data, all + at, spans[i].len);
		at += spans[i].len;
	}
	EXPECT(c, b.ops->put(b.inst, key, spans, G_N_ELEMENTS(spans), 0), DFS_OK);
	for (int i = 0; i < 3; i++)
		c->host.buf_unref(c->host.ctx, buf[i]);
	memset(plain, 0, sizeof(plain));
	expect_object(&b, key, 9, at);
	box_close(&b);
	CHECK(c, c->buffers == 0, "%" G_GINT64_FORMAT " buffers are still held",
	      (gint64)c->buffers);
}

static void
test_no_pinning(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 100; i++) {
		g_autofree char *key = key_of(&b, "%d", i);
		struct dfs_buf *buf = c->host.buf_alloc(c->host.ctx, 65536);
		struct dfs_span span = {buf->data + 8192, 4096, buf};

		memset(buf->data, 1, 65536);
		EXPECT(c, b.ops->put(b.inst, key, &span, 1, 0), DFS_OK);
		c->host.buf_unref(c->host.ctx, buf);
	}
	CHECK(c, c->buffer_bytes <= 2 * 100 * 4096,
	      "100 objects of 4 KiB hold buffers of %" G_GINT64_FORMAT " bytes",
	      (gint64)c->buffer_bytes);
	box_close(&b);
}

static void
expect_put(struct box *b, const char *key, const struct dfs_span *spans, uint32_t n,
	   enum dfs_status want)
{
	conform_fail_clear();
	EXPECT(b->c, b->ops->put(b->inst, key, spans, n, 0), want);
	CHECK(b->c, conform_fail_text()[0], "a refused put has no sentence");
	expect_absent(b, key);
}

static void
test_bad_spans(struct conform *c)
{
	g_autofree unsigned char *data = g_malloc0(5 * MIB);
	g_autofree struct dfs_span *many = g_new0(struct dfs_span, 1025);
	struct dfs_span empty[2] = {{data, 0, NULL}, {data, 0, NULL}};
	struct dfs_span big = {data, 4 * MIB + 1, NULL};
	struct dfs_span two[2] = {{data, 4 * MIB, NULL}, {data, 1, NULL}};
	struct dfs_span wrap[2] = {{data, 2, NULL}, {data, UINT64_MAX, NULL}};
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	for (int i = 0; i < 1025; i++)
		many[i] = (struct dfs_span){data, 1, NULL};
	expect_put(&b, key, empty, 0, DFS_INVAL);
	expect_put(&b, key, empty, 1, DFS_INVAL);
	expect_put(&b, key, empty, 2, DFS_INVAL);
	expect_put(&b, key, many, 1025, DFS_INVAL);
	expect_put(&b, key, &big, 1, DFS_TOOBIG);
	expect_put(&b, key, two, 2, DFS_TOOBIG);
	expect_put(&b, key, wrap, 2, DFS_TOOBIG);
	box_close(&b);
}

static void
test_failed_put_keeps(struct conform *c)
{
	g_autofree unsigned char *data = g_malloc0(4 * MIB + 1);
	struct dfs_span big = {data, 4 * MIB + 1, NULL};
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	EXPECT(c, put_bytes(&b, key, 5, 500), DFS_OK);
	EXPECT(c, b.ops->put(b.inst, key, &big, 1, 0), DFS_TOOBIG);
	expect_object(&b, key, 5, 500);
	box_close(&b);
}

static void
test_absent(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x/y"), *near = key_of(&b, "x/y/z"),
			*up = key_of(&b, "x");
	expect_absent(&b, key);
	EXPECT(c, put_bytes(&b, key, 1, 1), DFS_OK);
	expect_absent(&b, near);
	expect_absent(&b, up);
	conform_fail_clear();
	uint64_t length;
	EXPECT(c, b.ops->head(b.inst, near, &length, 0), DFS_NOENT);
	CHECK(c, conform_fail_text()[0], "an absent object has no sentence");
	box_close(&b);
}

static void
test_erase(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "a/b"), *other = key_of(&b, "a/c"), *up = key_of(&b, "a");
	EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
	EXPECT(c, put_bytes(&b, key, 1, 100), DFS_OK);
	EXPECT(c, put_bytes(&b, other, 2, 100), DFS_OK);
	EXPECT(c, b.ops->erase(b.inst, up, 0), DFS_OK);
	expect_object(&b, key, 1, 100);
	EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
	expect_absent(&b, key);
	expect_object(&b, other, 2, 100);
	EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
	EXPECT(c, put_bytes(&b, key, 3, 300), DFS_OK);
	expect_object(&b, key, 3, 300);
	box_close(&b);
}

/* With the flag: done, or DFS_AGAIN and nothing has happened. */
static void
test_nonblock(struct conform *c)
{
	uint32_t model = c->plugin->desc.thread_model;
	struct box b;

	if (model == DFS_THREADS_BLOCKING || model == DFS_THREADS_SERIAL) {
		conform_skip(c, "the core never sets DFS_NONBLOCK with this thread model");
		return;
	}
	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 50; i++) {
		g_autofree char *key = key_of(&b, "%d", i);
		unsigned char byte = 0;
		struct dfs_span span = {&byte, 1, NULL};
		enum dfs_status st;
		uint64_t length;
		struct catch k;

		fill_bytes(&byte, 1, i);
		st = b.ops->put(b.inst, key, &span, 1, DFS_NONBLOCK);
		CHECK(c, st == DFS_OK || st == DFS_AGAIN, "status %d", (int)st);
		if (st == DFS_AGAIN) {
			expect_absent(&b, key);
			EXPECT(c, put_bytes(&b, key, i, 1), DFS_OK);
		}
		catch_init(&k, 1);
		st = b.ops->get(b.inst, key, 0, 1, &k.sink, DFS_NONBLOCK);
		CHECK(c, st == DFS_OK || (st == DFS_AGAIN && k.lent == 0 && k.given == 0),
		      "status %d", (int)st);
		catch_clear(&k);
		st = b.ops->head(b.inst, key, &length, DFS_NONBLOCK);
		CHECK(c, st == DFS_OK || st == DFS_AGAIN, "status %d", (int)st);
		expect_object(&b, key, i, 1);
		st = b.ops->erase(b.inst, key, DFS_NONBLOCK);
		CHECK(c, st == DFS_OK || st == DFS_AGAIN, "status %d", (int)st);
		if (st == DFS_AGAIN)
			expect_object(&b, key, i, 1);
		else
			expect_absent(&b, key);
	}
	box_close(&b);
}

static void
test_never_again(struct conform *c)
{
	struct box b;
	struct catch k;

	if (c->plugin->desc.thread_model != DFS_THREADS_NONBLOCKING) {
		conform_skip(c, "the thread model is another");
		return;
	}
	if (!box_open(c, &b))
		return;
	g_autofree char *key = key_of(&b, "x");
	struct dfs_span span = {"abc", 3, NULL};
	uint64_t length;
	EXPECT(c, b.ops->put(b.inst, key, &span, 1, DFS_NONBLOCK), DFS_OK);
	catch_init(&k, 3);
	EXPECT(c, b.ops->get(b.inst, key, 0, 3, &k.sink, DFS_NONBLOCK), DFS_OK);
	catch_clear(&k);
	EXPECT(c, b.ops->head(b.inst, key, &length, DFS_NONBLOCK), DFS_OK);
	EXPECT(c, b.ops->erase(b.inst, key, DFS_NONBLOCK), DFS_OK);
	box_close(&b);
}

static void
test_erase_many(struct conform *c)
{
	const char *list[1000];
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	struct box b;

	if (!c->plugin->ops.block.erase_many) {
		conform_skip(c, "the store erases one by one");
		return;
	}
	if (!box_open(c, &b))
		return;
	for (unsigned i = 0; i < 1001; i++) {
		g_ptr_array_add(keys, key_of(&b, "%u/x", i));
		/* Some are absent. */
		if (i % 10 != 3)
			EXPECT(c, put_bytes(&b, keys->pdata[i], i, 10), DFS_OK);
		if (i < 1000)
			list[i] = keys->pdata[i];
	}
	EXPECT(c, b.ops->erase_many(b.inst, list, 1000), DFS_OK);
	for (unsigned i = 0; i < 1000; i++)
		expect_absent(&b, list[i]);
	expect_object(&b, keys->pdata[1000], 1000, 10);
	EXPECT(c, b.ops->erase_many(b.inst, list, 1), DFS_OK);
	box_close(&b);
}

const struct conform_test object_tests[] = {
	{"object", "objects of 1 byte to 4 MiB come back as they were put", test_sizes},
	{"object", "a put replaces an object of the same key", test_replace},
	{"object", "1 to 1024 spans, empty ones among them, make one object", test_spans},
	{"object", "spans of buffers, of parts of buffers and of plain memory mix", test_buffers},
	{"object", "a small span does not pin a large buffer", test_no_pinning},
	{"object", "no byte, no span, too many of either are refused with a sentence",
	 test_bad_spans},
	{"object", "a refused put leaves the object of that key", test_failed_put_keeps},
	{"object", "an absent object is NOENT, with a sentence", test_absent},
	{"object", "erase takes one object, and an absent one is no error", test_erase},
	{"object", "with the non-blocking flag an operation is done or had no effect",
	 test_nonblock},
	{"object", "a store at memory speed never answers AGAIN", test_never_again},
	{"object", "many objects are erased at once, absent ones too", test_erase_many},
	{NULL}};
