/* SPDX-License-Identifier: MIT */
#include <pthread.h>
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

void
dfs_counter_each(void (*fn)(void *arg, const char *name, int64_t value), void *arg)
{
	pthread_mutex_lock(&mu);
	for (struct dfs_counter *c = head; c; c = c->next)
		fn(arg, c->name, atomic_load_explicit(&c->value, memory_order_relaxed));
	pthread_mutex_unlock(&mu);
}
