/* SPDX-License-Identifier: MIT
 *
 * The caller against a peer in this process that answers, or not, as the procedure's number says.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "adapters/nfs/callback/callback.h"
#include "adapters/nfs/rpc/header.h"
#include "base/clock.h"

#define PROGRAM 200000u
#define STREAMS 32

enum {
	P_ECHO,
	P_SILENT,
	P_GARBAGE,   /* bytes that are no reply */
	P_STRAY,     /* a reply to another call, then the right one */
	P_HUGE,      /* a reply beyond the bound */
	P_CLOSE,     /* TCP: close instead of answering */
	P_SECOND,    /* UDP: answer when it comes again */
	P_STATUS,    /* accept_stat is the argument */
	P_DENIED,    /* AUTH_ERROR */
	P_SHORT,     /* the head ends early */
	P_FRAGMENTS, /* TCP: the reply in fragments of a byte */
	P_ONCE,      /* TCP: answer, then close */
	P_LATE,      /* answered when the next P_ECHO comes */
};

struct peer {
	int udp, tcp, wake[2];
	uint16_t port;
	pthread_t thread;
	_Atomic int accepted, calls, credentials;
	int streams[STREAMS];
	unsigned char late[512];
	ssize_t late_len;
};

struct fixture {
	struct peer peer;
	struct nfs_caller *caller;
};

struct outcome {
	sem_t done;
	enum dfs_status status;
	unsigned char body[NFS_CALL_REPLY_MAX];
	uint32_t len;
};

static void
put(unsigned char *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, 4);
}

static ssize_t
accepted_reply(unsigned char *out, uint32_t xid, uint32_t stat, const unsigned char *body, size_t n)
{
	uint32_t words[6] = {xid, 1, 0, 0, 0, stat};

	for (unsigned i = 0; i < 6; i++)
		put(out + 4 * i, words[i]);
	memcpy(out + 24, body, n);
	return 24 + (ssize_t)n;
}

/* The reply to a message, as long as it says; 0: none, -1: close. */
static ssize_t
answer(struct peer *peer, const unsigned char *in, size_t n, unsigned char *out, bool stream)
{
	uint32_t xid = rpc_get_word(in), procedure = rpc_get_word(in + 20);
	size_t head = 24 + 8 + rpc_get_word(in + 28) + 8;
	static uint32_t seen;

	peer->calls++;
	if (rpc_get_word(in + 24) == RPC_AUTH_SYS)
		peer->credentials++;
	switch (procedure) {
	case P_ECHO:
		return accepted_reply(out, xid, 0, in + head, n - head);
	case P_GARBAGE:
		memset(out, 0xee, 64);
		return 64;
	case P_HUGE:
		memset(out, 0, 3 * NFS_CALL_REPLY_MAX);
		accepted_reply(out, xid, 0, out + 24, 0);
		return 2 * NFS_CALL_REPLY_MAX;
	case P_CLOSE:
		return -1;
	case P_SECOND:
		if (seen != xid) {
			seen = xid;
			return 0;
		}
		return accepted_reply(out, xid, 0, in + head, n - head);
	case P_STATUS:
		return accepted_reply(out, xid, rpc_get_word(in + head), in, 8);
	case P_DENIED:
		put(out, xid);
		put(out + 4, 1);
		put(out + 8, 1);
		put(out + 12, 1);
		put(out + 16, 1);
		return 20;
	case P_SHORT:
		put(out, xid);
		put(out + 4, 1);
		put(out + 8, 0);
		return 12;
	case P_STRAY:
	case P_FRAGMENTS:
	case P_ONCE:
		return accepted_reply(out, xid, 0, in + head, n - head);
	case P_LATE:
		peer->late_len = accepted_reply(peer->late, xid, 0, in + head, n - head);
		return 0;
	default:
		(void)stream;
		return 0;
	}
}

static void
send_record(int fd, const unsigned char *bytes, size_t n, size_t fragment)
{
	unsigned char mark[4];

	for (size_t at = 0; at < n; at += fragment) {
		size_t len = n - at < fragment ? n - at : fragment;
		put(mark, (at + len == n ? RPC_MARK_LAST : 0) | (uint32_t)len);
		if (send(fd, mark, 4, MSG_NOSIGNAL) < 0 ||
		    send(fd, bytes + at, len, MSG_NOSIGNAL) < 0)
			return; /* the caller has seen enough */
	}
}

static void
serve_udp(struct peer *peer)
{
	static unsigned char in[8192], out[4 * NFS_CALL_REPLY_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(peer->udp, in, sizeof in, 0, (struct sockaddr *)&from, &len), m;

	if (n < 40)
		return;
	if (rpc_get_word(in + 20) == P_STRAY) {
		m = accepted_reply(out, rpc_get_word(in) + 77, 0, in, 8);
		sendto(peer->udp, out, (size_t)m, 0, (struct sockaddr *)&from, len);
		sendto(peer->udp, "short", 5, 0, (struct sockaddr *)&from, len);
	}
	m = answer(peer, in, (size_t)n, out, false);
	if (m > 0)
		sendto(peer->udp, out, (size_t)m, 0, (struct sockaddr *)&from, len);
}

/* False: close it. */
static bool
serve_stream(struct peer *peer, int fd)
{
	static unsigned char in[8192], out[4 * NFS_CALL_REPLY_MAX];
	unsigned char mark[4];
	size_t n;
	ssize_t m;
	uint32_t procedure;

	if (recv(fd, mark, 4, MSG_WAITALL) != 4)
		return false;
	n = rpc_get_word(mark) & ~RPC_MARK_LAST;
	g_assert_cmpuint(n, <=, sizeof in);
	if (recv(fd, in, n, MSG_WAITALL) != (ssize_t)n)
		return false;
	procedure = rpc_get_word(in + 20);
	m = answer(peer, in, n, out, true);
	if (m < 0)
		return false;
	if (procedure == P_STRAY) {
		unsigned char stray[64];
		ssize_t s = accepted_reply(stray, rpc_get_word(in) + 77, 0, in, 8);
		send_record(fd, stray, (size_t)s, 1000);
	}
	if (procedure == P_ECHO && peer->late_len > 0) {
		send_record(fd, out, (size_t)m, 100000);
		send_record(fd, peer->late, (size_t)peer->late_len, 100000);
		peer->late_len = 0;
		return true;
	}
	if (m > 0)
		send_record(fd, out, (size_t)m, procedure == P_FRAGMENTS ? 4 : 100000);
	return procedure != P_ONCE;
}

static void *
peer_main(void *arg)
{
	struct peer *peer = arg;

	for (;;) {
		struct pollfd fds[3 + STREAMS] = {
			{peer->wake[0], POLLIN, 0}, {peer->udp, POLLIN, 0}, {peer->tcp, POLLIN, 0}};

		for (unsigned i = 0; i < STREAMS; i++)
			fds[3 + i] = (struct pollfd){peer->streams[i], POLLIN, 0};
		poll(fds, 3 + STREAMS, -1);
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			serve_udp(peer);
		for (unsigned i = 0; i < STREAMS; i++)
			if (fds[3 + i].revents && !serve_stream(peer, peer->streams[i])) {
				close(peer->streams[i]);
				peer->streams[i] = -1;
			}
		if (!fds[2].revents)
			continue;
		peer->accepted++;
		for (unsigned i = 0; i < STREAMS; i++)
			if (peer->streams[i] < 0) {
				peer->streams[i] = accept(peer->tcp, NULL, NULL);
				break;
			}
	}
}

/* UDP and TCP on one port of loopback. */
static void
bind_both(struct peer *peer)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;

	for (unsigned i = 0; i < 100; i++) {
		at.sin_port = 0;
		peer->tcp = socket(AF_INET, SOCK_STREAM, 0);
		peer->udp = socket(AF_INET, SOCK_DGRAM, 0);
		g_assert_cmpint(bind(peer->tcp, (struct sockaddr *)&at, sizeof at), ==, 0);
		getsockname(peer->tcp, (struct sockaddr *)&at, &len);
		if (bind(peer->udp, (struct sockaddr *)&at, sizeof at) == 0)
			break;
		close(peer->tcp);
		close(peer->udp);
	}
	peer->port = ntohs(at.sin_port);
	g_assert_cmpint(listen(peer->tcp, 16), ==, 0);
}

static void
setup(struct fixture *f, gconstpointer data)
{
	(void)data;
	bind_both(&f->peer);
	g_assert_cmpint(pipe(f->peer.wake), ==, 0);
	for (unsigned i = 0; i < STREAMS; i++)
		f->peer.streams[i] = -1;
	g_assert_cmpint(pthread_create(&f->peer.thread, NULL, peer_main, &f->peer), ==, 0);
	f->caller = nfs_caller_new();
	g_assert_nonnull(f->caller);
}

static void
teardown(struct fixture *f, gconstpointer data)
{
	(void)data;
	nfs_caller_free(f->caller);
	g_assert_cmpint(write(f->peer.wake[1], "", 1), ==, 1);
	pthread_join(f->peer.thread, NULL);
	for (unsigned i = 0; i < STREAMS; i++)
		if (f->peer.streams[i] >= 0)
			close(f->peer.streams[i]);
	close(f->peer.tcp);
	close(f->peer.udp);
	close(f->peer.wake[0]);
	close(f->peer.wake[1]);
}

static void
done(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	struct outcome *o = arg;

	o->status = status;
	o->len = (uint32_t)(reply->end - reply->p);
	memcpy(o->body, reply->p ? reply->p : (const unsigned char *)"", o->len);
	sem_post(&o->done);
}

static struct nfs_target
target(struct fixture *f, uint8_t protocol)
{
	struct nfs_target t = {.program = PROGRAM, .version = 1, .protocol = protocol};

	g_assert_true(nfs_address_parse("127.0.0.1", &t.peer));
	nfs_address_set_port(&t.peer, f->peer.port);
	return t;
}

static void
begin_until(struct fixture *f, struct outcome *o, const struct nfs_target *t, uint32_t procedure,
	    uint32_t arg, int64_t deadline)
{
	unsigned char args[4];

	put(args, arg);
	memset(o, 0, sizeof *o);
	sem_init(&o->done, 0, 0);
	g_assert_cmpint(
		nfs_caller_send(f->caller, t, procedure, args, sizeof args, deadline, done, o), ==,
		DFS_OK);
}

static void
begin(struct fixture *f, struct outcome *o, const struct nfs_target *t, uint32_t procedure,
      uint32_t arg, int64_t time)
{
	begin_until(f, o, t, procedure, arg, dfs_clock_mono() + time);
}

static enum dfs_status
end(struct outcome *o)
{
	while (sem_wait(&o->done) < 0)
		;
	sem_destroy(&o->done);
	return o->status;
}

static enum dfs_status
call(struct fixture *f, uint8_t protocol, uint32_t procedure, uint32_t arg, int64_t time)
{
	static struct outcome o;
	struct nfs_target t = target(f, protocol);

	begin(f, &o, &t, procedure, arg, time);
	end(&o);
	if (o.status == DFS_OK && procedure != P_STATUS) {
		g_assert_cmpuint(o.len, ==, 4);
		g_assert_cmpuint(rpc_get_word(o.body), ==, arg);
	}
	return o.status;
}

#define LONG (60 * DFS_SECOND)
#define SHORT (DFS_SECOND / 5)

static void
test_echo(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_ECHO, 7, LONG), ==, DFS_OK);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, 8, LONG), ==, DFS_OK);
	g_assert_cmpuint(nfs_caller_pending(f->caller), ==, 0);
}

static void
test_connection_is_shared(struct fixture *f, gconstpointer data)
{
	(void)data;
	for (uint32_t i = 0; i < 20; i++)
		g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, i, LONG), ==, DFS_OK);
	g_assert_cmpint(f->peer.accepted, ==, 1);
}

static void
test_silence_ends_at_the_deadline(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_SILENT, 0, SHORT), ==, DFS_TIMEDOUT);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_SILENT, 0, SHORT), ==, DFS_TIMEDOUT);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, 1, LONG), ==, DFS_OK);
}

static void
test_lost_datagram_is_sent_again(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_SECOND, 5, LONG), ==, DFS_OK);
	g_assert_cmpint(f->peer.calls, >=, 2);
}

static void
test_once_is_sent_once_by_udp(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_UDP);
	static struct outcome o;

	(void)data;
	t.once = true;
	begin(f, &o, &t, P_SECOND, 0, 3 * DFS_SECOND); /* longer than the first wait */
	g_assert_cmpint(end(&o), ==, DFS_TIMEDOUT);
	g_assert_cmpint(f->peer.calls, ==, 1);
}

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

static void
test_what_is_not_wanted_any_more_is_not_sent(struct fixture *f, gconstpointer data)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
	static struct outcome o;

	(void)data;
	for (unsigned i = 0; i < 2; i++) {
		struct nfs_target t = target(f, protocols[i]);

		t.wanted = never;
		begin(f, &o, &t, P_ECHO, 0, LONG);
		g_assert_cmpint(end(&o), ==, DFS_STALE);
	}
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, 1, LONG), ==, DFS_OK);
	g_assert_cmpint(f->peer.calls, ==, 1);
}

static void
test_strays_are_passed_over(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_STRAY, 5, LONG), ==, DFS_OK);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_STRAY, 6, LONG), ==, DFS_OK);
}

static void
test_garbage_is_no_reply(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_GARBAGE, 0, SHORT), ==, DFS_TIMEDOUT);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_GARBAGE, 0, LONG), ==, DFS_IO);
}

static void
test_huge_reply_is_refused(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_HUGE, 0, LONG), ==, DFS_CORRUPT);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_HUGE, 0, LONG), ==, DFS_IO);
}

static void
test_short_reply_is_corrupt(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_UDP, P_SHORT, 0, LONG), ==, DFS_CORRUPT);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_SHORT, 0, LONG), ==, DFS_CORRUPT);
}

static void
test_fragments_are_joined(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_TCP, P_FRAGMENTS, 9, LONG), ==, DFS_OK);
}

static void
test_closing_peer_fails_the_call(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_TCP, P_CLOSE, 0, LONG), ==, DFS_IO);
}

static void
test_kept_connection_that_died_is_replaced(struct fixture *f, gconstpointer data)
{
	(void)data;
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ONCE, 1, LONG), ==, DFS_OK);
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ONCE, 2, LONG), ==, DFS_OK);
	g_assert_cmpint(f->peer.accepted, ==, 2);
	/* One new connection, and no more. */
	g_assert_cmpint(call(f, IPPROTO_TCP, P_CLOSE, 3, LONG), ==, DFS_IO);
}

/* The peer takes the call and closes a connection that has served others before. */
static void
test_once_is_sent_once_by_tcp(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP);
	static struct outcome o;

	(void)data;
	t.once = true;
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, 1, LONG), ==, DFS_OK);
	begin(f, &o, &t, P_CLOSE, 2, LONG);
	g_assert_cmpint(end(&o), ==, DFS_IO);
	g_assert_cmpint(f->peer.calls, ==, 2);
}

static void
test_refused_port_fails_at_once(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_UDP);
	static struct outcome o;
	struct peer gone;

	(void)data;
	bind_both(&gone);
	close(gone.udp);
	close(gone.tcp);
	nfs_address_set_port(&t.peer, gone.port);
	begin(f, &o, &t, P_ECHO, 0, LONG);
	g_assert_cmpint(end(&o), ==, DFS_IO);
	t.protocol = IPPROTO_TCP;
	begin(f, &o, &t, P_ECHO, 0, LONG);
	g_assert_cmpint(end(&o), ==, DFS_IO);
}

static void
test_statuses(struct fixture *f, gconstpointer data)
{
	static const struct {
		uint32_t stat;
		enum dfs_status want;
	} rows[] = {{0, DFS_OK},    {1, DFS_NOENT}, {2, DFS_NOTSUP}, {3, DFS_NOTSUP},
		    {4, DFS_INVAL}, {5, DFS_IO},    {6, DFS_CORRUPT}};

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_cmpint(call(f, IPPROTO_UDP, P_STATUS, rows[i].stat, LONG), ==,
				rows[i].want);
		g_assert_cmpint(call(f, IPPROTO_TCP, P_STATUS, rows[i].stat, LONG), ==,
				rows[i].want);
	}
	g_assert_cmpint(call(f, IPPROTO_TCP, P_DENIED, 0, LONG), ==, DFS_ACCESS);
}

/* The reply to a call whose time was up comes before the one that is waited for. */
static void
test_replies_out_of_order(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP);
	static struct outcome late, echo;

	(void)data;
	begin(f, &late, &t, P_LATE, 3, LONG);
	begin(f, &echo, &t, P_ECHO, 4, LONG);
	g_assert_cmpint(end(&late), ==, DFS_OK);
	g_assert_cmpuint(rpc_get_word(late.body), ==, 3);
	g_assert_cmpint(end(&echo), ==, DFS_OK);
	g_assert_cmpuint(rpc_get_word(echo.body), ==, 4);
}

static void
test_one_way_waits_for_nothing(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_UDP);
	static struct outcome o;

	(void)data;
	t.one_way = true;
	begin(f, &o, &t, P_SILENT, 0, LONG);
	g_assert_cmpint(end(&o), ==, DFS_OK);
	t.protocol = IPPROTO_TCP;
	begin(f, &o, &t, P_ECHO, 0, LONG);
	g_assert_cmpint(end(&o), ==, DFS_OK);
	g_assert_cmpuint(o.len, ==, 0);
	/* The reply that comes all the same harms nobody. */
	g_assert_cmpint(call(f, IPPROTO_TCP, P_ECHO, 1, LONG), ==, DFS_OK);
}

static void
test_credential(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP);
	static struct outcome o;

	(void)data;
	t.auth_sys = true;
	begin(f, &o, &t, P_ECHO, 11, LONG);
	g_assert_cmpint(end(&o), ==, DFS_OK);
	g_assert_cmpuint(rpc_get_word(o.body), ==, 11);
	g_assert_cmpint(f->peer.credentials, ==, 1);
}

static struct outcome many[NFS_CALLS_PEER_MAX + 10];

static void
test_silent_peer_cannot_hold_more_than_its_share(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP);
	unsigned busy = 0, late = 0;
	int64_t deadline =
		dfs_clock_mono() + 3 * DFS_SECOND; /* of all, so that none is left for a turn */

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(many); i++)
		begin_until(f, &many[i], &t, P_SILENT, 0, deadline);
	for (unsigned i = 0; i < G_N_ELEMENTS(many); i++) {
		enum dfs_status status = end(&many[i]);
		busy += status == DFS_BUSY;
		late += status == DFS_TIMEDOUT;
	}
	g_assert_cmpuint(busy, ==, 10);
	g_assert_cmpuint(late, ==, NFS_CALLS_PEER_MAX);
	/* Those that waited in the queue were never sent. */
	g_assert_cmpint(f->peer.calls, <=, NFS_CALLS_PEER_UNDER_WAY);
	g_assert_cmpuint(nfs_caller_pending(f->caller), ==, 0);
}

static void
test_queued_calls_follow(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_UDP);

	(void)data;
	for (unsigned i = 0; i < NFS_CALLS_PEER_MAX; i++)
		begin(f, &many[i], &t, P_ECHO, i, LONG);
	for (unsigned i = 0; i < NFS_CALLS_PEER_MAX; i++) {
		g_assert_cmpint(end(&many[i]), ==, DFS_OK);
		g_assert_cmpuint(rpc_get_word(many[i].body), ==, i);
	}
}

static void
test_stop_ends_every_call(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP);
	static struct outcome o;

	(void)data;
	for (unsigned i = 0; i < 40; i++) {
		t.protocol = i % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		begin(f, &many[i], &t, P_SILENT, 0, LONG);
	}
	nfs_caller_stop(f->caller);
	for (unsigned i = 0; i < 40; i++)
		g_assert_cmpint(end(&many[i]), ==, DFS_SHUTDOWN);
	g_assert_cmpint(nfs_caller_send(f->caller, &t, P_ECHO, "", 0, INT64_MAX, done, &o), ==,
			DFS_SHUTDOWN);
}

static void
test_wrong_targets_are_refused(struct fixture *f, gconstpointer data)
{
	struct nfs_target t = target(f, IPPROTO_TCP), none = t;
	static const char args[NFS_CALL_ARGS_MAX + 4];

	(void)data;
	none.peer.sa.sa_family = AF_UNSPEC;
	g_assert_cmpint(nfs_caller_send(f->caller, &none, 0, "", 0, 0, done, NULL), ==, DFS_INVAL);
	none = t;
	none.protocol = 99;
	g_assert_cmpint(nfs_caller_send(f->caller, &none, 0, "", 0, 0, done, NULL), ==, DFS_INVAL);
	g_assert_cmpint(nfs_caller_send(f->caller, &t, 0, args, sizeof args, 0, done, NULL), ==,
			DFS_TOOBIG);
}

static void
test_addresses(void)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {{"192.0.2.1.8.1", "192.0.2.1", 2049},
		    {"0.0.0.0.0.111", "0.0.0.0", 111},
		    {"::.8.1", "::", 2049},
		    {"2001:db8::1.255.255", "2001:db8::1", 65535},
		    {"::1.0.0", "::1", 0}};
	static const char *const bad[] = {"",
					  ".",
					  "1.2",
					  "192.0.2.1",
					  "192.0.2.1.8",
					  "1.2.3.4.256.1",
					  "1.2.3.4.1.-1",
					  "1.2.3.4.1.0x1",
					  "host.1.1",
					  "fe80::1%1.1.1",
					  "1.2.3.4.1.1.1"};
	union nfs_address a;
	char text[NFS_UADDR_MAX], host[NFS_ADDRESS_TEXT];

	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
		uint32_t len = (uint32_t)strlen(good[i].text);
		g_assert_true(nfs_uaddr_parse((const unsigned char *)good[i].text, len, &a));
		g_assert_cmpstr(nfs_address_text(&a, host), ==, good[i].host);
		g_assert_cmpuint(nfs_address_port(&a), ==, good[i].port);
		g_assert_cmpstr(nfs_uaddr_text(&a, text), ==, good[i].text);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(nfs_uaddr_parse((const unsigned char *)bad[i],
					       (uint32_t)strlen(bad[i]), &a));
	g_assert_true(nfs_address_parse("fe80::1%7", &a));
	g_assert_cmpstr(nfs_address_text(&a, host), ==, "fe80::1%7");
}

#define TEST(name, fn) g_test_add("/callback/" name, struct fixture, NULL, setup, fn, teardown)

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/callback/addresses", test_addresses);
	TEST("echo", test_echo);
	TEST("connection-is-shared", test_connection_is_shared);
	TEST("silence-ends-at-the-deadline", test_silence_ends_at_the_deadline);
	TEST("lost-datagram-is-sent-again", test_lost_datagram_is_sent_again);
	TEST("once-is-sent-once-by-udp", test_once_is_sent_once_by_udp);
	TEST("what-is-not-wanted-any-more-is-not-sent",
	     test_what_is_not_wanted_any_more_is_not_sent);
	TEST("strays-are-passed-over", test_strays_are_passed_over);
	TEST("garbage-is-no-reply", test_garbage_is_no_reply);
	TEST("huge-reply-is-refused", test_huge_reply_is_refused);
	TEST("short-reply-is-corrupt", test_short_reply_is_corrupt);
	TEST("fragments-are-joined", test_fragments_are_joined);
	TEST("closing-peer-fails-the-call", test_closing_peer_fails_the_call);
	TEST("kept-connection-that-died-is-replaced", test_kept_connection_that_died_is_replaced);
	TEST("once-is-sent-once-by-tcp", test_once_is_sent_once_by_tcp);
	TEST("refused-port-fails-at-once", test_refused_port_fails_at_once);
	TEST("statuses", test_statuses);
	TEST("replies-out-of-order", test_replies_out_of_order);
	TEST("one-way-waits-for-nothing", test_one_way_waits_for_nothing);
	TEST("credential", test_credential);
	TEST("silent-peer-cannot-hold-more-than-its-share",
	     test_silent_peer_cannot_hold_more_than_its_share);
	TEST("queued-calls-follow", test_queued_calls_follow);
	TEST("stop-ends-every-call", test_stop_ends_every_call);
	TEST("wrong-targets-are-refused", test_wrong_targets_are_refused);
	return g_test_run();
}
