/* SPDX-License-Identifier: MIT
 *
 * CRC32C (the Castagnoli polynomial), compiled into each plugin that needs it, since a plugin uses no
 * symbol of the core.  Any thread.
 */
#ifndef PLUGINS_CRC32C_H
#define PLUGINS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue a CRC32C, which begins as 0. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The CRC32C of a and b one behind the other, from those of each. */
uint32_t crc32c_join(uint32_t a, uint32_t b, uint64_t len_b);

#endif
