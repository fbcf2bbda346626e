/* SPDX-License-Identifier: MIT
 *
 * The host table over core/base.  The table is shared by all calls of one instance; its context
 * carries the prefix of log lines and a small cache from counter names to counters, keyed by the
 * literal's address, so that counting in a hot path takes no lock.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/buf.h"
#include "base/counter.h"
#include "base/hash.h"
#include "base/log.h"
#include "plugin/host.h"

#define COUNTER_SLOTS 64u /* power of two */
#define COUNTER_NAME_MAX 63u

struct counter_slot {
	_Atomic(const char *) name; /* claimed by compare-and-swap, then never changed */
	_Atomic(struct dfs_counter *) counter;
};

struct host {
	struct dfs_host table;
	char prefix[160]; /* "block/archive" */
	struct counter_slot counters[COUNTER_SLOTS];
	struct host *next;
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct host *hosts; /* guarded by mu; entries live for ever */

static void __attribute__((format(printf, 3, 4)))
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	const struct host *host = ctx;
	char text[1024];
	va_list ap;

	if ((unsigned)level > DFS_LOG_DEBUG)
		level = DFS_LOG_DEBUG;
	if (!dfs_log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	dfs_log(level, "%s: %s", host->prefix, text);
}

static enum dfs_status __attribute__((format(printf, 3, 4)))
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	const struct host *host = ctx;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return dfs_fail(status, "%s: %s", host->prefix, text);
}

static struct dfs_buf *
host_buf_alloc(void *ctx, uint32_t len)
{
	return dfs_buf_alloc(len);
}

static void
host_buf_ref(void *ctx, struct dfs_buf *buf)
{
	dfs_buf_ref(buf);
}

static void
host_buf_unref(void *ctx, struct dfs_buf *buf)
{
	dfs_buf_unref(buf);
}

/* "block/a.b" and "puts" to the counter block_a_b_puts.  Where both are too long together, the
 * instance loses its end. */
static struct dfs_counter *
counter_of(const struct host *host, const char *name)
{
	char full[2 * sizeof host->prefix];
	int cut = MAX(0, (int)(COUNTER_NAME_MAX - 1 - strnlen(name, COUNTER_NAME_MAX - 1)));

	snprintf(full, COUNTER_NAME_MAX + 1, "%.*s_%s", cut, host->prefix, name);
	for (char *p = full; *p; p++)
		*p = g_ascii_isalnum(*p) ? g_ascii_tolower(*p) : '_';
	return dfs_counter_get(full);
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
	struct host *host = ctx;
	unsigned at = (unsigned)dfs_hash_u64((uint64_t)(uintptr_t)name, 0);
	struct dfs_counter *counter;

	for (unsigned i = 0; i < COUNTER_SLOTS; i++) {
		struct counter_slot *slot = &host->counters[(at + i) % COUNTER_SLOTS];
		const char *there = atomic_load_explicit(&slot->name, memory_order_acquire);

		if (!there && atomic_compare_exchange_strong(&slot->name, &there, name))
			there = name;
		if (there != name)
			continue;
		counter = atomic_load_explicit(&slot->counter, memory_order_acquire);
		if (!counter) {
			/* Two threads may both look it up; they find the same one. */
			counter = counter_of(host, name);
			atomic_store_explicit(&slot->counter, counter, memory_order_release);
		}
		dfs_counter_add(counter, delta);
		return;
	}
	dfs_counter_add(counter_of(host, name), delta);
}

const struct dfs_host *
dfs_host_get(const char *plugin, const char *instance)
{
	g_autofree char *prefix = g_strdup_printf("%.64s/%.64s", plugin, instance);
	struct host *host;

	pthread_mutex_lock(&mu);
	for (host = hosts; host && strcmp(host->prefix, prefix) != 0; host = host->next)
		;
	if (!host) {
		host = g_new0(struct host, 1);
		g_strlcpy(host->prefix, prefix, sizeof host->prefix);
		host->table = (struct dfs_host){
			.size = sizeof(struct dfs_host),
			.minor = DFS_HOST_MINOR,
			.ctx = host,
			.log = host_log,
			.fail = host_fail,
			.buf_alloc = host_buf_alloc,
			.buf_ref = host_buf_ref,
			.buf_unref = host_buf_unref,
			.count = host_count,
		};
		host->next = hosts;
		hosts = host;
	}
	pthread_mutex_unlock(&mu);
	return &host->table;
}
