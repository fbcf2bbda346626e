/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: the configuration file, from text to checked struct.  Any bytes give either a
 * configuration or one sentence, never both, and nothing stays allocated.  DFS_PLUGIN_PATH names
 * the plugins whose option tables take part.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "config/config.h"

static struct dfs_registry *registry;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig's parser leaves its string buffer behind when a syntax error follows a string. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	registry = dfs_registry_new(NULL);
	return 0;
}

/* Every value of a filled struct prints. */
static void
print_all(const struct dfs_options *o)
{
	for (const struct dfs_config_item *item = o->table; item->type != DFS_CONFIG_END; item++)
		g_free(dfs_options_text(o, item));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autofree char *error = NULL;
	struct dfs_config *config = NULL;
	bool ok = dfs_config_parse(text, "fuzz", registry, &config, &error);

	if (ok != !error || ok != !!config || (error && !g_str_has_prefix(error, "fuzz:")))
		abort();
	if (ok) {
		for (unsigned i = 0; i < config->n_stores; i++)
			print_all(&config->stores[i].options);
		for (unsigned i = 0; i < config->n_adapters; i++)
			print_all(&config->adapters[i].options);
		print_all(&config->server_options);
	}
	dfs_config_free(config);
	return 0;
}
