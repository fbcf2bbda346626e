/* SPDX-License-Identifier: MIT
 *
 * The limits of a transfer.  libcurl bounds connecting and the whole; how long the first byte may
 * take and how slow the bytes may come is looked at here, several times a second.
 */
#include <stdio.h>
#include <time.h>

#include "engine.h"

#define MARKS (sizeof((struct transfer *)0)->mark / sizeof(uint64_t))

uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
watch_phase(struct transfer *t, uint64_t now)
{
	t->n_marks = 0;
	t->mark_at = now;
}

bool
watch_passed(struct transfer *t, const char *what, uint64_t limit)
{
	snprintf(t->why, sizeof t->why, "%s within %.3g s", what, (double)limit / 1e9);
	return false;
}

/* Compares with what had moved one stall ago, at steps of an eighth. */
static bool
fast_enough(struct transfer *t, uint64_t now)
{
	uint64_t *mark = &t->mark[t->n_marks % MARKS];

	if (now < t->mark_at)
		return true;
	if (t->n_marks >= MARKS &&
	    (double)(t->moved - *mark) <
		    (double)t->limits.stall_rate * ((double)t->limits.stall / 1e9)) {
		snprintf(t->why, sizeof t->why, "fewer than %llu bytes/s for %.3g s",
			 (unsigned long long)t->limits.stall_rate, (double)t->limits.stall / 1e9);
		return false;
	}
	*mark = t->moved;
	t->n_marks++;
	t->mark_at += t->limits.stall / MARKS;
	return true;
}

bool
watch_check(struct transfer *t, uint64_t now)
{
	if (now >= t->deadline)
		return watch_passed(t, "not finished", t->limits.total);
	if (!t->connected)
		return true;
	if (!t->answered && t->sent == t->length) {
		uint64_t since = t->last_sent > t->connected ? t->last_sent : t->connected;

		return now < since + t->limits.response ||
		       watch_passed(t, "no answer", t->limits.response);
	}
	return fast_enough(t, now);
}
