/* SPDX-License-Identifier: MIT
 *
 * The server's life cycle and its watchdog, a thread that looks at the loops once a second and at
 * the requests under way now and then, and names what is stuck.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/callback/callback.h"
#include "adapters/nfs/mount/mounts.h"
#include "adapters/nfs/nlm/nlm.h"
#include "adapters/nfs/nsm/nsm.h"
#include "adapters/nfs/portmap/map.h"
#include "adapters/nfs/portmap/rpcbind.h"
#include "adapters/nfs/portmap/session.h"
#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/datagram.h"
#include "base/cond.h"
#include "base/log.h"

#define RECORD_MAX ((1u << 20) + 4096u) /* the largest WRITE and its head */
#define LANE_QUEUE 1024u
#define STUCK_AFTER (10 * DFS_SECOND)
#define LATE_TIME (5 * DFS_SECOND)    /* that what runs has to end after a stop's deadline */
#define RPCBIND_TIME (3 * DFS_SECOND) /* that a start, a reload or a stop waits for it */
#define WATCH_ROUNDS 5                /* seconds between looks at the requests */

static void
watch_loops(struct nfs_server *server)
{
	int64_t now = dfs_clock_mono();

	for (unsigned i = 0; i < dfs_net_loops(server->net); i++) {
		struct dfs_loop *loop = dfs_net_loop(server->net, i);
		int64_t since = atomic_load_explicit(&loop->busy_since, memory_order_relaxed);
		const char *doing = atomic_load_explicit(&loop->doing, memory_order_relaxed);
		if (since && now - since > DFS_SECOND)
			dfs_log(DFS_LOG_WARN, "event loop %s is held for %lld ms by one turn (%s)",
				loop->name, (long long)((now - since) / 1000000),
				doing ? doing : "no call");
	}
}

static void *
watchdog_main(void *arg)
{
	struct nfs_server *server = arg;
	unsigned round = 0;

	pthread_mutex_lock(&server->watch_mu);
	while (!server->watch_stop) {
		dfs_cond_until(&server->watch_cond, &server->watch_mu,
			       dfs_clock_mono() + DFS_SECOND);
		if (server->watch_stop)
			break;
		pthread_mutex_unlock(&server->watch_mu);
		watch_loops(server);
		if (server->service.nlm)
			nlm_tick(server->service.nlm);
		if (++round % WATCH_ROUNDS == 0 && dfs_net_connections(server->net) > 0)
			dfs_net_each(server->net, nfs_conn_watch);
		pthread_mutex_lock(&server->watch_mu);
	}
	pthread_mutex_unlock(&server->watch_mu);
	return NULL;
}

static bool
wants_udp(const struct nfs_config *config)
{
	return config->udp == NFS_UDP_ON ||
	       (config->udp == NFS_UDP_AUTO && (config->portmap || config->register_rpcbind));
}

/* --- what NLM asks of the other parts; arg: the service --- */

static enum dfs_status
nlm_send(void *arg, const struct nfs_target *target, uint32_t procedure, const void *args,
	 uint32_t len, int64_t deadline, nfs_callback_fn done, void *done_arg)
{
	const struct nfs_service *service = arg;

	return nfs_caller_send(service->caller, target, procedure, args, len, deadline, done,
			       done_arg);
}

static enum dfs_status
nlm_monitor(void *arg, const struct nfs_access *access, const char *name, uint32_t len,
	    uint32_t state, struct dfs_ctx *ctx)
{
	const struct nfs_service *service = arg;

	return nfs_nsm_monitor(service->nsm, access, name, len, state, ctx);
}

static void
nlm_forget(void *arg, const union nfs_address *peer, const char *name, uint32_t len)
{
	const struct nfs_service *service = arg;

	nfs_nsm_forget(service->nsm, peer, name, len);
}

static enum dfs_status
make_nlm(struct nfs_server *server, struct dfs_workers *workers)
{
	struct nlm_outside outside = {&server->service, nlm_send, nlm_monitor, nlm_forget};
	struct nlm *nlm =
		nlm_new(server->service.runtime, workers, server->service.caller ? &outside : NULL);

	if (!nlm)
		return dfs_fail(DFS_NOMEM, "no memory for the lock service");
	server->service.nlm = nlm;
	if (server->service.nsm)
		nfs_nsm_on_restart(server->service.nsm, nlm_peer_restarted, nlm);
	return DFS_OK;
}

enum dfs_status
nfs_server_new(struct dfs_runtime *runtime, struct dfs_workers *workers, unsigned loops,
	       const struct nfs_config *config, const struct nfs_program *programs,
	       uint32_t n_programs, struct nfs_server **out)
{
	struct nfs_server *server = calloc(1, sizeof *server);
	enum dfs_status status = DFS_OK;
	struct dfs_net_config net = {
		.name = "nfs",
		.loops = loops,
		.max_connections = (uint32_t)config->max_connections,
		.ops = &nfs_conn_ops,
		.owner = server,
		.limits = {.requests = (uint32_t)config->max_requests,
			   .out_bytes = (uint32_t)config->max_queued,
			   .idle = (int64_t)config->idle_timeout,
			   .stall = (int64_t)config->stall_timeout},
	};

	if (!server)
		return dfs_fail(DFS_NOMEM, "no memory for the NFS server");
	server->config = *config;
	server->programs = programs;
	server->n_programs = n_programs;
	server->max_record = RECORD_MAX;
	server->request_timeout = (int64_t)config->request_timeout;
	server->stuck_after = STUCK_AFTER;
	server->max_receiving = (int64_t)config->max_receiving;
	server->calls = dfs_counter_get("nfs_calls");
	server->worker_calls = dfs_counter_get("nfs_calls_on_workers");
	server->gated_replies = dfs_counter_get("nfs_replies_gated");
	server->slow_turns = dfs_counter_get("nfs_slow_turns");
	server->bad_records = dfs_counter_get("nfs_bad_records");
	pthread_mutex_init(&server->watch_mu, NULL);
	dfs_cond_init(&server->watch_cond);
	server->service.runtime = runtime;
	server->service.mounts = nfs_mounts_new();
	server->drc = nfs_drc_new((uint32_t)config->reply_cache, 0);
	server->lane = dfs_lane_new(workers, 0, LANE_QUEUE);
	server->net = dfs_net_new(&net);
	server->service.map = calloc(1, sizeof *server->service.map);
	if (server->net && wants_udp(config))
		server->udp = nfs_udp_new(server);
	if (config->register_rpcbind)
		server->registration = calloc(1, sizeof *server->registration);
	if (!server->net || !server->service.map || (wants_udp(config) && !server->udp) ||
	    (config->register_rpcbind && !server->registration))
		status = DFS_IO;
	if (status == DFS_OK && config->state_dir)
		status = nfs_nsm_new(config->state_dir, server->lane, &server->service.nsm);
	if (status == DFS_OK && config->state_dir) {
		server->service.caller = nfs_caller_new();
		status = server->service.caller ? DFS_OK : DFS_IO;
	}
	if (status == DFS_OK && config->locks)
		status = make_nlm(server, workers);
	server->config.state_dir = NULL;
	if (status == DFS_OK)
		*out = server;
	else
		nfs_server_free(server);
	return status;
}

static void
watchdog_stop(struct nfs_server *server)
{
	if (!server->watching)
		return;
	pthread_mutex_lock(&server->watch_mu);
	server->watch_stop = true;
	pthread_cond_signal(&server->watch_cond);
	pthread_mutex_unlock(&server->watch_mu);
	pthread_join(server->watchdog, NULL);
	server->watching = false;
}

void
nfs_server_free(struct nfs_server *server)
{
	if (!server)
		return;
	/* Waits for the last request: workers and gates hold connections, and these the server. The
	 * watchdog names what it waits for. */
	if (server->net)
		dfs_net_wait(server->net, INT64_MAX);
	watchdog_stop(server);
	dfs_net_free(server->net);
	nfs_udp_free(server->udp);
	free(server->service.map);
	free(server->registration);
	dfs_lane_free(server->lane);
	/* No stop comes after a start that failed; what calls out has to end before its caller. */
	if (server->service.nlm)
		nlm_stop(server->service.nlm, INT64_MAX);
	nfs_caller_free(server->service.caller);
	nlm_free(server->service.nlm);
	nfs_nsm_free(server->service.nsm);
	nfs_drc_free(server->drc);
	nfs_mounts_free(server->service.mounts);
	pthread_cond_destroy(&server->watch_cond);
	pthread_mutex_destroy(&server->watch_mu);
	free(server);
}

/* Listen on one port, of all addresses. */
static enum dfs_status
listen_all(struct nfs_server *server, uint16_t port, bool portmap, const char *what)
{
	for (const char *const *address = server->config.listen; *address; address++) {
		enum dfs_status status = dfs_net_listen(server->net, *address, port);

		if (status == DFS_OK && server->udp)
			status = nfs_udp_listen(server->udp, *address, port, portmap);
		if (status != DFS_OK)
			return status;
		dfs_log(DFS_LOG_INFO, "%s: listening on %s port %u%s", what, *address, port,
			server->udp ? ", TCP and UDP" : "");
	}
	return DFS_OK;
}

/* What is served at this address. */
static void
map_address(struct nfs_server *server, const union nfs_address *at, uint8_t protocol, bool portmap)
{
	uint32_t needed = (protocol == IPPROTO_UDP ? NFS_PROGRAM_UDP : 0) |
			  (portmap ? NFS_PROGRAM_PORTMAP : 0);

	for (uint32_t i = 0; i < server->n_programs; i++) {
		const struct nfs_program *p = &server->programs[i];

		if ((p->flags & needed) != needed || !(p->flags & NFS_PROGRAM_PORTMAP) != !portmap)
			continue;
		for (uint32_t version = p->low; version <= p->high; version++)
			nfs_map_add(server->service.map, p->number, version, protocol, at);
	}
}

static void
make_map(struct nfs_server *server)
{
	struct sockaddr_storage bound;
	union nfs_address at;
	bool portmap;

	for (unsigned i = 0; dfs_net_bound(server->net, i, &bound); i++) {
		nfs_address_set(&at, (struct sockaddr *)&bound);
		portmap = server->config.portmap &&
			  nfs_address_port(&at) == server->config.portmap_port;
		map_address(server, &at, IPPROTO_TCP, portmap);
	}
	for (unsigned i = 0; server->udp && nfs_udp_bound(server->udp, i, &at, &portmap); i++)
		map_address(server, &at, IPPROTO_UDP, portmap);
}

enum dfs_status
nfs_server_start(struct nfs_server *server)
{
	const struct nfs_config *config = &server->config;
	enum dfs_status status = listen_all(server, (uint16_t)config->port, false, "nfs");
	int err;

	if (status == DFS_OK && config->portmap) {
		status = listen_all(server, (uint16_t)config->portmap_port, true, "portmap");
		if (status == DFS_BUSY)
			dfs_fail(status,
				 "the portmapper's port %lld is taken; if rpcbind runs here, "
				 "use register_rpcbind instead of portmap",
				 (long long)config->portmap_port);
	}
	if (status != DFS_OK)
		return status;
	make_map(server);
	if (server->udp && !nfs_udp_start(server->udp))
		return DFS_IO;
	/* The watchdog asks the loops, so they run before it does. */
	if (!dfs_net_start(server->net))
		return DFS_IO;
	err = pthread_create(&server->watchdog, NULL, watchdog_main, server);
	if (err)
		return dfs_fail(DFS_IO, "cannot start the NFS watchdog: %s", strerror(err));
	pthread_setname_np(server->watchdog, "nfs-watch");
	server->watching = true;
	if (server->registration)
		nfs_rpcbind_register(server->registration, server->service.map, RPCBIND_SOCKET,
				     dfs_clock_mono() + RPCBIND_TIME);
	if (server->service.nsm)
		nfs_nsm_start(server->service.nsm, server->service.caller);
	return DFS_OK;
}

bool
nfs_server_stop(struct nfs_server *server, int64_t deadline)
{
	int64_t soon = dfs_clock_mono() + RPCBIND_TIME, late;
	bool ended = true;

	if (server->registration)
		nfs_rpcbind_unregister(server->registration, server->service.map, RPCBIND_SOCKET,
				       soon < deadline ? soon : deadline);
	if (server->udp)
		nfs_udp_stop(server->udp, deadline);
	if (!dfs_net_drain(server->net, deadline))
		dfs_log(DFS_LOG_WARN, "nfs: the deadline passed before all requests were answered");
	late = dfs_clock_mono() + LATE_TIME;
	if (server->service.nlm)
		ended = nlm_stop(server->service.nlm, late);
	if (server->service.nsm)
		nfs_nsm_stop(server->service.nsm);
	if (server->service.caller)
		nfs_caller_stop(server->service.caller);
	/* What waits for another's lock or answer has just been told to end. */
	ended = dfs_net_wait(server->net, late) && ended;
	return dfs_lane_wait(server->lane, late) && ended;
}

static void
forget_access(struct dfs_conn *io)
{
	nfs_access_clear(&((struct nfs_conn *)io)->access);
}

void
nfs_server_reload(struct nfs_server *server)
{
	dfs_net_each(server->net, forget_access);
	/* An rpcbind that was started anew has forgotten us. */
	if (server->registration)
		nfs_rpcbind_register(server->registration, server->service.map, RPCBIND_SOCKET,
				     dfs_clock_mono() + RPCBIND_TIME);
}
