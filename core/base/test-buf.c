/* SPDX-License-Identifier: MIT
 *
 * The buffer pool: sizes, references, the limit, reuse, and threads that hand buffers on.
 */
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"

#define LIMIT (64ull << 20)

static uint64_t
used(void)
{
	uint64_t u, m;

	dfs_buf_usage(&u, &m);
	return u;
}

static void
capacity_covers_the_request(void)
{
	static const uint32_t lens[] = {1,     1024,  1025,     4096,    4097,
					65536, 65537, 1u << 20, 4u << 20};

	for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
		struct dfs_buf *b = dfs_buf_alloc(lens[i]);
		g_assert_nonnull(b);
		g_assert_cmpuint(b->len, >=, lens[i]);
		g_assert_cmpuint(b->len, <=, lens[i] <= 1024 ? 1024 : 4 * lens[i]);
		memset(b->data, 0xa5, b->len);
		dfs_buf_unref(b);
	}
}

static void
pages_are_aligned(void)
{
	struct dfs_buf *b = dfs_buf_alloc(DFS_PAGE_SIZE);

	g_assert_cmpuint((uintptr_t)b->data % 4096, ==, 0);
	dfs_buf_unref(b);
}

static void
second_reference_ends_exclusivity(void)
{
	struct dfs_buf *b = dfs_buf_alloc(100);

	g_assert_true(dfs_buf_exclusive(b));
	g_assert_true(dfs_buf_ref(b) == b);
	g_assert_false(dfs_buf_exclusive(b));
	dfs_buf_unref(b);
	g_assert_true(dfs_buf_exclusive(b));
	dfs_buf_unref(b);
}

static void
last_freed_comes_first(void)
{
	struct dfs_buf *a = dfs_buf_alloc(DFS_PAGE_SIZE);

	dfs_buf_unref(a);
	g_assert_true(dfs_buf_alloc(DFS_PAGE_SIZE) == a);
	dfs_buf_unref(a);
}

static void
zero_buffer_is_zero(void)
{
	struct dfs_buf *z = dfs_buf_zero();

	g_assert_cmpuint(z->len, ==, DFS_PAGE_SIZE);
	g_assert_false(dfs_buf_exclusive(z));
	for (uint32_t i = 0; i < z->len; i++)
		g_assert_cmpuint(z->data[i], ==, 0);
	dfs_buf_unref(z);
}

static void
null_may_be_released(void)
{
	dfs_buf_unref(NULL);
}

/* Everything in one class, then all of it in the next: slabs change their class. */
static void
memory_moves_between_classes(void)
{
	static const uint32_t sizes[] = {4096, 65536, 1024, 4u << 20, 16384, 1u << 20, 262144};
	uint64_t before = used();

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GPtrArray) all = g_ptr_array_new();
		struct dfs_buf *b;

		while ((b = dfs_buf_alloc(sizes[i])) != NULL) {
			memset(b->data, (int)i, 64);
			g_ptr_array_add(all, b);
		}
		/* Each class may keep one empty slab and the magazines a little. */
		g_assert_cmpuint((uint64_t)all->len * sizes[i], >=, LIMIT / 4);
		g_assert_cmpuint((uint64_t)all->len * sizes[i], <=, LIMIT);
		for (unsigned k = 0; k < all->len; k++)
			dfs_buf_unref(all->pdata[k]);
	}
	g_assert_cmpuint(used(), ==, before);
}

static void
usage_counts_what_is_handed_out(void)
{
	uint64_t before = used();
	struct dfs_buf *b = dfs_buf_alloc(DFS_PAGE_SIZE);

	g_assert_cmpuint(used(), ==, before + DFS_PAGE_SIZE);
	dfs_buf_unref(b);
	g_assert_cmpuint(used(), ==, before);
}

/* Buffers written in one thread, checked and freed in another.  (GLib's queues hide their locks
 * from ThreadSanitizer, hence this one.) */
static struct {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct dfs_buf *ring[256];
	unsigned head, tail;
	bool done;
} queue = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void
queue_push(struct dfs_buf *b)
{
	pthread_mutex_lock(&queue.mu);
	while (queue.head - queue.tail == G_N_ELEMENTS(queue.ring))
		pthread_cond_wait(&queue.changed, &queue.mu);
	queue.ring[queue.head++ % G_N_ELEMENTS(queue.ring)] = b;
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.mu);
}

static struct dfs_buf *
queue_pop(void)
{
	struct dfs_buf *b = NULL;

	pthread_mutex_lock(&queue.mu);
	while (queue.head == queue.tail && !queue.done)
		pthread_cond_wait(&queue.changed, &queue.mu);
	if (queue.head != queue.tail)
		b = queue.ring[queue.tail++ % G_N_ELEMENTS(queue.ring)];
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.mu);
	return b;
}

static void *
consume(void *arg)
{
	struct dfs_buf *b;

	while ((b = queue_pop()) != NULL) {
		for (uint32_t i = 1; i < 64; i++)
			g_assert_cmpuint(b->data[i], ==, b->data[0]);
		dfs_buf_unref(b);
	}
	return arg;
}

static void
buffers_cross_threads(void)
{
	uint64_t before = used();
	pthread_t t[2];
	GRand *rand = g_rand_new_with_seed(7);

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, consume, NULL);
	for (int i = 0; i < 20000; i++) {
		uint32_t len = 64u << g_rand_int_range(rand, 0, 12);
		struct dfs_buf *b = dfs_buf_alloc(len);
		g_assert_nonnull(b);
		memset(b->data, i & 255, 64);
		queue_push(b);
	}
	pthread_mutex_lock(&queue.mu);
	queue.done = true;
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.mu);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	g_rand_free(rand);
	g_assert_cmpuint(used(), ==, before);
}

static void *
share_and_drop(void *arg)
{
	struct dfs_buf *b = arg;

	for (int i = 0; i < 50000; i++) {
		dfs_buf_ref(b);
		dfs_buf_unref(b);
	}
	dfs_buf_unref(b);
	return NULL;
}

static void
references_are_counted_across_threads(void)
{
	uint64_t before = used();
	struct dfs_buf *b = dfs_buf_alloc(4096);
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, share_and_drop, dfs_buf_ref(b));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	g_assert_true(dfs_buf_exclusive(b));
	dfs_buf_unref(b);
	g_assert_cmpuint(used(), ==, before);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	dfs_buf_setup(LIMIT);
	g_test_add_func("/buf/capacity-covers-the-request", capacity_covers_the_request);
	g_test_add_func("/buf/pages-are-aligned", pages_are_aligned);
	g_test_add_func("/buf/second-reference-ends-exclusivity",
			second_reference_ends_exclusivity);
	g_test_add_func("/buf/last-freed-comes-first", last_freed_comes_first);
	g_test_add_func("/buf/zero-buffer-is-zero", zero_buffer_is_zero);
	g_test_add_func("/buf/null-may-be-released", null_may_be_released);
	g_test_add_func("/buf/memory-moves-between-classes", memory_moves_between_classes);
	g_test_add_func("/buf/usage-counts-what-is-handed-out", usage_counts_what_is_handed_out);
	g_test_add_func("/buf/buffers-cross-threads", buffers_cross_threads);
	g_test_add_func("/buf/references-are-counted-across-threads",
			references_are_counted_across_threads);
	return g_test_run();
}
