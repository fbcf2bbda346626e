/* SPDX-License-Identifier: MIT
 *
 * The lease of a share: which server writes to it, where several have the metadata store open
 * (DFS_METADATA_CAP_SHARED).
 *
 * The lease names its holder in the share's state; the share's epoch grows with each taking, and the
 * store refuses the transactions of whoever had it before.  A lease does not run out: what its
 * holder has acknowledged may lie in the holder's log alone, so it is given back when the share is
 * closed with all of that in the stores, taken again by the same server, or taken over by order of
 * whoever runs the servers.
 *
 * Records carry LSNs of the log of the server that wrote them.  So that they can be compared, a server
 * that comes after another goes on above all that the other can have given.
 */
#ifndef DFS_METADATA_LEASE_H
#define DFS_METADATA_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

struct dfs_metadata_store;

/* The same in each run with the same state folder, and another for any other. */
struct dfs_server_identity {
	uint8_t id[16];
	char text[96]; /* for people: "HOST, process PID" */
};

enum dfs_lease_wish {
	DFS_LEASE_WRITE, /* take it, if nobody else holds it */
	DFS_LEASE_READ,  /* take it if it is ours, follow whoever holds it or will hold it else */
	DFS_LEASE_FORCE, /* take it whoever holds it */
};

/* What there was to know of a share whose lease is asked for. */
struct dfs_lease {
	bool follow; /* it was not taken: another server writes to the share, or may begin to */
	bool held;   /* another server has it, or had until now */
	bool same;   /* it was ours before: what our log has of the share goes on */
	/* It was ours and we gave it back: what our log has of the share up to this LSN is in the stores, whoever
	 * had it since; 0: nothing is known. */
	uint64_t returned;
	/* Ours begin above: neither a record of the share that another server wrote nor a slice of ours from
	 * before that has a higher one. */
	uint64_t lsn;
};

/* Inside a write transaction that has read *rec, for which rec->epoch grows in the row unless the share
 * is to be followed.  log_last: the highest LSN of this server's log, 0: it has none.  DFS_BUSY: another
 * server holds the lease; the text says which. */
enum dfs_status dfs_lease_take(struct dfs_metadata_store *store, struct dfs_txn *txn,
			       struct dfs_share_record *rec, const struct dfs_server_identity *self,
			       enum dfs_lease_wish wish, uint64_t log_last,
			       struct dfs_lease *lease);
/* Inside a write transaction of the holder, who writes no more: nobody holds it.  log_last: as above.
 * settled: what the log had of the share up to there is in the stores, or was reported as given up. */
enum dfs_status dfs_lease_give_back(struct dfs_metadata_store *store, struct dfs_txn *txn,
				    const struct dfs_share_record *rec, uint64_t log_last,
				    bool settled);

#endif
