/* SPDX-License-Identifier: MIT
 *
 * Calls by UDP, for the programs whose clients need it: status monitors send their notices so, old
 * portmap and MOUNT clients ask so.  NFS itself is not served by UDP.
 *
 * A datagram becomes a connection of one call (dfs_net_datagram), so procedures, workers and gates know
 * no difference.  The first loop receives.
 *
 * UDP's source addresses can be forged, so nothing here may serve to flood somebody else: a reply is no
 * longer than NFS_UDP_REPLY_FACTOR times its call, but for peers on this host; each address has a
 * budget of calls; what is over it is dropped without an answer, as UDP allows.
 */
#ifndef NFS_RPC_DATAGRAM_H
#define NFS_RPC_DATAGRAM_H

#include <dittofs/status.h>

#include "adapters/nfs/address.h"

struct nfs_conn;
struct nfs_server;
struct nfs_udp;
struct dfs_conn;

#define NFS_UDP_CALL_MAX 8192u /* bytes; longer ones are dropped */
#define NFS_UDP_REPLY_FACTOR 3u
#define NFS_UDP_RATE 200u  /* calls of one address in a second */
#define NFS_UDP_BURST 400u /* and at once */
#define NFS_UDP_CALLS_MAX                                                                          \
	512u /* under way; they count as connections, and leave the most to others */

/* No socket yet.  NULL: no memory. */
struct nfs_udp *nfs_udp_new(struct nfs_server *server);
/* Receive on this port; portmap: it is the portmapper's.  Before the loops run.  DFS_BUSY, DFS_CONFIG,
 * DFS_IO: dfs_fail_text says why. */
enum dfs_status nfs_udp_listen(struct nfs_udp *udp, const char *address, uint16_t port,
			       bool portmap);
/* What the i-th socket is bound to.  False: there is none. */
bool nfs_udp_bound(const struct nfs_udp *udp, unsigned i, union nfs_address *bound, bool *portmap);
/* Begin to receive: before the loops run.  False: dfs_fail_text. */
bool nfs_udp_start(struct nfs_udp *udp);
/* Receive no more: when it returns before the deadline (monotonic ns) no new call will come. */
void nfs_udp_stop(struct nfs_udp *udp, int64_t deadline);
/* All calls are answered; NULL is allowed. */
void nfs_udp_free(struct nfs_udp *udp);

/* Hooks of nfs_conn_ops. */
void nfs_datagram_opened(struct nfs_conn *conn);
void nfs_datagram_put_out(struct dfs_conn *io);
void nfs_datagram_freed(struct nfs_conn *conn);

#endif
