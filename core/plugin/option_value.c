/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/nearest.h"
#include "plugin/option_value.h"

#define STRING_MAX 65536
#define SECRET_MAX 65536

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, so that formatting takes the first that divides. */
static const struct unit size_units[] = {
	{"T", UINT64_C(1) << 40},
	{"G", UINT64_C(1) << 30},
	{"M", UINT64_C(1) << 20},
	{"K", UINT64_C(1) << 10},
	{"", 1},
};
static const struct unit duration_units[] = {
	{"d", UINT64_C(86400000000000)},
	{"h", UINT64_C(3600000000000)},
	{"m", UINT64_C(60000000000)},
	{"s", UINT64_C(1000000000)},
	{"ms", UINT64_C(1000000)},
	{"us", UINT64_C(1000)},
	{"ns", 1},
};

size_t
dfs_option_field_size(uint32_t type)
{
	switch (type) {
	case DFS_CONFIG_BOOL:
		return sizeof(uint8_t);
	case DFS_CONFIG_INT:
	case DFS_CONFIG_SIZE:
	case DFS_CONFIG_DURATION:
		return sizeof(uint64_t);
	case DFS_CONFIG_ENUM:
	case DFS_CONFIG_MODE:
		return sizeof(uint32_t);
	case DFS_CONFIG_STRING:
	case DFS_CONFIG_PATH:
	case DFS_CONFIG_LIST:
	case DFS_CONFIG_SECRET:
		return sizeof(void *);
	default:
		return 0;
	}
}

/* A maximum of 0 means no bound of the table's own, for all types but INT. */
static uint64_t
upper_bound(const struct dfs_config_item *item)
{
	if (item->max > 0)
		return (uint64_t)item->max;
	switch (item->type) {
	case DFS_CONFIG_MODE:
		return 07777;
	case DFS_CONFIG_SIZE:
	case DFS_CONFIG_DURATION:
		return INT64_MAX;
	default:
		return STRING_MAX;
	}
}

static char *
format_units(uint64_t value, const struct unit *units, const char *zero)
{
	if (value == 0)
		return g_strdup(zero);
	while (value % units->factor != 0)
		units++;
	return g_strdup_printf("%" G_GUINT64_FORMAT "%s", value / units->factor, units->name);
}

static char *
format_range(const struct dfs_config_item *item, const struct unit *units, const char *zero)
{
	g_autofree char *low = format_units((uint64_t)MAX(item->min, 0), units, zero);
	g_autofree char *high = NULL;

	if (upper_bound(item) == INT64_MAX)
		return item->min > 0 ? g_strdup_printf(" of at least %s", low) : g_strdup("");
	high = format_units(upper_bound(item), units, zero);
	return g_strdup_printf(" from %s to %s", low, high);
}

static char *
format_length(const struct dfs_config_item *item)
{
	if (item->max > 0)
		return g_strdup_printf(" of %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " bytes",
				       item->min, item->max);
	if (item->min > 1)
		return g_strdup_printf(" of at least %" G_GINT64_FORMAT " bytes", item->min);
	return g_strdup("");
}

char *
dfs_option_allowed(const struct dfs_config_item *item)
{
	g_autofree char *bounds = NULL;
	g_autofree char *names = NULL;

	switch (item->type) {
	case DFS_CONFIG_BOOL:
		return g_strdup("true or false");
	case DFS_CONFIG_INT:
		if (item->min == INT64_MIN && item->max == INT64_MAX)
			return g_strdup("an integer");
		return g_strdup_printf("an integer from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
				       item->min, item->max);
	case DFS_CONFIG_SIZE:
		bounds = format_range(item, size_units, "0");
		return g_strdup_printf("a size%s, in bytes or with the suffix K, M, G or T",
				       bounds);
	case DFS_CONFIG_DURATION:
		bounds = format_range(item, duration_units, "0s");
		return g_strdup_printf("a duration%s, with the unit ns, us, ms, s, m, h or d",
				       bounds);
	case DFS_CONFIG_STRING:
		bounds = format_length(item);
		return g_strdup_printf("a string%s", bounds);
	case DFS_CONFIG_PATH:
		return g_strdup("a path");
	case DFS_CONFIG_ENUM:
		names = g_strjoinv(", ", (char **)item->names);
		return g_strdup_printf("one of %s", names);
	case DFS_CONFIG_LIST:
		return g_strdup("a list of strings");
	case DFS_CONFIG_SECRET:
		bounds = format_length(item);
		return g_strdup_printf("a secret%s: file:PATH, env:NAME or the text itself",
				       bounds);
	case DFS_CONFIG_MODE:
		return g_strdup("permission bits as octal text such as \"0755\"");
	default:
		return g_strdup("nothing: the type is unknown");
	}
}

/* The sentence for a text that does not fit; secrets keep theirs. */
static bool
refuse(const struct dfs_config_item *item, const char *text, const char *what, char **error)
{
	g_autofree char *allowed = dfs_option_allowed(item);

	if (item->type == DFS_CONFIG_SECRET)
		*error = g_strdup_printf("the secret %s; want %s", what, allowed);
	else
		*error = g_strdup_printf("\"%.128s\" %s; want %s", text, what, allowed);
	return false;
}

static bool
parse_bool(const struct dfs_config_item *item, const char *text, uint8_t *field, char **error)
{
	if (strcmp(text, "true") == 0)
		*field = 1;
	else if (strcmp(text, "false") == 0)
		*field = 0;
	else
		return refuse(item, text, "is not a truth value", error);
	return true;
}

static bool
parse_int(const struct dfs_config_item *item, const char *text, int64_t *field, char **error)
{
	char *end;
	long long value;

	if (!g_ascii_isdigit(text[text[0] == '-']))
		return refuse(item, text, "is not an integer", error);
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end)
		return refuse(item, text, "is not an integer", error);
	if (errno == ERANGE || value < item->min || value > item->max)
		return refuse(item, text, "is out of range", error);
	*field = value;
	return true;
}

/* Digits and a unit of the list.  A missing unit is allowed where "" is one of them, and for 0. */
static bool
parse_units(const struct dfs_config_item *item, const char *text, const struct unit *units,
	    unsigned n, uint64_t *field, char **error)
{
	uint64_t value, factor = 0;
	char *end;

	if (!g_ascii_isdigit(text[0]))
		return refuse(item, text, "does not begin with a digit", error);
	errno = 0;
	value = strtoull(text, &end, 10);
	for (unsigned i = 0; i < n; i++)
		if (g_ascii_strcasecmp(end, units[i].name) == 0)
			factor = units[i].factor;
	if (!factor && !*end && value == 0)
		factor = 1;
	if (!factor)
		return refuse(item, text, *end ? "has an unknown unit" : "has no unit", error);
	if (errno == ERANGE || value > UINT64_MAX / factor || value * factor > upper_bound(item) ||
	    value * factor < (uint64_t)MAX(item->min, 0))
		return refuse(item, text, "is out of range", error);
	*field = value * factor;
	return true;
}

static bool
parse_enum(const struct dfs_config_item *item, const char *text, uint32_t *field, char **error)
{
	unsigned n = g_strv_length((char **)item->names);
	const char *near;

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, item->names[i]) != 0)
			continue;
		*field = i;
		return true;
	}
	near = dfs_nearest(text, item->names, n);
	refuse(item, text, "is not allowed", error);
	if (near) {
		char *whole = g_strdup_printf("%s; did you mean \"%s\"?", *error, near);
		g_free(*error);
		*error = whole;
	}
	return false;
}

static bool
parse_mode(const struct dfs_config_item *item, const char *text, uint32_t *field, char **error)
{
	size_t n = strlen(text);
	unsigned long value;

	if (n < 3 || n > 5 || strspn(text, "01234567") != n)
		return refuse(item, text, "is not an octal mode", error);
	value = strtoul(text, NULL, 8);
	if (value > upper_bound(item) || (int64_t)value < item->min)
		return refuse(item, text, "is out of range", error);
	*field = (uint32_t)value;
	return true;
}

static bool
check_length(const struct dfs_config_item *item, const char *text, char **error)
{
	size_t n = strlen(text);

	if (n < (size_t)MAX(item->min, 0))
		return refuse(item, text, n ? "is too short" : "is empty", error);
	if (n > upper_bound(item))
		return refuse(item, text, "is too long", error);
	return true;
}

static bool
parse_string(const struct dfs_config_item *item, const char *text, GPtrArray *owned,
	     const char **field, char **error)
{
	if (!check_length(item, text, error))
		return false;
	*field = g_strdup(text);
	g_ptr_array_add(owned, (char *)*field);
	return true;
}

static bool
parse_path(const struct dfs_config_item *item, const char *text, const char *base_dir,
	   GPtrArray *owned, const char **field, char **error)
{
	if (!*text)
		return refuse(item, text, "is empty", error);
	if (!g_path_is_absolute(text) && !base_dir)
		return refuse(item, text, "is not absolute", error);
	if (base_dir && !*base_dir)
		*field = g_strdup(text);
	else
		*field = g_canonicalize_filename(text, g_path_is_absolute(text) ? "/" : base_dir);
	g_ptr_array_add(owned, (char *)*field);
	return true;
}

/* The first line's worth of a secret file: all of it but one newline at its end. */
static char *
read_secret(const char *path, char **why)
{
	char *text = g_malloc0(SECRET_MAX + 2);
	size_t n = 0;
	ssize_t got = -1;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		*why = g_strdup("is no regular file");
	} else {
		while (fd >= 0 && n <= SECRET_MAX &&
		       (got = read(fd, text + n, SECRET_MAX + 1 - n)) > 0)
			n += (size_t)got;
		if (got < 0)
			*why = g_strdup_printf("cannot be read: %s", g_strerror(errno));
		else if (n > SECRET_MAX || memchr(text, '\0', n))
			*why = g_strdup("is no text of at most 64 KiB");
	}
	if (fd >= 0)
		close(fd);
	if (*why) {
		explicit_bzero(text, SECRET_MAX + 2);
		g_free(text);
		return NULL;
	}
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

static bool
parse_secret(const struct dfs_config_item *item, const char *text, const char *base_dir,
	     GPtrArray *owned, const char **field, char **error)
{
	g_autofree char *why = NULL, *path = NULL;
	char *secret;

	if (g_str_has_prefix(text, "file:") && text[5]) {
		if (!g_path_is_absolute(text + 5) && !base_dir)
			return refuse(item, text, "names a file by a relative path", error);
		path = g_canonicalize_filename(text + 5, base_dir);
		secret = read_secret(path, &why);
		if (!secret) {
			*error = g_strdup_printf("the secret's file %s %s", path, why);
			return false;
		}
	} else if (g_str_has_prefix(text, "env:") && text[4]) {
		if (!getenv(text + 4)) {
			*error = g_strdup_printf("the secret's environment variable %s is not set",
						 text + 4);
			return false;
		}
		secret = g_strdup(getenv(text + 4));
	} else {
		secret = g_strdup(text);
	}
	if (!check_length(item, secret, error)) {
		explicit_bzero(secret, strlen(secret));
		g_free(secret);
		return false;
	}
	g_ptr_array_add(owned, secret);
	*field = secret;
	return true;
}

bool
dfs_option_parse(const struct dfs_config_item *item, const char *text, const char *base_dir,
		 GPtrArray *owned, void *field, char **error)
{
	switch (item->type) {
	case DFS_CONFIG_BOOL:
		return parse_bool(item, text, field, error);
	case DFS_CONFIG_INT:
		return parse_int(item, text, field, error);
	case DFS_CONFIG_SIZE:
		return parse_units(item, text, size_units, G_N_ELEMENTS(size_units), field, error);
	case DFS_CONFIG_DURATION:
		return parse_units(item, text, duration_units, G_N_ELEMENTS(duration_units), field,
				   error);
	case DFS_CONFIG_STRING:
		return parse_string(item, text, owned, field, error);
	case DFS_CONFIG_PATH:
		return parse_path(item, text, base_dir, owned, field, error);
	case DFS_CONFIG_ENUM:
		return parse_enum(item, text, field, error);
	case DFS_CONFIG_LIST:
		return dfs_option_parse_list(item, (const char *const[]){text, NULL}, owned, field,
					     error);
	case DFS_CONFIG_SECRET:
		return parse_secret(item, text, base_dir, owned, field, error);
	case DFS_CONFIG_MODE:
		return parse_mode(item, text, field, error);
	default:
		return refuse(item, text, "has no place", error);
	}
}

bool
dfs_option_parse_list(const struct dfs_config_item *item, const char *const *list, GPtrArray *owned,
		      void *field, char **error)
{
	unsigned n = g_strv_length((char **)list);
	const char **copy;

	if (item->type != DFS_CONFIG_LIST)
		return refuse(item, "a list", "does not fit", error);
	copy = g_new0(const char *, n + 1);
	g_ptr_array_add(owned, copy);
	for (unsigned i = 0; i < n; i++) {
		copy[i] = g_strdup(list[i]);
		g_ptr_array_add(owned, (char *)copy[i]);
	}
	*(const char *const **)field = copy;
	return true;
}

char *
dfs_option_format(const struct dfs_config_item *item, const void *field)
{
	const char *string;
	g_autofree char *joined = NULL;

	switch (item->type) {
	case DFS_CONFIG_BOOL:
		return g_strdup(*(const uint8_t *)field ? "true" : "false");
	case DFS_CONFIG_INT:
		return g_strdup_printf("%" G_GINT64_FORMAT, *(const int64_t *)field);
	case DFS_CONFIG_SIZE:
		return format_units(*(const uint64_t *)field, size_units, "0");
	case DFS_CONFIG_DURATION:
		return format_units(*(const uint64_t *)field, duration_units, "0s");
	case DFS_CONFIG_ENUM:
		return g_strdup(item->names[*(const uint32_t *)field]);
	case DFS_CONFIG_MODE:
		return g_strdup_printf("%04o", *(const uint32_t *)field);
	case DFS_CONFIG_LIST:
		if (!*(char ***)field)
			return g_strdup("");
		joined = g_strjoinv(", ", *(char ***)field);
		return g_strdup_printf("[%s]", joined);
	default:
		string = *(const char *const *)field;
		if (!string)
			return g_strdup("");
		return g_strdup(item->type == DFS_CONFIG_SECRET ? "(secret)" : string);
	}
}

bool
dfs_option_equal(const struct dfs_config_item *item, const void *a, const void *b)
{
	const char *const *list_a, *const *list_b;

	switch (item->type) {
	case DFS_CONFIG_STRING:
	case DFS_CONFIG_PATH:
	case DFS_CONFIG_SECRET:
		return g_strcmp0(*(const char *const *)a, *(const char *const *)b) == 0;
	case DFS_CONFIG_LIST:
		list_a = *(const char *const *const *)a;
		list_b = *(const char *const *const *)b;
		return list_a && list_b ? g_strv_equal(list_a, list_b) : list_a == list_b;
	default:
		return memcmp(a, b, dfs_option_field_size(item->type)) == 0;
	}
}
