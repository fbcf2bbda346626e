/* SPDX-License-Identifier: MIT
 *
 * The states of a LOCK that blocks, and how its telling ends.
 *
 * _locked: nlm->mu is held.
 */
#ifndef NFS_NLM_STATE_H
#define NFS_NLM_STATE_H

#include "adapters/nfs/nlm/service.h"

/* How a telling has ended. */
enum nlm_outcome {
	NLM_OUTCOME_MISSED, /* it has not arrived */
	NLM_OUTCOME_UNANSWERED,
	NLM_OUTCOME_ACCEPTED,
	NLM_OUTCOME_REFUSED,
	NLM_OUTCOME_GONE, /* the owner does not hold all of it any more, and is not told */
};

enum nlm_outcome nlm_outcome_of_stat(uint32_t stat);

/* Monotonic ns: of the telling after the one that has ended. */
int64_t nlm_next_due(const struct nlm_block *block);
/* ns, for the answer to a telling. */
int64_t nlm_answer_wait(const struct nlm_block *block);

/* Granted, or due: a worker is to tell it, or it rests. */
void nlm_telling_begins_locked(struct nlm_block *block);
/* GRANTED_RES.  True: whoever calls is to end the telling. */
bool nlm_answer_locked(struct nlm_block *block, uint32_t stat);
/* What its state asks for then is up to nlm_telling_ends. */
void nlm_telling_ends_locked(struct nlm_block *block, enum nlm_outcome outcome);
/* The client is seen to know or to be gone; may free block. */
void nlm_settle_block_locked(struct nlm_block *block);

/* --- tell.c --- */

/* By whoever tells; may free block.  mu is not held; blocking. */
void nlm_telling_ends(struct nlm_block *block, enum nlm_outcome outcome);

#endif
