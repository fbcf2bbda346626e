/* SPDX-License-Identifier: MIT
 *
 * The duplicate request cache (Juszczak 1989): a retransmitted request that is not idempotent
 * gets the first reply's bytes instead of running twice.
 *
 * One table per client address, without the port, because a retransmission after a reconnect
 * comes from another one; the table outlives its connections by NFS_DRC_KEEP.  A request is the
 * same one when xid, procedure, length and checksum of the argument's head all agree and the
 * first is not older than NFS_DRC_KEEP: a client that starts its xids anew is not mistaken for
 * one that retransmits.  Only requests of NFS_PROC_CACHED procedures come here.
 *
 * Any thread.  Locks, outermost first: the cache's (finding clients), a table's shard.
 */
#ifndef NFS_DRC_H
#define NFS_DRC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define NFS_DRC_REPLY_MAX 264u                   /* body bytes kept; every cached procedure fits */
#define NFS_DRC_KEEP (INT64_C(120) * 1000000000) /* ns */

struct nfs_drc;
struct nfs_drc_client;

enum nfs_drc_verdict {
	NFS_DRC_NEW,    /* run it, then nfs_drc_done or nfs_drc_forget */
	NFS_DRC_BYPASS, /* run it without the cache: every entry is in progress */
	NFS_DRC_DROP,   /* the first one is still running: no reply to this one */
	NFS_DRC_RESEND, /* reply with the bytes of the first */
};

/* One request between begin and done; lives in the request object.  Zeroed: not in the cache. */
struct nfs_drc_slot {
	struct nfs_drc_client *client;
	uint32_t entry, shard;
};

/* max_entries: over all clients (0: 65536); max_per_client (0: 4096). */
struct nfs_drc *nfs_drc_new(uint32_t max_entries, uint32_t max_per_client);
/* No client is held and no slot is open. */
void nfs_drc_free(struct nfs_drc *drc);

/* The peer's table, for the life of a connection; NULL: no memory, then do without. */
struct nfs_drc_client *nfs_drc_client_get(struct nfs_drc *drc, const struct sockaddr *peer);
void nfs_drc_client_put(struct nfs_drc *drc, struct nfs_drc_client *client);

/* Before execution; args is the body of the call.  now: monotonic ns.  RESEND: *len bytes of
 * body are copied to reply, which takes NFS_DRC_REPLY_MAX.  NEW: slot is open. */
enum nfs_drc_verdict nfs_drc_begin(struct nfs_drc_client *client, uint32_t xid, uint32_t procedure,
				   const void *args, uint32_t args_len, int64_t now,
				   struct nfs_drc_slot *slot, void *reply, uint32_t *len);
/* The reply's body, when it is about to be sent (after its gates).  A body that starts with
 * NFS3ERR_JUKEBOX is forgotten: nothing happened and the client will ask again.  A closed slot
 * is ignored, for done and forget alike. */
void nfs_drc_done(struct nfs_drc_slot *slot, const void *reply, uint32_t len);
/* The request did not run (garbage, shutdown, connection lost before it started). */
void nfs_drc_forget(struct nfs_drc_slot *slot);

/* Entries allocated now, for tests and metrics. */
uint32_t nfs_drc_entries(const struct nfs_drc *drc);

#endif
