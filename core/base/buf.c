/* SPDX-License-Identifier: MIT
 *
 * The buffer pool: one reserved range of addresses, cut into slabs of 4 MiB, each of which serves
 * one size class until all of its buffers are free again.
 *
 * A page fault on fresh memory costs more than all the rest of a write, so slabs are backed by huge
 * pages and filled in by a thread of its own some steps ahead of use; memory is never given back.  A
 * thread keeps freed buffers in its own magazines, last in first out, so that a loop reuses what
 * is warm in its cache; magazines and slabs exchange batches under the class's lock.
 *
 * Locks, outermost first: class mu, arena mu.  Magazines belong to their thread; the list of them
 * is guarded by magazines_mu, which is taken alone.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

#define SLAB_SIZE (4u << 20)
#define N_CLASSES 7
/* The backing thread keeps an eighth of what is cut backed beyond it, within bounds: where it shares
 * a processor with the loops, more is paid for while they are busy. */
#define AHEAD_MIN (8ull * SLAB_SIZE)
#define AHEAD_MAX (32ull * SLAB_SIZE)
#define LIMIT_MIN (64ull << 20)
#define MAGAZINE_MAX 64

struct slab;

/* struct dfs_buf is what the world sees of it. */
struct buf {
	struct dfs_buf pub;
	_Atomic uint32_t refs;
	union {
		struct slab *slab; /* while handed out or in a magazine */
		struct buf *next;  /* in the slab's free list; the slab is known from the address */
	};
};
_Static_assert(sizeof(struct buf) == 32, "two headers to a cache line");

struct slab {
	struct slab *prev, *next; /* in the class's list while a buffer is free */
	unsigned char *base;
	struct buf *free;
	unsigned char *headers; /* n headers, `stride` apart: buffers of 16 KiB and more have a line
				   each */
	uint32_t n_free, n, carved; /* n_free includes those never carved */
	uint8_t class;
};

struct size_class {
	pthread_mutex_t mu;
	struct slab partial;  /* list head, most recently freed first; guarded by mu */
	_Atomic uint64_t out; /* bytes outside the slabs: handed out or in magazines */
} __attribute__((aligned(64)));

struct class_shape {
	uint32_t size, magazine, batch, stride;
};
static const struct class_shape shapes[N_CLASSES] = {
	{1u << 10, 64, 32, 32},  {4u << 10, 64, 32, 32}, {16u << 10, 64, 32, 64},
	{64u << 10, 48, 16, 64}, {256u << 10, 8, 4, 64}, {1u << 20, 4, 2, 64},
	{4u << 20, 2, 1, 64},
};

struct magazines {
	struct {
		_Atomic uint32_t n; /* written by the owner only */
		struct buf *bufs[MAGAZINE_MAX];
	} class[N_CLASSES];
	struct magazines *prev, *next;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t setup_limit;
static struct size_class classes[N_CLASSES];

static pthread_mutex_t arena_mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arena_low = PTHREAD_COND_INITIALIZER;
static unsigned char *arena; /* set once */
static uint64_t arena_size;  /* set once */
static struct slab *slabs;   /* one per SLAB_SIZE of the arena; set once */
static uint32_t n_slabs;
static uint32_t slabs_cut;      /* guarded by arena_mu: slabs ever used */
static struct slab *slabs_free; /* guarded by arena_mu: used before, all free */
static uint64_t backed;         /* guarded by arena_mu: bytes from arena on that are filled in */

static pthread_mutex_t magazines_mu = PTHREAD_MUTEX_INITIALIZER;
static struct magazines magazines_list = {.prev = &magazines_list, .next = &magazines_list};
static pthread_key_t magazines_key;
static _Thread_local struct magazines *mine __attribute__((tls_model("initial-exec")));

static unsigned char zeros[DFS_PAGE_SIZE] __attribute__((aligned(4096)));
static struct buf zero_buf = {.pub = {zeros, DFS_PAGE_SIZE}, .refs = 1};

/* Back [from, from+len) of the arena with memory.  Idempotent. */
static void
back(uint64_t from, uint64_t len)
{
#ifdef MADV_POPULATE_WRITE
	if (madvise(arena + from, len, MADV_POPULATE_WRITE) == 0)
		return;
#endif
	/* Whoever overtook may have bytes here already: touch without changing. */
	for (uint64_t i = 0; i < len; i += 4096)
		__atomic_fetch_or(arena + from + i, 0, __ATOMIC_RELAXED);
}

static uint64_t
ahead(uint64_t used)
{
	return used / 8 < AHEAD_MIN ? AHEAD_MIN : used / 8 > AHEAD_MAX ? AHEAD_MAX : used / 8;
}

/* Keeps the arena backed ahead of use, so that an event loop meets no page fault. */
static void *
backing_main(void *arg)
{
	pthread_mutex_lock(&arena_mu);
	for (;;) {
		uint64_t used = (uint64_t)slabs_cut * SLAB_SIZE;
		uint64_t from = backed > used ? backed : used;

		if (from >= arena_size || from - used >= ahead(used)) {
			pthread_cond_wait(&arena_low, &arena_mu);
			continue;
		}
		/* One slab at a time: a caller who overtakes waits for none of it. */
		pthread_mutex_unlock(&arena_mu);
		back(from, SLAB_SIZE);
		pthread_mutex_lock(&arena_mu);
		if (backed < from + SLAB_SIZE)
			backed = from + SLAB_SIZE;
	}
	return arg;
}

static void magazines_drop(void *arg);

static void
start(void)
{
	uint64_t limit = setup_limit, total;
	pthread_attr_t attr;
	pthread_t thread;
	void *p;

	total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (limit == 0)
		limit = total / 2;
	if (limit < LIMIT_MIN)
		limit = LIMIT_MIN;
	for (;; limit /= 2) {
		limit = limit / SLAB_SIZE * SLAB_SIZE;
		p = mmap(NULL, limit + SLAB_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p != MAP_FAILED)
			break;
		if (limit <= LIMIT_MIN) {
			dfs_log(DFS_LOG_ERROR,
				"buffers: cannot reserve %llu bytes of address space",
				(unsigned long long)limit);
			abort();
		}
	}
	arena = (unsigned char *)(((uintptr_t)p + SLAB_SIZE - 1) & ~(uintptr_t)(SLAB_SIZE - 1));
	arena_size = limit;
	madvise(arena, limit, MADV_HUGEPAGE);
	madvise(arena, limit, MADV_DONTDUMP);
	n_slabs = (uint32_t)(limit / SLAB_SIZE);
	slabs = calloc(n_slabs, sizeof *slabs);
	if (!slabs)
		abort();
	for (int c = 0; c < N_CLASSES; c++) {
		pthread_mutex_init(&classes[c].mu, NULL);
		classes[c].partial.prev = classes[c].partial.next = &classes[c].partial;
	}
	pthread_key_create(&magazines_key, magazines_drop);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Without the backing thread everything works, only with page faults on first use. */
	if (pthread_create(&thread, &attr, backing_main, NULL) == 0)
		pthread_setname_np(thread, "dfs-memory");
	pthread_attr_destroy(&attr);
}

void
dfs_buf_setup(uint64_t limit)
{
	setup_limit = limit;
	pthread_once(&once, start);
}

uint64_t
dfs_buf_limit(void)
{
	pthread_once(&once, start);
	return arena_size;
}

static void
list_remove(struct slab *s)
{
	s->prev->next = s->next;
	s->next->prev = s->prev;
}

static void
list_push(struct slab *head, struct slab *s)
{
	s->next = head->next;
	s->prev = head;
	head->next->prev = s;
	head->next = s;
}

/* A slab for class c with all buffers free; NULL at the limit.  Called with the class's mu. */
static struct slab *
slab_get(int c)
{
	const struct class_shape *shape = &shapes[c];
	struct slab *s;

	pthread_mutex_lock(&arena_mu);
	s = slabs_free;
	if (s) {
		slabs_free = s->next;
	} else if (slabs_cut < n_slabs) {
		s = &slabs[slabs_cut];
		s->base = arena + (uint64_t)slabs_cut++ * SLAB_SIZE;
		uint64_t used = (uint64_t)slabs_cut * SLAB_SIZE;
		if (backed < used + ahead(used))
			pthread_cond_signal(&arena_low);
	}
	pthread_mutex_unlock(&arena_mu);
	if (!s)
		return NULL;
	s->n = SLAB_SIZE / shape->size;
	s->headers = aligned_alloc(
		64, (size_t)s->n * shape->stride < 64 ? 64 : (size_t)s->n * shape->stride);
	if (!s->headers) {
		pthread_mutex_lock(&arena_mu);
		s->next = slabs_free;
		slabs_free = s;
		pthread_mutex_unlock(&arena_mu);
		return NULL;
	}
	s->n_free = s->n;
	s->carved = 0;
	s->free = NULL;
	s->class = (uint8_t)c;
	POISON(s->base, SLAB_SIZE);
	list_push(&classes[c].partial, s);
	return s;
}

static void
slab_put(struct slab *s)
{
	list_remove(s);
	free(s->headers);
	s->headers = NULL;
	pthread_mutex_lock(&arena_mu);
	s->next = slabs_free;
	slabs_free = s;
	pthread_mutex_unlock(&arena_mu);
}

/* Take up to want buffers out of the class's slabs. */
static uint32_t
take(int c, struct buf **out, uint32_t want)
{
	struct size_class *class = &classes[c];
	const struct class_shape *shape = &shapes[c];
	uint32_t got = 0;

	pthread_mutex_lock(&class->mu);
	while (got < want) {
		struct slab *s = class->partial.next;
		struct buf *b;

		if (s == &class->partial && !(s = slab_get(c)))
			break;
		if (s->free) {
			b = s->free;
			s->free = b->next;
		} else {
			b = (struct buf *)(s->headers + (size_t)s->carved * shape->stride);
			b->pub.data = s->base + (size_t)s->carved * shape->size;
			b->pub.len = shape->size;
			s->carved++;
		}
		b->slab = s;
		if (--s->n_free == 0)
			list_remove(s);
		out[got++] = b;
	}
	atomic_fetch_add_explicit(&class->out, (uint64_t)got * shape->size, memory_order_relaxed);
	pthread_mutex_unlock(&class->mu);
	return got;
}

/* Give n buffers of one class back to their slabs. */
static void
give(int c, struct buf **bufs, uint32_t n)
{
	struct size_class *class = &classes[c];

	pthread_mutex_lock(&class->mu);
	for (uint32_t i = 0; i < n; i++) {
		struct buf *b = bufs[i];
		struct slab *s = b->slab, *first = class->partial.next;

		b->next = s->free;
		s->free = b;
		/* An empty slab stays while no other has room, lest a class at its edge takes and
		 * gives it each time; it is then alone in the list. */
		if (s->n_free++ == 0) {
			if (first != &class->partial && first->n_free == first->n)
				slab_put(first);
			list_push(&class->partial, s);
		}
		if (s->n_free == s->n && (class->partial.next != s || s->next != &class->partial))
			slab_put(s);
	}
	atomic_fetch_sub_explicit(&class->out, (uint64_t)n * shapes[c].size, memory_order_relaxed);
	pthread_mutex_unlock(&class->mu);
}

static void
magazines_drop(void *arg)
{
	struct magazines *m = arg;

	mine = NULL;
	pthread_mutex_lock(&magazines_mu);
	m->prev->next = m->next;
	m->next->prev = m->prev;
	pthread_mutex_unlock(&magazines_mu);
	for (int c = 0; c < N_CLASSES; c++)
		if (m->class[c].n)
			give(c, m->class[c].bufs, m->class[c].n);
	free(m);
}

static __attribute__((noinline)) struct magazines *
magazines_new(void)
{
	struct magazines *m;

	pthread_once(&once, start);
	m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	pthread_mutex_lock(&magazines_mu);
	m->prev = &magazines_list;
	m->next = magazines_list.next;
	m->next->prev = m;
	magazines_list.next = m;
	pthread_mutex_unlock(&magazines_mu);
	pthread_setspecific(magazines_key, m);
	mine = m;
	return m;
}

static int
class_of(uint32_t len)
{
	int bits;

	if (len <= 1024)
		return 0;
	bits = 32 - __builtin_clz(len - 1); /* len <= 1 << bits */
	return (bits - 9) / 2;
}

struct dfs_buf *
dfs_buf_alloc(uint32_t len)
{
	struct magazines *m = mine;
	uint32_t n;
	struct buf *b;
	int c;

	assert(len >= 1 && len <= SLAB_SIZE);
	if (__builtin_expect(!m, 0) && !(m = magazines_new()))
		return NULL;
	c = class_of(len);
	n = atomic_load_explicit(&m->class[c].n, memory_order_relaxed);
	if (__builtin_expect(n == 0, 0)) {
		n = take(c, m->class[c].bufs, shapes[c].batch);
		if (n == 0)
			return NULL;
	}
	b = m->class[c].bufs[--n];
	atomic_store_explicit(&m->class[c].n, n, memory_order_relaxed);
	atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
	UNPOISON(b->pub.data, b->pub.len);
	return &b->pub;
}

struct dfs_buf *
dfs_buf_ref(struct dfs_buf *buf)
{
	struct buf *b = (struct buf *)buf;

	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return buf;
}

static void
release(struct buf *b)
{
	struct magazines *m = mine;
	int c = class_of(b->pub.len);
	uint32_t n;

	POISON(b->pub.data, b->pub.len);
	if (__builtin_expect(!m, 0) && !(m = magazines_new())) {
		give(c, &b, 1);
		return;
	}
	n = atomic_load_explicit(&m->class[c].n, memory_order_relaxed);
	if (__builtin_expect(n == shapes[c].magazine, 0)) {
		uint32_t batch = shapes[c].batch;

		/* The oldest go; the warm ones stay. */
		give(c, m->class[c].bufs, batch);
		n -= batch;
		memmove(m->class[c].bufs, m->class[c].bufs + batch, n * sizeof *m->class[c].bufs);
	}
	m->class[c].bufs[n] = b;
	atomic_store_explicit(&m->class[c].n, n + 1, memory_order_relaxed);
}

void
dfs_buf_unref(struct dfs_buf *buf)
{
	struct buf *b = (struct buf *)buf;

	if (!b)
		return;
	/* The only holder needs no locked instruction. */
	if (atomic_load_explicit(&b->refs, memory_order_acquire) != 1 &&
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	release(b);
}

bool
dfs_buf_exclusive(const struct dfs_buf *buf)
{
	const struct buf *b = (const struct buf *)buf;

	return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

void
dfs_buf_usage(uint64_t *used, uint64_t *mapped)
{
	uint64_t out = 0, idle = 0;

	pthread_once(&once, start);
	pthread_mutex_lock(&magazines_mu);
	for (int c = 0; c < N_CLASSES; c++)
		out += atomic_load_explicit(&classes[c].out, memory_order_relaxed);
	for (struct magazines *m = magazines_list.next; m != &magazines_list; m = m->next)
		for (int c = 0; c < N_CLASSES; c++)
			idle += (uint64_t)shapes[c].size *
				atomic_load_explicit(&m->class[c].n, memory_order_relaxed);
	pthread_mutex_unlock(&magazines_mu);
	*used = out > idle ? out - idle : 0;
	pthread_mutex_lock(&arena_mu);
	*mapped = (uint64_t)slabs_cut * SLAB_SIZE;
	if (*mapped < backed)
		*mapped = backed;
	pthread_mutex_unlock(&arena_mu);
}

struct dfs_buf *
dfs_buf_zero(void)
{
	return dfs_buf_ref(&zero_buf.pub);
}
