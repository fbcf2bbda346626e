/* SPDX-License-Identifier: MIT
 *
 * Typed configuration tables.
 *
 * A plugin lists its options in one table.  The core parses libconfig, checks type, range,
 * required and unknown keys (with a suggestion), fills the plugin's struct by offset and
 * then calls the plugin's validate().  The same table prints help, the man page's OPTIONS,
 * dfs-inspect's output and, later, drives REST validation.  Plugins never see libconfig.
 */
#ifndef DITTOFS_CONFIG_H
#define DITTOFS_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dfs_config_type {
	DFS_CONFIG_END = 0,      /* terminates a table */
	DFS_CONFIG_BOOL = 1,     /* field: uint8_t, 0 or 1 */
	DFS_CONFIG_INT = 2,      /* field: int64_t, min..max */
	DFS_CONFIG_SIZE = 3,     /* field: uint64_t bytes, min..max; text takes K M G T suffixes (1024) */
	DFS_CONFIG_DURATION = 4, /* field: uint64_t nanoseconds, min..max; text: ns us ms s m h d */
	DFS_CONFIG_STRING = 5,   /* field: const char *, length in bytes min..max; NULL when unset */
	DFS_CONFIG_PATH = 6,     /* field: const char *, absolute; a relative one is taken from server.state_dir */
	DFS_CONFIG_ENUM = 7,     /* field: uint32_t, index into names */
	DFS_CONFIG_LIST = 8,     /* field: const char *const *, NULL-terminated list of strings */
	DFS_CONFIG_SECRET = 9,   /* field: const char *; accepts file:PATH and env:NAME; never printed */
	DFS_CONFIG_MODE = 10,    /* field: uint32_t, permission bits, octal text such as "0755" */
};

enum dfs_config_flags {
	DFS_CONFIG_REQUIRED = 1 << 0,   /* no default: the key must be there */
	DFS_CONFIG_RELOADABLE = 1 << 1, /* may change on SIGHUP without reopening the store */
};

/* One row.  min and max are inclusive and unused for BOOL, ENUM, LIST and PATH; for all others but
 * INT a max of 0 sets no bound. */
struct dfs_config_item {
	const char *key;          /* [a-z][a-z0-9_]* */
	uint32_t type;            /* enum dfs_config_type */
	uint32_t flags;           /* enum dfs_config_flags */
	size_t offset;            /* of the field in the plugin's configuration struct */
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
