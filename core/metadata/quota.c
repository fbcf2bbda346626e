/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"
#include "metadata/quota.h"

#define TABLE_MIN 64

struct sum {
	struct sum *next;
	uint32_t kind, id;
	int64_t bytes, files;
	const struct dfs_quota_limit *limit; /* in the rules */
	struct dfs_quota_since since, stored;
	bool stored_known;
};

struct dfs_quota {
	struct dfs_lock lock;
	/* All guarded by lock. */
	struct dfs_quota_rules *rules;
	int64_t (*now)(void);
	struct sum **table;
	uint32_t mask, n;
};

static const struct dfs_quota_limit unlimited;

static int
by_id(const void *key, const void *row)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct dfs_quota_rule *)row)->id;

	return a < b ? -1 : a > b;
}

static const struct dfs_quota_limit *
limit_of(const struct dfs_quota_rules *rules, uint32_t kind, uint32_t id)
{
	const struct dfs_quota_rule *rows = rules->rules, *found;
	uint32_t n = rules->n_users;

	if (kind == DFS_USAGE_SHARE)
		return &rules->share;
	if (kind == DFS_USAGE_GROUP) {
		rows += rules->n_users;
		n = rules->n_groups;
	}
	found = bsearch(&id, rows, n, sizeof *rows, by_id);
	if (found)
		return &found->limit;
	return kind == DFS_USAGE_USER && id != 0 ? &rules->default_user : &unlimited;
}

struct dfs_quota *
dfs_quota_new(const struct dfs_quota_rules *rules)
{
	struct dfs_quota *q = calloc(1, sizeof *q);

	if (q)
		q->table = calloc(TABLE_MIN, sizeof(struct sum *));
	if (!q || !q->table) {
		free(q);
		return NULL;
	}
	q->mask = TABLE_MIN - 1;
	q->now = dfs_clock_real;
	q->rules = dfs_quota_rules_copy(rules);
	return q;
}

void
dfs_quota_free(struct dfs_quota *q)
{
	if (!q)
		return;
	for (uint32_t i = 0; i <= q->mask; i++)
		while (q->table[i]) {
			struct sum *s = q->table[i];

			q->table[i] = s->next;
			free(s);
		}
	free(q->table);
	free(q->rules);
	free(q);
}

static struct sum **
place_of(const struct dfs_quota *q, uint32_t kind, uint32_t id)
{
	struct sum **p = &q->table[dfs_hash_u64((uint64_t)kind << 32 | id, 0) & q->mask];

	while (*p && ((*p)->kind != kind || (*p)->id != id))
		p = &(*p)->next;
	return p;
}

static void
grow_locked(struct dfs_quota *q)
{
	uint32_t mask = 2 * q->mask + 1;
	struct sum **old = q->table, **table = calloc(mask + 1, sizeof(struct sum *));
	uint32_t n = q->mask + 1;

	if (!table)
		return; /* longer chains will do */
	q->table = table;
	q->mask = mask;
	for (uint32_t i = 0; i < n; i++)
		while (old[i]) {
			struct sum *s = old[i], **p;

			old[i] = s->next;
			p = &table[dfs_hash_u64((uint64_t)s->kind << 32 | s->id, 0) & mask];
			s->next = *p;
			*p = s;
		}
	free(old);
}

/* Found or made; NULL: no memory. */
static struct sum *
sum_locked(struct dfs_quota *q, uint32_t kind, uint32_t id)
{
	struct sum **p = place_of(q, kind, id), *s = *p;

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->kind = kind;
	s->id = id;
	s->limit = limit_of(q->rules, kind, id);
	s->stored_known = true;
	*p = s;
	if (++q->n > q->mask)
		grow_locked(q);
	return s;
}

/* Those that say nothing go, so that there are no more than owners of files. */
static void
drop_empty_locked(struct dfs_quota *q, uint32_t kind, uint32_t id)
{
	struct sum **p = place_of(q, kind, id), *s = *p;

	if (!s || s->bytes || s->files || s->since.bytes || s->since.files || s->stored.bytes ||
	    s->stored.files || !s->stored_known)
		return;
	*p = s->next;
	free(s);
	q->n--;
}

/* A time that is still to come, of a clock that was put back, would give as much more grace. */
static void
watch(int64_t used, uint64_t soft, int64_t now, int64_t *since)
{
	if (!soft || used <= (int64_t)soft)
		*since = 0;
	else if (!*since || *since > now)
		*since = now;
}

/* The sum has changed, or its limit. */
static void
watch_soft(const struct dfs_quota *q, struct sum *s)
{
	int64_t now = 0;

	if (s->limit->bytes_soft || s->limit->files_soft)
		now = q->now();
	watch(s->bytes, s->limit->bytes_soft, now, &s->since.bytes);
	watch(s->files, s->limit->files_soft, now, &s->since.files);
}

void
dfs_quota_set_rules(struct dfs_quota *q, const struct dfs_quota_rules *rules)
{
	struct dfs_quota_rules *copy = dfs_quota_rules_copy(rules), *old;

	dfs_lock_acquire(&q->lock);
	old = q->rules;
	q->rules = copy;
	for (uint32_t i = 0; i <= q->mask; i++)
		for (struct sum *s = q->table[i]; s; s = s->next) {
			s->limit = limit_of(copy, s->kind, s->id);
			watch_soft(q, s);
		}
	dfs_lock_release(&q->lock);
	free(old);
}

void
dfs_quota_set_clock(struct dfs_quota *q, int64_t (*now)(void))
{
	dfs_lock_acquire(&q->lock);
	q->now = now;
	dfs_lock_release(&q->lock);
}

/* Whether `more` may be added. */
static bool
allowed(int64_t used, int64_t more, uint64_t soft, uint64_t hard, int64_t since, int64_t grace,
	int64_t now)
{
	if (more <= 0)
		return true;
	if (hard && (used > (int64_t)hard || more > (int64_t)hard - used))
		return false;
	return !soft || !since || now - since < grace || used + more <= (int64_t)soft;
}

static bool
sum_allows(const struct dfs_quota *q, const struct sum *s, const struct dfs_quota_charge *c)
{
	const struct dfs_quota_limit *l = s->limit;
	int64_t now = s->since.bytes || s->since.files ? q->now() : 0;

	return allowed(s->bytes, c->bytes, l->bytes_soft, l->bytes_hard, s->since.bytes, l->grace,
		       now) &&
	       allowed(s->files, c->files, l->files_soft, l->files_hard, s->since.files, l->grace,
		       now);
}

static uint32_t
id_of(const struct dfs_quota_charge *c, uint32_t kind)
{
	return kind == DFS_USAGE_USER ? c->uid : kind == DFS_USAGE_GROUP ? c->gid : 0;
}

static void
add_locked(struct dfs_quota *q, const struct dfs_quota_charge *c, int sign)
{
	for (uint32_t kind = 0; kind < DFS_QUOTA_KINDS; kind++) {
		struct sum *s;

		if (!(c->kinds & 1u << kind))
			continue;
		s = sum_locked(q, kind, id_of(c, kind));
		if (!s)
			abort(); /* a sum that is wrong for ever would be worse */
		s->bytes += sign * c->bytes;
		s->files += sign * c->files;
	}
}

static void
watch_locked(struct dfs_quota *q, const struct dfs_quota_charge *c)
{
	for (uint32_t kind = 0; kind < DFS_QUOTA_KINDS; kind++) {
		struct sum *s = *place_of(q, kind, id_of(c, kind));

		if (!(c->kinds & 1u << kind) || !s)
			continue;
		watch_soft(q, s);
		drop_empty_locked(q, kind, id_of(c, kind));
	}
}

enum dfs_status
dfs_quota_reserve(struct dfs_quota *q, const struct dfs_quota_charge *c, bool exempt)
{
	enum dfs_status status = DFS_OK;
	uint32_t kind, made = 0;

	dfs_lock_acquire(&q->lock);
	for (kind = 0; kind < DFS_QUOTA_KINDS && status == DFS_OK; kind++) {
		struct sum *s;

		if (!(c->kinds & 1u << kind))
			continue;
		made |= 1u << kind;
		s = sum_locked(q, kind, id_of(c, kind));
		if (!s)
			status = DFS_DELAY;
		else if ((kind == DFS_USAGE_SHARE || !exempt) && !sum_allows(q, s, c))
			status = kind == DFS_USAGE_SHARE ? DFS_NOSPC : DFS_DQUOT;
	}
	if (status == DFS_OK)
		add_locked(q, c, 1);
	watch_locked(q, &(struct dfs_quota_charge){c->uid, c->gid, made, 0, 0});
	dfs_lock_release(&q->lock);
	return status;
}

void
dfs_quota_release(struct dfs_quota *q, const struct dfs_quota_charge *c)
{
	dfs_quota_change(q, NULL, c, NULL);
}

void
dfs_quota_change(struct dfs_quota *q, const struct dfs_quota_charge *add,
		 const struct dfs_quota_charge *off, const struct dfs_quota_charge *off2)
{
	dfs_lock_acquire(&q->lock);
	if (add)
		add_locked(q, add, 1);
	if (off)
		add_locked(q, off, -1);
	if (off2)
		add_locked(q, off2, -1);
	/* Only now: what is taken off and put on again was never below a limit. */
	if (add)
		watch_locked(q, add);
	if (off)
		watch_locked(q, off);
	if (off2)
		watch_locked(q, off2);
	dfs_lock_release(&q->lock);
}

void
dfs_quota_usage(struct dfs_quota *q, uint32_t kind, uint32_t id, int64_t *bytes, int64_t *files)
{
	const struct sum *s;

	dfs_lock_acquire(&q->lock);
	s = *place_of(q, kind, id);
	*bytes = s ? s->bytes : 0;
	*files = s ? s->files : 0;
	dfs_lock_release(&q->lock);
}

void
dfs_quota_each(struct dfs_quota *q, void (*fn)(void *arg, const struct dfs_usage_record *sum),
	       void *arg)
{
	dfs_lock_acquire(&q->lock);
	for (uint32_t i = 0; i <= q->mask; i++)
		for (const struct sum *s = q->table[i]; s; s = s->next) {
			struct dfs_usage_record rec = {.size = sizeof rec,
						       .kind = s->kind,
						       .id = s->id,
						       .bytes = s->bytes,
						       .files = s->files};

			if (s->bytes || s->files)
				fn(arg, &rec);
		}
	dfs_lock_release(&q->lock);
}

/* What one limit leaves, where it is tighter than those before. */
static void
tighten(uint64_t *total, uint64_t *left, int64_t used, uint64_t soft, uint64_t hard, bool over)
{
	uint64_t limit = over ? soft : hard, u = used > 0 ? (uint64_t)used : 0;

	if (!limit)
		return;
	if (*total > limit)
		*total = limit;
	if (*left > limit - (u < limit ? u : limit))
		*left = limit - (u < limit ? u : limit);
}

void
dfs_quota_room(struct dfs_quota *q, uint32_t uid, uint32_t gid, struct dfs_quota_room *room)
{
	const struct dfs_quota_charge c = {uid, gid, DFS_QUOTA_ALL, 0, 0};
	static const struct sum none;

	*room = (struct dfs_quota_room){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	dfs_lock_acquire(&q->lock);
	for (uint32_t kind = 0; kind < DFS_QUOTA_KINDS; kind++) {
		const struct sum *s = *place_of(q, kind, id_of(&c, kind));
		const struct dfs_quota_limit *l = limit_of(q->rules, kind, id_of(&c, kind));
		int64_t now = 0;

		if (kind != DFS_USAGE_SHARE && uid == 0)
			break;
		if (!s)
			s = &none;
		if (s->since.bytes || s->since.files)
			now = q->now();
		tighten(&room->bytes_total, &room->bytes_free, s->bytes, l->bytes_soft,
			l->bytes_hard, s->since.bytes && now - s->since.bytes >= l->grace);
		tighten(&room->files_total, &room->files_free, s->files, l->files_soft,
			l->files_hard, s->since.files && now - s->since.files >= l->grace);
	}
	dfs_lock_release(&q->lock);
}

static bool
is_unstored(const struct sum *s)
{
	return !s->stored_known || s->stored.bytes != s->since.bytes ||
	       s->stored.files != s->since.files;
}

unsigned
dfs_quota_since_unstored(struct dfs_quota *q, struct dfs_usage_record *list, unsigned n)
{
	unsigned found = 0;

	dfs_lock_acquire(&q->lock);
	for (uint32_t i = 0; i <= q->mask; i++)
		for (const struct sum *s = q->table[i]; s && found < n; s = s->next)
			if (is_unstored(s))
				list[found++] = (struct dfs_usage_record){
					.size = sizeof *list, .kind = s->kind, .id = s->id};
	dfs_lock_release(&q->lock);
	return found;
}

bool
dfs_quota_since_changed(struct dfs_quota *q, uint32_t kind, uint32_t id,
			struct dfs_quota_since *since)
{
	bool changed = false;
	struct sum *s;

	dfs_lock_acquire(&q->lock);
	s = *place_of(q, kind, id);
	if (s) {
		changed = is_unstored(s);
		*since = s->stored = s->since;
		s->stored_known = true;
		drop_empty_locked(q, kind, id);
	}
	dfs_lock_release(&q->lock);
	return changed;
}

void
dfs_quota_since_stored(struct dfs_quota *q, uint32_t kind, uint32_t id,
		       const struct dfs_quota_since *since)
{
	struct sum *s;

	dfs_lock_acquire(&q->lock);
	s = sum_locked(q, kind, id);
	if (s) {
		s->stored = s->since = *since;
		watch_soft(q, s);
	}
	dfs_lock_release(&q->lock);
}

void
dfs_quota_since_unknown(struct dfs_quota *q)
{
	dfs_lock_acquire(&q->lock);
	for (uint32_t i = 0; i <= q->mask; i++)
		for (struct sum *s = q->table[i]; s; s = s->next)
			s->stored_known = false;
	dfs_lock_release(&q->lock);
}
