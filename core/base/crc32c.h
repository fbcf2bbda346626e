/* SPDX-License-Identifier: MIT
 *
 * CRC-32C (Castagnoli; RFC 3720 B.4): the checksum of what lies on disk.  By the processor's
 * instruction in three interleaved lanes where it has one, else by tables.
 */
#ifndef DFS_BASE_CRC32C_H
#define DFS_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or what the bytes before gave: crc(crc(0, a), b) is that of a and b in a row. */
uint32_t dfs_crc32c(uint32_t crc, const void *data, size_t len);
/* The same by tables only, which tests hold the instruction against. */
uint32_t dfs_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
