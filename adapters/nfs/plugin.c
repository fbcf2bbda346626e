/* SPDX-License-Identifier: MIT
 *
 * The adapter plugin nfs: options and entry points around a struct nfs_server.
 */
#include <stdio.h>
#include <stddef.h>

#include "adapters/nfs/mount/mount.h"
#include "adapters/nfs/nfs3/nfs3.h"
#include "adapters/nfs/nlm/nlm.h"
#include "adapters/nfs/nsm/nsm.h"
#include "adapters/nfs/portmap/portmap.h"
#include "adapters/nfs/server.h"
#include "base/log.h"
#include "runtime/runtime.h"

#define FIELD(name) offsetof(struct nfs_config, name)
#define NLM_ROWS 2
#define SECONDS(n) ((int64_t)(n)*1000000000)

static const char *const udp_names[] = {"auto", "on", "off", NULL};

static const struct dfs_config_item options[] = {
	{"listen", DFS_CONFIG_LIST, 0, FIELD(listen), 0, 0, "0.0.0.0", NULL,
	 "Addresses to listen on: numeric IPv4 or IPv6, or host names."},
	{"port", DFS_CONFIG_INT, 0, FIELD(port), 1, 65535, "12049", NULL,
	 "TCP port for NFS and MOUNT together."},
	{"max_connections", DFS_CONFIG_INT, 0, FIELD(max_connections), 1, 1000000, "16384", NULL,
	 "Connections open at once; more are refused."},
	{"max_requests", DFS_CONFIG_INT, 0, FIELD(max_requests), 4, 65536, "256", NULL,
	 "Requests of one connection under way at once; beyond, it is not read."},
	{"max_queued", DFS_CONFIG_SIZE, 0, FIELD(max_queued), 1 << 20, 1 << 30, "32M", NULL,
	 "Reply bytes of one connection that its client has not taken; beyond, it is not read."},
	{"max_receiving", DFS_CONFIG_SIZE, 0, FIELD(max_receiving), 4 << 20, INT64_C(1) << 40,
	 "256M", NULL,
	 "Memory reserved for the data of writes that are being received, all connections "
	 "together."},
	{"idle_timeout", DFS_CONFIG_DURATION, 0, FIELD(idle_timeout), 0, SECONDS(7 * 86400), "15m",
	 NULL, "Close a connection without requests after this time; 0: never."},
	{"stall_timeout", DFS_CONFIG_DURATION, 0, FIELD(stall_timeout), SECONDS(1), SECONDS(3600),
	 "60s", NULL,
	 "Close a connection whose client takes no reply bytes, or leaves a call incomplete, for "
	 "this time."},
	{"request_timeout", DFS_CONFIG_DURATION, 0, FIELD(request_timeout), SECONDS(1),
	 SECONDS(3600), "30s", NULL,
	 "Longest wait of one request before the client is told to come again."},
	{"reply_cache", DFS_CONFIG_INT, 0, FIELD(reply_cache), 256, 16777216, "65536", NULL,
	 "Entries of the duplicate request cache, over all clients."},
	{"udp", DFS_CONFIG_ENUM, 0, FIELD(udp), 0, 0, "auto", udp_names,
	 "Whether MOUNT, locks and the status monitor are also served by UDP, on the same port; "
	 "auto: with "
	 "portmap or register_rpcbind."},
	{"portmap", DFS_CONFIG_BOOL, 0, FIELD(portmap), 0, 0, "false", NULL,
	 "Run a portmapper, which tells clients the ports of this adapter."},
	{"portmap_port", DFS_CONFIG_INT, 0, FIELD(portmap_port), 1, 65535, "111", NULL,
	 "Port of that portmapper; clients look for it at 111 only."},
	{"register_rpcbind", DFS_CONFIG_BOOL, 0, FIELD(register_rpcbind), 0, 0, "false", NULL,
	 "Register this adapter's programs with the rpcbind of this host."},
	{"locks", DFS_CONFIG_BOOL, 0, FIELD(locks), 0, 0, "true", NULL,
	 "Serve the network lock manager (NLM)."},
	{NULL, DFS_CONFIG_END, 0, 0, 0, 0, NULL, NULL, NULL},
};

static const struct nfs_program programs[] = {
	{NFS_PROGRAM, 3, 3, nfs3_procs, sizeof nfs3_procs / sizeof *nfs3_procs, 0},
	{MOUNT_PROGRAM, 3, 3, mount3_procs, sizeof mount3_procs / sizeof *mount3_procs,
	 NFS_PROGRAM_UDP},
	{NSM_PROGRAM, 1, 1, nsm1_procs, NSM_PROCS, NFS_PROGRAM_UDP},
	{PORTMAP_PROGRAM, 2, 2, portmap2_procs, PORTMAP_PROCS_2,
	 NFS_PROGRAM_PORTMAP | NFS_PROGRAM_UDP},
	{PORTMAP_PROGRAM, 3, 3, rpcbind_procs, PORTMAP_PROCS_3,
	 NFS_PROGRAM_PORTMAP | NFS_PROGRAM_UDP},
	{PORTMAP_PROGRAM, 4, 4, rpcbind_procs, PORTMAP_PROCS_4,
	 NFS_PROGRAM_PORTMAP | NFS_PROGRAM_UDP},
	/* The last ones: only with `locks`. */
	{NLM_PROGRAM, 1, 1, nlm_procs, NLM_PROCS_1, NFS_PROGRAM_UDP},
	{NLM_PROGRAM, 3, 4, nlm_procs, NLM_PROCS, NFS_PROGRAM_UDP},
};

static enum dfs_status
refuse(struct dfs_diag *diag, const char *key, const char *text)
{
	snprintf(diag->key, sizeof diag->key, "%s", key);
	snprintf(diag->text, sizeof diag->text, "%s", text);
	return DFS_CONFIG;
}

static enum dfs_status
validate(const void *config, struct dfs_diag *diag)
{
	const struct nfs_config *c = config;

	if (!c->listen || !c->listen[0])
		return refuse(diag, "listen", "at least one address is needed");
	if (c->portmap && c->portmap_port == c->port)
		return refuse(diag, "portmap_port", "it must differ from port");
	if (c->portmap && c->register_rpcbind)
		return refuse(diag, "portmap",
			      "a host has one portmapper: choose portmap or register_rpcbind");
	return DFS_OK;
}

static enum dfs_status
create(struct dfs_runtime *runtime, const struct dfs_host *host, const void *config, void **inst,
       struct dfs_diag *diag)
{
	struct nfs_server *server = NULL;
	struct nfs_config with_state = *(const struct nfs_config *)config;
	uint32_t n = sizeof programs / sizeof *programs - (with_state.locks ? 0 : NLM_ROWS);
	enum dfs_status status;

	(void)host; /* an adapter is linked with the core */
	with_state.state_dir = dfs_runtime_state_dir(runtime);
	status = nfs_server_new(runtime, dfs_runtime_workers(runtime), dfs_runtime_loops(runtime),
				&with_state, programs, n, &server);
	if (status != DFS_OK)
		snprintf(diag->text, sizeof diag->text, "%s", dfs_fail_text());
	*inst = server;
	return status;
}

static void
destroy(void *inst)
{
	nfs_server_free(inst);
}

static enum dfs_status
start(void *inst, struct dfs_diag *diag)
{
	enum dfs_status status = nfs_server_start(inst);

	if (status != DFS_OK)
		snprintf(diag->text, sizeof diag->text, "%s", dfs_fail_text());
	return status;
}

static void
reload(void *inst)
{
	nfs_server_reload(inst);
}

static bool
stop(void *inst, int64_t deadline)
{
	return nfs_server_stop(inst, deadline);
}

static const struct dfs_adapter_ops ops = {
	.size = sizeof ops,
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.start = start,
	.reload = reload,
	.stop = stop,
};

DFS_PLUGIN_DEFINE(adapter_nfs, .kind = DFS_KIND_ADAPTER, .abi_major = DFS_ADAPTER_ABI_MAJOR,
		  .abi_minor = DFS_ADAPTER_ABI_MINOR, .min_host_minor = DFS_HOST_MINOR,
		  .name = "nfs", .version = "0.1.0",
		  .summary = "NFS version 3 with MOUNT, NLM and NSM", .license = "MIT",
		  .thread_model = DFS_THREADS_NONBLOCKING, .config = options,
		  .config_size = sizeof(struct nfs_config), .ops = &ops);
