/* SPDX-License-Identifier: MIT
 *
 * Reaching the server and a place in it: ports, MOUNT, FSINFO, the run's folder.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "bench.h"

/* Find the ports, mount the export, ask for the transfer sizes.  False: b->error tells why. */
bool session_open(struct bench *b);
void session_close(struct bench *b);

/* Make --folder and in it a folder that no other run has; b->dir is it. */
bool session_make_folder(struct bench *b);
/* Make a folder in b->dir, named as an object with the prefix 'd'. */
bool session_make_dir(struct bench *b, uint32_t index, struct fh *fh);
bool session_remove_dir(struct bench *b, uint32_t index);
bool session_remove_folder(struct bench *b);

/* The address that --host and --port say; false: b->error tells. */
bool session_resolve(struct bench *b, int port);

#endif
