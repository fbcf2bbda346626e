/* SPDX-License-Identifier: MIT
 *
 * A look at a plugin file before the dynamic loader maps it.
 *
 * The loader trusts the headers: a truncated file kills the process with SIGBUS, and any shared
 * object's constructors run before one can ask whether it is a plugin.  Everything here is read
 * with pread and compared with the file's size.
 */
#ifndef DFS_PLUGIN_ELF_CHECK_H
#define DFS_PLUGIN_ELF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define DFS_PLUGIN_SYMBOL_SUFFIX "_LTX_dfs_plugin"

struct dfs_elf_symbol {
	char *name;    /* of the exported DFS_PLUGIN_SYMBOL_SUFFIX (g_free); NULL: there is none */
	uint64_t size; /* of the datum; 0: not known */
	bool stripped; /* no section headers: the two above could not be read */
};

/* False: *error (g_free) is a sentence that begins with the path. */
bool dfs_elf_check(const char *path, struct dfs_elf_symbol *symbol, char **error);

#endif
