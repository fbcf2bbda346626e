/* SPDX-License-Identifier: MIT
 *
 * The life of a transfer: queued, sent out when there is a slot for it, waited for, counted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cond.h"
#include "base/container.h"
#include "base/log.h"
#include "payload/offload/metrics.h"
#include "payload/offload/offload.h"
#include "payload/store.h"

static struct dfs_transfer *
transfer_of(struct dfs_entry *e)
{
	return DFS_CONTAINER_OF(e, struct dfs_transfer, entry);
}

void
dfs_transfer_init(struct dfs_transfer *t, struct dfs_offload *o, enum dfs_entry_class class)
{
	memset(t, 0, sizeof *t);
	t->offload = o;
	t->entry.class = class;
	t->refs = 1;
	dfs_cond_init(&t->ended_cond);
	dfs_offload_enter(o);
}

struct dfs_transfer *
dfs_transfer_ref_locked(struct dfs_transfer *t)
{
	t->refs++;
	return t;
}

/* The last reference's holder has the lock, and freeing wants none: left to dfs_offload_unlock. */
static void
unref_locked(struct dfs_transfer *t)
{
	struct dfs_offload *o = t->offload;

	if (--t->refs > 0)
		return;
	t->next_dead = o->dead;
	o->dead = t;
}

void
dfs_transfer_unref(struct dfs_transfer *t)
{
	struct dfs_offload *o = t->offload;

	dfs_offload_lock(o);
	unref_locked(t);
	dfs_offload_unlock(o);
}

static void
end_locked(struct dfs_transfer *t, enum dfs_status status, const char *text)
{
	t->status = status;
	if (status != DFS_OK && text && text[0])
		t->text = strdup(text);
	t->done = true;
	t->running = false;
	if (t->ended)
		t->ended(t);
	pthread_cond_broadcast(&t->ended_cond);
}

/* Take back what waits, with status; the queue's reference goes. */
static void
withdraw_locked(struct dfs_transfer *t, enum dfs_status status, const char *text)
{
	dfs_counter_add(dfs_offload_metrics()->queue_depth[t->entry.class], -1);
	dfs_queue_remove(&t->offload->queue, &t->entry);
	end_locked(t, status, text);
	unref_locked(t);
}

void
dfs_transfer_withdraw_all_locked(struct dfs_offload *o, enum dfs_status status, const char *text)
{
	for (int class = 0; class < DFS_ENTRY_CLASSES; class ++)
		while (o->queue.oldest[class])
			withdraw_locked(transfer_of(o->queue.oldest[class]), status, text);
}

static void
note_locked(struct dfs_offload *o, struct dfs_transfer *t, enum dfs_status status, const char *text)
{
	int64_t now = dfs_clock_mono();
	bool probe = t->probe, again = status == DFS_IO && t->object && t->object == o->bad_object;

	t->probe = false;
	/* One object that cannot be read, however often, is not a store that fails. */
	if (status == DFS_IO && t->object)
		o->bad_object = t->object;
	if (again && !probe)
		return;
	if (!dfs_breaker_note(&o->breaker, status, probe, now))
		return;
	if (o->breaker.state == DFS_BREAKER_CLOSED) {
		dfs_log(DFS_LOG_INFO, "block store %s: answers again", o->store->name);
		return;
	}
	dfs_counter_add(dfs_offload_metrics()->breaker_opened, 1);
	if (dfs_breaker_refusal(status))
		dfs_log(DFS_LOG_ERROR,
			"block store %s: refuses us: %s (%s): reads are put off and data stays "
			"here until it does not",
			o->store->name, dfs_status_name(status), text ? text : "");
	else
		dfs_log(DFS_LOG_WARN,
			"block store %s: does not serve: %s (%s): reads are put off and data stays "
			"here until it does",
			o->store->name, dfs_status_name(status), text ? text : "");
	dfs_transfer_withdraw_all_locked(o, DFS_DELAY, "the block store does not serve");
}

static void
slot_take_locked(struct dfs_transfer *t)
{
	struct dfs_offload *o = t->offload;

	dfs_counter_add(dfs_offload_metrics()->inflight[dfs_entry_direction(t->entry.class)], 1);
	t->running = true;
	t->launched = dfs_clock_mono();
	t->run_next = NULL;
	t->run_prev = o->running_last;
	*(t->run_prev ? &t->run_prev->run_next : &o->running) = t;
	o->running_last = t;
}

static void
slot_free_locked(struct dfs_transfer *t)
{
	struct dfs_offload *o = t->offload;

	dfs_counter_add(dfs_offload_metrics()->inflight[dfs_entry_direction(t->entry.class)], -1);
	*(t->run_prev ? &t->run_prev->run_next : &o->running) = t->run_next;
	*(t->run_next ? &t->run_next->run_prev : &o->running_last) = t->run_prev;
	dfs_queue_done(&o->queue, &t->entry);
}

/* Calls that nobody waits for hang too: what runs for longer than any may is a failure. */
static void
count_lost_locked(struct dfs_offload *o)
{
	int64_t before = dfs_clock_mono() - o->times.prefetch;

	for (struct dfs_transfer *t = o->running; t && t->launched < before; t = t->run_next) {
		if (t->counted)
			continue;
		t->counted = true;
		note_locked(o, t, DFS_TIMEDOUT, "a call does not return");
	}
}

/* The store's call has returned. */
static void
account_locked(struct dfs_transfer *t, enum dfs_status status, const char *text)
{
	struct dfs_offload *o = t->offload;
	enum dfs_direction dir = dfs_entry_direction(t->entry.class);
	int64_t now = dfs_clock_mono();

	slot_free_locked(t);
	dfs_window_end(&o->window[dir], status, t->bytes, t->began, now);
	if (status == DFS_OK && t->bytes > 0) {
		const struct dfs_offload_metrics *m = dfs_offload_metrics();

		dfs_histogram_add(dir == DFS_UP ? &m->put_seconds : &m->get_seconds,
				  now - t->began);
	}
	/* Its caller may have counted it as failed when it left; that it ended well is news. */
	if (!t->counted || status == DFS_OK)
		note_locked(o, t, status, text);
}

static void pump_locked(struct dfs_offload *o);

static void
run(struct dfs_task *task)
{
	struct dfs_transfer *t = DFS_CONTAINER_OF(task, struct dfs_transfer, task);
	struct dfs_offload *o = t->offload;
	enum dfs_status status;

	dfs_offload_lock(o);
	t->began = dfs_clock_mono();
	dfs_offload_unlock(o);
	dfs_fail(DFS_OK, "%s", "");
	status = t->call(t);
	dfs_offload_lock(o);
	account_locked(t, status, dfs_fail_text());
	end_locked(t, status, dfs_fail_text());
	unref_locked(t);
	pump_locked(o);
	dfs_offload_unlock(o);
}

/* It has left the queue for a slot. */
static void
launch_locked(struct dfs_transfer *t)
{
	struct dfs_offload *o = t->offload;
	enum dfs_direction dir = dfs_entry_direction(t->entry.class);

	dfs_counter_add(dfs_offload_metrics()->queue_depth[t->entry.class], -1);
	slot_take_locked(t);
	dfs_window_begin(&o->window[dir], o->queue.running[dir], t->launched);
	t->task.run = run;
	if (dfs_lane_submit(o->lane, &t->task))
		return;
	slot_free_locked(t);
	end_locked(t, DFS_DELAY, "no thread for a call to the block store");
	unref_locked(t);
}

/* Send out what may go. */
static void
pump_locked(struct dfs_offload *o)
{
	struct dfs_entry *e;

	dfs_offload_show_locked(o);
	while ((e = dfs_queue_pop(&o->queue, dfs_clock_mono())) != NULL)
		launch_locked(transfer_of(e));
}

static enum dfs_status
refuse_locked(struct dfs_transfer *t, enum dfs_status status, const char *text)
{
	end_locked(t, status, text);
	return dfs_fail(status, "block store %s: %s", t->offload->store->name, text);
}

enum dfs_status
dfs_transfer_start_locked(struct dfs_transfer *t, const struct dfs_content_id *content)
{
	struct dfs_offload *o = t->offload;
	enum dfs_breaker_pass pass;
	int64_t now = dfs_clock_mono();

	if (o->stop)
		return refuse_locked(t, DFS_SHUTDOWN, "is being closed");
	count_lost_locked(o);
	pass = dfs_breaker_ask(&o->breaker, now);
	if (pass == DFS_BREAKER_REFUSE) {
		dfs_counter_add(dfs_offload_metrics()->refused, 1);
		return refuse_locked(t, DFS_DELAY, "does not serve");
	}
	if (!dfs_queue_push(&o->queue, &t->entry, content, now))
		return refuse_locked(t, DFS_NOMEM, "no memory for a transfer");
	dfs_transfer_ref_locked(t);
	dfs_counter_add(dfs_offload_metrics()->queue_depth[t->entry.class], 1);
	if (pass == DFS_BREAKER_PROBE) {
		/* The slots may all be held by calls that hang. */
		t->probe = true;
		dfs_queue_start(&o->queue, &t->entry);
		launch_locked(t);
	}
	pump_locked(o);
	return DFS_OK;
}

enum dfs_status
dfs_transfer_start(struct dfs_transfer *t, const struct dfs_content_id *content)
{
	enum dfs_status status;

	dfs_offload_lock(t->offload);
	status = dfs_transfer_start_locked(t, content);
	dfs_offload_unlock(t->offload);
	return status;
}

/* Its caller waits no more. */
static void
leave_locked(struct dfs_transfer *t, bool impatient)
{
	struct dfs_offload *o = t->offload;
	int64_t ran = t->began ? dfs_clock_mono() - t->began : 0;

	t->left = true;
	if (!t->running) {
		/* The other references are the queue's, and those of callers who go on waiting. */
		if (t->refs == 2)
			withdraw_locked(t, DFS_TIMEDOUT, "no turn before the deadline");
		return;
	}
	if (t->counted || !(impatient || ran >= o->times.slow))
		return;
	t->counted = true;
	dfs_window_end(&o->window[dfs_entry_direction(t->entry.class)], DFS_TIMEDOUT, 0, t->began,
		       dfs_clock_mono());
	note_locked(o, t, DFS_TIMEDOUT, "no answer in time");
	dfs_offload_show_locked(o);
}

enum dfs_status
dfs_transfer_wait(struct dfs_transfer *t, int64_t deadline, int64_t patience)
{
	struct dfs_offload *o = t->offload;
	enum dfs_status status;

	dfs_offload_lock(o);
	while (!t->done) {
		int64_t now = dfs_clock_mono();
		/* One that has not begun is looked at again when it might have run for so long. */
		int64_t until = (t->began ? t->began : now) + patience;
		bool impatient = until < deadline;

		if (t->returned) {
			pthread_cond_wait(&t->ended_cond, &o->mu);
			continue;
		}
		if (now < until && now < deadline) {
			dfs_cond_until(&t->ended_cond, &o->mu, impatient ? until : deadline);
			continue;
		}
		leave_locked(t, impatient);
		dfs_offload_unlock(o);
		return dfs_fail(DFS_TIMEDOUT, "block store %s: no answer in time", o->store->name);
	}
	status = t->status;
	if (status != DFS_OK && t->text)
		dfs_fail(status, "%s", t->text);
	dfs_offload_unlock(o);
	return status;
}

void
dfs_transfer_raise_locked(struct dfs_transfer *t, enum dfs_entry_class class)
{
	const struct dfs_offload_metrics *m = dfs_offload_metrics();

	if (t->done || class >= t->entry.class)
		return;
	if (t->entry.class == DFS_PREFETCH_GET)
		dfs_counter_add(m->prefetch_used, 1);
	if (!t->running) {
		dfs_counter_add(m->queue_depth[t->entry.class], -1);
		dfs_counter_add(m->queue_depth[class], 1);
	}
	dfs_queue_raise(&t->offload->queue, &t->entry, class);
}
