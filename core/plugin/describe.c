/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "plugin/describe.h"
#include "plugin/options.h"

#define OPS_SIZE_MAX 65536u

/* The fields of a row. */
#define REQUIRED(type, op) #op, offsetof(struct type, op), true
#define OPTIONAL(type, op) #op, offsetof(struct type, op), false

#define META(op) REQUIRED(dfs_metadata_ops, op)
static const struct dfs_op_name metadata_ops[] = {
	{OPTIONAL(dfs_metadata_ops, validate)},
	{META(create)},
	{META(destroy)},
	{META(begin)},
	{META(commit)},
	{META(abort)},
	{META(sync)},
	{META(scan_shares)},
	{META(put_share)},
	{META(del_share)},
	{META(get_inode)},
	{META(put_inode)},
	{META(del_inode)},
	{OPTIONAL(dfs_metadata_ops, get_inodes)},
	{META(get_symlink)},
	{META(put_symlink)},
	{META(del_symlink)},
	{META(get_dirent)},
	{META(scan_dirents)},
	{META(put_dirent)},
	{META(del_dirent)},
	{META(scan_map)},
	{META(put_map)},
	{META(del_map)},
	{META(scan_rows)},
	{META(get_object)},
	{META(find_object)},
	{META(put_object)},
	{META(del_object)},
	{META(scan_objects)},
	{META(put_dead)},
	{META(del_dead)},
	{META(scan_dead)},
	{META(scan_orphans)},
	{META(put_orphan)},
	{META(del_orphan)},
	{META(get_state)},
	{META(put_state)},
	{META(del_state)},
	{META(scan_state)},
	{META(stats)},
	{META(health)},
	{OPTIONAL(dfs_metadata_ops, add_usage)},
	{OPTIONAL(dfs_metadata_ops, scan_usage)},
	{OPTIONAL(dfs_metadata_ops, clear_usage)},
	{OPTIONAL(dfs_metadata_ops, fence)},
	{NULL, 0, false},
};

#define BLOCK(op) REQUIRED(dfs_block_ops, op)
static const struct dfs_op_name block_ops[] = {
	{OPTIONAL(dfs_block_ops, validate)},
	{BLOCK(create)},
	{BLOCK(destroy)},
	{BLOCK(put)},
	{BLOCK(get)},
	{BLOCK(head)},
	{BLOCK(erase)},
	{BLOCK(erase_prefix)},
	{BLOCK(list)},
	{BLOCK(sync)},
	{BLOCK(stats)},
	{BLOCK(health)},
	{OPTIONAL(dfs_block_ops, erase_many)},
	{OPTIONAL(dfs_block_ops, copy)},
	{NULL, 0, false},
};

#define ADAPTER(op) REQUIRED(dfs_adapter_ops, op)
static const struct dfs_op_name adapter_ops[] = {
	{OPTIONAL(dfs_adapter_ops, validate)},
	{ADAPTER(create)},
	{ADAPTER(destroy)},
	{ADAPTER(start)},
	{OPTIONAL(dfs_adapter_ops, reload)},
	{ADAPTER(stop)},
	{NULL, 0, false},
};

static const struct dfs_cap_name metadata_caps[] = {
	{"durable", DFS_METADATA_CAP_DURABLE},
	{"volatile", DFS_METADATA_CAP_VOLATILE},
	{"shared", DFS_METADATA_CAP_SHARED},
	{NULL, 0},
};
static const struct dfs_cap_name block_caps[] = {
	{"volatile", DFS_BLOCK_CAP_VOLATILE},
	{"durable_put", DFS_BLOCK_CAP_DURABLE_PUT},
	{NULL, 0},
};
static const struct dfs_cap_name no_caps[] = {{NULL, 0}};

static const struct dfs_kind kinds[] = {
	[DFS_KIND_ADAPTER] = {"adapter", DFS_ADAPTER_ABI_MAJOR, DFS_ADAPTER_ABI_MINOR, true,
			      sizeof(struct dfs_adapter_ops), adapter_ops, no_caps},
	[DFS_KIND_METADATA] = {"metadata", DFS_METADATA_ABI_MAJOR, DFS_METADATA_ABI_MINOR, false,
			       sizeof(struct dfs_metadata_ops), metadata_ops, metadata_caps},
	[DFS_KIND_BLOCK] = {"block", DFS_BLOCK_ABI_MAJOR, DFS_BLOCK_ABI_MINOR, false,
			    sizeof(struct dfs_block_ops), block_ops, block_caps},
};

const struct dfs_kind *
dfs_kind_get(enum dfs_plugin_kind kind)
{
	return kind > 0 && kind < G_N_ELEMENTS(kinds) ? &kinds[kind] : NULL;
}

const char *
dfs_plugin_kind_name(enum dfs_plugin_kind kind)
{
	const struct dfs_kind *k = dfs_kind_get(kind);

	return k ? k->name : "unknown";
}

const char *
dfs_thread_model_name(uint32_t model)
{
	static const char *const names[] = {"serial", "blocking", "try", "nonblocking"};

	return model < G_N_ELEMENTS(names) ? names[model] : "unknown";
}

static bool __attribute__((format(printf, 2, 3))) refuse(char **error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*error = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return false;
}

/* Magic, sizes, kind and versions: after this the fields mean what we think. */
static bool
check_head(const struct dfs_plugin *raw, size_t symbol_size, char **error)
{
	const struct dfs_kind *kind;
	size_t least = offsetof(struct dfs_plugin, ops) + sizeof raw->ops;

	if (symbol_size && symbol_size < offsetof(struct dfs_plugin, kind))
		return refuse(error, "exports a description of %zu bytes, wanted at least %zu",
			      symbol_size, least);
	if (raw->magic != DFS_PLUGIN_MAGIC)
		return refuse(error, "has the wrong magic number 0x%08x, wanted 0x%08x", raw->magic,
			      DFS_PLUGIN_MAGIC);
	if (raw->size < least || (symbol_size && raw->size > symbol_size))
		return refuse(error, "declares a description of %u bytes, wanted %zu to %zu",
			      raw->size, least, symbol_size ? symbol_size : least);
	kind = dfs_kind_get(raw->kind);
	if (!kind)
		return refuse(error,
			      "declares the unknown kind %u, wanted 1 (adapter), 2 (metadata) or "
			      "3 (block)",
			      raw->kind);
	if (raw->abi_major != kind->abi_major)
		return refuse(error,
			      "is built for version %u.%u of the %s interface, wanted %u.x; "
			      "rebuild it against this release",
			      raw->abi_major, raw->abi_minor, kind->name, kind->abi_major);
	if (kind->lock_step && raw->abi_minor != kind->abi_minor)
		return refuse(error,
			      "is built for version %u.%u of the %s interface, wanted exactly "
			      "%u.%u; rebuild it against this release",
			      raw->abi_major, raw->abi_minor, kind->name, kind->abi_major,
			      kind->abi_minor);
	if (raw->min_host_minor > DFS_HOST_MINOR)
		return refuse(error, "needs host table minor %u, this server has %u",
			      raw->min_host_minor, DFS_HOST_MINOR);
	return true;
}

static bool
check_line(const char *what, const char *text, char **error)
{
	if (!text || !*text)
		return refuse(error, "declares no %s", what);
	for (; *text; text++)
		if (g_ascii_iscntrl(*text))
			return refuse(error, "declares a %s with control characters", what);
	return true;
}

static bool
check_name(const struct dfs_plugin *desc, const char *module, char **error)
{
	g_autofree char *wanted = NULL;

	if (!check_line("name", desc->name, error))
		return false;
	if (!g_ascii_islower(desc->name[0]) || strlen(desc->name) > 32 ||
	    desc->name[strspn(desc->name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return refuse(error,
			      "declares the name \"%.64s\", wanted up to 32 of [a-z][a-z0-9_]*",
			      desc->name);
	wanted = g_strdup_printf("%s_%s", dfs_plugin_kind_name(desc->kind), desc->name);
	if (strcmp(wanted, module) != 0)
		return refuse(error,
			      "has the wrong name: it declares %s plugin \"%s\", wanted the file "
			      "name %s.so",
			      dfs_plugin_kind_name(desc->kind), desc->name, wanted);
	return check_line("version", desc->version, error) &&
	       check_line("summary", desc->summary, error) &&
	       check_line("licence", desc->license, error);
}

static bool
check_table(const struct dfs_plugin *desc, char **error)
{
	g_autofree char *why = NULL;

	if (!dfs_options_check_table(desc->config, desc->config_size, &why))
		return refuse(error, "has a mistake in its configuration table: %s", why);
	if (dfs_options_find(desc->config, "type"))
		return refuse(error,
			      "has a mistake in its configuration table: the key \"type\" belongs "
			      "to the configuration file");
	return true;
}

static bool
copy_ops(const struct dfs_plugin *desc, const struct dfs_kind *kind, struct dfs_plugin_entry *entry,
	 char **error)
{
	uint32_t size;

	if (!desc->ops)
		return refuse(error, "has no operation table");
	memcpy(&size, desc->ops, sizeof size);
	if (size < 2 * sizeof(void *) || size % sizeof(void *) != 0 || size > OPS_SIZE_MAX)
		return refuse(error, "declares an operation table of %u bytes, wanted about %zu",
			      size, kind->ops_size);
	memset(&entry->ops, 0, sizeof entry->ops);
	memcpy(&entry->ops, desc->ops, MIN(size, kind->ops_size));
	for (const struct dfs_op_name *op = kind->ops; op->name; op++) {
		void (*fn)(void);
		memcpy(&fn, (const char *)&entry->ops + op->offset, sizeof fn);
		if (op->required && !fn)
			return refuse(error, "lacks the required operation %s", op->name);
	}
	if (desc->kind == DFS_KIND_METADATA && (desc->caps & DFS_METADATA_CAP_SHARED) &&
	    !entry->ops.metadata.fence)
		return refuse(error, "declares itself shared and lacks the operation fence");
	return true;
}

bool
dfs_plugin_describe(const struct dfs_plugin *raw, size_t symbol_size, const char *module,
		    struct dfs_plugin_entry *entry, char **error)
{
	struct dfs_plugin *desc = &entry->desc;

	if (!check_head(raw, symbol_size, error))
		return false;
	memset(desc, 0, sizeof *desc);
	memcpy(desc, raw, MIN(raw->size, sizeof *desc));
	if (desc->thread_model > DFS_THREADS_NONBLOCKING)
		return refuse(error,
			      "declares the unknown thread model %u, wanted 0 (serial) to 3 "
			      "(nonblocking)",
			      desc->thread_model);
	return check_name(desc, module, error) && check_table(desc, error) &&
	       copy_ops(desc, dfs_kind_get(desc->kind), entry, error);
}
