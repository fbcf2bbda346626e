/* SPDX-License-Identifier: MIT
 *
 * Where the LOCKs of a file are found: those that wait, those that are granted, and those under way.
 *
 * _locked: nlm->mu is held.
 */
#ifndef NFS_NLM_TABLE_H
#define NFS_NLM_TABLE_H

#include "adapters/nfs/nlm/service.h"

/* Bytes of a file, and whose. */
struct nlm_span {
	uint32_t slot;
	uint64_t fileid;
	struct dfs_lock_who who;
	const struct dfs_lock_range *range;
};
struct nlm_span nlm_span_of_request(const struct nlm_request *request);
struct nlm_span nlm_span_of_block(const struct nlm_block *block);
struct dfs_lock_who nlm_block_who(const struct nlm_block *block);

/* Whether block is of this owner and file. */
bool nlm_block_is_of(const struct nlm_block *block, const struct nlm_span *span);
/* And some of it lies in there. */
bool nlm_block_meets(const struct nlm_block *block, const struct nlm_span *span);

/* Of the tables in struct nlm. */
unsigned nlm_bucket_of(uint64_t fileid);
/* heads: nlm->waits or nlm->grants. */
void nlm_link_locked(struct nlm_block *block, struct nlm_block **heads);
void nlm_unlink_locked(struct nlm_block *block);
void nlm_grant_remove_locked(struct nlm_block *block);

/* Whether a LOCK is under way to which the range may be granted as its owner's already. */
bool nlm_asked_for_locked(const struct nlm_block *block);
/* That part of the block is its owner's otherwise. */
void nlm_block_knows_locked(struct nlm_block *block, uint64_t start, uint64_t end);
/* Of what meets span, but is not self, that part may be known to the owner.  self: may be NULL. */
void nlm_know_locked(struct nlm *nlm, const struct nlm_block *self, const struct nlm_span *span);

#endif
