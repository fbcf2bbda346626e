/* SPDX-License-Identifier: MIT
 *
 * The instruction has a latency of three cycles and starts one each cycle, so three runs of the
 * input are summed side by side and joined by moving a sum over as many zero bytes as follow it
 * (after Mark Adler's and Intel's descriptions of the method).  Long runs first, then short ones.
 */
#include <pthread.h>
#include <string.h>

#include "base/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* byte_table[k][b]: the sum of byte b followed by k zero bytes. */
static uint32_t byte_table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static inline uint64_t
load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void
tables_make(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		byte_table[0][b] = crc;
	}
	for (uint32_t b = 0; b < 256; b++)
		for (int k = 1; k < 8; k++) {
			uint32_t before = byte_table[k - 1][b];

			byte_table[k][b] = before >> 8 ^ byte_table[0][before & 255];
		}
}

uint32_t
dfs_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *p = data;

	pthread_once(&once, tables_make);
	crc = ~crc;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v = load64(p) ^ crc;

		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= byte_table[7 - k][v >> (8 * k) & 255];
	}
#endif
	for (; len; len--)
		crc = crc >> 8 ^ byte_table[0][(crc ^ *p++) & 255];
	return ~crc;
}

#ifdef __x86_64__
#include <nmmintrin.h>

#define LONG_RUN 8192
#define SHORT_RUN 256

/* [k][b]: what byte k of a sum, when it is b, becomes behind a run of zero bytes. */
static uint32_t long_table[4][256], short_table[4][256];

static void
shift_make(uint32_t table[4][256], unsigned run)
{
	for (int k = 0; k < 4; k++)
		for (int bit = 0; bit < 8; bit++) {
			uint32_t crc = 1u << (8 * k + bit);

			for (unsigned i = 0; i < run; i++)
				crc = crc >> 8 ^ byte_table[0][crc & 255];
			/* Linear: the other values are sums of those of one bit. */
			for (unsigned low = 0; low < 1u << bit; low++)
				table[k][1u << bit | low] = crc ^ table[k][low];
		}
}

static inline uint64_t
shift(uint32_t table[4][256], uint64_t crc)
{
	return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255] ^
	       table[3][crc >> 24 & 255];
}

__attribute__((target("sse4.2"), always_inline)) static inline uint64_t
three_lanes(uint64_t crc, const unsigned char *p, unsigned run, uint32_t table[4][256])
{
	uint64_t b = 0, c = 0;

	for (const unsigned char *end = p + run; p < end; p += 8) {
		crc = _mm_crc32_u64(crc, load64(p));
		b = _mm_crc32_u64(b, load64(p + run));
		c = _mm_crc32_u64(c, load64(p + 2 * run));
	}
	crc = shift(table, crc) ^ b;
	return shift(table, crc) ^ c;
}

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t start, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t crc = (uint32_t)~start;

	for (; len && ((uintptr_t)p & 7); len--)
		crc = _mm_crc32_u8((uint32_t)crc, *p++);
	for (; len >= 3 * LONG_RUN; len -= 3 * LONG_RUN, p += 3 * LONG_RUN)
		crc = three_lanes(crc, p, LONG_RUN, long_table);
	for (; len >= 3 * SHORT_RUN; len -= 3 * SHORT_RUN, p += 3 * SHORT_RUN)
		crc = three_lanes(crc, p, SHORT_RUN, short_table);
	for (; len >= 8; len -= 8, p += 8)
		crc = _mm_crc32_u64(crc, load64(p));
	for (; len; len--)
		crc = _mm_crc32_u8((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}
#endif

typedef uint32_t (*crc_fn)(uint32_t crc, const void *data, size_t len);

static crc_fn chosen;
static pthread_once_t choose_once = PTHREAD_ONCE_INIT;

static void
choose(void)
{
	pthread_once(&once, tables_make);
	chosen = dfs_crc32c_portable;
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2")) {
		shift_make(long_table, LONG_RUN);
		shift_make(short_table, SHORT_RUN);
		chosen = crc_sse42;
	}
#endif
}

uint32_t
dfs_crc32c(uint32_t crc, const void *data, size_t len)
{
	pthread_once(&choose_once, choose);
	return chosen(crc, data, len);
}
