/* SPDX-License-Identifier: MIT
 *
 * The NFS adapter: one instance serves NFSv3 and MOUNT v3 on one port.
 *
 * Life cycle: create, start, reload, stop, destroy, all from the main thread.
 */
#ifndef NFS_SERVER_H
#define NFS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/adapter.h>

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "base/counter.h"

struct dfs_net;
struct dfs_workers;
struct dfs_lane;
struct nfs_drc;
struct nfs_udp;
struct nfs_registration;

struct nfs_config {
	const char *const *listen;
	int64_t port;
	int64_t max_connections;
	int64_t max_requests;   /* of one connection, under way at once */
	uint64_t max_queued;    /* reply bytes of one connection */
	uint64_t max_receiving; /* bytes of WRITE data, all connections */
	uint64_t idle_timeout, stall_timeout, request_timeout; /* ns */
	int64_t reply_cache;                                   /* entries */
	uint32_t udp;                                          /* enum nfs_udp_when */
	uint8_t portmap;                                       /* serve the portmapper's programs */
	int64_t portmap_port;                                  /* where */
	uint8_t register_rpcbind;                              /* with the host's own */
	uint8_t locks;                                         /* serve NLM */
	/* Not an option: where what must outlive the server is kept; borrowed until it is created.
	 * NULL: the server makes no calls and monitors nobody (tests). */
	const char *state_dir;
};

enum nfs_udp_when {
	NFS_UDP_AUTO = 0, /* with a portmapper, ours or the host's: without one nobody finds it */
	NFS_UDP_ON = 1,
	NFS_UDP_OFF = 2,
};

#define NFS_PROGRAM_UDP (1u << 0)     /* also by UDP, on the port of the same number */
#define NFS_PROGRAM_PORTMAP (1u << 1) /* on the portmapper's port, and not on NFS's */

/* A program that the server answers for; versions that differ in their procedures are several rows. */
struct nfs_program {
	uint32_t number, low, high; /* versions */
	const struct nfs_proc *procs;
	uint32_t n_procs;
	uint32_t flags;
};

struct nfs_server {
	struct nfs_service service;
	struct nfs_drc *drc;
	struct dfs_net *net;
	struct nfs_udp *udp;                   /* NULL: off */
	struct nfs_registration *registration; /* with the host's rpcbind; NULL: off */
	struct dfs_lane *lane; /* for calls that fall through before they have a share */
	const struct nfs_program *programs;
	uint32_t n_programs;
	uint32_t max_record;       /* bytes of one call */
	int64_t request_timeout;   /* ns */
	int64_t stuck_after;       /* ns under way after which the watchdog names a request */
	_Atomic int64_t receiving; /* bytes set aside for records that are not all here */
	int64_t max_receiving;
	struct dfs_counter *calls, *worker_calls, *gated_replies, *bad_records, *slow_turns;
	struct nfs_config config;
	pthread_t watchdog;
	bool watching;
	pthread_mutex_t watch_mu;
	pthread_cond_t watch_cond;
	bool watch_stop; /* guarded by watch_mu */
};

/* An instance with other programs than the product's; for tests. */
enum dfs_status nfs_server_new(struct dfs_runtime *runtime, struct dfs_workers *workers,
			       unsigned loops, const struct nfs_config *config,
			       const struct nfs_program *programs, uint32_t n_programs,
			       struct nfs_server **server);
void nfs_server_free(struct nfs_server *server);
/* Bind and serve; dfs_fail_text explains. */
enum dfs_status nfs_server_start(struct nfs_server *server);
/* False: requests still run, and the server cannot be freed. */
bool nfs_server_stop(struct nfs_server *server, int64_t deadline);
/* Connections drop the access decisions that they keep. */
void nfs_server_reload(struct nfs_server *server);

#endif
