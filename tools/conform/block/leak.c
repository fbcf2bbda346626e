/* SPDX-License-Identifier: MIT
 *
 * Nothing is left behind: descriptors, host buffers.
 */
#include "tools/conform/block/block.h"

static void
use(struct box *b)
{
	struct conform *c = b->c;

	for (int i = 0; i < 20; i++) {
		g_autofree char *key = key_of(b, "%d/x", i % 7);
		struct dfs_buf *buf = c->host.buf_alloc(c->host.ctx, 8192);
		struct dfs_span spans[2] = {{buf->data, 8192, buf}, {buf->data + 5, 100, buf}};

		memset(buf->data, i, 8192);
		EXPECT(c, b->ops->put(b->inst, key, spans, 1 + i % 2, 0), DFS_OK);
		c->host.buf_unref(c->host.ctx, buf);
		if (i % 3 == 0)
			EXPECT(c, b->ops->erase(b->inst, key, 0), DFS_OK);
	}
}

static void
test_instances(struct conform *c)
{
	struct box b;
	unsigned fds = 0;

	for (int i = 0; i < 200; i++) {
		if (i == 1)
			fds = conform_count_fds();
		if (!box_open(c, &b))
			return;
		if (i % 20 == 0)
			use(&b);
		box_close(&b);
	}
	CHECK(c, conform_count_fds() <= fds, "%u descriptors are open, %u were",
	      conform_count_fds(), fds);
	CHECK(c, c->buffers == 0, "%" G_GINT64_FORMAT " buffers are still held",
	      (gint64)c->buffers);
}

static void
test_unsynced(struct conform *c)
{
	struct box b;
	unsigned fds = conform_count_fds();

	if (!box_open(c, &b))
		return;
	use(&b);
	conform_close(c, b.inst);
	b.inst = NULL;
	CHECK(c, c->buffers == 0, "%" G_GINT64_FORMAT " buffers are still held",
	      (gint64)c->buffers);
	CHECK(c, conform_count_fds() <= fds, "descriptors are left open");
	if (box_reopen(&b))
		box_close(&b);
}

static void
test_many_puts(struct conform *c)
{
	struct box b;
	unsigned fds;

	if (!box_open(c, &b))
		return;
	fds = conform_count_fds();
	for (int i = 0; i < 2000; i++) {
		g_autofree char *key = key_of(&b, "%d", i);

		if (!EXPECT(c, put_bytes(&b, key, i, 10), DFS_OK))
			break;
	}
	CHECK(c, conform_count_fds() <= fds + 512, "2000 unsynced objects hold %u descriptors",
	      conform_count_fds() - fds);
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	CHECK(c, conform_count_fds() <= fds + 16, "%u descriptors are held after a sync",
	      conform_count_fds() - fds);
	box_close(&b);
}

static void
test_failures(struct conform *c)
{
	struct box b;
	g_autofree unsigned char *data = g_malloc0(4 * MIB + 1);
	unsigned fds;

	if (!box_open(c, &b))
		return;
	fds = conform_count_fds();
	for (int i = 0; i < 300; i++) {
		g_autofree char *key = key_of(&b, "%d", i);
		struct dfs_buf *buf = c->host.buf_alloc(c->host.ctx, 4096);
		struct dfs_span spans[2] = {{buf->data, 4096, buf}, {data, 4 * MIB, NULL}};
		uint64_t length;
		struct catch k;

		EXPECT(c, b.ops->put(b.inst, key, spans, 2, 0), DFS_TOOBIG);
		EXPECT(c, b.ops->put(b.inst, "../x", spans, 1, 0), DFS_INVAL);
		c->host.buf_unref(c->host.ctx, buf);
		EXPECT(c, b.ops->head(b.inst, key, &length, 0), DFS_NOENT);
		EXPECT(c, get_bytes(&b, key, 0, 10, &k), DFS_NOENT);
		catch_clear(&k);
	}
	/* A store elsewhere may keep a few connections. */
	CHECK(c, conform_count_fds() <= fds + 16, "failures leave descriptors open");
	CHECK(c, c->buffers == 0, "failures leave %" G_GINT64_FORMAT " buffers",
	      (gint64)c->buffers);
	box_close(&b);
}

static void
test_refused_create(struct conform *c)
{
	g_autofree char *dir = conform_dir(c);
	unsigned fds = conform_count_fds();

	for (int i = 0; i < 50; i++) {
		void *inst = NULL;

		if (conform_open_set(c, dir, "no_such_option", "1", &inst) == DFS_OK)
			conform_close(c, inst);
	}
	CHECK(c, conform_count_fds() <= fds, "refused instances leave descriptors open");
}

const struct conform_test leak_tests[] = {
	{"leak", "200 instances leave no descriptor and no buffer", test_instances},
	{"leak", "an instance closed without sync leaves nothing", test_unsynced},
	{"leak", "2000 unsynced objects hold a bounded number of descriptors", test_many_puts},
	{"leak", "failed operations leave nothing", test_failures},
	{"leak", "a refused configuration leaves nothing", test_refused_create},
	{NULL}};
