/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/shares.h"

/* For those that were opened in vain. */
#define UNDO_WRITE (60 * DFS_SECOND)
#define UNDO_END (75 * DFS_SECOND)

void
dfs_shares_init(struct dfs_shares *shares)
{
	pthread_rwlock_init(&shares->mu, NULL);
	shares->list = g_ptr_array_new();
	shares->closing = g_ptr_array_new();
	shares->lost = g_ptr_array_new_with_free_func(g_free);
	atomic_init(&shares->epoch, 1);
}

void
dfs_shares_clear(struct dfs_shares *shares)
{
	g_ptr_array_unref(shares->list);
	g_ptr_array_unref(shares->closing);
	g_ptr_array_unref(shares->lost);
	pthread_rwlock_destroy(&shares->mu);
}

static struct dfs_share *
find(const GPtrArray *list, const char *name)
{
	for (guint i = 0; i < list->len; i++) {
		struct dfs_share *s = g_ptr_array_index(list, i);
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static void
tell_limit(GString *text, const char *whose, const struct dfs_quota_limit *l)
{
	g_autofree char *bytes =
		l->bytes_hard ? g_format_size_full(l->bytes_hard, G_FORMAT_SIZE_IEC_UNITS) : NULL;

	if (l->bytes_hard)
		g_string_append_printf(text, "; %s: %s", whose, bytes);
	if (l->files_hard)
		g_string_append_printf(text, "; %s: %llu files", whose,
				       (unsigned long long)l->files_hard);
}

static void
tell_quotas(const struct dfs_config_share *row)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (!row->quotas)
		return;
	tell_limit(text, "all together at most", &row->quotas->share);
	tell_limit(text, "a user at most", &row->quotas->default_user);
	dfs_log(DFS_LOG_INFO, "share %s: quotas for %u users and %u groups of their own%s",
		row->name, row->quotas->n_users, row->quotas->n_groups, text->str);
}

/* False: *share is NULL, or is to be closed. */
static bool
open_one(const struct dfs_config_share *row, const struct dfs_shares_env *env,
	 struct dfs_share **opened, char **error)
{
	static const char *const promises[] = {
		[DFS_DURABILITY_NONE] = "none: the end of the process loses what it held",
		[DFS_DURABILITY_PROCESS] =
			"process: acknowledged changes survive the end of the process",
		[DFS_DURABILITY_POWER] = "power: acknowledged changes survive a loss of power",
		[DFS_DURABILITY_REMOTE] =
			"remote: acknowledged changes survive the loss of this machine",
	};
	struct dfs_share_options options = {
		.name = row->name,
		.path = row->path,
		.metadata = dfs_stores_metadata(env->stores, row->metadata->name),
		.blocks = dfs_stores_blocks(env->stores, row->blocks->name),
		.inodes = env->inodes,
		.pages = env->pages,
		.workers = env->workers,
		.wal = env->wal,
		.recovered = env->recovered,
		.lock_domain = env->locks,
		.durability = row->durability,
		.read_only = row->read_only,
		.log_quota = row->log_quota,
		.stuck_write = row->stuck_write,
		.dedup = row->dedup,
		.gc_grace = (int64_t)row->gc_grace,
		.gc_reconcile = row->gc_reconcile,
		.gc_reconcile_interval = (int64_t)row->gc_reconcile_interval,
		.flush = row->flush,
		.self = env->self,
		.take_over = env->take_over && g_strv_contains(env->take_over, row->name),
		.secret = env->secret,
		.rules = row->rules,
		.quotas = row->quotas,
	};
	enum dfs_status status = dfs_share_open(&options, opened);

	if (status != DFS_OK) {
		*error = g_strdup_printf(
			"%s: the share %s cannot be opened: %s", row->where, row->name,
			*dfs_fail_text() ? dfs_fail_text() : dfs_status_name(status));
		return false;
	}
	if (dfs_share_follows(*opened))
		dfs_log(DFS_LOG_INFO,
			"share %s: %s on %s and %s, read-only: it follows whichever server writes",
			row->name, row->path, row->metadata->name, row->blocks->name);
	else
		dfs_log(DFS_LOG_INFO, "share %s: %s on %s and %s, durability %s", row->name,
			row->path, row->metadata->name, row->blocks->name,
			promises[row->durability]);
	tell_quotas(row);
	return true;
}

/* A share that is being closed. */
struct closing {
	struct dfs_aside *aside;
	struct dfs_share *share;
	char *name;
	int64_t idle, deadline;
	enum dfs_status status;
};

static void
close_one(void *arg)
{
	struct closing *c = arg;

	c->status = dfs_share_close(c->share, c->idle, c->deadline);
	if (c->status != DFS_OK)
		dfs_log(DFS_LOG_ERROR, "share %s did not close cleanly: %s", c->name,
			*dfs_fail_text() ? dfs_fail_text() : dfs_status_name(c->status));
}

/* Each aside: a store may keep one for ever, and must not keep the others, nor us. */
static bool
close_each(struct dfs_shares *shares, GPtrArray *left, int64_t idle, int64_t deadline, int64_t end)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	bool good = true;

	for (guint i = 0; i < left->len; i++) {
		struct closing *c = g_new0(struct closing, 1);

		c->share = g_ptr_array_index(left, i);
		c->name = g_strdup(c->share->name);
		c->idle = idle;
		c->deadline = deadline;
		c->aside = dfs_aside_begin(close_one, c);
		g_ptr_array_add(all, c);
	}
	g_ptr_array_set_size(left, 0);
	for (guint i = 0; i < all->len; i++) {
		struct closing *c = g_ptr_array_index(all, i);
		g_autofree char *name = g_strdup(c->name);

		if (!dfs_aside_end(c->aside, end)) {
			dfs_log(DFS_LOG_ERROR,
				"share %s: its stores do not answer: it is left as by a crash",
				name);
			g_ptr_array_add(shares->lost, g_steal_pointer(&name));
			good = false;
			continue;
		}
		good &= c->status == DFS_OK;
		if (c->status == DFS_BUSY)
			g_ptr_array_add(shares->closing, c->share);
		else if (c->status != DFS_OK)
			g_ptr_array_add(shares->lost, g_steal_pointer(&name));
		g_free(c->name);
		g_free(c);
	}
	return good;
}

bool
dfs_shares_apply(struct dfs_shares *shares, const struct dfs_config *config,
		 const struct dfs_shares_env *env, GPtrArray *left, char **error)
{
	g_autoptr(GPtrArray) opened = g_ptr_array_new();
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	bool good = true;

	for (unsigned i = 0; good && i < config->n_shares; i++) {
		struct dfs_share *share = find(shares->list, config->shares[i].name);
		if (!share && find(shares->closing, config->shares[i].name)) {
			*error = g_strdup_printf(
				"%s: share %s: it was taken out, but requests still use it as it "
				"was: try again later",
				config->shares[i].where, config->shares[i].name);
			good = false;
		} else if (!share &&
			   g_ptr_array_find_with_equal_func(shares->lost, config->shares[i].name,
							    g_str_equal, NULL)) {
			*error = g_strdup_printf(
				"%s: share %s: its stores did not answer when it was taken "
				"out: restart the server",
				config->shares[i].where, config->shares[i].name);
			good = false;
		} else if (!share) {
			good = open_one(&config->shares[i], env, &share, error);
			if (share)
				g_ptr_array_add(opened, share);
		}
		for (guint k = 0; good && k < list->len; k++) {
			struct dfs_share *other = g_ptr_array_index(list, k);
			if (other->slot != share->slot)
				continue;
			*error = g_strdup_printf(
				"the shares %s and %s have the same identity: one store is a "
				"copy of the other",
				other->name, share->name);
			good = false;
		}
		if (good)
			g_ptr_array_add(list, share);
	}
	if (!good) {
		int64_t now = dfs_clock_mono();

		close_each(shares, opened, now + UNDO_WRITE, now + UNDO_WRITE, now + UNDO_END);
		return false;
	}

	for (unsigned i = 0; i < config->n_shares; i++) {
		struct dfs_share *share = g_ptr_array_index(list, i);
		if (!dfs_share_set_read_only(share, config->shares[i].read_only))
			dfs_log(DFS_LOG_WARN,
				"%s: shares.%s.read_only takes effect when the share is opened "
				"next, at the next start or after it was taken out",
				config->shares[i].where, share->name);
		dfs_share_set_rules(share, config->shares[i].rules);
		if (!dfs_share_set_quotas(share, config->shares[i].quotas))
			dfs_log(DFS_LOG_WARN,
				"%s: shares.%s.quotas takes effect when the share is opened next, "
				"at the next start or after it was taken out",
				config->shares[i].where, share->name);
	}
	for (guint i = 0; i < shares->list->len; i++) {
		struct dfs_share *share = g_ptr_array_index(shares->list, i);
		if (!dfs_config_find_share(config, share->name))
			g_ptr_array_add(left, share);
	}
	pthread_rwlock_wrlock(&shares->mu);
	GPtrArray *old = shares->list;
	shares->list = g_steal_pointer(&list);
	pthread_rwlock_unlock(&shares->mu);
	atomic_fetch_add(&shares->epoch, 1);
	g_ptr_array_unref(old);
	return true;
}

bool
dfs_shares_close(struct dfs_shares *shares, GPtrArray *left, int64_t idle, int64_t deadline,
		 int64_t end)
{
	g_ptr_array_extend_and_steal(left, g_steal_pointer(&shares->closing));
	shares->closing = g_ptr_array_new();
	return close_each(shares, left, idle, deadline, end) && shares->lost->len == 0;
}

bool
dfs_shares_are_closed(const struct dfs_shares *shares)
{
	return shares->closing->len == 0 && shares->lost->len == 0;
}

void
dfs_shares_take_all(struct dfs_shares *shares, GPtrArray *left)
{
	pthread_rwlock_wrlock(&shares->mu);
	for (guint i = 0; i < shares->list->len; i++)
		g_ptr_array_add(left, g_ptr_array_index(shares->list, i));
	g_ptr_array_set_size(shares->list, 0);
	pthread_rwlock_unlock(&shares->mu);
	atomic_fetch_add(&shares->epoch, 1);
}

struct dfs_share *
dfs_shares_by_slot(struct dfs_shares *shares, uint32_t slot)
{
	struct dfs_share *found = NULL;

	pthread_rwlock_rdlock(&shares->mu);
	for (guint i = 0; !found && i < shares->list->len; i++) {
		struct dfs_share *s = g_ptr_array_index(shares->list, i);
		if (s->slot == slot)
			found = dfs_share_ref(s);
	}
	pthread_rwlock_unlock(&shares->mu);
	return found;
}

/* Bytes of path that share_path covers, 0: it is no prefix at a '/' boundary. */
static size_t
covered(const char *share_path, const char *path)
{
	size_t n = strlen(share_path);

	if (n == 1) /* "/" covers all */
		return 1;
	return strncmp(path, share_path, n) == 0 && (path[n] == '\0' || path[n] == '/') ? n : 0;
}

struct dfs_share *
dfs_shares_by_path(struct dfs_shares *shares, const char *path, const char **rest)
{
	struct dfs_share *found = NULL;
	size_t best = 0;

	pthread_rwlock_rdlock(&shares->mu);
	for (guint i = 0; i < shares->list->len; i++) {
		struct dfs_share *s = g_ptr_array_index(shares->list, i);
		size_t n = covered(s->path, path);
		if (n > best) {
			best = n;
			found = s;
		}
	}
	if (found)
		dfs_share_ref(found);
	pthread_rwlock_unlock(&shares->mu);
	if (rest)
		*rest = path + (best == 1 ? 0 : best);
	return found;
}

void
dfs_shares_each(struct dfs_shares *shares, void (*fn)(void *arg, struct dfs_share *share),
		void *arg)
{
	pthread_rwlock_rdlock(&shares->mu);
	for (guint i = 0; i < shares->list->len; i++)
		fn(arg, g_ptr_array_index(shares->list, i));
	pthread_rwlock_unlock(&shares->mu);
}

void
dfs_shares_each_leaving(struct dfs_shares *shares, void (*fn)(void *arg, struct dfs_share *share),
			void *arg)
{
	for (guint i = 0; i < shares->closing->len; i++)
		fn(arg, g_ptr_array_index(shares->closing, i));
}
