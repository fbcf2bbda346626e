/* SPDX-License-Identifier: MIT
 *
 * The life of a LOCK that blocks: its states.  What happens to it comes from grant.c, its client is told
 * by tell.c.
 *
 *   WAITING    the lock manager has it
 *   RESTING    granted, and to be told when it is due
 *   TELLING    a worker or its call has it
 *   ANSWERED   the same, but GRANTED_RES has come: what the call ends with does not count, nor does
 *              another GRANTED_RES once it was an accept
 *   GIVING_UP  whoever ended the telling unlocks the range
 *   OVER       forgotten; whoever tells frees it
 *
 * Events: the lock manager grants it, or ends the wait (CANCEL, UNLOCK, a restart, a limit, the share is
 * closed); the next telling is due; GRANTED_RES; the telling ends; the client is seen to know or to be
 * gone (LOCK, UNLOCK, CANCEL, a restart); the range is unlocked.  "-": it cannot come, "=": nothing
 * changes.
 *
 *              granted   ended   due       GRANTED_RES  told   settled  unlocked
 *   WAITING    TELLING*  freed   -         -            -      =        -
 *   RESTING    -         -       TELLING*  as told      -      freed    -
 *   TELLING    -         -       =         ANSWERED     next   OVER     -
 *   ANSWERED   -         -       =         ANSWERED     next   OVER     -
 *   GIVING_UP  -         -       =         =            -      =        freed, RESTING if that fails
 *   OVER       -         -       -         -            freed  -        -
 *
 *   * RESTING while too much waits for a worker, or the service stops
 *
 * next (after_telling): freed if the client has accepted, RESTING if it may be told better later, and
 * in the end GIVING_UP or freed.  It is told by GRANTED, or by GRANTED_MSG if it asked by LOCK_MSG,
 * first at once, then after 1, 2, 4 and 8 s, and then every 10 s; each of these is sent once, as a
 * client denies a copy of what it has accepted.  A client that refuses at the first telling has given
 * up: the lock goes, and so does the rest of one of which its owner has unlocked a part before it was
 * told.  One that refuses later may have accepted a telling whose answer was lost, so the lock stays
 * its own; as it does when there is no answer at all but one telling may have arrived, where another LOCK of
 * its owner was granted, which may be the same one come again, until that is unlocked, and where its owner held
 * some of it before it asked.
 * Such a lock ends as any other of a dead client: by its restart.
 *
 * A lock is not given up while its owner's LOCK is under way there, and no such LOCK begins while it is:
 * else it would be answered GRANTED, as its own already, and be gone a moment later.
 *
 * WAITING is in one table (table.c), the others but OVER in another.  States change under mu
 * alone, with which no lock of the lock manager is taken.
 */
#include "adapters/nfs/nlm/state.h"
#include "adapters/nfs/nlm/table.h"

#define TELL_WAIT (10 * DFS_SECOND) /* for an answer */
#define FIRST_WAIT DFS_SECOND       /* between the first two tellings; doubled up to try_every */
#define TRIES_MAX 15

void
nlm_telling_begins_locked(struct nlm_block *block)
{
	block->state = NLM_BLOCK_RESTING;
	if (!nlm_submit_locked(block->nlm, &block->task))
		return;
	block->state = NLM_BLOCK_TELLING;
	block->unsure |= block->told;
	block->told = false;
}

enum nlm_outcome
nlm_outcome_of_stat(uint32_t stat)
{
	/* In its own grace period Linux asks for another telling. */
	if (stat == NLM_DENIED_GRACE)
		return NLM_OUTCOME_MISSED;
	return stat == NLM_GRANTED_STAT ? NLM_OUTCOME_ACCEPTED : NLM_OUTCOME_REFUSED;
}

/* A client that has accepted waits no more, and denies the same call if it comes again. */
static bool
accepted_locked(const struct nlm_block *block)
{
	return block->state == NLM_BLOCK_ANSWERED &&
	       nlm_outcome_of_stat(block->stat) == NLM_OUTCOME_ACCEPTED;
}

static enum nlm_block_state
after_telling_locked(struct nlm_block *block, enum nlm_outcome outcome)
{
	switch (outcome) {
	case NLM_OUTCOME_ACCEPTED:
		return NLM_BLOCK_OVER;
	case NLM_OUTCOME_UNANSWERED:
		block->told = true;
		/* fall through */
	case NLM_OUTCOME_MISSED:
		if (block->tries < TRIES_MAX && !block->nlm->stopping)
			return NLM_BLOCK_RESTING;
		/* fall through */
	case NLM_OUTCOME_REFUSED:
	case NLM_OUTCOME_GONE:
		break;
	}
	if (block->told || block->unsure || block->is_known)
		return NLM_BLOCK_OVER;
	return nlm_asked_for_locked(block) ? NLM_BLOCK_RESTING : NLM_BLOCK_GIVING_UP;
}

static int64_t
doubled(int64_t first, uint32_t times, int64_t max)
{
	return times < 10 && first << times < max ? first << times : max;
}

int64_t
nlm_next_due(const struct nlm_block *block)
{
	return dfs_clock_mono() + doubled(FIRST_WAIT, block->tries, block->nlm->try_every);
}

/* A lost datagram is known by the silence alone. */
int64_t
nlm_answer_wait(const struct nlm_block *block)
{
	return block->datagram ? doubled(2 * FIRST_WAIT, block->tries, TELL_WAIT) : TELL_WAIT;
}

void
nlm_telling_ends_locked(struct nlm_block *block, enum nlm_outcome outcome)
{
	struct nlm_span span = nlm_span_of_block(block);

	if (block->state == NLM_BLOCK_OVER)
		return;
	if (block->state == NLM_BLOCK_ANSWERED)
		outcome = nlm_outcome_of_stat(block->stat);
	if (outcome == NLM_OUTCOME_ACCEPTED || outcome == NLM_OUTCOME_UNANSWERED)
		nlm_know_locked(block->nlm, block, &span);
	block->due = nlm_next_due(block);
	block->tries++;
	block->state = after_telling_locked(block, outcome);
	if (block->state == NLM_BLOCK_OVER)
		nlm_grant_remove_locked(block);
}

void
nlm_settle_block_locked(struct nlm_block *block)
{
	switch (block->state) {
	case NLM_BLOCK_RESTING:
		nlm_grant_remove_locked(block);
		nlm_block_free(block);
		break;
	case NLM_BLOCK_TELLING:
	case NLM_BLOCK_ANSWERED:
		nlm_grant_remove_locked(block);
		block->state = NLM_BLOCK_OVER;
		break;
	case NLM_BLOCK_WAITING:
	case NLM_BLOCK_GIVING_UP:
	case NLM_BLOCK_OVER:
		break;
	}
}

bool
nlm_answer_locked(struct nlm_block *block, uint32_t stat)
{
	bool resting = block->state == NLM_BLOCK_RESTING;

	if (block->state == NLM_BLOCK_GIVING_UP || accepted_locked(block))
		return false;
	block->state = NLM_BLOCK_ANSWERED;
	block->stat = stat;
	block->told = false;
	return resting;
}
