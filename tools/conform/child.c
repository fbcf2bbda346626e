/* SPDX-License-Identifier: MIT
 *
 * Child processes of a test: this program again, in a role.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tools/conform/frame.h"
#include "tools/conform/tap.h"

pid_t
conform_spawn(struct conform *c, const char *role, const char *dir, const char *arg, int *fd)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autofree char *child = NULL, *seed = g_strdup_printf("%u", c->seed),
			*repeat = g_strdup_printf("%u", c->repeat);
	int ends[2] = {-1, -1};
	pid_t pid;

	if (fd && pipe2(ends, O_CLOEXEC) < 0)
		tap_bail("pipe: %s", strerror(errno));
	/* A new program, not only a fork: a library under the plugin may have threads that a fork
	 * would lose while its globals remember them. */
	child = g_strdup_printf("%s\n%s\n%s\n%d", role, dir, arg ? arg : "", fd ? 3 : -1);
	g_ptr_array_add(argv, (char *)"dfs-conform");
	g_ptr_array_add(argv, (char *)"--plugin");
	g_ptr_array_add(argv, (char *)c->plugin_path);
	for (char **p = c->set; p && *p; p++) {
		g_ptr_array_add(argv, (char *)"--set");
		g_ptr_array_add(argv, *p);
	}
	g_ptr_array_add(argv, (char *)"--seed");
	g_ptr_array_add(argv, seed);
	g_ptr_array_add(argv, (char *)"--repeat");
	g_ptr_array_add(argv, repeat);
	g_ptr_array_add(argv, (char *)"--child");
	g_ptr_array_add(argv, child);
	g_ptr_array_add(argv, NULL);
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd && dup2(ends[1], 3) < 0)
			_exit(126);
		if (fd && ends[1] == 3)
			fcntl(3, F_SETFD, 0);
		execv("/proc/self/exe", (char **)argv->pdata);
		_exit(127);
	}
	if (fd) {
		close(ends[1]);
		*fd = ends[0];
	}
	return pid;
}

int
conform_child(struct conform *c, const struct conform_role *roles, const char *what)
{
	g_auto(GStrv) part = g_strsplit(what, "\n", 4);

	if (g_strv_length(part) == 4)
		for (; roles && roles->name; roles++)
			if (!strcmp(roles->name, part[0]))
				return roles->run(c, part[1], part[2], atoi(part[3]));
	return 125;
}
