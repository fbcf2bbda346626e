/* SPDX-License-Identifier: MIT
 *
 * From a member back to the struct that it is embedded in.
 */
#ifndef DFS_BASE_CONTAINER_H
#define DFS_BASE_CONTAINER_H

#include <stddef.h>

#define DFS_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
