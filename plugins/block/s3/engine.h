/* SPDX-License-Identifier: MIT
 *
 * Inside the transfers: what the engine's thread (engine.c) asks of a single one (transfer.c and
 * watch.c).
 */
#ifndef BLOCK_S3_ENGINE_H
#define BLOCK_S3_ENGINE_H

#include "transfer.h"

/* On the caller's thread: make the handle.  False: no memory. */
bool transfer_prepare(struct transfer *t, const struct engine_options *options);
/* Say how it ended. */
void transfer_conclude(struct transfer *t, CURLcode code);

/* The first connection or byte of a phase: the rate is measured anew. */
void watch_phase(struct transfer *t, uint64_t now);
/* Writes into `why` that something was not there within a limit.  False. */
bool watch_passed(struct transfer *t, const char *what, uint64_t limit);
/* False: a limit is passed, and `why` says which. */
bool watch_check(struct transfer *t, uint64_t now);

#endif
