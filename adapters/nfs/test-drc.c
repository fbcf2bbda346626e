/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "adapters/nfs/drc.h"

static const unsigned char body[8] = {0, 0, 0, 0, 1, 2, 3, 4};

static struct sockaddr_in
peer(uint32_t host, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	in.sin_addr.s_addr = htonl(host);
	return in;
}

struct fixture {
	struct nfs_drc *drc;
	struct nfs_drc_client *client;
	struct nfs_drc_slot slot;
	unsigned char reply[NFS_DRC_REPLY_MAX];
	uint32_t len;
};

static void
set_up(struct fixture *f, gconstpointer data)
{
	struct sockaddr_in in = peer(0x0a000001, 700);

	f->drc = nfs_drc_new(0, 0);
	f->client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
}

static void
tear_down(struct fixture *f, gconstpointer data)
{
	nfs_drc_forget(&f->slot);
	nfs_drc_client_put(f->drc, f->client);
	nfs_drc_free(f->drc);
}

static enum nfs_drc_verdict
begin(struct fixture *f, uint32_t xid, uint32_t proc, const char *args, int64_t now)
{
	return nfs_drc_begin(f->client, xid, proc, args, (uint32_t)strlen(args), now, &f->slot,
			     f->reply, &f->len);
}

static void
run(struct fixture *f, uint32_t xid, uint32_t proc, const char *args, int64_t now)
{
	g_assert_cmpint(begin(f, xid, proc, args, now), ==, NFS_DRC_NEW);
	nfs_drc_done(&f->slot, body, sizeof body);
}

static void
test_done_is_sent_again(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	g_assert_cmpint(begin(f, 1, 8, "args", 1), ==, NFS_DRC_RESEND);
	g_assert_cmpmem(f->reply, f->len, body, sizeof body);
}

static void
test_running_is_dropped(struct fixture *f, gconstpointer data)
{
	struct nfs_drc_slot first;

	g_assert_cmpint(begin(f, 1, 8, "args", 0), ==, NFS_DRC_NEW);
	first = f->slot;
	g_assert_cmpint(begin(f, 1, 8, "args", 1), ==, NFS_DRC_DROP);
	nfs_drc_done(&first, body, sizeof body);
	g_assert_cmpint(begin(f, 1, 8, "args", 2), ==, NFS_DRC_RESEND);
}

static void
test_other_args_are_new(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	run(f, 1, 8, "argt", 1);
}

static void
test_other_procedure_is_new(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	run(f, 1, 9, "args", 1);
}

static void
test_other_xid_is_new(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	run(f, 5, 8, "args", 1);
}

/* Same head of 256 bytes, longer: a reused xid with more behind. */
static void
test_other_length_is_new(struct fixture *f, gconstpointer data)
{
	g_autofree char *args = g_strnfill(300, 'a');

	run(f, 1, 8, args, 0);
	args[299] = '\0';
	run(f, 1, 8, args, 1);
}

static void
test_old_is_new_again(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	run(f, 1, 8, "args", NFS_DRC_KEEP + 1);
}

static void
test_forgotten_is_new(struct fixture *f, gconstpointer data)
{
	g_assert_cmpint(begin(f, 1, 8, "args", 0), ==, NFS_DRC_NEW);
	nfs_drc_forget(&f->slot);
	g_assert_cmpint(begin(f, 1, 8, "args", 0), ==, NFS_DRC_NEW);
}

static void
test_jukebox_is_forgotten(struct fixture *f, gconstpointer data)
{
	static const unsigned char jukebox[12] = {0, 0, 0x27, 0x18};

	g_assert_cmpint(begin(f, 1, 8, "args", 0), ==, NFS_DRC_NEW);
	nfs_drc_done(&f->slot, jukebox, sizeof jukebox);
	g_assert_cmpint(begin(f, 1, 8, "args", 0), ==, NFS_DRC_NEW);
}

static void
test_closed_slot_is_ignored(struct fixture *f, gconstpointer data)
{
	run(f, 1, 8, "args", 0);
	nfs_drc_done(&f->slot, "other reply", 11);
	nfs_drc_forget(&f->slot);
	g_assert_cmpint(begin(f, 1, 8, "args", 1), ==, NFS_DRC_RESEND);
	g_assert_cmpmem(f->reply, f->len, body, sizeof body);
}

static void
test_reconnect_keeps_the_table(struct fixture *f, gconstpointer data)
{
	struct sockaddr_in in = peer(0x0a000001, 701);

	run(f, 1, 8, "args", 0);
	nfs_drc_client_put(f->drc, f->client);
	f->client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
	g_assert_cmpint(begin(f, 1, 8, "args", 1), ==, NFS_DRC_RESEND);
}

static void
test_mapped_address_is_the_same_client(struct fixture *f, gconstpointer data)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct nfs_drc_client *mapped;

	memcpy(in6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	mapped = nfs_drc_client_get(f->drc, (struct sockaddr *)&in6);
	g_assert_true(mapped == f->client);
	nfs_drc_client_put(f->drc, mapped);
}

static void
test_other_client_is_new(struct fixture *f, gconstpointer data)
{
	struct sockaddr_in in = peer(0x0a000002, 700);

	run(f, 1, 8, "args", 0);
	nfs_drc_client_put(f->drc, f->client);
	f->client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
	run(f, 1, 8, "args", 1);
}

static void
test_client_is_bounded(struct fixture *f, gconstpointer data)
{
	nfs_drc_client_put(f->drc, f->client);
	nfs_drc_free(f->drc);
	f->drc = nfs_drc_new(0, 512);
	struct sockaddr_in in = peer(1, 1);
	f->client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
	for (uint32_t xid = 0; xid < 10000; xid++)
		run(f, xid, 8, "args", 0);
	g_assert_cmpuint(nfs_drc_entries(f->drc), <=, 512);
}

/* What is recycled is the oldest: the last `limit` requests are all still known. */
static void
test_newest_survive(struct fixture *f, gconstpointer data)
{
	for (uint32_t xid = 0; xid < 20000; xid++)
		run(f, xid, 8, "args", 0);
	for (uint32_t xid = 20000 - 4096; xid < 20000; xid++)
		g_assert_cmpint(begin(f, xid, 8, "args", 0), ==, NFS_DRC_RESEND);
	g_assert_cmpuint(nfs_drc_entries(f->drc), ==, 4096);
}

static void
test_whole_cache_is_bounded(struct fixture *f, gconstpointer data)
{
	enum { CLIENTS = 20 };
	struct nfs_drc *drc = nfs_drc_new(2048, 1024);
	struct nfs_drc_client *clients[CLIENTS];

	for (uint32_t c = 0; c < CLIENTS; c++) {
		struct sockaddr_in in = peer(c, 1);
		clients[c] = nfs_drc_client_get(drc, (struct sockaddr *)&in);
		for (uint32_t xid = 0; xid < 3000; xid++) {
			g_assert_cmpint(nfs_drc_begin(clients[c], xid, 8, "a", 1, 0, &f->slot,
						      f->reply, &f->len),
					==, NFS_DRC_NEW);
			nfs_drc_done(&f->slot, body, sizeof body);
		}
	}
	/* each client's first entries of each shard come on top */
	g_assert_cmpuint(nfs_drc_entries(drc), <=, 2048 + CLIENTS * 32);
	for (uint32_t c = 0; c < CLIENTS; c++)
		nfs_drc_client_put(drc, clients[c]);
	nfs_drc_free(drc);
}

static void
test_full_of_running_is_bypassed(struct fixture *f, gconstpointer data)
{
	struct nfs_drc *drc = nfs_drc_new(128, 128);
	struct sockaddr_in in = peer(1, 1);
	struct nfs_drc_client *client = nfs_drc_client_get(drc, (struct sockaddr *)&in);
	struct nfs_drc_slot slots[200];
	unsigned bypassed = 0;

	for (uint32_t xid = 0; xid < 200; xid++)
		if (nfs_drc_begin(client, xid, 8, "a", 1, 0, &slots[xid], f->reply, &f->len) ==
		    NFS_DRC_BYPASS)
			bypassed++;
	g_assert_cmpuint(bypassed, ==, 200 - 128);
	for (uint32_t xid = 0; xid < 200; xid++)
		nfs_drc_forget(&slots[xid]);
	nfs_drc_client_put(drc, client);
	nfs_drc_free(drc);
}

/* Departed clients make room for new ones. */
static void
test_many_clients_are_bounded(struct fixture *f, gconstpointer data)
{
	for (uint32_t c = 0; c < 10000; c++) {
		struct sockaddr_in in = peer(0x0b000000 + c, 1);
		struct nfs_drc_client *client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
		g_assert_nonnull(client);
		nfs_drc_begin(client, c, 8, "a", 1, 0, &f->slot, f->reply, &f->len);
		nfs_drc_done(&f->slot, body, sizeof body);
		nfs_drc_client_put(f->drc, client);
	}
	g_assert_cmpuint(nfs_drc_entries(f->drc), <=, 65536 + 32);
}

/* A client that only reads leaves nothing behind. */
static void
test_reader_leaves_nothing(struct fixture *f, gconstpointer data)
{
	for (uint32_t c = 0; c < 10000; c++) {
		struct sockaddr_in in = peer(0x0b000000 + c, 1);
		struct nfs_drc_client *client = nfs_drc_client_get(f->drc, (struct sockaddr *)&in);
		g_assert_nonnull(client);
		nfs_drc_client_put(f->drc, client);
	}
	g_assert_cmpuint(nfs_drc_entries(f->drc), ==, 0);
}

struct racer {
	struct fixture *f;
	_Atomic unsigned *ran;
};

static void *
race(void *arg)
{
	struct racer *r = arg;
	struct nfs_drc_slot slot;
	unsigned char reply[NFS_DRC_REPLY_MAX];
	uint32_t len;

	for (uint32_t xid = 0; xid < 2000; xid++) {
		if (nfs_drc_begin(r->f->client, xid, 8, "a", 1, 0, &slot, reply, &len) ==
		    NFS_DRC_NEW) {
			atomic_fetch_add(r->ran, 1);
			nfs_drc_done(&slot, body, sizeof body);
		}
	}
	return NULL;
}

static void
test_racing_duplicates_run_once(struct fixture *f, gconstpointer data)
{
	_Atomic unsigned ran = 0;
	struct racer r = {f, &ran};
	pthread_t threads[4];

	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		pthread_create(&threads[i], NULL, race, &r);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		pthread_join(threads[i], NULL);
	g_assert_cmpuint(ran, ==, 2000);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/nfs/drc/" path, struct fixture, NULL, set_up, fn, tear_down)
	ADD("done-is-sent-again", test_done_is_sent_again);
	ADD("running-is-dropped", test_running_is_dropped);
	ADD("other-args-are-new", test_other_args_are_new);
	ADD("other-procedure-is-new", test_other_procedure_is_new);
	ADD("other-xid-is-new", test_other_xid_is_new);
	ADD("other-length-is-new", test_other_length_is_new);
	ADD("old-is-new-again", test_old_is_new_again);
	ADD("forgotten-is-new", test_forgotten_is_new);
	ADD("jukebox-is-forgotten", test_jukebox_is_forgotten);
	ADD("closed-slot-is-ignored", test_closed_slot_is_ignored);
	ADD("reconnect-keeps-the-table", test_reconnect_keeps_the_table);
	ADD("mapped-address-is-the-same-client", test_mapped_address_is_the_same_client);
	ADD("other-client-is-new", test_other_client_is_new);
	ADD("client-is-bounded", test_client_is_bounded);
	ADD("newest-survive", test_newest_survive);
	ADD("whole-cache-is-bounded", test_whole_cache_is_bounded);
	ADD("full-of-running-is-bypassed", test_full_of_running_is_bypassed);
	ADD("many-clients-are-bounded", test_many_clients_are_bounded);
	ADD("reader-leaves-nothing", test_reader_leaves_nothing);
	ADD("racing-duplicates-run-once", test_racing_duplicates_run_once);
	return g_test_run();
}
