/* SPDX-License-Identifier: MIT
 *
 * The known word that a misspelt one was probably meant to be.
 */
#ifndef DFS_PLUGIN_NEAREST_H
#define DFS_PLUGIN_NEAREST_H

#include <glib.h>

/* Edits (insert, delete, change, swap of neighbours) from a to b; both count up to 64 bytes. */
unsigned dfs_edit_distance(const char *a, const char *b);

/* The word at the least distance, at most a third of its length away; NULL: none is near.
 * words: n strings, NULL elements are skipped. */
const char *dfs_nearest(const char *word, const char *const *words, unsigned n);

/* "; did you mean "port"?", or when nothing is near "; known INTRO: a, b, c".  For the end of an
 * error sentence (g_free). */
char *dfs_nearest_hint(const char *word, const char *const *words, unsigned n, const char *intro);

#endif
