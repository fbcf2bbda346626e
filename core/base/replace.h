/* SPDX-License-Identifier: MIT
 *
 * Small files that are whole, old or new, after a crash.  Blocking; any thread.
 */
#ifndef DFS_BASE_REPLACE_H
#define DFS_BASE_REPLACE_H

#include <stdbool.h>
#include <stddef.h>

#define DFS_REPLACE_NAME_MAX 250u

/* Make the file `name` (1..DFS_REPLACE_NAME_MAX bytes, no '/') of a folder's descriptor these
 * bytes, durably, with mode 0600.  NAME.new is the place where they are written first.  One thread
 * at a time for a name.  False: errno says why, and the old file is there, or already the new one,
 * not yet durably. */
bool dfs_file_replace(int folder, const char *name, const void *bytes, size_t len);

#endif
