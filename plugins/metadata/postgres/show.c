/* SPDX-License-Identifier: MIT
 *
 * show: statements of the store, one a line, a name, a tab, the text: those that tools/bench/compare wants
 * by name, and with the argument "all" each of them.  With "settings", those that its sessions' plans
 * go by.
 */
#include <stdio.h>
#include <string.h>

#include "statement.h"

static const struct {
	const char *name;
	unsigned statement;
} shown[] = {
	{"begin", S_BEGIN}, {"put_inode", S_PUT + K_INODE}, {"put_dirent", S_PUT + K_DIRENT},
	{"slot", S_SLOT},   {"commit", S_COMMIT},           {"listing", S_SCAN_LISTING},
};

int
main(int argc, char **argv)
{
	struct statements s;

	if (argc > 1 && !strcmp(argv[1], "settings")) {
		puts(PLAN_SETTINGS);
		return 0;
	}
	if (!statements_make(&s))
		return 1;
	for (unsigned i = 0; argc > 1 && i < STATEMENTS; i++)
		printf("%s\t%s\n", s.name[i], s.text[i]);
	for (unsigned i = 0; argc == 1 && i < sizeof(shown) / sizeof(shown[0]); i++)
		printf("%s\t%s\n", shown[i].name, s.text[shown[i].statement]);
	statements_free(&s);
	return 0;
}
