/* SPDX-License-Identifier: MIT
 *
 * The status monitor without a network: what it remembers, whom it believes, and its procedures against
 * rpcgen's codec.  A second instance on the same folder stands for the server after a crash.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "adapters/nfs/nsm/table.h"
#include "adapters/nfs/test-rpcgen.h"
#include "base/log.h"
#include "io/worker.h"

#define NLM 100021

static struct dfs_workers *workers;
static struct dfs_lane *lane;
static char *dir;
static struct nfs_nsm *nsm;
static GString *dropped; /* "ADDRESS NAME,..." */

static void
restarted(void *arg, const union nfs_address *peer, const char *name)
{
	char text[NFS_ADDRESS_TEXT];

	(void)arg;
	g_string_append_printf(dropped, "%s%s %s", dropped->len ? "," : "",
			       nfs_address_text(peer, text), name);
}

static struct nfs_nsm *
open_nsm(void)
{
	struct nfs_nsm *n;

	g_assert_cmpint(nfs_nsm_new(dir, lane, &n), ==, DFS_OK);
	nfs_nsm_on_restart(n, restarted, NULL);
	return n;
}

static void
begin(void)
{
	dir = g_dir_make_tmp("dittofs-nsm.XXXXXX", NULL);
	workers = dfs_workers_new(2);
	lane = dfs_lane_new(workers, 1, 16);
	dropped = g_string_new(NULL);
	nsm = conn.service.nsm = open_nsm();
	test_conn_peer(&conn, "192.0.2.7", 900);
}

static void
end(void)
{
	g_autofree char *file = g_build_filename(dir, "nsm", NULL);

	nfs_nsm_free(nsm);
	dfs_lane_free(lane);
	dfs_workers_free(workers);
	g_string_free(dropped, TRUE);
	g_unlink(file);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
	g_free(dir);
}

static char *
file_text(void)
{
	g_autofree char *file = g_build_filename(dir, "nsm", NULL);
	char *text = NULL;

	g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
	return text;
}

/* Nothing is logged to where TAP goes. */
static int
log_away(void)
{
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	dup2(null, 2);
	close(null);
	return saved;
}

static void
log_back(int saved)
{
	dup2(saved, 2);
	close(saved);
}

static enum dfs_status
wait_durable(const struct dfs_ctx *ctx)
{
	for (unsigned i = 0; i < ctx->n_tickets; i++) {
		enum dfs_status status = dfs_gate_wait_sync(
			ctx->tickets[i].gate, ctx->tickets[i].seq, ctx->tickets[i].level,
			dfs_clock_mono() + 60 * DFS_SECOND);
		if (status != DFS_OK)
			return status;
	}
	return DFS_OK;
}

/* The lock manager takes a lock of the connection's peer. */
static void
hold(const char *name, uint32_t state)
{
	struct dfs_ctx ctx = {.n_tickets = 0};

	g_assert_cmpint(
		nfs_nsm_monitor(nsm, &conn.access, name, (uint32_t)strlen(name), state, &ctx), ==,
		DFS_OK);
	g_assert_cmpint(wait_durable(&ctx), ==, DFS_OK);
}

static void
let_go(const char *name)
{
	nfs_nsm_forget(nsm, &conn.access.peer, name, (uint32_t)strlen(name));
}

static void
run_proc(uint32_t proc)
{
	g_assert_cmpint(test_conn_run(&conn, &nsm1_procs[proc]), ==, DFS_OK);
	g_assert_cmpint(wait_durable(&conn.call.ctx), ==, DFS_OK);
}

static void
notify(const char *name, int state)
{
	o_stat_chge args = {(char *)(uintptr_t)name, state};

	ENCODE(o_stat_chge, &args);
	run_proc(6);
	g_assert_cmpuint(conn.flat_len, ==, 0);
}

static o_sm_stat_res
mon(const char *host, const char *user, int program)
{
	o_mon args = {.mon_id = {.mon_name = (char *)(uintptr_t)host,
				 .my_id = {(char *)(uintptr_t)user, program, 4, 16}},
		      .priv = "0123456789abcde"};
	o_sm_stat_res res;

	ENCODE(o_mon, &args);
	run_proc(2);
	DECODE(o_sm_stat_res, &res);
	return res;
}

static void
test_state_is_odd_and_grows(void)
{
	begin();
	for (uint32_t want = 1; want < 12; want += 2) {
		g_assert_cmpuint(nfs_nsm_state(nsm), ==, want);
		nfs_nsm_free(nsm);
		nsm = conn.service.nsm = open_nsm();
	}
	end();
}

static void
test_peer_is_durable_before_the_reply(void)
{
	struct dfs_ctx ctx = {.n_tickets = 0};
	g_autofree char *before = NULL, *after = NULL;

	begin();
	before = file_text();
	g_assert_null(strstr(before, "peer"));
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "client", 6, 5, &ctx), ==, DFS_OK);
	g_assert_cmpuint(ctx.n_tickets, ==, 1);
	g_assert_cmpint(wait_durable(&ctx), ==, DFS_OK);
	after = file_text();
	g_assert_nonnull(strstr(after, "\npeer 192.0.2.7 - 5 client\n"));
	end();
}

static void
test_known_peer_costs_no_wait(void)
{
	struct dfs_ctx ctx = {.n_tickets = 0};

	begin();
	hold("client", 5);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "client", 6, 5, &ctx), ==, DFS_OK);
	let_go("client");
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "client", 6, 5, &ctx), ==, DFS_OK);
	g_assert_cmpuint(ctx.n_tickets, ==, 0);
	end();
}

static void
test_peers_are_untold_after_a_crash(void)
{
	struct nfs_nsm *next;

	begin();
	hold("client", 5);
	hold("other", 5);
	test_conn_peer(&conn, "2001:db8::1", 900);
	hold("client", 5);
	next = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(next), ==, 3);
	g_assert_cmpuint(nfs_nsm_state(next), ==, 3);
	/* Once more, before anybody was told. */
	nfs_nsm_free(next);
	next = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(next), ==, 3);
	g_assert_cmpuint(nfs_nsm_state(next), ==, 5);
	nfs_nsm_free(next);
	end();
}

static void
test_peer_without_locks_is_forgotten(void)
{
	begin();
	hold("client", 5);
	hold("other", 5);
	let_go("client");
	nfs_nsm_free(nsm);
	nsm = conn.service.nsm = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(nsm), ==, 1);
	end();
}

static void
test_any_name_survives(void)
{
	static const char *const names[] = {"a b", "new\nline", "100%", "\xff\x01", "%41", "-"};

	begin();
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		hold(names[i], 1);
	nfs_nsm_free(nsm);
	nsm = conn.service.nsm = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(nsm), ==, G_N_ELEMENTS(names));
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_nonnull(nsm_find_locked(nsm, &conn.access.peer, names[i]));
	end();
}

static void
test_names_that_are_none_are_refused(void)
{
	struct dfs_ctx ctx = {.n_tickets = 0};
	char text[NSM_NAME_MAX + 1];

	begin();
	memset(text, 'x', sizeof text);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, text, sizeof text, 1, &ctx), ==,
			DFS_NAMETOOLONG);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "", 0, 1, &ctx), ==, DFS_INVAL);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "a\0b", 3, 1, &ctx), ==, DFS_INVAL);
	g_assert_cmpuint(nfs_nsm_peers(nsm), ==, 0);
	end();
}

static enum dfs_status
monitor_nth(unsigned i)
{
	struct dfs_ctx ctx = {.n_tickets = 0};
	g_autofree char *name = g_strdup_printf("client-%u", i);

	return nfs_nsm_monitor(nsm, &conn.access, name, (uint32_t)strlen(name), 1, &ctx);
}

static void
test_names_of_one_address_are_bounded(void)
{
	begin();
	for (unsigned i = 0; i < NSM_PEERS_ADDRESS_MAX; i++)
		g_assert_cmpint(monitor_nth(i), ==, DFS_OK);
	g_assert_cmpint(monitor_nth(NSM_PEERS_ADDRESS_MAX), ==, DFS_NOSPC);
	/* One that holds nothing any more makes room. */
	let_go("client-77");
	g_assert_cmpint(monitor_nth(NSM_PEERS_ADDRESS_MAX), ==, DFS_OK);
	test_conn_peer(&conn, "192.0.2.8", 900);
	g_assert_cmpint(monitor_nth(0), ==, DFS_OK);
	end();
}

static void
test_table_is_bounded(void)
{
	begin();
	for (unsigned a = 0; a < NSM_PEERS_MAX / NSM_PEERS_ADDRESS_MAX; a++) {
		g_autofree char *address = g_strdup_printf("198.51.100.%u", a);
		test_conn_peer(&conn, address, 900);
		for (unsigned i = 0; i < NSM_PEERS_ADDRESS_MAX; i++)
			g_assert_cmpint(monitor_nth(i), ==, DFS_OK);
	}
	g_assert_cmpuint(nfs_nsm_peers(nsm), ==, NSM_PEERS_MAX);
	test_conn_peer(&conn, "192.0.2.7", 900);
	g_assert_cmpint(monitor_nth(0), ==, DFS_NOSPC);
	test_conn_peer(&conn, "198.51.100.9", 900);
	let_go("client-9");
	test_conn_peer(&conn, "192.0.2.7", 900);
	g_assert_cmpint(monitor_nth(0), ==, DFS_OK);
	end();
}

static void
test_watches_lapse_with_the_host(void)
{
	g_autofree char *file = NULL, *text = NULL;

	begin();
	file = g_build_filename(dir, "nsm", NULL);
	nfs_nsm_free(nsm);
	g_assert_true(g_file_set_contents(file,
					  "dittofs-nsm 1\nstate 3 another\nwatch 100021 4 16 "
					  "00000000000000000000000000000000 me host\nend 3\n",
					  -1, NULL));
	for (unsigned i = 0; i < 2;
	     i++) { /* also when the server dies before it has told anybody */
		nsm = conn.service.nsm = open_nsm();
		g_assert_null(nsm->watches);
		g_assert_cmpstr(nsm->lapsed->host, ==, "host");
		if (i == 0)
			nfs_nsm_free(nsm);
	}
	text = file_text();
	g_assert_nonnull(strstr(text, "\nlapsed 100021 4 16 "));
	end();
}

static void
test_failed_write_fails_the_lock_and_the_next_tries_again(void)
{
	g_autofree char *away = NULL;
	struct dfs_ctx ctx = {.n_tickets = 0}, again = {.n_tickets = 0};
	int saved;

	begin();
	away = g_strconcat(dir, ".away", NULL);
	saved = log_away();
	g_assert_cmpint(g_rename(dir, away), ==, 0);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "client", 6, 1, &ctx), ==, DFS_OK);
	g_assert_cmpint(wait_durable(&ctx), ==, DFS_IO);
	g_assert_cmpint(g_rename(away, dir), ==, 0);
	g_assert_cmpint(nfs_nsm_monitor(nsm, &conn.access, "client", 6, 1, &again), ==, DFS_OK);
	g_assert_cmpuint(again.n_tickets, ==, 1);
	g_assert_cmpint(wait_durable(&again), ==, DFS_OK);
	log_back(saved);
	end();
}

static void
test_damaged_file_is_no_end_and_no_step_back(void)
{
	static const char *const texts[] = {
		"",
		"dittofs-nsm 1\n",
		"dittofs-nsm 1\nstate 9 x\n",
		"dittofs-nsm 1\nstate 9 x\npeer 192.0.2.1 - 1 a\nend 2\n",
		"dittofs-nsm 1\nstate 9 x\npeer 192.0.2.1 - 1\nend 3\n",
		"dittofs-nsm 1\nstate 9 x\npeer nowhere - 1 a\nend 3\n",
		"dittofs-nsm 1\nstate 9 x\nend 2\nmore\n",
		"dittofs-nsm 2\nstate 9 x\nend 2\n",
		"dittofs-nsm 1\nstate -9 x\nend 2\n"};
	g_autofree char *file = NULL;
	int saved;

	begin();
	file = g_build_filename(dir, "nsm", NULL);
	saved = log_away();
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		nfs_nsm_free(nsm);
		g_assert_true(g_file_set_contents(file, texts[i], -1, NULL));
		nsm = conn.service.nsm = open_nsm();
		g_assert_cmpuint(nfs_nsm_state(nsm), >, 1000000000);
		g_assert_cmpuint(nfs_nsm_state(nsm) % 2, ==, 1);
	}
	log_back(saved);
	end();
}

static void
test_notice_drops_the_peers_locks(void)
{
	begin();
	hold("client", 5);
	notify("client", 7);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 client");
	let_go("client");
	nfs_nsm_free(nsm);
	nsm = conn.service.nsm = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(nsm), ==, 0);
	end();
}

/* It may have taken new locks by the time the notice is dealt with. */
static void
test_who_has_restarted_is_held_until_it_is_let_go(void)
{
	begin();
	hold("client", 5);
	notify("client", 7);
	nfs_nsm_free(nsm);
	nsm = conn.service.nsm = open_nsm();
	g_assert_cmpuint(nfs_nsm_untold(nsm), ==, 1);
	end();
}

static void
test_notice_from_elsewhere_drops_nothing(void)
{
	begin();
	hold("client", 5);
	test_conn_peer(&conn, "192.0.2.8", 900);
	notify("client", 7);
	test_conn_peer(&conn, "127.0.0.1", 900);
	notify("client", 7);
	notify("192.0.2.7", 7);
	g_assert_cmpstr(dropped->str, ==, "");
	end();
}

static void
test_notice_in_another_name_drops_nothing(void)
{
	begin();
	hold("client", 5);
	notify("neighbour", 7);
	notify("clients", 7);
	hold("a.example.net", 5);
	notify("a.example.org", 7);
	notify("", 7);
	g_assert_cmpstr(dropped->str, ==, "");
	end();
}

static void
test_first_label_and_address_are_names_too(void)
{
	begin();
	hold("Client", 5);
	notify("client.example.net", 7);
	hold("other.example.net", 5);
	notify("other", 7);
	hold("third", 5);
	notify("192.0.2.7", 7);
	g_assert_cmpstr(dropped->str, ==,
			"192.0.2.7 Client,192.0.2.7 other.example.net,192.0.2.7 third");
	end();
}

static void
test_hosts_behind_one_address_are_told_apart(void)
{
	begin();
	hold("one", 5);
	hold("two", 5);
	notify("two", 7);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 two");
	end();
}

static void
test_a_notice_is_for_every_name_of_the_host(void)
{
	g_auto(GStrv) names = NULL;
	char name[32];

	begin();
	for (unsigned i = 0; i < NSM_PEERS_ADDRESS_MAX; i++) {
		g_snprintf(name, sizeof name, "client.net%u", i);
		hold(name, 5);
	}
	notify("client", 7);
	names = g_strsplit(dropped->str, ",", 0);
	g_assert_cmpuint(g_strv_length(names), ==, NSM_PEERS_ADDRESS_MAX);
	end();
}

static void
test_same_notice_again_drops_nothing(void)
{
	begin();
	hold("client", 5);
	notify("client", 7);
	hold("client", 7);
	notify("client", 7);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 client");
	notify("client", 9);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 client,192.0.2.7 client");
	end();
}

static void
test_notice_works_for_a_client_that_tells_no_state(void)
{
	begin();
	hold("client", 0);
	notify("client", 7);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 client");
	end();
}

static void
test_notice_never_runs_on_a_loop(void)
{
	o_stat_chge args = {(char *)"client", 7};

	begin();
	hold("client", 5);
	ENCODE(o_stat_chge, &args);
	g_assert_cmpint(test_conn_run_once(&conn, &nsm1_procs[6], true), ==, DFS_AGAIN);
	g_assert_cmpstr(dropped->str, ==, "");
	end();
}

static void
test_stat_tells_the_state(void)
{
	o_sm_name args = {(char *)"anybody"};
	o_sm_stat_res res;

	begin();
	ENCODE(o_sm_name, &args);
	run_proc(1);
	DECODE(o_sm_stat_res, &res);
	g_assert_cmpint(res.res_stat, ==, 0);
	g_assert_cmpint(res.state, ==, 1);
	end();
}

static void
test_mon_is_for_local_lock_managers(void)
{
	begin();
	g_assert_cmpint(mon("server", "me", NLM).res_stat, ==, 1); /* from elsewhere */
	test_conn_peer(&conn, "127.0.0.1", 40000);
	g_assert_cmpint(mon("server", "me", NLM).res_stat, ==, 1); /* by anybody */
	test_conn_peer(&conn, "127.0.0.1", 900);
	g_assert_cmpint(mon("server", "me", 100003).res_stat, ==, 1); /* for another program */
	g_assert_cmpint(mon("", "me", NLM).res_stat, ==, 1);
	g_assert_cmpuint(nsm->n_watches, ==, 0);
	g_assert_cmpint(mon("server", "me", NLM).res_stat, ==, 0);
	g_assert_cmpint(mon("server", "me", NLM).state, ==, 1);
	test_conn_peer(&conn, "::1", 900);
	g_assert_cmpint(mon("server", "me", NLM).res_stat, ==, 0);
	g_assert_cmpuint(nsm->n_watches, ==, 1);
	end();
}

static void
test_watches_outlive_a_crash(void)
{
	struct nfs_nsm *next;

	begin();
	test_conn_peer(&conn, "127.0.0.1", 900);
	mon("server one", "me", NLM);
	next = open_nsm();
	g_assert_cmpuint(next->n_watches, ==, 1);
	g_assert_true(next->same_boot);
	g_assert_cmpstr(next->watches->host, ==, "server one");
	g_assert_cmpstr(next->watches->user, ==, "me");
	g_assert_cmpuint(next->watches->procedure, ==, 16);
	g_assert_cmpmem(next->watches->priv, NSM_PRIV_SIZE, "0123456789abcde", NSM_PRIV_SIZE);
	nfs_nsm_free(next);
	end();
}

static void
test_watches_are_bounded(void)
{
	begin();
	test_conn_peer(&conn, "127.0.0.1", 900);
	for (unsigned i = 0; i < NSM_WATCHES_MAX; i++) {
		g_autofree char *host = g_strdup_printf("server-%u", i);
		g_assert_cmpint(mon(host, "me", NLM).res_stat, ==, 0);
	}
	g_assert_cmpint(mon("more", "me", NLM).res_stat, ==, 1);
	end();
}

static void
unmon(uint32_t proc, const char *host, const char *user)
{
	o_my_id id = {(char *)(uintptr_t)user, NLM, 4, 16};
	o_mon_id args = {(char *)(uintptr_t)host, id};
	o_sm_stat res;

	if (proc == 3)
		ENCODE(o_mon_id, &args);
	else
		ENCODE(o_my_id, &id);
	run_proc(proc);
	DECODE(o_sm_stat, &res);
	g_assert_cmpint(res.state, ==, 1);
}

static void
test_unmon(void)
{
	begin();
	test_conn_peer(&conn, "127.0.0.1", 900);
	mon("a", "me", NLM);
	mon("b", "me", NLM);
	mon("a", "you", NLM);
	mon("c", "me", NLM);
	unmon(3, "b", "me");
	g_assert_cmpuint(nsm->n_watches, ==, 3);
	test_conn_peer(&conn, "192.0.2.7", 900);
	unmon(4, NULL, "me");
	g_assert_cmpuint(nsm->n_watches, ==, 3);
	test_conn_peer(&conn, "127.0.0.1", 900);
	unmon(4, NULL, "me");
	g_assert_cmpuint(nsm->n_watches, ==, 1);
	g_assert_cmpstr(nsm->watches->user, ==, "you");
	end();
}

static void
test_simulated_crash(void)
{
	int saved;

	begin();
	hold("client", 5);
	test_conn_args(&conn, "", 0);
	run_proc(5);
	g_assert_cmpuint(nfs_nsm_state(nsm), ==, 1); /* not from elsewhere */
	g_assert_cmpstr(dropped->str, ==, "");
	test_conn_peer(&conn, "127.0.0.1", 900);
	test_conn_args(&conn, "", 0);
	saved = log_away();
	run_proc(5);
	log_back(saved);
	g_assert_cmpuint(nfs_nsm_state(nsm), ==, 3);
	g_assert_cmpstr(dropped->str, ==, "192.0.2.7 client");
	g_assert_cmpuint(nfs_nsm_untold(nsm), ==, 1);
	end();
}

static void
test_truncated_arguments_are_garbage(void)
{
	begin();
	for (unsigned proc = 1; proc < NSM_PROCS; proc++) {
		if (proc == 5)
			continue; /* takes none */
		test_conn_args(&conn, "\0\0\0\1a", 5);
		g_assert_cmpint(test_conn_run(&conn, &nsm1_procs[proc]), ==, DFS_INVAL);
	}
	end();
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	dfs_log_setup(DFS_LOG_WARN, DFS_LOG_TEXT);
	add("nsm/state-is-odd-and-grows", test_state_is_odd_and_grows);
	add("nsm/peer-is-durable-before-the-reply", test_peer_is_durable_before_the_reply);
	add("nsm/known-peer-costs-no-wait", test_known_peer_costs_no_wait);
	add("nsm/peers-are-untold-after-a-crash", test_peers_are_untold_after_a_crash);
	add("nsm/peer-without-locks-is-forgotten", test_peer_without_locks_is_forgotten);
	add("nsm/any-name-survives", test_any_name_survives);
	add("nsm/names-that-are-none-are-refused", test_names_that_are_none_are_refused);
	add("nsm/names-of-one-address-are-bounded", test_names_of_one_address_are_bounded);
	add("nsm/table-is-bounded", test_table_is_bounded);
	add("nsm/watches-lapse-with-the-host", test_watches_lapse_with_the_host);
	add("nsm/failed-write-fails-the-lock-and-the-next-tries-again",
	    test_failed_write_fails_the_lock_and_the_next_tries_again);
	add("nsm/damaged-file-is-no-end-and-no-step-back",
	    test_damaged_file_is_no_end_and_no_step_back);
	add("nsm/notice-drops-the-peers-locks", test_notice_drops_the_peers_locks);
	add("nsm/who-has-restarted-is-held-until-it-is-let-go",
	    test_who_has_restarted_is_held_until_it_is_let_go);
	add("nsm/notice-from-elsewhere-drops-nothing", test_notice_from_elsewhere_drops_nothing);
	add("nsm/notice-in-another-name-drops-nothing", test_notice_in_another_name_drops_nothing);
	add("nsm/first-label-and-address-are-names-too",
	    test_first_label_and_address_are_names_too);
	add("nsm/hosts-behind-one-address-are-told-apart",
	    test_hosts_behind_one_address_are_told_apart);
	add("nsm/a-notice-is-for-every-name-of-the-host",
	    test_a_notice_is_for_every_name_of_the_host);
	add("nsm/same-notice-again-drops-nothing", test_same_notice_again_drops_nothing);
	add("nsm/notice-works-for-a-client-that-tells-no-state",
	    test_notice_works_for_a_client_that_tells_no_state);
	add("nsm/notice-never-runs-on-a-loop", test_notice_never_runs_on_a_loop);
	add("nsm/stat-tells-the-state", test_stat_tells_the_state);
	add("nsm/mon-is-for-local-lock-managers", test_mon_is_for_local_lock_managers);
	add("nsm/watches-outlive-a-crash", test_watches_outlive_a_crash);
	add("nsm/watches-are-bounded", test_watches_are_bounded);
	add("nsm/unmon", test_unmon);
	add("nsm/simulated-crash", test_simulated_crash);
	add("nsm/truncated-arguments-are-garbage", test_truncated_arguments_are_garbage);
	return g_test_run();
}
