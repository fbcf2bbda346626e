/* SPDX-License-Identifier: MIT
 *
 * CRC32C: by the instruction of SSE 4.2 or of ARMv8 where the processor has it, by a table where it
 * has not.
 */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "crc32c.h"

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

static uint32_t (*update)(uint32_t crc, const unsigned char *p, size_t len);
static uint32_t table[256];

static uint32_t
by_table(uint32_t crc, const unsigned char *p, size_t len)
{
	while (len-- > 0)
		crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (len-- > 0)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

static bool
has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		crc = __crc32cd(crc, word);
	}
	while (len-- > 0)
		crc = __crc32cb(crc, *p++);
	return crc;
}

static bool
has_instruction(void)
{
	return true;
}
#else
#define by_instruction by_table

static bool
has_instruction(void)
{
	return false;
}
#endif

static void
choose(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? POLYNOMIAL ^ crc >> 1 : crc >> 1;
		table[i] = crc;
	}
	update = has_instruction() ? by_instruction : by_table;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose);
	return ~update(~crc, data, len);
}

/* The product of two polynomials modulo ours, bits reflected: x^0 is the highest bit. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? POLYNOMIAL ^ b >> 1 : b >> 1;
	}
	return product;
}

uint32_t
crc32c_join(uint32_t a, uint32_t b, uint64_t len_b)
{
	/* a moves up by x^(8 len_b), found by squaring. */
	uint32_t power = UINT32_C(1) << 31, square = UINT32_C(1) << 23;

	for (; len_b; len_b >>= 1) {
		if (len_b & 1)
			power = multiply(power, square);
		square = multiply(square, square);
	}
	return multiply(power, a) ^ b;
}
