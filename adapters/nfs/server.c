/* SPDX-License-Identifier: MIT
 *
 * The server's life cycle and its watchdog, a thread that looks at the loops once a second and at
 * the requests under way now and then, and names what is stuck.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/mount/mounts.h"
#include "adapters/nfs/rpc/conn.h"
#include "base/cond.h"
#include "base/log.h"

#define RECORD_MAX ((1u << 20) + 4096u) /* the largest WRITE and its head */
#define LANE_QUEUE 1024u
#define STUCK_AFTER (10 * DFS_SECOND)
#define WATCH_ROUNDS 5 /* seconds between looks at the requests */

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
		if (++round % WATCH_ROUNDS == 0 && dfs_net_connections(server->net) > 0)
			dfs_net_each(server->net, nfs_conn_watch);
		pthread_mutex_lock(&server->watch_mu);
	}
	pthread_mutex_unlock(&server->watch_mu);
	return NULL;
}

enum dfs_status
nfs_server_new(struct dfs_runtime *runtime, struct dfs_workers *workers, unsigned loops,
	       const struct nfs_config *config, const struct nfs_program *programs,
	       uint32_t n_programs, struct nfs_server **out)
{
	struct nfs_server *server = calloc(1, sizeof *server);
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
	if (!server->net) {
		nfs_server_free(server);
		return DFS_IO;
	}
	*out = server;
	return DFS_OK;
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
		dfs_net_wait(server->net);
	watchdog_stop(server);
	dfs_net_free(server->net);
	dfs_lane_free(server->lane);
	nfs_drc_free(server->drc);
	nfs_mounts_free(server->service.mounts);
	pthread_cond_destroy(&server->watch_cond);
	pthread_mutex_destroy(&server->watch_mu);
	free(server);
}

enum dfs_status
nfs_server_start(struct nfs_server *server)
{
	const struct nfs_config *config = &server->config;
	int err;

	for (const char *const *address = config->listen; *address; address++) {
		enum dfs_status status =
			dfs_net_listen(server->net, *address, (uint16_t)config->port);
		if (status != DFS_OK)
			return status;
		dfs_log(DFS_LOG_INFO, "nfs: listening on %s port %lld", *address,
			(long long)config->port);
	}
	/* The watchdog asks the loops, so they run before it does. */
	if (!dfs_net_start(server->net))
		return DFS_IO;
	err = pthread_create(&server->watchdog, NULL, watchdog_main, server);
	if (err)
		return dfs_fail(DFS_IO, "cannot start the NFS watchdog: %s", strerror(err));
	pthread_setname_np(server->watchdog, "nfs-watch");
	server->watching = true;
	return DFS_OK;
}

void
nfs_server_stop(struct nfs_server *server, int64_t deadline)
{
	if (!dfs_net_drain(server->net, deadline))
		dfs_log(DFS_LOG_WARN, "nfs: the deadline passed before all requests were answered");
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
}
