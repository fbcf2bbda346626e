/* SPDX-License-Identifier: MIT
 *
 * Test Anything Protocol output: see tap.h.
 */
#include "tools/conform/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned total, failed;

void
tap_result(bool ok, const char *group, const char *name, const char *skip)
{
	total++;
	if (!ok)
		failed++;
	printf("%s %u - %s: %s", ok ? "ok" : "not ok", total, group, name);
	if (skip)
		printf(" # SKIP %s", skip);
	putchar('\n');
	fflush(stdout);
}

void
tap_remark(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	flockfile(stdout);
	fputs("# ", stdout);
	for (const char *p = text; *p; p++) {
		putchar(*p);
		if (*p == '\n' && p[1])
			fputs("# ", stdout);
	}
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}

void
tap_bail(const char *fmt, ...)
{
	va_list ap;

	fputs("Bail out! ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(2);
}

int
tap_end(void)
{
	printf("1..%u\n", total);
	if (failed)
		printf("# %u of %u failed\n", failed, total);
	fflush(stdout);
	return failed ? 1 : 0;
}
