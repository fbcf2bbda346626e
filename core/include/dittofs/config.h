/* SPDX-License-Identifier: MIT
 *
 * Typed configuration tables.
 *
 * A plugin lists its options in one table.  The core parses libconfig, checks type, range,
 * required and unknown keys (with a suggestion), fills the plugin's struct by offset and
 * then calls the plugin's validate().  The same table prints the man page's OPTIONS and
 * dfs-inspect's output.  Plugins never see libconfig.
 *
 * The filled struct and all that it points to belong to the core.  They are borrowed for the call
 * of validate() or create() that they are handed to, and are freed after it: a plugin copies what
 * it keeps.
 */
#ifndef DITTOFS_CONFIG_H
#define DITTOFS_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Behind each type: the field that it fills, and what else bounds or writes it. */
enum dfs_config_type {
	DFS_CONFIG_END = 0,      /* terminates a table */
	DFS_CONFIG_BOOL = 1,     /* uint8_t, 0 or 1 */
	DFS_CONFIG_INT = 2,      /* int64_t, min..max */
	DFS_CONFIG_SIZE = 3,     /* uint64_t bytes, min..max; suffixes K M G T (powers of 1024) */
	DFS_CONFIG_DURATION = 4, /* uint64_t nanoseconds, min..max; units ns us ms s m h d */
	DFS_CONFIG_STRING = 5,   /* const char *, min..max bytes; NULL when unset */
	DFS_CONFIG_PATH = 6,     /* const char *, absolute: relative ones lie in server.state_dir */
	DFS_CONFIG_ENUM = 7,     /* uint32_t, index into names */
	DFS_CONFIG_LIST = 8,     /* const char *const *, NULL-terminated list of strings */
	DFS_CONFIG_SECRET = 9,   /* const char *; from file:PATH or env:NAME too; never printed */
	DFS_CONFIG_MODE = 10,    /* uint32_t, permission bits; octal text such as "0755" */
};

enum dfs_config_flags {
	DFS_CONFIG_REQUIRED = 1 << 0,   /* no default: the key must be there */
	DFS_CONFIG_RELOADABLE = 1 << 1, /* may change on SIGHUP without reopening the store */
};

/* One row.  min and max are inclusive and unused for BOOL, ENUM, LIST and PATH; for all others but
 * INT a max of 0 sets no bound. */
struct dfs_config_item {
	const char *key; /* [a-z][a-z0-9_]* */
	uint32_t type;   /* enum dfs_config_type */
	uint32_t flags;  /* enum dfs_config_flags */
	size_t offset;   /* of the field in the plugin's configuration struct */
	int64_t min, max;
	const char *def;          /* the default as text; NULL: unset (or REQUIRED) */
	const char *const *names; /* ENUM: NULL-terminated */
	const char *help;         /* one sentence, with its full stop */
};

/* Where a validate() or create() that refuses leaves its sentence. */
struct dfs_diag {
	char text[512]; /* NUL-terminated */
	char key[64];   /* the key at fault, "" when none in particular */
};

#ifdef __cplusplus
}
#endif
#endif
