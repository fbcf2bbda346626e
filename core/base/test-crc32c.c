/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "base/crc32c.h"

/* RFC 3720 B.4, and the check value of the catalogue of parametrised CRC algorithms. */
static void
known_values_match(void)
{
	unsigned char b[32];

	g_assert_cmphex(dfs_crc32c(0, "123456789", 9), ==, 0xe3069283);
	memset(b, 0, sizeof b);
	g_assert_cmphex(dfs_crc32c(0, b, sizeof b), ==, 0x8a9136aa);
	memset(b, 0xff, sizeof b);
	g_assert_cmphex(dfs_crc32c(0, b, sizeof b), ==, 0x62a8ab43);
	for (unsigned i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)i;
	g_assert_cmphex(dfs_crc32c(0, b, sizeof b), ==, 0x46dd794e);
	for (unsigned i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)(31 - i);
	g_assert_cmphex(dfs_crc32c(0, b, sizeof b), ==, 0x113fdb5c);
	g_assert_cmphex(dfs_crc32c(0, NULL, 0), ==, 0);
}

/* Lengths around the ends of the interleaved runs, at every alignment. */
static void
instruction_and_tables_agree(void)
{
	static const size_t lens[] = {0,   1,   7,    8,     9,     63,    255,   256,   767,
				      768, 769, 4096, 24575, 24576, 24577, 65536, 70001, 100000};
	unsigned char *b = g_malloc(100016);

	for (unsigned i = 0; i < 100016; i++)
		b[i] = (unsigned char)(i * 2654435761u >> 13);
	for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++)
		for (unsigned shift = 0; shift < 9; shift++)
			g_assert_cmphex(dfs_crc32c(i, b + shift, lens[i]), ==,
					dfs_crc32c_portable(i, b + shift, lens[i]));
	g_free(b);
}

static void
parts_in_a_row_give_the_whole(void)
{
	unsigned char b[5000];

	for (unsigned i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)(i * 7);
	for (unsigned cut = 0; cut < sizeof b; cut += 97)
		g_assert_cmphex(dfs_crc32c(dfs_crc32c(0, b, cut), b + cut, sizeof b - cut), ==,
				dfs_crc32c_portable(0, b, sizeof b));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/crc32c/known-values-match", known_values_match);
	g_test_add_func("/crc32c/instruction-and-tables-agree", instruction_and_tables_agree);
	g_test_add_func("/crc32c/parts-in-a-row-give-the-whole", parts_in_a_row_give_the_whole);
	return g_test_run();
}
