/* SPDX-License-Identifier: MIT
 *
 * Block store "filesystem": each object is a file below one folder of a local file system.
 *
 * Every operation may wait for the disk, so the model is BLOCKING: trying on an event loop first
 * would pay for a path walk that is thrown away whenever the bytes are not in memory, and the core
 * has its own cache before us.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

static const struct dfs_config_item config_table[] = {
	{"path", DFS_CONFIG_PATH, DFS_CONFIG_REQUIRED, offsetof(struct filesystem_config, path), 1,
	 4095, NULL, NULL,
	 "Folder that holds the objects; it must be empty at first and belongs to the store."},
	{"create_dir", DFS_CONFIG_BOOL, 0, offsetof(struct filesystem_config, create_dir), 0, 0,
	 "true", NULL, "Whether to make the folder when it is missing."},
	{"dir_mode", DFS_CONFIG_MODE, 0, offsetof(struct filesystem_config, dir_mode), 0, 0777,
	 "0700", NULL,
	 "Permission bits of the folders made, whatever the umask; the owner's three are needed."},
	{"file_mode", DFS_CONFIG_MODE, 0, offsetof(struct filesystem_config, file_mode), 0, 0777,
	 "0600", NULL,
	 "Permission bits of the objects' files, whatever the umask; 0600 is needed at least."},
	{"reserve", DFS_CONFIG_SIZE, 0, offsetof(struct filesystem_config, reserve), 0,
	 INT64_C(1) << 40, "128M", NULL,
	 "Bytes of the file system that are left to others, such as the metadata store; an eighth "
	 "of it at most."},
	{0},
};

static enum dfs_status
validate(const void *config, struct dfs_diag *diag)
{
	const struct filesystem_config *c = config;

	if ((c->dir_mode & 0700) != 0700) {
		strcpy(diag->key, "dir_mode");
		strcpy(diag->text, "dir_mode must hold 0700: the server itself enters the folders");
		return DFS_CONFIG;
	}
	if ((c->file_mode & 0600) != 0600) {
		strcpy(diag->key, "file_mode");
		strcpy(diag->text, "file_mode must hold 0600: the server itself reads the files");
		return DFS_CONFIG;
	}
	return DFS_OK;
}

static enum dfs_status
create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	struct store *s = calloc(1, sizeof *s);
	enum dfs_status st;

	if (!s) {
		strcpy(diag->text, "out of memory");
		return DFS_NOMEM;
	}
	s->host = host;
	s->base = s->temp = s->lock = -1;
	pthread_mutex_init(&s->tree, NULL);
	if (!dirty_init(&s->dirty)) {
		strcpy(diag->text, "out of memory");
		st = DFS_NOMEM;
	} else {
		st = store_open(s, config, diag);
	}
	if (st != DFS_OK) {
		store_close(s);
		return st;
	}
	*inst = s;
	return DFS_OK;
}

static void
destroy(void *inst)
{
	store_close(inst);
}

uint64_t
store_free(const struct store *s, const struct statvfs *v)
{
	uint64_t free = (uint64_t)v->f_bavail * v->f_frsize;
	uint64_t most = (uint64_t)v->f_blocks * v->f_frsize / 8;
	uint64_t reserve = s->reserve < most ? s->reserve : most;

	return free < reserve ? 0 : free - reserve;
}

enum dfs_status
store_stats(void *inst, struct dfs_block_stats *out)
{
	struct store *s = inst;
	struct statvfs v;

	if (fstatvfs(s->base, &v) != 0)
		return store_error(s, errno, "measuring", "the file system");
	out->bytes_total = (uint64_t)v.f_blocks * v.f_frsize;
	out->bytes_used = (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize;
	out->bytes_free = store_free(s, &v);
	out->objects = 0;
	return DFS_OK;
}

static const struct dfs_block_ops ops = {
	.size = sizeof ops,
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.put = store_put,
	.get = store_get,
	.head = store_head,
	.erase = store_erase,
	.erase_prefix = store_erase_prefix,
	.list = store_list,
	.sync = store_sync,
	.stats = store_stats,
	.health = store_health,
	.copy = store_copy,
};

DFS_PLUGIN_DEFINE(block_filesystem, .kind = DFS_KIND_BLOCK, .abi_major = DFS_BLOCK_ABI_MAJOR,
		  .abi_minor = DFS_BLOCK_ABI_MINOR, .name = "filesystem", .version = "1.0",
		  .summary = "objects as files below a folder of a local file system",
		  .license = "MIT", .thread_model = DFS_THREADS_BLOCKING, .max_threads = 16,
		  .config = config_table, .config_size = sizeof(struct filesystem_config),
		  .ops = &ops);
