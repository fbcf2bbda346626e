/* SPDX-License-Identifier: MIT
 *
 * The shared credentials file: sections in brackets, "key = value", comments behind '#' or ';' at
 * the start of a line.  A key that stands twice counts the first time.
 */
#include <string.h>

#include "credentials.h"

struct slice {
	const char *at;
	size_t len;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool
same(struct slice s, const char *string)
{
	return s.len == strlen(string) && memcmp(s.at, string, s.len) == 0;
}

/* The next line, trimmed; false at the end. */
static bool
next_line(struct slice *rest, struct slice *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->at, '\n', rest->len);
	*line = (struct slice){rest->at, end ? (size_t)(end - rest->at) : rest->len};
	rest->at += line->len + (end != NULL);
	rest->len -= line->len + (end != NULL);
	*line = trim(*line);
	return true;
}

bool
ini_find(const char *text, size_t len, const char *section, const char *key, struct text *out)
{
	struct slice rest = {text, len}, line;
	bool inside = false;

	while (next_line(&rest, &line)) {
		const char *equals;

		if (line.len == 0 || line.at[0] == '#' || line.at[0] == ';')
			continue;
		if (line.at[0] == '[') {
			struct slice name = {line.at + 1, line.len - 1};

			if (name.len > 0 && name.at[name.len - 1] == ']')
				name.len--;
			inside = same(trim(name), section);
			continue;
		}
		equals = memchr(line.at, '=', line.len);
		if (!inside || !equals ||
		    !same(trim((struct slice){line.at, (size_t)(equals - line.at)}), key))
			continue;
		line.len -= (size_t)(equals + 1 - line.at);
		line.at = equals + 1;
		line = trim(line);
		if (memchr(line.at, '\0', line.len))
			return false;
		text_add(out, line.at, line.len);
		return !out->failed;
	}
	return false;
}
