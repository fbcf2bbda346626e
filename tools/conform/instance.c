/* SPDX-License-Identifier: MIT
 *
 * Instances of the plugin under test, in folders of their own.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "tools/conform/load.h"
#include "tools/conform/tap.h"

static unsigned folders;

char *
conform_dir(struct conform *c)
{
	char *dir = g_strdup_printf("%s/%u", c->scratch, ++folders);

	if (mkdir(dir, 0700) < 0)
		tap_bail("cannot make the folder %s: %s", dir, strerror(errno));
	return dir;
}

/* A value for the instance in dir: {folder} is a word that is dir's alone. */
static char *
value_for(const char *dir, const char *value)
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, dir, -1);
	g_autofree char *word = g_strdup_printf("f%.16s", sum);
	g_auto(GStrv) parts = g_strsplit(value, "{folder}", -1);

	return g_strjoinv(word, parts);
}

static bool
set_pair(struct dfs_options *o, const char *dir, const char *pair, char **error)
{
	const char *eq = strchr(pair, '=');
	g_autofree char *key = NULL, *value = NULL;

	if (!eq) {
		*error = g_strdup_printf("--set wants KEY=VALUE, not '%s'", pair);
		return false;
	}
	key = g_strndup(pair, eq - pair);
	value = value_for(dir, eq + 1);
	return dfs_options_set(o, key, value, error);
}

static bool
fill_options(const struct conform *c, const char *dir, struct dfs_options *o, const char *over_key,
	     const char *over_text, char **error)
{
	const struct dfs_config_item *item;

	for (item = o->table; item && item->type != DFS_CONFIG_END; item++)
		if ((item->flags & DFS_CONFIG_REQUIRED) && item->type == DFS_CONFIG_PATH &&
		    !dfs_options_set(o, item->key, item->key, error))
			return false;
	for (char **p = c->set; p && *p; p++)
		if (!set_pair(o, dir, *p, error))
			return false;
	if (over_key && !dfs_options_set(o, over_key, over_text, error))
		return false;
	return dfs_options_finish(o, error);
}

enum dfs_status
conform_open_set(struct conform *c, const char *dir, const char *key, const char *text, void **inst)
{
	const struct dfs_plugin_entry *p = c->plugin;
	bool metadata = p->desc.kind == DFS_KIND_METADATA;
	struct dfs_options o;
	char *error = NULL;
	enum dfs_status st = DFS_OK;

	memset(&c->diag, 0, sizeof(c->diag));
	conform_fail_clear();
	*inst = NULL;
	dfs_options_init(&o, p->desc.config, p->desc.config_size, dir);
	if (!fill_options(c, dir, &o, key, text, &error)) {
		g_strlcpy(c->diag.text, error, sizeof(c->diag.text));
		g_free(error);
		st = DFS_CONFIG;
	} else if (metadata ? p->ops.metadata.validate != NULL : p->ops.block.validate != NULL) {
		st = metadata ? p->ops.metadata.validate(o.values, &c->diag)
			      : p->ops.block.validate(o.values, &c->diag);
	}
	if (st == DFS_OK)
		st = metadata ? p->ops.metadata.create(&c->host, o.values, inst, &c->diag)
			      : p->ops.block.create(&c->host, o.values, inst, &c->diag);
	dfs_options_clear(&o);
	return st;
}

enum dfs_status
conform_open(struct conform *c, const char *dir, void **inst)
{
	enum dfs_status st = conform_open_set(c, dir, NULL, NULL, inst);

	if (st != DFS_OK && c->verbose)
		tap_remark("create: %s: %s", dfs_status_name(st), c->diag.text);
	return st;
}

void
conform_close(struct conform *c, void *inst)
{
	if (!inst)
		return;
	if (c->plugin->desc.kind == DFS_KIND_METADATA)
		c->plugin->ops.metadata.destroy(inst);
	else
		c->plugin->ops.block.destroy(inst);
}
