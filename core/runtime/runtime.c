/* SPDX-License-Identifier: MIT
 *
 * Opening order: state folder, workers, caches, log, stores, shares, adapters; closing in reverse, so
 * that whatever still runs finds what it stands on.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "config/config.h"
#include "io/worker.h"
#include "metadata/lock/lock.h"
#include "metadata/namespace.h"
#include "payload/metrics.h"
#include "payload/payload.h"
#include "payload/recovered.h"
#include "plugin/host.h"
#include "plugin/registry.h"
#include "runtime/runtime.h"
#include "runtime/shares.h"
#include "runtime/state.h"
#include "runtime/stores.h"

#define END_TIME (15 * DFS_SECOND) /* of the closing of a share, beyond the time to write */

struct adapter {
	const struct dfs_adapter_ops *ops;
	void *inst;
	bool started;
	bool stuck; /* its requests did not end in time, and use all that is here */
	char name[DFS_CONFIG_NAME_MAX + 1];
};

struct dfs_runtime {
	struct dfs_config *config; /* the one in force */
	struct dfs_state state;
	struct dfs_workers *workers;
	struct dfs_inode_cache *inodes;
	struct dfs_cache *pages;
	struct dfs_wal *wal;             /* NULL: none */
	struct dfs_recovered *recovered; /* what it had when it was opened */
	struct dfs_lock_domain locks;
	struct dfs_stores stores;
	struct dfs_shares shares;
	GArray *adapters; /* struct adapter */
};

static struct dfs_shares_env
shares_env(struct dfs_runtime *rt)
{
	return (struct dfs_shares_env){.stores = &rt->stores,
				       .inodes = rt->inodes,
				       .pages = rt->pages,
				       .workers = rt->workers,
				       .wal = rt->wal,
				       .recovered = rt->recovered,
				       .locks = &rt->locks,
				       .secret = rt->state.secret,
				       .self = &rt->state.self};
}

static void
log_warnings(const struct dfs_config *config)
{
	for (char **w = config->warnings; *w; w++)
		dfs_log(DFS_LOG_WARN, "%s", *w);
}

static bool
create_adapters(struct dfs_runtime *rt, char **error)
{
	for (unsigned i = 0; i < rt->config->n_adapters; i++) {
		const struct dfs_config_adapter *row = &rt->config->adapters[i];
		const struct dfs_host *host = dfs_host_get("adapter", row->name);
		struct adapter a = {.ops = &row->plugin->ops.adapter};
		struct dfs_diag diag = {0};
		enum dfs_status status =
			a.ops->create(rt, host, row->options.values, &a.inst, &diag);

		if (status != DFS_OK) {
			*error = g_strdup_printf("%s: the adapter %s cannot be set up: %s",
						 row->where, row->name,
						 *diag.text ? diag.text : dfs_status_name(status));
			return false;
		}
		g_strlcpy(a.name, row->name, sizeof a.name);
		g_array_append_val(rt->adapters, a);
	}
	return true;
}

/* Half of the pool caches file content; the rest is for requests under way and for stores that
 * keep content in memory. */
static void
make_caches(struct dfs_runtime *rt)
{
	uint64_t pool = rt->config->server.cache_size;

	if (pool == 0)
		pool = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	dfs_buf_setup(pool);
	rt->pages = dfs_cache_new(pool / 2);
	rt->inodes = dfs_inode_cache_new((uint64_t)rt->config->server.inode_cache,
					 (uint64_t)rt->config->server.inode_cache * 2);
}

/* Whatever the configuration says now, a log that is there may hold acknowledged data. */
static bool
open_wal(struct dfs_runtime *rt, char **error)
{
	const struct dfs_config_wal *c = &rt->config->wal;
	struct dfs_wal_config wal = {
		.persister = c->persister,
		.path = c->path,
		.size = c->size,
		.segment_size = c->segment_size,
	};
	const char *dir = rt->config->server.state_dir;
	struct dfs_wal_recovery found;

	if (c->persister == DFS_WAL_NULL) {
		if (!g_file_test(c->path, G_FILE_TEST_EXISTS))
			return dfs_state_log_check(dir, c->path, error);
		*error = g_strdup_printf("%s: server.wal.persister is \"null\", but there is a log "
					 "in %s: start once "
					 "with the persister that wrote it, stop, and remove the "
					 "folder and %s/wal-folder",
					 rt->config->path, c->path, dir);
		return false;
	}
	if (!dfs_state_log_check(dir, c->path, error))
		return false;
	if (dfs_wal_open(&wal, &rt->wal) != DFS_OK ||
	    !(rt->recovered = dfs_recovered_new(rt->wal, &found))) {
		*error = g_strdup_printf("%s: the write-ahead log cannot be opened: %s",
					 rt->config->path, dfs_fail_text());
		return false;
	}
	if (found.records)
		dfs_log(DFS_LOG_INFO, "write-ahead log %s: %llu records, %llu bytes%s%s", c->path,
			(unsigned long long)found.records, (unsigned long long)found.bytes,
			found.clean ? "" : "; it was not closed in order",
			found.damaged ? "; some are damaged" : "");
	return dfs_state_log_note(dir, c->path, error);
}

static bool
open_shares(struct dfs_runtime *rt, const char *const *take_over, char **error)
{
	g_autoptr(GPtrArray) left = g_ptr_array_new();
	struct dfs_shares_env env = shares_env(rt);
	uint64_t n;

	env.take_over = take_over;
	if (!dfs_shares_apply(&rt->shares, rt->config, &env, left, error))
		return false;
	n = rt->recovered ? dfs_recovered_left(rt->recovered) : 0;
	if (n)
		dfs_log(DFS_LOG_WARN,
			"write-ahead log %s: %llu records are of shares that are not declared; "
			"they are kept",
			rt->config->wal.path, (unsigned long long)n);
	return true;
}

struct dfs_runtime *
dfs_runtime_new(struct dfs_config *config)
{
	struct dfs_runtime *rt = g_new0(struct dfs_runtime, 1);

	rt->config = config;
	rt->adapters = g_array_new(FALSE, TRUE, sizeof(struct adapter));
	dfs_stores_init(&rt->stores);
	dfs_shares_init(&rt->shares);
	rt->state.lock_fd = -1;
	rt->locks = (struct dfs_lock_domain){
		.max_locks = (uint64_t)config->server.max_locks,
		.max_client_locks = (uint64_t)config->server.max_client_locks,
		.grace = (int64_t)config->server.lock_grace,
	};
	return rt;
}

bool
dfs_runtime_open(struct dfs_runtime *rt, const char *const *take_over, char **error)
{
	log_warnings(rt->config);
	if (!dfs_state_open(&rt->state, rt->config->server.state_dir, error))
		return false;
	rt->workers = dfs_workers_new((unsigned)rt->config->server.workers);
	make_caches(rt);
	return open_wal(rt, error) &&
	       dfs_stores_open(&rt->stores, rt->config, rt->workers, error) &&
	       open_shares(rt, take_over, error) && create_adapters(rt, error);
}

bool
dfs_runtime_start(struct dfs_runtime *rt, char **error)
{
	for (guint i = 0; i < rt->adapters->len; i++) {
		struct adapter *a = &g_array_index(rt->adapters, struct adapter, i);
		struct dfs_diag diag = {0};
		enum dfs_status status = a->ops->start(a->inst, &diag);
		if (status != DFS_OK) {
			*error = g_strdup_printf("the adapter %s cannot start: %s", a->name,
						 *diag.text ? diag.text : dfs_status_name(status));
			return false;
		}
		a->started = true;
	}
	return true;
}

/* What is taken over later: told, not refused. */
static void
warn_postponed(const struct dfs_config *now, const struct dfs_config *next)
{
	const struct dfs_config_item *item = NULL;

	while ((item = dfs_options_differ(&now->server_options, &next->server_options, item)))
		dfs_log(DFS_LOG_WARN, "%s: server.%s takes effect at the next start", next->path,
			item->key);
	while ((item = dfs_options_differ(&now->wal_options, &next->wal_options, item)))
		dfs_log(DFS_LOG_WARN, "%s: server.wal.%s takes effect at the next start",
			next->path, item->key);
	for (unsigned i = 0; i < next->n_shares; i++) {
		const struct dfs_config_share *b = &next->shares[i],
					      *a = dfs_config_find_share(now, b->name);

		while (a && (item = dfs_options_differ(&a->options, &b->options, item)))
			dfs_log(DFS_LOG_WARN,
				"%s: shares.%s.%s takes effect when the share is opened next, at "
				"the next start or after it was taken out",
				b->where, b->name, item->key);
	}
}

/* Refuse what makes another share of it. */
static bool
check_share(const struct dfs_config_share *now, const struct dfs_config_share *next, char **error)
{
	static const char *const fixed[] = {"path", "metadata", "blocks", "durability", NULL};
	const struct dfs_config_item *item = NULL;

	while ((item = dfs_options_differ(&now->options, &next->options, item))) {
		if (!g_strv_contains(fixed, item->key))
			continue;
		*error = g_strdup_printf(
			"%s: share %s: %s cannot change while the server runs: restart it, or "
			"take the share out first",
			next->where, next->name, item->key);
		return false;
	}
	return true;
}

/* Refuse what only a restart can change. */
static bool
check_reload(const struct dfs_config *now, const struct dfs_config *next, char **error)
{
	if (strcmp(now->server.state_dir, next->server.state_dir) != 0) {
		*error = g_strdup_printf("%s: server.state_dir cannot change while the server runs",
					 next->path);
		return false;
	}
	for (unsigned i = 0; i < next->n_stores; i++) {
		const struct dfs_config_store *b = &next->stores[i];
		const struct dfs_config_store *a = dfs_config_find_store(now, b->kind, b->name);
		const struct dfs_config_item *item = NULL;

		if (!a || (a->plugin == b->plugin &&
			   !(item = dfs_options_differ(&a->options, &b->options, NULL))))
			continue;
		*error = g_strdup_printf(
			"%s: %s of the %s store %s cannot change while the server runs: "
			"restart it, or declare the store under another name",
			b->where, item ? item->key : "type", dfs_plugin_kind_name(b->kind),
			b->name);
		return false;
	}
	for (unsigned i = 0; i < next->n_shares; i++) {
		const struct dfs_config_share *share =
			dfs_config_find_share(now, next->shares[i].name);

		if (share && !check_share(share, &next->shares[i], error))
			return false;
	}
	if (now->n_adapters != next->n_adapters) {
		*error = g_strdup_printf("%s: adapters cannot come or go while the server runs",
					 next->path);
		return false;
	}
	for (unsigned i = 0; i < next->n_adapters; i++) {
		const struct dfs_config_adapter *a = &now->adapters[i], *b = &next->adapters[i];
		const struct dfs_config_item *item = NULL;

		if (strcmp(a->name, b->name) != 0)
			*error = g_strdup_printf(
				"%s: adapters cannot come or go while the server runs", b->where);
		else if ((item = dfs_options_differ(&a->options, &b->options, NULL)))
			*error = g_strdup_printf(
				"%s: %s of the adapter %s cannot change while the server runs",
				b->where, item->key, b->name);
		else
			continue;
		return false;
	}
	return true;
}

/* A share that could not be closed keeps its stores, also those that the file names no more. */
static bool
check_kept(const struct dfs_runtime *rt, const struct dfs_config *next, char **error)
{
	for (unsigned i = 0; i < next->n_stores; i++) {
		const struct dfs_config_store *b = &next->stores[i];

		if (dfs_config_find_store(rt->config, b->kind, b->name) ||
		    !dfs_stores_is_open(&rt->stores, b))
			continue;
		*error = g_strdup_printf(
			"%s: the %s store %s was taken out, but is still in use as it was: try "
			"again later",
			b->where, dfs_plugin_kind_name(b->kind), b->name);
		return false;
	}
	return true;
}

/* Shares that left and earlier ones, within `drain` of now. */
static bool
close_left(struct dfs_runtime *rt, GPtrArray *left, int64_t drain)
{
	int64_t drained = dfs_clock_mono() + drain;

	return dfs_shares_close(&rt->shares, left, drained, drained, drained + END_TIME);
}

bool
dfs_runtime_reload(struct dfs_runtime *rt, struct dfs_config *config, char **error)
{
	g_autoptr(GPtrArray) left = g_ptr_array_new();
	struct dfs_shares_env env = shares_env(rt);
	int64_t drain = (int64_t)config->server.drain;
	struct dfs_stores_mark mark;

	if (!check_reload(rt->config, config, error))
		return false;
	/* What was in use at an earlier reload may not be any more. */
	if (close_left(rt, left, drain))
		dfs_stores_close(&rt->stores, rt->config);
	if (!check_kept(rt, config, error))
		return false;
	mark = dfs_stores_mark(&rt->stores);
	if (!dfs_stores_open(&rt->stores, config, rt->workers, error))
		return false;
	if (!dfs_shares_apply(&rt->shares, config, &env, left, error)) {
		/* One that was opened in vain and cannot be closed keeps its stores. */
		if (dfs_shares_are_closed(&rt->shares))
			dfs_stores_close_since(&rt->stores, mark);
		return false;
	}
	log_warnings(config);
	warn_postponed(rt->config, config);
	for (guint i = 0; i < rt->adapters->len; i++) {
		struct adapter *a = &g_array_index(rt->adapters, struct adapter, i);
		if (a->ops->reload)
			a->ops->reload(a->inst);
	}
	/* A share that is still in use at the deadline stays open, and its stores with it. */
	if (close_left(rt, left, drain))
		dfs_stores_close(&rt->stores, config);
	dfs_config_free(rt->config);
	rt->config = config;
	return true;
}

/* False: not all of them ended, and those are left. */
static bool
stop_adapters(struct dfs_runtime *rt, int64_t deadline)
{
	bool ended = true;

	for (guint i = rt->adapters->len; i-- > 0;) {
		struct adapter *a = &g_array_index(rt->adapters, struct adapter, i);
		a->stuck = a->started && !a->ops->stop(a->inst, deadline);
	}
	for (guint i = rt->adapters->len; i-- > 0;) {
		struct adapter *a = &g_array_index(rt->adapters, struct adapter, i);
		ended &= !a->stuck;
		if (!a->stuck)
			a->ops->destroy(a->inst);
	}
	return ended;
}

bool
dfs_runtime_free(struct dfs_runtime *rt, int64_t deadline)
{
	g_autoptr(GPtrArray) left = g_ptr_array_new();
	bool ended = stop_adapters(rt, deadline);
	int64_t written;

	dfs_shares_take_all(&rt->shares, left);
	/* Writing out is worth more than the drain's deadline: give it time of its own.  The shares of
	 * requests that do not end must not take it from the others. */
	written = MAX(deadline, dfs_clock_mono() + (int64_t)rt->config->server.write_out);
	if (!dfs_shares_close(&rt->shares, left, ended ? written : 0, written,
			      written + END_TIME) ||
	    !ended || !dfs_stores_close(&rt->stores, NULL))
		return false;
	g_array_unref(rt->adapters);
	dfs_shares_clear(&rt->shares);
	dfs_recovered_free(rt->recovered);
	dfs_wal_close(rt->wal);
	if (rt->inodes)
		dfs_inode_cache_free(rt->inodes);
	if (rt->pages)
		dfs_cache_free(rt->pages);
	if (rt->workers)
		dfs_workers_free(rt->workers);
	dfs_state_close(&rt->state);
	dfs_config_free(rt->config);
	g_free(rt);
	return true;
}

struct dfs_share *
dfs_runtime_share_by_slot(struct dfs_runtime *rt, uint32_t slot)
{
	return dfs_shares_by_slot(&rt->shares, slot);
}

struct dfs_share *
dfs_runtime_share_by_path(struct dfs_runtime *rt, const char *path, const char **rest)
{
	return dfs_shares_by_path(&rt->shares, path, rest);
}

void
dfs_runtime_each_share(struct dfs_runtime *rt, void (*fn)(void *arg, struct dfs_share *share),
		       void *arg)
{
	dfs_shares_each(&rt->shares, fn, arg);
}

void
dfs_runtime_each_leaving(struct dfs_runtime *rt, void (*fn)(void *arg, struct dfs_share *share),
			 void *arg)
{
	dfs_shares_each_leaving(&rt->shares, fn, arg);
}

uint64_t
dfs_runtime_epoch(const struct dfs_runtime *rt)
{
	return atomic_load_explicit(&rt->shares.epoch, memory_order_acquire);
}

static void
count_locks(void *arg, struct dfs_share *share)
{
	*(uint64_t *)arg += dfs_locks_held(share->locks);
}

void
dfs_runtime_metrics(struct dfs_runtime *rt)
{
	uint64_t locks = 0;

	dfs_payload_metrics_refresh(rt->wal, rt->pages);
	dfs_runtime_each_share(rt, count_locks, &locks);
	atomic_store_explicit(&dfs_counter_get("locks_held")->value, (int64_t)locks,
			      memory_order_relaxed);
}

struct dfs_workers *
dfs_runtime_workers(struct dfs_runtime *rt)
{
	return rt->workers;
}

const char *
dfs_runtime_state_dir(const struct dfs_runtime *rt)
{
	return rt->config->server.state_dir;
}

unsigned
dfs_runtime_loops(const struct dfs_runtime *rt)
{
	unsigned n = (unsigned)rt->config->server.threads;
	cpu_set_t cpus;

	if (n != 0)
		return n;
	/* The processors that this process may use, not all that the machine has. */
	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		return (unsigned)CPU_COUNT(&cpus);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}
