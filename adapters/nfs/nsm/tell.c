/* SPDX-License-Identifier: MIT
 *
 * Notices that go out: SM_NOTIFY to the peers of the life before, and what programs of this host are
 * told about hosts that they watch.
 *
 * A peer that does not answer is asked again with growing pauses, by UDP and by TCP in turn, for
 * NSM_TELL_TIME; a client that starts at the same time as the server needs that.
 *
 * Threads: calls end, and peers are gone through, on the caller's thread; notices are passed on by whoever
 * takes them in, names of hosts are looked up by a worker.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/callback/callback.h"
#include "adapters/nfs/nsm/table.h"
#include "base/container.h"
#include "base/log.h"
#include "io/worker.h"

#define PARALLEL 64u
#define TRY_TIME (10 * DFS_SECOND)
#define PAUSE (5 * DFS_SECOND)
#define PAUSE_STEPS 4u /* doubled so many times */
#define NSM_TELL_TIME (900 * DFS_SECOND)

static void pass(struct nfs_nsm *nsm);

struct notice {
	struct nfs_nsm *nsm;
	struct nsm_peer *peer;
};

static void
told_locked(struct nfs_nsm *nsm, struct nsm_peer *peer)
{
	peer->untold = false;
	nsm->n_untold--;
}

/* Caller's thread.  Whether it is over for now. */
static bool
answered_locked(struct nfs_nsm *nsm, struct nsm_peer *peer, enum dfs_status status)
{
	int64_t now = nfs_caller_loop(nsm->caller)->now;
	unsigned step = peer->tries < PAUSE_STEPS ? peer->tries : PAUSE_STEPS;
	char text[NFS_ADDRESS_TEXT];

	peer->asking = false;
	if (!peer->untold || status == DFS_SHUTDOWN)
		return false;
	if (status == DFS_OK) {
		dfs_log(DFS_LOG_DEBUG, "%s (%s) has been told of the restart", peer->name,
			nfs_address_text(&peer->address, text));
		told_locked(nsm, peer);
		return true;
	}
	peer->tries++;
	peer->due = now + (PAUSE << step);
	if (peer->due < nsm->give_up)
		return true;
	dfs_log(DFS_LOG_WARN,
		"the status monitor of %s (%s) cannot be told that this server has restarted: it "
		"does not reclaim its locks by itself",
		peer->name, nfs_address_text(&peer->address, text));
	told_locked(nsm, peer);
	return true;
}

/* Caller's thread. */
static void
notice_done(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	struct notice *notice = arg;
	struct nfs_nsm *nsm = notice->nsm;
	bool go_on;

	(void)reply; /* void */
	pthread_mutex_lock(&nsm->mu);
	go_on = answered_locked(nsm, notice->peer, status);
	pthread_mutex_unlock(&nsm->mu);
	free(notice);
	nsm->under_way--;
	if (go_on && nsm->under_way <= PARALLEL / 2)
		pass(nsm);
}

/* One notice; the peer is marked as asking.  Caller's thread. */
static void
send_notice(struct nfs_nsm *nsm, struct nsm_peer *peer, const union nfs_address *address,
	    const union nfs_address *local, unsigned tries, uint32_t state)
{
	unsigned char args[4 + NSM_NAME_MAX + 3 + 4];
	struct xdr_out out = {.base = args, .p = args, .end = args + sizeof args};
	struct notice *notice = malloc(sizeof *notice);
	struct nfs_target target = {.peer = *address,
				    .local = *local,
				    .program = NSM_PROGRAM,
				    .version = 1,
				    .protocol = tries % 2 ? IPPROTO_TCP : IPPROTO_UDP};
	enum dfs_status status = DFS_NOMEM;

	xdr_put_opaque(&out, nsm->own_name, (uint32_t)strlen(nsm->own_name));
	xdr_put_u32(&out, state);
	nsm->under_way++;
	if (notice) {
		*notice = (struct notice){nsm, peer};
		status = nfs_caller_send(nsm->caller, &target, SM_NOTIFY, args,
					 (uint32_t)(out.p - out.base), dfs_clock_mono() + TRY_TIME,
					 notice_done, notice);
	}
	if (status == DFS_OK)
		return;
	free(notice);
	nsm->under_way--;
	pthread_mutex_lock(&nsm->mu);
	answered_locked(nsm, peer, status);
	pthread_mutex_unlock(&nsm->mu);
}

struct to_send {
	struct nsm_peer *peer;
	union nfs_address address, local;
	unsigned tries;
};

/* Those whose turn it is, at most n; *next: when the others' will be, INT64_MAX: never. */
static unsigned
choose_locked(struct nfs_nsm *nsm, struct to_send *list, unsigned n, int64_t now, int64_t *next)
{
	unsigned found = 0;

	*next = INT64_MAX;
	for (unsigned i = 0; i < NSM_BUCKETS; i++)
		for (struct nsm_peer *p = nsm->peers[i]; p; p = p->next) {
			if (!p->untold || p->asking)
				continue;
			if (p->due > now || found == n) {
				if (p->due < *next)
					*next = p->due;
				continue;
			}
			p->asking = true;
			list[found++] = (struct to_send){p, p->address, p->local, p->tries};
		}
	return found;
}

/* Send to those whose turn it is.  Caller's thread. */
static void
pass(struct nfs_nsm *nsm)
{
	struct dfs_loop *loop = nfs_caller_loop(nsm->caller);
	struct to_send list[PARALLEL];
	uint32_t state, untold;
	int64_t next;
	unsigned n;

	pthread_mutex_lock(&nsm->mu);
	n = choose_locked(nsm, list, PARALLEL - nsm->under_way, loop->now, &next);
	state = nsm->state;
	pthread_mutex_unlock(&nsm->mu);
	for (unsigned i = 0; i < n; i++)
		send_notice(nsm, list[i].peer, &list[i].address, &list[i].local, list[i].tries,
			    state);
	/* Of those, too, that could not be sent. */
	pthread_mutex_lock(&nsm->mu);
	choose_locked(nsm, list, 0, loop->now, &next);
	untold = nsm->n_untold;
	pthread_mutex_unlock(&nsm->mu);
	if (next != INT64_MAX && nsm->under_way < PARALLEL)
		dfs_timer_set(loop, &nsm->timer, next > loop->now ? next : loop->now);
	if (untold == 0) {
		dfs_log(DFS_LOG_INFO, "every client that held locks has been told of the restart");
		nsm_write_soon(nsm);
	}
}

static void
timer_fire(struct dfs_timer *timer)
{
	pass(DFS_CONTAINER_OF(timer, struct nfs_nsm, timer));
}

static void
kick_run(struct dfs_post *post)
{
	struct nfs_nsm *nsm = DFS_CONTAINER_OF(post, struct nfs_nsm, kick);

	pthread_mutex_lock(&nsm->mu);
	nsm->kicked = false;
	pthread_mutex_unlock(&nsm->mu);
	nsm->timer.fire = timer_fire;
	nsm->give_up = nfs_caller_loop(nsm->caller)->now + NSM_TELL_TIME;
	pass(nsm);
}

void
nsm_tell(struct nfs_nsm *nsm)
{
	bool kick;

	pthread_mutex_lock(&nsm->mu);
	kick = nsm->caller && nsm->n_untold > 0 && !nsm->kicked;
	nsm->kicked |= kick;
	pthread_mutex_unlock(&nsm->mu);
	if (!kick)
		return;
	nsm->kick.run = kick_run;
	dfs_loop_post(nfs_caller_loop(nsm->caller), &nsm->kick);
}

/* Every address of the host becomes a peer that is to be told.  A worker; may take long. */
static void
add_host(struct nfs_nsm *nsm, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list, *ai;
	union nfs_address address;
	int err = getaddrinfo(host, NULL, &hints, &list);

	if (err) {
		dfs_log(DFS_LOG_WARN, "%s cannot be told that this host has restarted: %s", host,
			gai_strerror(err));
		return;
	}
	pthread_mutex_lock(&nsm->mu);
	for (ai = list; ai; ai = ai->ai_next) {
		struct nsm_peer *peer;

		nfs_address_set(&address, ai->ai_addr);
		if (address.sa.sa_family == AF_UNSPEC || nsm_find_locked(nsm, &address, host))
			continue;
		peer = nsm_add_locked(nsm, &address, host);
		if (!peer)
			break;
		peer->seq = ++nsm->seq;
		peer->untold = true;
		nsm->n_untold++;
	}
	pthread_mutex_unlock(&nsm->mu);
	freeaddrinfo(list);
}

void
nsm_tell_watched(struct nfs_nsm *nsm)
{
	struct nsm_watch *w;

	/* A name server that is away can make one name take half a minute. */
	while (!atomic_load(&nsm->stopping)) {
		pthread_mutex_lock(&nsm->mu);
		w = nsm->lapsed;
		if (w) {
			nsm->lapsed = w->next;
			nsm->n_lapsed--;
			nsm->seq++;
		}
		pthread_mutex_unlock(&nsm->mu);
		if (!w)
			break;
		add_host(nsm, w->host);
		free(w);
	}
	nsm_write_soon(nsm);
	nsm_tell(nsm);
}

struct passed {
	struct nfs_nsm *nsm;
	struct nfs_target target;
	uint32_t procedure, len;
	unsigned char args[4 + NSM_NAME_MAX + 3 + 4 + NSM_PRIV_SIZE];
};

/* Caller's thread. */
static void
passed_done(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	struct passed *passed = arg;

	(void)reply; /* void */
	if (status != DFS_OK && status != DFS_SHUTDOWN && passed->target.protocol == IPPROTO_UDP) {
		passed->target.protocol = IPPROTO_TCP;
		nfs_address_set_port(&passed->target.peer, 0);
		if (nfs_caller_send(passed->nsm->caller, &passed->target, passed->procedure,
				    passed->args, passed->len, dfs_clock_mono() + TRY_TIME,
				    passed_done, passed) == DFS_OK)
			return;
	}
	if (status != DFS_OK)
		dfs_log(DFS_LOG_WARN,
			"program %u of this host cannot be told that a host it watches has "
			"restarted: %s",
			passed->target.program, dfs_status_name(status));
	free(passed);
}

/* The call to the program that has asked for w; NULL: no memory. */
static struct passed *
passed_new(struct nfs_nsm *nsm, const struct nsm_watch *w, uint32_t state)
{
	struct passed *passed = calloc(1, sizeof *passed);
	struct xdr_out out;

	if (!passed)
		return NULL;
	out = (struct xdr_out){
		.base = passed->args, .p = passed->args, .end = passed->args + sizeof passed->args};
	xdr_put_opaque(&out, w->host, (uint32_t)strlen(w->host));
	xdr_put_u32(&out, state);
	xdr_put_fixed(&out, w->priv, NSM_PRIV_SIZE);
	passed->nsm = nsm;
	passed->len = (uint32_t)(out.p - out.base);
	passed->procedure = w->procedure;
	passed->target.program = w->program;
	passed->target.version = w->version;
	passed->target.protocol = IPPROTO_UDP;
	nfs_address_parse("127.0.0.1", &passed->target.peer);
	return passed;
}

void
nsm_pass_on(struct nfs_nsm *nsm, const char *name, const union nfs_address *from, uint32_t state)
{
	struct passed *list[NSM_WATCHES_MAX];
	char text[NFS_ADDRESS_TEXT];
	unsigned n = 0;

	nfs_address_text(from, text);
	pthread_mutex_lock(&nsm->mu);
	for (struct nsm_watch *w = nsm->watches; w && nsm->caller; w = w->next) {
		if (w->state == state ||
		    (!nsm_name_matches(w->host, name) && strcmp(w->host, text) != 0))
			continue;
		list[n] = passed_new(nsm, w, state);
		if (list[n]) {
			w->state = state;
			n++;
		}
	}
	pthread_mutex_unlock(&nsm->mu);
	for (unsigned i = 0; i < n; i++)
		if (nfs_caller_send(nsm->caller, &list[i]->target, list[i]->procedure,
				    list[i]->args, list[i]->len, dfs_clock_mono() + TRY_TIME,
				    passed_done, list[i]) != DFS_OK)
			free(list[i]);
}

struct resolve {
	struct dfs_task task;
	struct nfs_nsm *nsm;
};

static void
resolve_run(struct dfs_task *task)
{
	struct nfs_nsm *nsm = ((struct resolve *)task)->nsm;

	free(task);
	nsm_tell_watched(nsm);
}

void
nfs_nsm_start(struct nfs_nsm *nsm, struct nfs_caller *caller)
{
	struct resolve *resolve;
	uint32_t untold;
	bool lapsed;

	pthread_mutex_lock(&nsm->mu);
	nsm->caller = caller;
	untold = nsm->n_untold;
	lapsed = nsm->lapsed;
	pthread_mutex_unlock(&nsm->mu);
	if (untold > 0)
		dfs_log(DFS_LOG_INFO, "telling %u clients that held locks of the restart", untold);
	nsm_tell(nsm);
	resolve = lapsed ? malloc(sizeof *resolve) : NULL;
	if (!resolve)
		return;
	*resolve = (struct resolve){{.run = resolve_run}, nsm};
	if (!dfs_lane_submit(nsm->lane, &resolve->task))
		free(resolve);
}
