/* SPDX-License-Identifier: MIT
 *
 * dfs-conform-block: does a block store keep the contract of dittofs/block_store.h?  See block.h.
 */
#include "tools/conform/block/block.h"

#include <stdarg.h>
#include <stdio.h>

#include "tools/conform/config.h"

bool
is_volatile(const struct conform *c)
{
	return c->plugin->desc.caps & DFS_BLOCK_CAP_VOLATILE;
}

bool
is_isolated(const struct conform *c)
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	if (is_volatile(c))
		return true;
	for (; item && item->type != DFS_CONFIG_END; item++)
		if (item->type == DFS_CONFIG_PATH && (item->flags & DFS_CONFIG_REQUIRED))
			return true;
	return false;
}

bool
may_run_parallel(const struct conform *c)
{
	return c->plugin->desc.thread_model != DFS_THREADS_SERIAL;
}

bool
box_reopen(struct box *b)
{
	enum dfs_status st;

	if (b->inst)
		conform_close(b->c, b->inst);
	b->inst = NULL;
	st = conform_open(b->c, b->dir, &b->inst);
	return CHECK(b->c, st == DFS_OK, "create answers %d: %s", (int)st, b->c->diag.text);
}

bool
box_open(struct conform *c, struct box *b)
{
	static unsigned boxes;

	*b = (struct box){.c = c, .ops = &c->plugin->ops.block, .dir = conform_dir(c)};
	snprintf(b->prefix, sizeof(b->prefix), "conform-%x/%u/", c->seed, ++boxes);
	if (box_reopen(b))
		return true;
	g_free(b->dir);
	return false;
}

void
box_close(struct box *b)
{
	if (b->inst) {
		EXPECT(b->c, b->ops->erase_prefix(b->inst, b->prefix), DFS_OK);
		conform_close(b->c, b->inst);
	}
	g_free(b->dir);
}

char *
key_of(const struct box *b, const char *fmt, ...)
{
	g_autofree char *rest = NULL;
	va_list ap;

	va_start(ap, fmt);
	rest = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return g_strconcat(b->prefix, rest, NULL);
}

/* The 8 bytes at word i of contents id. */
static uint64_t
word_of(uint64_t id, uint64_t i)
{
	uint64_t x = (id + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ i * UINT64_C(0xd6e8feb86659fd93);

	x ^= x >> 32;
	return x * UINT64_C(0xbf58476d1ce4e5b9);
}

void
fill_bytes(void *to, uint64_t len, uint64_t id)
{
	unsigned char *p = to;

	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = word_of(id, i / 8);

		memcpy(p + i, &word, len - i < 8 ? len - i : 8);
	}
}

bool
same_bytes(const void *data, uint64_t offset, uint64_t len, uint64_t id)
{
	const unsigned char *p = data;

	for (uint64_t i = 0; i < len;) {
		uint64_t word = word_of(id, (offset + i) / 8), skip = (offset + i) % 8;
		uint64_t part = 8 - skip < len - i ? 8 - skip : len - i;

		if (memcmp(p + i, (char *)&word + skip, part) != 0)
			return false;
		i += part;
	}
	return true;
}

enum dfs_status
put_bytes(struct box *b, const char *key, uint64_t id, uint64_t len)
{
	g_autofree unsigned char *data = g_malloc(len + 1);
	struct dfs_span span = {data, len, NULL};
	enum dfs_status st;

	fill_bytes(data, len, id);
	st = b->ops->put(b->inst, key, &span, 1, 0);
	/* Borrowed for the call: what comes after it is not the store's. */
	memset(data, 0xa5, len);
	return st;
}

static int
catch_give(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	struct catch *k = ctx;

	k->given++;
	if (!k->take_bufs)
		return 0;
	if ((const unsigned char *)data < buf->data ||
	    (const unsigned char *)data + len > buf->data + buf->len || len > k->cap - k->got) {
		k->beyond++;
		return 0;
	}
	memcpy(k->data + k->got, data, len);
	k->got += len;
	return 1;
}

static void *
catch_space(void *ctx, uint64_t *len)
{
	struct catch *k = ctx;
	unsigned char *at = k->data + k->got;

	k->lent++;
	if (k->no_room)
		return NULL;
	if (k->got == k->cap) {
		/* Asked for more than get() has to deliver. */
		k->beyond++;
		return NULL;
	}
	*len = k->cap - k->got;
	if (k->lend && *len > k->lend)
		*len = k->lend;
	k->got += *len;
	return at;
}

void
catch_init(struct catch *k, uint64_t cap)
{
	*k = (struct catch){.cap = cap, .data = g_malloc0(cap + 1)};
	k->sink = (struct dfs_sink){k, catch_give, catch_space};
}

void
catch_clear(struct catch *k)
{
	g_free(k->data);
}

enum dfs_status
get_bytes(struct box *b, const char *key, uint64_t offset, uint64_t length, struct catch *k)
{
	catch_init(k, length);
	return b->ops->get(b->inst, key, offset, length, &k->sink, 0);
}

void
expect_object(struct box *b, const char *key, uint64_t id, uint64_t len)
{
	struct conform *c = b->c;
	uint64_t length = 0;
	struct catch k;

	if (!EXPECT(c, b->ops->head(b->inst, key, &length, 0), DFS_OK))
		return;
	CHECK(c, length == len, "%s has %" G_GUINT64_FORMAT " bytes, not %" G_GUINT64_FORMAT, key,
	      length, len);
	if (EXPECT(c, get_bytes(b, key, 0, len, &k), DFS_OK)) {
		CHECK(c, k.got == len && !k.beyond, "%s: the sink is filled wrongly", key);
		CHECK(c, same_bytes(k.data, 0, len, id), "%s has other bytes", key);
	}
	catch_clear(&k);
}

void
expect_absent(struct box *b, const char *key)
{
	uint64_t length;
	struct catch k;

	EXPECT(b->c, b->ops->head(b->inst, key, &length, 0), DFS_NOENT);
	EXPECT(b->c, get_bytes(b, key, 0, 1, &k), DFS_NOENT);
	CHECK(b->c, k.lent == 0 && k.given == 0, "an absent object delivers something");
	catch_clear(&k);
}

struct collect {
	GPtrArray *keys;
	unsigned max;
};

static int
collect_one(void *arg, const char *key, uint64_t length)
{
	struct collect *l = arg;

	g_ptr_array_add(l->keys, g_strdup(key));
	return l->keys->len != l->max;
}

GPtrArray *
list_keys(struct box *b, const char *prefix, const char *after, unsigned max)
{
	struct collect l = {g_ptr_array_new_with_free_func(g_free), max};

	EXPECT(b->c, b->ops->list(b->inst, prefix, after, collect_one, &l), DFS_OK);
	return l.keys;
}

int
main(int argc, char **argv)
{
	static const struct conform_test *const tables[] = {
		life_tests,  object_tests, copy_tests,           range_tests,
		key_tests,   list_tests,   parallel_tests,       crash_tests,
		limit_tests, leak_tests,   conform_config_tests, NULL};

	return conform_main(argc, argv, DFS_KIND_BLOCK, tables, crash_roles);
}
