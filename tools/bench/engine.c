/* SPDX-License-Identifier: MIT
 *
 * Threads and connections of a measurement, and the phases that run on them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "conn.h"

#define RX_MIN (128u << 10)

uint64_t
engine_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void
note(struct bench *b, const char *fmt, va_list ap)
{
	pthread_mutex_lock(&b->mu);
	if (!b->error)
		b->error = g_strdup_vprintf(fmt, ap);
	pthread_mutex_unlock(&b->mu);
}

void
engine_error(struct thread *t, const char *fmt, ...)
{
	va_list ap;

	t->tally.errors++;
	va_start(ap, fmt);
	note(t->b, fmt, ap);
	va_end(ap);
}

void
engine_fatal(struct bench *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(b, fmt, ap);
	va_end(ap);
	atomic_store(&b->abort, true);
}

static unsigned
bits_for(unsigned n)
{
	return n <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n - 1);
}

static bool
open_conn(struct bench *b, struct thread *t, struct conn *c, unsigned index)
{
	const struct options *o = b->opt;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	unsigned depth = (unsigned)o->depth;

	c->t = t;
	c->index = index;
	c->fd = conn_connect((struct sockaddr *)&b->addr, b->addr_len, o->reserved_port,
			     o->timeout);
	if (c->fd < 0) {
		engine_fatal(b, "connect: %s", g_strerror(errno));
		return false;
	}
	rxbuf_init(&c->rx, MAX(RX_MIN, 2 * (uint32_t)o->dir_bytes));
	txq_init(&c->tx, (depth + 1) * REQUEST_MAX, 2 * depth);
	c->slots = g_new0(struct slot, depth);
	for (unsigned k = 0; k < depth; k++)
		c->slots[k].xid = b->xid_base + (index << b->slot_bits) + k;
	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static void
init_thread(struct bench *b, struct thread *t, unsigned id)
{
	t->b = b;
	t->id = id;
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->scratch = g_malloc(RXBUF_SCRATCH);
	t->conns = g_new0(struct conn, (unsigned)b->opt->connections);
	t->rng = ((uint64_t)b->opt->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + id;
}

bool
engine_open(struct bench *b)
{
	unsigned n_conns = (unsigned)b->opt->connections;

	b->n_threads = (unsigned)b->opt->threads;
	b->slot_bits = bits_for((unsigned)b->opt->depth);
	b->conn_bits = bits_for(n_conns);
	if (getrandom(&b->xid_base, sizeof b->xid_base, 0) < 0)
		b->xid_base = (uint32_t)engine_now();
	call_head_init(&b->head, PROG_NFS, 3, (uint32_t)b->opt->uid, (uint32_t)b->opt->gid);
	b->threads = g_new0(struct thread, b->n_threads);
	for (unsigned i = 0; i < b->n_threads; i++)
		init_thread(b, &b->threads[i], i);
	for (unsigned i = 0; i < n_conns; i++) {
		struct thread *t = &b->threads[i % b->n_threads];
		if (!open_conn(b, t, &t->conns[t->n_conns++], i))
			return false;
	}
	return true;
}

void
engine_close(struct bench *b)
{
	for (unsigned i = 0; i < b->n_threads; i++) {
		struct thread *t = &b->threads[i];
		for (unsigned k = 0; k < t->n_conns; k++) {
			struct conn *c = &t->conns[k];
			if (c->fd >= 0)
				close(c->fd);
			rxbuf_free(&c->rx);
			txq_free(&c->tx);
			g_free(c->sample);
			g_free(c->slots);
		}
		close(t->epoll);
		g_free(t->conns);
		g_free(t->scratch);
		g_free(t->dirty);
	}
	g_clear_pointer(&b->threads, g_free);
	b->n_threads = 0;
}

static void *
thread_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
reset_conn(struct conn *c)
{
	c->cursor = 0;
	for (int i = 0; i < c->t->b->opt->depth; i++) {
		struct slot *s = &c->slots[i];
		s->object = NULL;
		s->off = s->cookie_verf = s->seen = s->sum = 0;
		s->generation = 0;
	}
}

bool
engine_run(struct bench *b, const struct phase *phase)
{
	g_autofree pthread_t *ids = g_new(pthread_t, b->n_threads);
	unsigned started = 0;

	if (atomic_load(&b->abort))
		return false;
	b->phase = phase;
	atomic_store(&b->next, 0);
	b->t_stop = phase->seconds > 0 ? engine_now() + (uint64_t)(phase->seconds * (double)SECOND)
				       : UINT64_MAX;
	for (unsigned i = 0; i < b->n_threads; i++) {
		struct thread *t = &b->threads[i];
		memset(&t->tally, 0, sizeof t->tally);
		memset(&t->hist, 0, sizeof t->hist);
		memset(&t->commit_hist, 0, sizeof t->commit_hist);
		for (unsigned k = 0; k < t->n_conns; k++)
			reset_conn(&t->conns[k]);
	}
	while (started + 1 < b->n_threads &&
	       pthread_create(&ids[started], NULL, thread_main, &b->threads[started + 1]) == 0)
		started++;
	if (started + 1 < b->n_threads)
		engine_fatal(b, "cannot start %u threads", b->n_threads);
	loop_run(&b->threads[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	return !atomic_load(&b->abort);
}

struct tally
engine_tally(const struct bench *b)
{
	struct tally sum = {0};
	uint64_t *to = (uint64_t *)&sum;

	for (unsigned i = 0; i < b->n_threads; i++) {
		const uint64_t *from = (const uint64_t *)&b->threads[i].tally;
		for (unsigned k = 0; k < sizeof sum / sizeof *to; k++)
			to[k] += from[k];
	}
	return sum;
}
