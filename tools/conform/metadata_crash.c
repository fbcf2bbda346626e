/* SPDX-License-Identifier: MIT
 *
 * Crashes: a child commits and syncs and is killed, by itself after a certain commit or by its
 * parent at any moment; opened again, the store holds a prefix of the commits, each whole, at
 * least up to the last sync that was acknowledged.
 *
 * Commit i writes the number i, adds entry i, deletes entry i-WINDOW, and adds i to a sum of usage
 * where the store has them: so the state after any commit is known from its number.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/conform/metadata.h"

#define WINDOW 10
#define INDEXES 12 /* commits after each of which a child kills itself */
#define ROUNDS 12  /* children that are killed at random moments */
#define DIR 2

/* What the child tells through the pipe: after the call has returned. */
struct report {
	uint64_t committed, synced; /* numbers of commits */
};

static enum dfs_status
put_number(struct md *m, struct dfs_txn *txn, void *arg)
{
	uint64_t i = *(uint64_t *)arg;
	struct dfs_dirent_record rec;
	enum dfs_status st;
	char name[200];

	/* Some commits are large, so that they span blocks and pages. */
	memset(name, 'x', sizeof(name));
	name[i % 7 == 0 ? 199 : 5] = 0;
	md_dirent(&rec, 64 + i, name);
	st = m->ops->put_dirent(m->inst, txn, SHARE, DIR, &rec);
	if (st == DFS_OK)
		st = m->ops->put_state(m->inst, txn, SHARE, "number", 6, &i, sizeof(i));
	if (st == DFS_OK && i > WINDOW)
		st = m->ops->del_dirent(m->inst, txn, SHARE, DIR, rec.cookie - WINDOW);
	if (st == DFS_OK && m->ops->add_usage)
		st = md_add_usage(m, txn, SHARE, DFS_USAGE_USER, 7, (int64_t)i, 1);
	return st;
}

static bool
commit_number(struct md *m, uint64_t i, uint64_t *seq)
{
	return EXPECT(m->c, md_transact_alone(m, DFS_TXN_WRITE, put_number, &i, seq), DFS_OK);
}

/* Checks that the state is that of one commit; answers its number. */
static uint64_t
check_number(struct md *m)
{
	struct dfs_txn *txn = md_begin(m, DFS_TXN_READ);
	enum dfs_status st = DFS_IO;
	uint64_t last;
	GArray *a;

	if (!txn)
		return 0;
	last = md_get_number(m, txn, "number", &st);
	EXPECT(m->c, st, DFS_OK);
	a = md_scan(m, txn, SHARE, DIR, 0, 0);
	CHECK(m->c, a->len == MIN(last, WINDOW), "%u entries after commit %u", a->len,
	      (unsigned)last);
	for (guint i = 0; i < a->len; i++)
		CHECK(m->c, g_array_index(a, uint64_t, i) == 64 + last - a->len + 1 + i,
		      "entry %u is not of commit %u", i, (unsigned)last);
	g_array_unref(a);
	if (m->ops->add_usage) {
		struct dfs_usage_record sum = md_get_usage(m, txn, SHARE, DFS_USAGE_USER, 7);

		CHECK(m->c,
		      sum.files == (int64_t)last && sum.bytes == (int64_t)(last * (last + 1) / 2),
		      "the sum after commit %u is of %u additions", (unsigned)last,
		      (unsigned)sum.files);
	}
	m->ops->abort(m->inst, txn);
	return last;
}

#define LEVEL_MIXED 3 /* process or power by chance; only power counts as synced */

/* arg: "LAST KILL_AT SYNC_EVERY LEVEL"; LAST is the number to go on from, KILL_AT 0: never. */
static int
run_writer(struct conform *c, const char *dir, const char *arg, int fd)
{
	struct md m = {.c = c, .ops = &c->plugin->ops.metadata};
	struct report report = {0};
	uint64_t seq = 0, last, chance = c->seed;
	unsigned kill_at, every, level;

	if (sscanf(arg, "%" G_GUINT64_FORMAT " %u %u %u", &last, &kill_at, &every, &level) != 4)
		return 3;
	if (conform_open(c, dir, &m.inst) != DFS_OK)
		return 4;
	for (uint64_t i = last + 1, n = 1; i < last + 1000000; i++, n++) {
		if (!commit_number(&m, i, &seq))
			return 5;
		report.committed = i;
		if (every && n % every == 0) {
			unsigned now = level == LEVEL_MIXED
					       ? 1 + (conform_random(&chance) % 25 == 0)
					       : level;

			if (m.ops->sync(m.inst, seq, now) != DFS_OK)
				return 6;
			if (level != LEVEL_MIXED || now == DFS_SYNC_POWER)
				report.synced = i;
		}
		if (write(fd, &report, sizeof(report)) != sizeof(report))
			return 7;
		if (kill_at == n)
			raise(SIGKILL);
	}
	return 0;
}

/* arg: the number of the last commit that was synced.  For tests that make crashes of their own,
 * such as a loss of power. */
static int
run_check(struct conform *c, const char *dir, const char *arg, int fd)
{
	struct md m = {.c = c, .ops = &c->plugin->ops.metadata};
	enum dfs_status st = conform_open(c, dir, &m.inst);
	uint64_t last, synced = g_ascii_strtoull(arg, NULL, 10);

	if (!CHECK(c, st == DFS_OK, "create answers %s: %s", dfs_status_name(st), c->diag.text))
		return 1;
	last = check_number(&m);
	CHECK(c, last >= synced, "commit %u was synced, but only %u is there", (unsigned)synced,
	      (unsigned)last);
	CHECK(c, commit_number(&m, last + 1, NULL), "it takes no commit any more");
	conform_close(c, m.inst);
	return c->failures || c->is_void ? 1 : 0;
}

/* Read reports until the end; the last one counts. */
static void
read_reports(int fd, struct report *report, unsigned stop_after)
{
	struct report r;

	for (unsigned n = 0; !stop_after || n < stop_after; n++) {
		ssize_t got = read(fd, &r, sizeof(r));

		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(r))
			return;
		*report = r;
	}
}

/* After the child's death: what lies in the folder. */
static uint64_t
check_after(struct conform *c, char *dir, uint64_t before, const struct report *report)
{
	struct md m = {.c = c, .ops = &c->plugin->ops.metadata, .dir = dir};
	enum dfs_status st = conform_open(c, dir, &m.inst);
	uint64_t last;

	if (!CHECK(c, st == DFS_OK, "create answers %s: %s", dfs_status_name(st), c->diag.text))
		return before;
	last = check_number(&m);
	CHECK(c, last >= report->synced, "commit %u was synced, but only %u is there",
	      (unsigned)report->synced, (unsigned)last);
	CHECK(c, last >= before, "older commits have gone");
	/* One commit may have ended without its report. */
	CHECK(c, last <= MAX(before, report->committed) + 1, "commit %u was never made",
	      (unsigned)last);
	/* It goes on from here. */
	if (CHECK(c, commit_number(&m, last + 1, NULL), "it takes no commit any more")) {
		last++;
		EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	}
	conform_close(c, m.inst);
	return last;
}

static void
reap(struct conform *c, pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	CHECK(c, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "the child ended by itself with status %d", WEXITSTATUS(status));
}

static bool
skip_volatile(struct conform *c)
{
	if (!md_volatile(c))
		return false;
	conform_skip(c, "the store is volatile");
	return true;
}

static void
kill_at_indexes(struct conform *c, unsigned every, unsigned level)
{
	for (unsigned at = 1; at <= INDEXES && !c->failures; at++) {
		g_autofree char *dir = conform_dir(c);
		g_autofree char *arg = g_strdup_printf("0 %u %u %u", at, every, level);
		struct report report = {0};
		int fd;
		pid_t pid = conform_spawn(c, "writer", dir, arg, &fd);

		read_reports(fd, &report, 0);
		close(fd);
		reap(c, pid);
		CHECK(c, report.committed == at, "the child died before its time");
		check_after(c, dir, 0, &report);
	}
}

static void
test_unsynced(struct conform *c)
{
	if (!skip_volatile(c))
		kill_at_indexes(c, 0, 0);
}

static void
test_process(struct conform *c)
{
	if (!skip_volatile(c))
		kill_at_indexes(c, 3, DFS_SYNC_PROCESS);
}

static void
test_power(struct conform *c)
{
	if (!skip_volatile(c))
		kill_at_indexes(c, 1, DFS_SYNC_POWER);
}

static void
test_random(struct conform *c)
{
	g_autofree char *dir = NULL;
	uint64_t last = 0, seed = c->seed;

	if (skip_volatile(c))
		return;
	dir = conform_dir(c);
	for (unsigned round = 0; round < ROUNDS && !c->failures; round++) {
		unsigned level = round & 1 ? DFS_SYNC_POWER : DFS_SYNC_PROCESS;
		g_autofree char *arg =
			g_strdup_printf("%" G_GUINT64_FORMAT " 0 %u %u", last,
					1 + (unsigned)(conform_random(&seed) % 40), level);
		struct report report = {0};
		int fd;
		pid_t pid = conform_spawn(c, "writer", dir, arg, &fd);

		/* So many reports, then at once: the child is anywhere in its loop. */
		read_reports(fd, &report, 1 + conform_random(&seed) % 2000);
		kill(pid, SIGKILL);
		read_reports(fd, &report, 0);
		close(fd);
		reap(c, pid);
		last = check_after(c, dir, last, &report);
	}
}

const struct conform_test metadata_crash_tests[] = {
	{"crash", "killed after any commit without sync: a prefix is there", test_unsynced},
	{"crash", "killed after any commit: what was synced for the process is there",
	 test_process},
	{"crash", "killed after any commit: what was synced for power is there", test_power},
	{"crash", "killed at random moments, again and again: a prefix up to the last sync",
	 test_random},
	{NULL}};

const struct conform_role metadata_roles[] = {
	{"writer", run_writer}, {"check", run_check}, {NULL, NULL}};
