/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "plugin/nearest.h"

#define WORD_MAX 64u

/* The optimal string alignment distance, three rows at a time. */
unsigned
dfs_edit_distance(const char *a, const char *b)
{
	unsigned na = (unsigned)strnlen(a, WORD_MAX), nb = (unsigned)strnlen(b, WORD_MAX);
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *up = rows[(i - 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);
			best = MIN(best, up[j] + 1);
			best = MIN(best, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, rows[(i - 2) % 3][j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[na % 3][nb];
}

const char *
dfs_nearest(const char *word, const char *const *words, unsigned n)
{
	const char *best = NULL;
	unsigned best_distance = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!words[i])
			continue;
		unsigned d = dfs_edit_distance(word, words[i]);
		unsigned limit = ((unsigned)strnlen(words[i], WORD_MAX) + 2) / 3;
		if (d <= limit && (!best || d < best_distance)) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}

char *
dfs_nearest_hint(const char *word, const char *const *words, unsigned n, const char *intro)
{
	const char *near = dfs_nearest(word, words, n);
	GString *text;
	const char *sep = "";

	if (near)
		return g_strdup_printf("; did you mean \"%s\"?", near);
	text = g_string_new(NULL);
	g_string_append_printf(text, "; known %s: ", intro);
	for (unsigned i = 0; i < n; i++) {
		if (!words[i])
			continue;
		g_string_append_printf(text, "%s%s", sep, words[i]);
		sep = ", ";
	}
	if (!*sep)
		g_string_append(text, "none");
	return g_string_free(text, FALSE);
}
