/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "config/tables.h"
#include "plugin/nearest.h"

#define CACHE_MIN (UINT64_C(16) << 20)

/* Section names of the file. */
static const char *const sections[] = {
	"server", "metadata_stores", "block_stores", "shares", "adapters",
};

static bool
check_sections(const struct dfs_config_reader *r)
{
	const config_setting_t *root = config_root_setting(&r->tree);

	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *at = config_setting_get_elem(root, (unsigned)i);
		const char *name = config_setting_name(at);
		g_autofree char *hint = NULL;
		bool known = false;

		for (unsigned j = 0; j < G_N_ELEMENTS(sections); j++)
			known |= strcmp(name, sections[j]) == 0;
		if (known)
			continue;
		hint = dfs_nearest_hint(name, sections, G_N_ELEMENTS(sections), "keys");
		return dfs_reader_refuse(r, at, "%.64s: unknown key%s", name, hint);
	}
	return true;
}

/* server, server.log and server.wal.  Without them, defaults. */
static bool
read_server(struct dfs_config_reader *r)
{
	static const char *const extra[] = {"log", "wal", NULL}, *const none[] = {NULL};
	const config_setting_t *server = config_lookup(&r->tree, "server");
	const config_setting_t *log = config_lookup(&r->tree, "server.log");
	const config_setting_t *wal = config_lookup(&r->tree, "server.wal");
	struct dfs_config *config = r->config;
	const struct dfs_config_server *values;

	dfs_options_init(&config->server_options, dfs_server_table, sizeof config->server, NULL);
	dfs_options_init(&config->log_options, dfs_log_table, sizeof config->server, NULL);
	if (server && !dfs_reader_fill(r, server, "server", &config->server_options, extra))
		return false;
	if (log && !dfs_reader_fill(r, log, "server.log", &config->log_options, none))
		return false;
	config->server = *(struct dfs_config_server *)config->server_options.values;
	dfs_options_init(&config->wal_options, dfs_wal_table, sizeof config->wal,
			 config->server.state_dir);
	if (wal && !dfs_reader_fill(r, wal, "server.wal", &config->wal_options, none))
		return false;
	config->wal = *(struct dfs_config_wal *)config->wal_options.values;
	if (config->wal.size < 4 * config->wal.segment_size)
		return dfs_reader_refuse(
			r, wal,
			"server.wal.size: less than 4 segments; want at least %llu M, or a smaller "
			"segment_size",
			(unsigned long long)(4 * config->wal.segment_size >> 20));
	if (config->wal.size / config->wal.segment_size > 64)
		return dfs_reader_refuse(
			r, wal,
			"server.wal.size: more than 64 segments; want a segment_size of %llu M or "
			"more",
			(unsigned long long)((config->wal.size / 64 + (1 << 20) - 1) >> 20));
	values = config->log_options.values;
	config->server.log_level = values->log_level;
	config->server.log_format = values->log_format;
	if (config->server.cache_size && config->server.cache_size < CACHE_MIN)
		return dfs_reader_refuse(
			r, config_lookup(&r->tree, "server.cache_size"),
			"server.cache_size: less than 16M is not enough; want 0 or at "
			"least 16M");
	return true;
}

/* libconfig's own errors: a syntax error, a key that is there twice, mixed types in an array. */
static bool
parse_tree(struct dfs_config_reader *r)
{
	g_autofree char *where = NULL, *line = NULL;
	const char *text;
	unsigned at;

	if (config_read_string(&r->tree, r->source.text->str))
		return true;
	text = config_error_text(&r->tree);
	at = (unsigned)MAX(config_error_line(&r->tree), 1);
	where = dfs_source_where(&r->source, at);
	line = dfs_source_quote(&r->source, at);
	*r->error = g_strdup_printf("%s: %s in: %s", where, text ? text : "not readable", line);
	return false;
}

/* The source is read; everything else. */
static bool
read_all(struct dfs_config_reader *r)
{
	return parse_tree(r) && check_sections(r) && read_server(r) && dfs_reader_stores(r) &&
	       dfs_reader_shares(r) && dfs_reader_adapters(r);
}

/* text: NULL reads the file `name`. */
static bool
load(const char *text, const char *name, struct dfs_registry *registry, struct dfs_config **config,
     char **error)
{
	struct dfs_config_reader r = {
		.registry = registry,
		.config = g_new0(struct dfs_config, 1),
		.warnings = g_ptr_array_new_with_free_func(g_free),
		.error = error,
	};
	bool ok;

	*error = NULL;
	*config = NULL;
	r.config->path = g_strdup(name);
	config_init(&r.tree);
	ok = text ? dfs_source_parse(&r.source, text, name, error)
		  : dfs_source_read(&r.source, name, error);
	ok = ok && read_all(&r);
	config_destroy(&r.tree);
	dfs_source_clear(&r.source);
	g_ptr_array_add(r.warnings, NULL);
	r.config->warnings = (char **)g_ptr_array_free(r.warnings, FALSE);
	if (ok)
		*config = r.config;
	else
		dfs_config_free(r.config);
	return ok;
}

bool
dfs_config_load(const char *path, struct dfs_registry *registry, struct dfs_config **config,
		char **error)
{
	return load(NULL, path, registry, config, error);
}

bool
dfs_config_parse(const char *text, const char *name, struct dfs_registry *registry,
		 struct dfs_config **config, char **error)
{
	return load(text, name, registry, config, error);
}

void
dfs_config_free(struct dfs_config *config)
{
	if (!config)
		return;
	for (unsigned i = 0; i < config->n_stores; i++) {
		dfs_options_clear(&config->stores[i].options);
		g_free(config->stores[i].where);
	}
	for (unsigned i = 0; i < config->n_shares; i++) {
		dfs_options_clear(&config->shares[i].options);
		free(config->shares[i].rules);
		free(config->shares[i].quotas);
		g_free(config->shares[i].where);
	}
	for (unsigned i = 0; i < config->n_adapters; i++) {
		dfs_options_clear(&config->adapters[i].options);
		g_free(config->adapters[i].where);
	}
	g_free(config->stores);
	g_free(config->shares);
	g_free(config->adapters);
	dfs_options_clear(&config->server_options);
	dfs_options_clear(&config->log_options);
	dfs_options_clear(&config->wal_options);
	g_strfreev(config->warnings);
	g_free(config->path);
	g_free(config);
}

const struct dfs_config_share *
dfs_config_find_share(const struct dfs_config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_shares; i++)
		if (strcmp(config->shares[i].name, name) == 0)
			return &config->shares[i];
	return NULL;
}

const struct dfs_config_store *
dfs_config_find_store(const struct dfs_config *config, enum dfs_plugin_kind kind, const char *name)
{
	for (unsigned i = 0; i < config->n_stores; i++)
		if (config->stores[i].kind == kind && strcmp(config->stores[i].name, name) == 0)
			return &config->stores[i];
	return NULL;
}
