/* SPDX-License-Identifier: MIT
 *
 * The text of a configuration with its @include lines replaced, and where each line came from.
 *
 * libconfig could do the including, but it ends the process when an included path is a folder,
 * takes no absolute paths, and cuts integers of more than 32 bits silently.  So the text is read
 * here, bounded, checked for these, and handed over in one piece.  Used by one thread.
 */
#ifndef DFS_CONFIG_SOURCE_H
#define DFS_CONFIG_SOURCE_H

#include <stdbool.h>

#include <glib.h>

struct dfs_source {
	GString *text;    /* all lines */
	GArray *runs;     /* struct run: runs of lines from one file */
	GPtrArray *files; /* names */
};

/* False: *error (g_free) begins with FILE or FILE:LINE; clear it all the same. */
bool dfs_source_read(struct dfs_source *source, const char *path, char **error);
/* From memory, where @include is refused. */
bool dfs_source_parse(struct dfs_source *source, const char *text, const char *name, char **error);
void dfs_source_clear(struct dfs_source *source);

/* "dfs.conf:12" for a line of text, counted from 1 (g_free). */
char *dfs_source_where(const struct dfs_source *source, unsigned line);
/* The line itself for an error sentence, without comments and without what stands between quotes,
 * since that may be a secret (g_free). */
char *dfs_source_quote(const struct dfs_source *source, unsigned line);

#endif
