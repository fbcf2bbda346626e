/* SPDX-License-Identifier: MIT
 *
 * Several servers, one share: who writes, who follows, and what becomes of who is taken over.
 */
#include "fs/test-share.h"
#include "io/gate.h"
#include "payload/payload.h"
#include "payload/store.h"
#include "payload/wal/test-disk.h"

struct two {
	struct test_site site;
	struct test_server id[2];
	struct sim *disk[2];
	struct dfs_wal_config log[2];
	struct fixture a, b;
};

static void
server(struct two *t, unsigned i, struct fixture *f)
{
	t->id[i].site = &t->site;
	memset(t->id[i].self.id, (int)i + 1, sizeof t->id[i].self.id);
	snprintf(t->id[i].self.text, sizeof t->id[i].self.text, "server %c", 'A' + (int)i);
	t->disk[i] = sim_new(i + 1);
	t->log[i] = (struct dfs_wal_config){
		.persister = DFS_WAL_FILE,
		.path = "/log",
		.size = 64u << 20,
		.segment_size = 8u << 20,
		.disk = sim_ops(t->disk[i]),
	};
	*f = (struct fixture){.kind = "test-shared",
			      .durability = DFS_DURABILITY_POWER,
			      .server = &t->id[i],
			      .log = &t->log[i]};
}

static struct two *
two_new(void)
{
	struct two *t = g_new0(struct two, 1);

	test_site_open(&t->site);
	server(t, 0, &t->a);
	server(t, 1, &t->b);
	return t;
}

static void
two_free(struct two *t)
{
	test_site_close(&t->site);
	sim_free(t->disk[0]);
	sim_free(t->disk[1]);
	g_free(t);
}

static enum dfs_status
write_text(struct fixture *f, struct dfs_ref ref, uint64_t offset, const char *text)
{
	enum dfs_stable committed;
	uint64_t verifier;
	struct dfs_wcc wcc;

	return dfs_fs_write(&f->ctx, &ref, offset, text, (uint32_t)strlen(text), DFS_UNSTABLE,
			    &committed, &verifier, &wcc);
}

/* Everything into the stores. */
static void
flush(struct fixture *f)
{
	assert_status(dfs_payload_flush(f->share->payload, dfs_clock_mono() + 10 * DFS_SECOND),
		      DFS_OK);
}

static void
expect_text(struct fixture *f, struct dfs_ref ref, const char *text)
{
	struct dfs_attr attr;
	struct dfs_read r;
	g_autoptr(GString) got = g_string_new(NULL);

	assert_status(dfs_fs_read(&f->ctx, &ref, 0, 4096, &r, &attr), DFS_OK);
	for (uint32_t i = 0; i < r.n; i++)
		g_string_append_len(got, (const char *)r.spans[i].data, r.spans[i].len);
	dfs_read_release(&r);
	g_assert_cmpstr(got->str, ==, text);
}

static void
second_writer_is_refused_and_told_who_writes(void)
{
	struct two *t = two_new();

	fixture_open(&t->a);
	assert_status(fixture_try_open(&t->b), DFS_BUSY);
	g_assert_nonnull(strstr(dfs_fail_text(), "server A"));
	assert_status(write_text(&t->a, make_file(&t->a, t->a.root, "f", 0644), 0, "x"), DFS_OK);
	fixture_close(&t->a);
	two_free(t);
}

static void
closed_share_is_anybodys(void)
{
	struct two *t = two_new();
	struct dfs_ref ref;

	fixture_open(&t->a);
	assert_status(write_text(&t->a, make_file(&t->a, t->a.root, "f", 0644), 0, "of A"), DFS_OK);
	fixture_close(&t->a);
	fixture_open(&t->b);
	assert_status(look(&t->b, t->b.root, "f", &ref), DFS_OK);
	expect_text(&t->b, ref, "of A");
	fixture_close(&t->b);
	two_free(t);
}

static void
server_that_died_takes_its_share_again(void)
{
	struct two *t = two_new();
	uint64_t epoch;

	fixture_open(&t->a);
	epoch = t->a.share->ns->rec.epoch;
	fixture_close(&t->a);
	fixture_open(&t->a);
	g_assert_cmpuint(t->a.share->ns->rec.epoch, >, epoch);
	fixture_close(&t->a);
	two_free(t);
}

/* Its records may have LSNs of the other's log, which is ahead. */
static void
log_goes_on_above_that_of_the_server_before(void)
{
	struct two *t = two_new();
	uint64_t high;

	fixture_open(&t->a);
	assert_status(dfs_wal_advance(t->a.wal, dfs_wal_last(t->a.wal) + (UINT64_C(1) << 55),
				      dfs_clock_mono() + DFS_SECOND),
		      DFS_OK);
	assert_status(write_text(&t->a, make_file(&t->a, t->a.root, "f", 0644), 0, "x"), DFS_OK);
	high = dfs_wal_last(t->a.wal);
	fixture_close(&t->a);
	fixture_open(&t->b);
	g_assert_cmpuint(dfs_wal_last(t->b.wal), >=, high);
	fixture_close(&t->b);
	two_free(t);
}

static int
count_object(void *arg, const char *key, uint64_t length)
{
	++*(unsigned *)arg;
	return 1;
}

static unsigned
objects(struct two *t)
{
	unsigned n = 0;

	assert_status(dfs_block_list(t->site.blocks, "", "", count_object, &n), DFS_OK);
	return n;
}

static void
follower_that_ends_erases_nothing(void)
{
	struct two *t = two_new();
	struct dfs_ref ref;

	t->a.gc_grace = 3600 * DFS_SECOND;
	fixture_open(&t->a);
	ref = make_file(&t->a, t->a.root, "f", 0644);
	assert_status(write_text(&t->a, ref, 0, "first"), DFS_OK);
	flush(&t->a);
	assert_status(write_text(&t->a, ref, 0, "again"), DFS_OK);
	flush(&t->a);
	g_assert_cmpuint(objects(t), ==, 2);
	t->b.read_only = true;
	fixture_open(&t->b);
	fixture_close(&t->b);
	g_assert_cmpuint(objects(t), ==, 2);
	fixture_close(&t->a);
	two_free(t);
}

static void
follower_sees_each_change_that_is_published(void)
{
	struct two *t = two_new();
	struct dfs_ref ref, seen;

	fixture_open(&t->a);
	ref = make_file(&t->a, t->a.root, "f", 0644);
	assert_status(write_text(&t->a, ref, 0, "first"), DFS_OK);
	flush(&t->a);
	t->b.read_only = true;
	fixture_open(&t->b);
	assert_status(look(&t->b, t->b.root, "f", &seen), DFS_OK);
	expect_text(&t->b, seen, "first");
	/* As long: nothing but the content has changed. */
	assert_status(write_text(&t->a, ref, 0, "again"), DFS_OK);
	flush(&t->a);
	expect_text(&t->b, seen, "again");
	assert_status(write_text(&t->a, ref, 5, " and longer"), DFS_OK);
	flush(&t->a);
	expect_text(&t->b, seen, "again and longer");
	g_assert_cmpuint(attr_of(&t->b, seen).length, ==, 16);
	chown_to(&t->a, ref, 77, 78);
	g_assert_cmpuint(attr_of(&t->b, seen).uid, ==, 77);
	assert_status(rename_to(&t->a, t->a.root, "f", t->a.root, "g"), DFS_OK);
	assert_status(look(&t->b, t->b.root, "f", NULL), DFS_NOENT);
	assert_status(look(&t->b, t->b.root, "g", &seen), DFS_OK);
	assert_status(remove_name(&t->a, t->a.root, "g"), DFS_OK);
	assert_status(look(&t->b, t->b.root, "g", NULL), DFS_NOENT);
	fixture_close(&t->b);
	fixture_close(&t->a);
	two_free(t);
}

static void
follower_writes_nothing(void)
{
	struct two *t = two_new();
	struct dfs_ref ref, seen;
	uint64_t commits;

	fixture_open(&t->a);
	ref = make_file(&t->a, t->a.root, "f", 0644);
	assert_status(write_text(&t->a, ref, 0, "text"), DFS_OK);
	flush(&t->a);
	t->b.read_only = true;
	fixture_open(&t->b);
	commits = test_store_commits(t->site.ts);
	assert_status(look(&t->b, t->b.root, "f", &seen), DFS_OK);
	expect_text(&t->b, seen, "text");
	assert_status(write_text(&t->b, seen, 0, "no"), DFS_ROFS);
	g_assert_false(dfs_share_set_read_only(t->b.share, false));
	assert_status(write_text(&t->b, seen, 0, "no"), DFS_ROFS);
	fixture_close(&t->b);
	g_assert_cmpuint(test_store_commits(t->site.ts), ==, commits);
	fixture_close(&t->a);
	two_free(t);
}

static void
share_that_is_not_there_cannot_be_followed(void)
{
	struct two *t = two_new();

	t->b.read_only = true;
	assert_status(fixture_try_open(&t->b), DFS_NOENT);
	two_free(t);
}

static void
server_that_was_taken_over_serves_nothing_and_gives_up_what_its_log_has(void)
{
	struct two *t = two_new();
	struct dfs_ref ref, other;
	struct dfs_attr attr;
	uint64_t logged;

	fixture_open(&t->a);
	ref = make_file(&t->a, t->a.root, "f", 0644);
	assert_status(write_text(&t->a, ref, 0, "flushed"), DFS_OK);
	flush(&t->a);
	assert_status(write_text(&t->a, ref, 0, "lost at"), DFS_OK);
	logged = dfs_wal_last(t->a.wal);
	t->b.take_over = true;
	fixture_open(&t->b);
	assert_status(look(&t->b, t->b.root, "f", &other), DFS_OK);
	expect_text(&t->b, other, "flushed");
	assert_status(write_text(&t->b, other, 0, "by B"), DFS_OK);
	flush(&t->b);
	/* The first change that A tries tells it. */
	assert_status(remove_name(&t->a, t->a.root, "f"), DFS_FENCED);
	assert_status(dfs_fs_getattr(&t->a.ctx, &ref, &attr), DFS_FENCED);
	assert_status(look(&t->b, t->b.root, "f", NULL), DFS_OK);
	assert_status(dfs_share_close(t->a.share, INT64_MAX, dfs_clock_mono() + DFS_SECOND),
		      DFS_OK);
	t->a.share = NULL;
	fixture_close(&t->a);
	expect_text(&t->b, other, "by Bhed");
	fixture_close(&t->b);
	/* Back at A nothing of its log comes over what B wrote; nor at a later start that finds it again. */
	t->a.take_over = false;
	fixture_open(&t->a);
	g_assert_cmpuint(t->a.share->ns->lease.lsn, >=, logged);
	g_assert_cmpuint(t->a.share->ns->lease.returned, <, logged);
	expect_text(&t->a, other, "by Bhed");
	fixture_close(&t->a);
	two_free(t);
}

/* Else it would report at the next start, as lost, what its log still has of the share for another's sake. */
static void
who_gave_a_share_back_knows_it_whoever_had_it_since(void)
{
	struct two *t = two_new();
	struct dfs_ref ref, other;
	uint64_t logged;

	fixture_open(&t->a);
	ref = make_file(&t->a, t->a.root, "f", 0644);
	assert_status(write_text(&t->a, ref, 0, "by A"), DFS_OK);
	logged = dfs_wal_last(t->a.wal);
	fixture_close(&t->a);
	fixture_open(&t->b);
	assert_status(look(&t->b, t->b.root, "f", &other), DFS_OK);
	assert_status(write_text(&t->b, other, 0, "by B"), DFS_OK);
	fixture_close(&t->b);
	fixture_open(&t->a);
	g_assert_cmpuint(t->a.share->ns->lease.returned, >=, logged);
	expect_text(&t->a, other, "by B");
	fixture_close(&t->a);
	two_free(t);
}

/* A batch of records waits to be written for several shares: one that is another server's by now does not
 * fail the others. */
static void
sync_goes_on_without_a_share_that_was_taken_over(void)
{
	struct two *t = two_new();
	struct dfs_ref dir;
	struct dfs_attr attr;

	fixture_open(&t->a);
	dir = make_dir(&t->a, t->a.root, "d", 0755);
	make_file(&t->a, dir, "f", 0644); /* the folder's times follow later */
	t->b.take_over = true;
	fixture_open(&t->b);
	assert_status(dfs_gate_wait_sync(t->a.metadata->gate, t->a.metadata->last_seq + 1,
					 DFS_SYNC_POWER, dfs_clock_mono() + 20 * DFS_SECOND),
		      DFS_OK);
	assert_status(dfs_fs_getattr(&t->a.ctx, &dir, &attr), DFS_FENCED);
	fixture_close(&t->a);
	fixture_close(&t->b);
	two_free(t);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
		{"second writer is refused and told who writes",
		 second_writer_is_refused_and_told_who_writes},
		{"closed share is anybody's", closed_share_is_anybodys},
		{"who gave a share back knows it whoever had it since",
		 who_gave_a_share_back_knows_it_whoever_had_it_since},
		{"server that died takes its share again", server_that_died_takes_its_share_again},
		{"log goes on above that of the server before",
		 log_goes_on_above_that_of_the_server_before},
		{"follower that ends erases nothing", follower_that_ends_erases_nothing},
		{"follower sees each change that is published",
		 follower_sees_each_change_that_is_published},
		{"follower writes nothing", follower_writes_nothing},
		{"share that is not there cannot be followed",
		 share_that_is_not_there_cannot_be_followed},
		{"sync goes on without a share that was taken over",
		 sync_goes_on_without_a_share_that_was_taken_over},
		{"server that was taken over serves nothing and gives up what its log has",
		 server_that_was_taken_over_serves_nothing_and_gives_up_what_its_log_has},
	};

	g_test_init(&argc, &argv, NULL);
	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/servers/", tests[i].name, NULL);
		g_test_add_func(path, tests[i].fn);
	}
	return g_test_run();
}
