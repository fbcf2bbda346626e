/* SPDX-License-Identifier: MIT
 *
 * Conformance of the configuration table, the same for every kind of store: each key at min-1,
 * min, max and max+1, of a wrong type, and an unknown key.  Values outside are refused; those
 * inside are refused with a sentence or make an instance that can be closed again.
 */
#include "tools/conform/config.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tools/conform/tap.h"

/* Large bounds are about the address space, not about the store: trying them would only
 * exhaust the machine that runs the test. */
#define TRY_SIZE_MAX (INT64_C(256) << 20)

static bool
is_number(const struct dfs_config_item *item)
{
	return item->type == DFS_CONFIG_INT || item->type == DFS_CONFIG_SIZE ||
	       item->type == DFS_CONFIG_DURATION;
}

static char *
number_text(const struct dfs_config_item *item, int64_t value)
{
	return g_strdup_printf("%" PRId64 "%s", value,
			       item->type == DFS_CONFIG_DURATION ? "ns" : "");
}

static void
expect_refused(struct conform *c, const char *key, const char *text)
{
	g_autofree char *dir = conform_dir(c);
	void *inst;
	enum dfs_status st = conform_open_set(c, dir, key, text, &inst);

	CHECK(c, st != DFS_OK, "%s = %.60s is accepted", key, text);
	CHECK(c, st == DFS_OK || c->diag.text[0], "%s = %.60s is refused without a sentence", key,
	      text);
	if (st == DFS_OK)
		conform_close(c, inst);
}

static void
expect_clean(struct conform *c, const char *key, const char *text)
{
	g_autofree char *dir = conform_dir(c);
	void *inst;
	enum dfs_status st = conform_open_set(c, dir, key, text, &inst);

	CHECK(c, st == DFS_OK || c->diag.text[0], "%s = %.60s is refused (%s) without a sentence",
	      key, text, dfs_status_name(st));
	if (st == DFS_OK)
		conform_close(c, inst);
}

static void
each_number(struct conform *c, void (*fn)(struct conform *c, const struct dfs_config_item *item))
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	for (; item && item->type != DFS_CONFIG_END; item++)
		if (is_number(item))
			fn(c, item);
}

static void
below_min(struct conform *c, const struct dfs_config_item *item)
{
	g_autofree char *text = NULL;

	if (item->min == INT64_MIN)
		return;
	text = number_text(item, item->min - 1);
	expect_refused(c, item->key, text);
}

static void
above_max(struct conform *c, const struct dfs_config_item *item)
{
	g_autofree char *text = NULL;

	if (item->max == INT64_MAX)
		return;
	text = number_text(item, item->max + 1);
	expect_refused(c, item->key, text);
}

static void
at_min(struct conform *c, const struct dfs_config_item *item)
{
	g_autofree char *text = number_text(item, item->min);

	expect_clean(c, item->key, text);
}

static void
at_max(struct conform *c, const struct dfs_config_item *item)
{
	g_autofree char *text = number_text(item, item->max);

	if (item->type == DFS_CONFIG_SIZE && item->max > TRY_SIZE_MAX)
		return;
	expect_clean(c, item->key, text);
}

static void
test_below(struct conform *c)
{
	each_number(c, below_min);
}

static void
test_above(struct conform *c)
{
	each_number(c, above_max);
}

static void
test_min(struct conform *c)
{
	each_number(c, at_min);
}

static void
test_max(struct conform *c)
{
	each_number(c, at_max);
}

static void
test_long_strings(struct conform *c)
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	for (; item && item->type != DFS_CONFIG_END; item++) {
		g_autofree char *text = NULL;

		if (item->type != DFS_CONFIG_STRING || item->max <= 0 || item->max > 1 << 20)
			continue;
		text = g_strnfill(item->max + 1, 'x');
		expect_refused(c, item->key, text);
	}
}

static void
test_wrong_type(struct conform *c)
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	for (; item && item->type != DFS_CONFIG_END; item++)
		if (is_number(item) || item->type == DFS_CONFIG_BOOL ||
		    item->type == DFS_CONFIG_ENUM || item->type == DFS_CONFIG_MODE)
			expect_refused(c, item->key, "neither-number-nor-name");
}

static void
test_enums(struct conform *c)
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	for (; item && item->type != DFS_CONFIG_END; item++)
		if (item->type == DFS_CONFIG_ENUM)
			for (const char *const *name = item->names; name && *name; name++)
				expect_clean(c, item->key, *name);
}

static void
test_unknown(struct conform *c)
{
	expect_refused(c, "no_such_option", "1");
}

static void
test_help(struct conform *c)
{
	const struct dfs_config_item *item = c->plugin->desc.config;

	for (; item && item->type != DFS_CONFIG_END; item++) {
		size_t n = item->help ? strlen(item->help) : 0;

		CHECK(c, n > 1 && item->help[n - 1] == '.', "%s has no sentence as help",
		      item->key);
	}
}

const struct conform_test conform_config_tests[] = {
	{"config", "a number below its minimum is refused", test_below},
	{"config", "a number above its maximum is refused", test_above},
	{"config", "a number at its minimum opens or is refused with a sentence", test_min},
	{"config", "a number at its maximum opens or is refused with a sentence", test_max},
	{"config", "a string longer than its maximum is refused", test_long_strings},
	{"config", "a value of the wrong type is refused", test_wrong_type},
	{"config", "every name of an enumeration opens or is refused with a sentence", test_enums},
	{"config", "an unknown key is refused", test_unknown},
	{"config", "every option has a sentence of help", test_help},
	{NULL}};
