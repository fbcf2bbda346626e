/* SPDX-License-Identifier: MIT
 *
 * A simulated disk: files in memory that know which of their sectors (512 bytes) and names have
 * been synced.  At a power loss each sector that was not holds, by chance, any of the versions that
 * were written since, and names that were not are made or removed up to some point only.  The same
 * seed and the same calls give the same outcome.
 *
 * Once frozen the disk refuses everything, while the threads that use it run to their end: the
 * call that froze it may have had its effect, in part, like any other that was not synced.
 */
#ifndef DFS_PAYLOAD_WAL_TEST_DISK_H
#define DFS_PAYLOAD_WAL_TEST_DISK_H

#include "base/disk.h"

struct sim;

enum sim_op { SIM_READ, SIM_WRITE, SIM_SYNC, SIM_CREATE, SIM_ALLOCATE, SIM_UNLINK, SIM_N_OPS };

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *sim);
const struct dfs_disk_ops *sim_ops(struct sim *sim);

/* Refuse all calls from now on, or from the one behind `calls` further ones that change
 * anything. */
void sim_freeze(struct sim *sim);
void sim_freeze_after(struct sim *sim, unsigned calls);
bool sim_frozen(struct sim *sim);
/* What is left when the power comes back; every descriptor has been closed.  keep: the process
 * died, the power did not fail. */
void sim_crash(struct sim *sim, bool keep);

/* The calls of `op` on files whose names begin with prefix fail with -error, from the one behind
 * `skip` further ones on, `times` times.  error 0: a write takes half of its bytes. */
void sim_fail(struct sim *sim, enum sim_op op, const char *prefix, unsigned skip, int error,
	      unsigned times);
/* Bytes that all files may have in all. */
void sim_capacity(struct sim *sim, uint64_t bytes);
/* O_DIRECT is refused. */
void sim_buffered(struct sim *sim);

/* A file's bytes, to look at and to damage them, no log being open; NULL: there is none. */
unsigned char *sim_bytes(struct sim *sim, const char *name, uint64_t *size);
void sim_put(struct sim *sim, const char *name, const void *bytes, uint64_t size);
void sim_remove(struct sim *sim, const char *name);
/* A number below n by chance, of the disk's own sequence. */
uint64_t sim_chance(struct sim *sim, uint64_t n);

#endif
