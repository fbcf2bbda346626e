/* SPDX-License-Identifier: MIT */
#include "base/aside.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/cond.h"
#include "base/log.h"

struct dfs_aside {
	void (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	bool threaded;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool returned; /* guarded by mu, like all below */
	bool left;     /* the thread frees this */
};

static void
aside_free(struct dfs_aside *aside)
{
	pthread_cond_destroy(&aside->changed);
	pthread_mutex_destroy(&aside->mu);
	free(aside);
}

static void *
run(void *arg)
{
	struct dfs_aside *aside = arg;
	bool left;

	aside->fn(aside->arg);
	pthread_mutex_lock(&aside->mu);
	aside->returned = true;
	left = aside->left;
	pthread_cond_signal(&aside->changed);
	pthread_mutex_unlock(&aside->mu);
	if (left)
		aside_free(aside);
	return NULL;
}

struct dfs_aside *
dfs_aside_begin(void (*fn)(void *arg), void *arg)
{
	struct dfs_aside *aside = calloc(1, sizeof *aside);

	if (!aside)
		abort();
	aside->fn = fn;
	aside->arg = arg;
	pthread_mutex_init(&aside->mu, NULL);
	dfs_cond_init(&aside->changed);
	aside->threaded = pthread_create(&aside->thread, NULL, run, aside) == 0;
	if (!aside->threaded) {
		dfs_log(DFS_LOG_WARN, "there is no thread for what may not return");
		run(aside);
	}
	return aside;
}

bool
dfs_aside_end(struct dfs_aside *aside, int64_t deadline)
{
	bool returned;

	pthread_mutex_lock(&aside->mu);
	while (!aside->returned && dfs_cond_until(&aside->changed, &aside->mu, deadline))
		;
	returned = aside->returned;
	aside->left = !returned;
	if (aside->left)
		pthread_detach(aside->thread);
	pthread_mutex_unlock(&aside->mu);
	if (!returned)
		return false;
	/* Also what ends with a thread, which may be a plugin's. */
	if (aside->threaded)
		pthread_join(aside->thread, NULL);
	aside_free(aside);
	return true;
}
