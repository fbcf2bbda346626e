/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <assert.h>
#include <stdlib.h>

#include "clock.h"

bool
journal_init(struct journal *j, size_t max)
{
	memset(j, 0, sizeof(*j));
	j->max = max;
	j->owners = calloc(STRIPES, sizeof(*j->owners));
	pthread_mutex_init(&j->mu, NULL);
	cond_init(&j->changed);
	return j->owners != NULL;
}

static void
entry_free(struct entry *e)
{
	writeset_free(e->ws);
	free(e);
}

void
journal_free(struct journal *j)
{
	while (j->head) {
		struct entry *e = j->head;

		j->head = e->next;
		entry_free(e);
	}
	free(j->owners);
	pthread_cond_destroy(&j->changed);
	pthread_mutex_destroy(&j->mu);
}

/* False: the deadline. */
static bool
wait_locked(struct journal *j, int64_t deadline)
{
	bool in_time;

	j->waiting++;
	in_time = cond_until(&j->changed, &j->mu, deadline);
	j->waiting--;
	return in_time;
}

static void
wake_locked(struct journal *j)
{
	if (j->waiting)
		pthread_cond_broadcast(&j->changed);
}

/* ---- keys ---- */

static uint32_t
stripe(uint64_t hash)
{
	return (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

/* The rows of a content go together, because ranges of them are deleted. */
static uint32_t
map_stripe(uint32_t share, const void *content)
{
	uint64_t a, b;

	memcpy(&a, content, 8);
	memcpy(&b, (const char *)content + 8, 8);
	return stripe(a ^ (b * UINT64_C(0xff51afd7ed558ccd) + share));
}

static uint32_t
record_stripe(const struct writeset *ws, const struct ws_record *r)
{
	struct row row;

	if (r->kind != K_MAP)
		return stripe(r->hash);
	row_split(&row, ws->bytes + r->at, 2);
	return map_stripe((uint32_t)row_int(&row, 0), row.bytes[1]);
}

static void
drop_locked(struct journal *j, struct holder *h, uint32_t keep)
{
	while (h->n > keep)
		j->owners[h->stripes[--h->n]] = 0;
}

/* 1: it is h's now; 0: another's; -1: no memory. */
static int
take_locked(struct journal *j, struct holder *h, uint32_t at)
{
	if (j->owners[at] == h->id)
		return 1;
	if (j->owners[at])
		return 0;
	if (h->n == h->cap) {
		uint32_t cap = h->cap ? 2 * h->cap : 16;
		uint32_t *stripes = realloc(h->stripes, cap * sizeof(*stripes));

		if (!stripes)
			return -1;
		h->stripes = stripes;
		h->cap = cap;
	}
	j->owners[at] = h->id;
	h->stripes[h->n++] = at;
	return 1;
}

static int
take_all_locked(struct journal *j, struct holder *h, const struct writeset *ws)
{
	uint32_t before = h->n;
	int got = 1;

	for (uint32_t i = 0; got > 0 && i < ws->n; i++)
		got = take_locked(j, h, record_stripe(ws, &ws->records[i]));
	for (uint32_t i = 0; got > 0 && i < ws->n_ranges; i++)
		got = take_locked(j, h,
				  map_stripe(ws->ranges[i].share, ws->ranges[i].content.bytes));
	if (got <= 0)
		drop_locked(j, h, before);
	return got;
}

/* Whether h may take keys now; who wants to be alone announces it here. */
static bool
admitted_locked(struct journal *j, struct holder *h, bool alone, bool has_some)
{
	if (alone && !j->alone)
		j->alone = h->id;
	if (!alone)
		return !j->alone || j->alone == h->id || has_some;
	return j->alone == h->id && j->holders == (has_some ? 1u : 0u);
}

enum dfs_status
journal_hold(struct journal *j, struct holder *h, const struct writeset *ws, bool alone,
	     int64_t deadline)
{
	bool has_some = h->id != 0;
	int got = 0;

	pthread_mutex_lock(&j->mu);
	while (!h->id)
		h->id = ++j->last_id;
	do
		if (admitted_locked(j, h, alone, has_some))
			got = take_all_locked(j, h, ws);
	while (got == 0 && !has_some && wait_locked(j, deadline));
	if (got > 0 && !has_some)
		j->holders++;
	if (got <= 0 && !has_some) {
		if (j->alone == h->id) {
			j->alone = 0;
			wake_locked(j);
		}
		h->id = 0;
	}
	pthread_mutex_unlock(&j->mu);
	return got > 0 ? DFS_OK : got < 0 ? DFS_NOMEM : has_some ? DFS_AGAIN : DFS_DELAY;
}

void
journal_release(struct journal *j, struct holder *h)
{
	if (h->id) {
		pthread_mutex_lock(&j->mu);
		drop_locked(j, h, 0);
		if (j->alone == h->id)
			j->alone = 0;
		j->holders--;
		wake_locked(j);
		pthread_mutex_unlock(&j->mu);
	}
	free(h->stripes);
	memset(h, 0, sizeof(*h));
}

/* ---- entries ---- */

static void
unlink_locked(struct journal *j, struct entry *e)
{
	*(e->prev ? &e->prev->next : &j->head) = e->next;
	*(e->next ? &e->next->prev : &j->tail) = e->prev;
	j->size -= e->size;
}

void
journal_send(struct journal *j, struct entry *e, bool durable)
{
	e->size = sizeof(*e) + writeset_size(e->ws);
	e->state = ENTRY_SENT;
	e->next = NULL;
	pthread_mutex_lock(&j->mu);
	e->number = ++j->sent;
	e->ack = durable ? ++j->acked : 0;
	e->prev = j->tail;
	*(j->tail ? &j->tail->next : &j->head) = e;
	j->tail = e;
	j->size += e->size;
	assert(j->n_doubt < SESSIONS_MAX);
	j->doubt[j->n_doubt++] = e;
	pthread_mutex_unlock(&j->mu);
}

static void
settle_locked(struct journal *j, const struct entry *e)
{
	unsigned i = 0;

	while (j->doubt[i] != e)
		i++;
	j->doubt[i] = j->doubt[--j->n_doubt];
	wake_locked(j);
}

void
journal_lose(struct journal *j, struct entry *e)
{
	pthread_mutex_lock(&j->mu);
	e->state = ENTRY_LOST;
	wake_locked(j);
	pthread_mutex_unlock(&j->mu);
}

uint64_t
journal_ack(struct journal *j, struct entry *e)
{
	uint64_t ack;

	pthread_mutex_lock(&j->mu);
	e->state = ENTRY_ACKED;
	if (!e->ack)
		e->ack = ++j->acked;
	ack = e->ack;
	settle_locked(j, e);
	pthread_mutex_unlock(&j->mu);
	return ack;
}

void
journal_void(struct journal *j, struct entry *e)
{
	pthread_mutex_lock(&j->mu);
	unlink_locked(j, e);
	settle_locked(j, e);
	pthread_mutex_unlock(&j->mu);
}

static uint64_t
read_locked(struct journal *j, const uint64_t *field)
{
	uint64_t v;

	pthread_mutex_lock(&j->mu);
	v = *field;
	pthread_mutex_unlock(&j->mu);
	return v;
}

uint64_t
journal_sent(struct journal *j)
{
	return read_locked(j, &j->sent);
}

uint64_t
journal_acked(struct journal *j)
{
	return read_locked(j, &j->acked);
}

uint64_t
journal_number(struct journal *j)
{
	uint64_t number;

	pthread_mutex_lock(&j->mu);
	number = ++j->sent;
	pthread_mutex_unlock(&j->mu);
	return number;
}

static bool
concerns_locked(const struct journal *j, const struct entry *e, const struct reads *reads)
{
	for (unsigned i = 0; i < reads->n; i++)
		if (j->owners[stripe(reads->keys[i])] == e->holder)
			return true;
	return reads->all;
}

static bool
in_doubt_locked(const struct journal *j, uint64_t number, const struct reads *reads)
{
	for (unsigned i = 0; i < j->n_doubt; i++)
		if (j->doubt[i]->number <= number && concerns_locked(j, j->doubt[i], reads))
			return true;
	return false;
}

enum dfs_status
journal_settled(struct journal *j, uint64_t number, const struct reads *reads, int64_t deadline)
{
	enum dfs_status st = DFS_OK;

	pthread_mutex_lock(&j->mu);
	while (st == DFS_OK && in_doubt_locked(j, number, reads))
		if (!wait_locked(j, deadline))
			st = DFS_DELAY;
	pthread_mutex_unlock(&j->mu);
	return st;
}

enum dfs_status
journal_answered(struct journal *j, uint64_t number, int64_t deadline)
{
	enum dfs_status st = DFS_OK;
	bool waits;

	pthread_mutex_lock(&j->mu);
	do {
		waits = false;
		for (unsigned i = 0; i < j->n_doubt; i++)
			if (j->doubt[i]->state == ENTRY_SENT && j->doubt[i]->number <= number)
				waits = true;
		if (waits && !wait_locked(j, deadline))
			st = DFS_DELAY;
	} while (waits && st == DFS_OK);
	pthread_mutex_unlock(&j->mu);
	return st;
}

/* Take out what is durable; answers it as a list. */
static struct entry *
sweep_locked(struct journal *j)
{
	struct entry *gone = NULL;

	for (struct entry *e = j->head, *next; e && !j->pinned; e = next) {
		next = e->next;
		if (e->state != ENTRY_ACKED || e->ack > j->durable)
			continue;
		if (e->number > j->slots[e->slot])
			j->slots[e->slot] = e->number;
		unlink_locked(j, e);
		e->next = gone;
		gone = e;
	}
	return gone;
}

static void
free_all(struct entry *gone)
{
	while (gone) {
		struct entry *e = gone;

		gone = e->next;
		entry_free(e);
	}
}

void
journal_durable(struct journal *j, uint64_t ack)
{
	struct entry *gone;

	pthread_mutex_lock(&j->mu);
	if (ack > j->durable)
		j->durable = ack;
	gone = sweep_locked(j);
	pthread_mutex_unlock(&j->mu);
	free_all(gone);
}

void
journal_pin(struct journal *j, bool pinned)
{
	struct entry *gone;

	pthread_mutex_lock(&j->mu);
	j->pinned = pinned;
	gone = sweep_locked(j);
	pthread_mutex_unlock(&j->mu);
	free_all(gone);
}

uint64_t
journal_slot(struct journal *j, unsigned slot, uint64_t number)
{
	uint64_t before;

	pthread_mutex_lock(&j->mu);
	before = j->slots[slot];
	if (number > before)
		j->slots[slot] = number;
	pthread_mutex_unlock(&j->mu);
	return before;
}

bool
journal_is_durable(struct journal *j, uint64_t ack)
{
	return read_locked(j, &j->durable) >= ack;
}

bool
journal_full(struct journal *j)
{
	bool full;

	pthread_mutex_lock(&j->mu);
	full = j->size >= j->max;
	pthread_mutex_unlock(&j->mu);
	return full;
}

struct entry *
journal_next_acked(struct journal *j, const struct entry *after)
{
	struct entry *e;

	pthread_mutex_lock(&j->mu);
	e = after ? after->next : j->head;
	while (e && e->state != ENTRY_ACKED)
		e = e->next;
	pthread_mutex_unlock(&j->mu);
	return e;
}
