/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

bool
options_size(const char *text, int64_t *bytes)
{
	static const char units[] = "kmgt";
	char *end;

	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (end == text || errno || v < 0)
		return false;
	if (*end) {
		const char *u = strchr(units, g_ascii_tolower(*end));
		unsigned shift = u ? 10 * (unsigned)(u - units + 1) : 0;
		if (!u || end[1] || v > INT64_MAX >> shift)
			return false;
		v <<= shift;
	}
	*bytes = v;
	return true;
}
