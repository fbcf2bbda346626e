/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter.h"

#define COUNTERS_MAX 4096

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct dfs_counter *head; /* guarded by mu; entries live for ever */
static unsigned n_counters;      /* guarded by mu */
static struct dfs_counter overflow = {.name = "overflow"};

struct dfs_counter *
dfs_counter_get(const char *name)
{
	struct dfs_counter *c;

	pthread_mutex_lock(&mu);
	for (c = head; c && strcmp(c->name, name) != 0; c = c->next)
		;
	if (!c && n_counters < COUNTERS_MAX && (c = calloc(1, sizeof *c + strlen(name) + 1))) {
		c->name = strcpy((char *)(c + 1), name);
		c->next = head;
		head = c;
		n_counters++;
	}
	pthread_mutex_unlock(&mu);
	return c ? c : &overflow;
}

/* The bounds, each four times the one before. */
static const char *const step_names[DFS_HISTOGRAM_STEPS] = {
	"le_1ms", "le_4ms", "le_16ms", "le_64ms", "le_256ms", "le_1s", "le_4s", "le_16s", "le_64s",
};

static struct dfs_counter *
member(const char *name, const char *what)
{
	char full[64];

	snprintf(full, sizeof full, "%s_%s", name, what);
	return dfs_counter_get(full);
}

void
dfs_histogram_get(struct dfs_histogram *h, const char *name)
{
	h->count = member(name, "count");
	h->sum_us = member(name, "sum_us");
	for (int i = 0; i < DFS_HISTOGRAM_STEPS; i++)
		h->le[i] = member(name, step_names[i]);
}

void
dfs_histogram_add(const struct dfs_histogram *h, int64_t ns)
{
	int64_t bound = 1000000;

	dfs_counter_add(h->count, 1);
	dfs_counter_add(h->sum_us, ns / 1000);
	for (int i = 0; i < DFS_HISTOGRAM_STEPS; i++, bound *= 4)
		if (ns <= bound)
			dfs_counter_add(h->le[i], 1);
}

void
dfs_counter_each(void (*fn)(void *arg, const char *name, int64_t value), void *arg)
{
	pthread_mutex_lock(&mu);
	for (struct dfs_counter *c = head; c; c = c->next)
		fn(arg, c->name, atomic_load_explicit(&c->value, memory_order_relaxed));
	pthread_mutex_unlock(&mu);
}
