/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace.h"
#include "runtime/state.h"

#define SECRET_FILE "secret"
#define LOG_FILE "wal-folder" /* where the log is */
#define LOCK_FILE "lock"

/* The holder's process id as the lock file says, 0 when it does not. */
static long
lock_holder(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static bool
lock(struct dfs_state *state, int dir_fd, const char *dir, char **error)
{
	char text[32];
	int fd = openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		*error = g_strdup_printf("the state folder %s: cannot open its lock file: %s", dir,
					 g_strerror(errno));
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			*error = g_strdup_printf(
				"the state folder %s is in use by another server (process "
				"%ld): stop it, or give this one another server.state_dir",
				dir, lock_holder(fd));
		else
			*error = g_strdup_printf("the state folder %s: cannot lock it: %s", dir,
						 g_strerror(errno));
		close(fd);
		return false;
	}
	int n = g_snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
		*error = g_strdup_printf("the state folder %s: cannot write its lock file: %s", dir,
					 g_strerror(errno));
		close(fd);
		return false;
	}
	state->lock_fd = fd;
	return true;
}

static bool
make_secret(struct dfs_state *state, int dir_fd)
{
	return getrandom(&state->secret, sizeof state->secret, 0) ==
		       (ssize_t)sizeof state->secret &&
	       dfs_file_replace(dir_fd, SECRET_FILE, &state->secret, sizeof state->secret);
}

static bool
load_secret(struct dfs_state *state, int dir_fd, const char *dir, char **error)
{
	struct stat st;
	int fd = openat(dir_fd, SECRET_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT) {
		if (make_secret(state, dir_fd))
			return true;
		*error = g_strdup_printf("the state folder %s: cannot write its secret: %s", dir,
					 g_strerror(errno));
		return false;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		*error = g_strdup_printf("the state folder %s: cannot read its secret: %s", dir,
					 g_strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool whole =
		st.st_size == (off_t)sizeof state->secret &&
		read(fd, &state->secret, sizeof state->secret) == (ssize_t)sizeof state->secret;
	close(fd);
	if (!whole)
		*error = g_strdup_printf(
			"the state folder %s: the file " SECRET_FILE
			" is damaged (%zu bytes are expected); restore it, or remove it: "
			"then clients must mount again",
			dir, sizeof state->secret);
	return whole;
}

static void
identify(struct dfs_state *state)
{
	static const char use[] = "dittofs server identity";
	struct dfs_server_identity *self = &state->self;
	uint64_t half;

	for (unsigned i = 0; i < 2; i++) {
		/* With its NUL, and then without: two inputs. */
		half = dfs_siphash(&state->secret, use, sizeof use - i);
		memcpy(self->id + i * sizeof half, &half, sizeof half);
	}
	g_snprintf(self->text, sizeof self->text, "%.60s, process %ld", g_get_host_name(),
		   (long)getpid());
}

bool
dfs_state_open(struct dfs_state *state, const char *dir, char **error)
{
	int dir_fd;
	bool good;

	state->lock_fd = -1;
	if (g_mkdir_with_parents(dir, 0700) < 0) {
		*error = g_strdup_printf("the state folder %s: cannot create it: %s", dir,
					 g_strerror(errno));
		return false;
	}
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		*error = g_strdup_printf("the state folder %s: cannot open it: %s", dir,
					 g_strerror(errno));
		return false;
	}
	good = lock(state, dir_fd, dir, error) && load_secret(state, dir_fd, dir, error);
	close(dir_fd);
	if (good)
		identify(state);
	else
		dfs_state_close(state);
	return good;
}

/* What is there and no folder is for the log itself to complain of. */
static bool
has_log(const char *path)
{
	g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
	const char *name = NULL;

	if (!folder)
		return g_file_test(path, G_FILE_TEST_EXISTS);
	while ((name = g_dir_read_name(folder)))
		if (strcmp(name, "SUPER") == 0 || g_str_has_prefix(name, "seg-"))
			return true;
	return false;
}

bool
dfs_state_log_check(const char *dir, const char *path, char **error)
{
	g_autofree char *note = g_build_filename(dir, LOG_FILE, NULL);
	g_autofree char *before = NULL;

	if (!g_file_get_contents(note, &before, NULL, NULL) || has_log(path))
		return true;
	*error = g_strdup_printf(
		"there is no write-ahead log in %s, and this server wrote one in %s: mount it or "
		"put it back; when it is lost, remove the file %s to start without the "
		"acknowledged data that only it had",
		path, g_strchomp(before), note);
	return false;
}

bool
dfs_state_log_note(const char *dir, const char *path, char **error)
{
	g_autofree char *note = g_build_filename(dir, LOG_FILE, NULL);
	g_autofree char *before = NULL, *line = g_strconcat(path, "\n", NULL);
	g_autoptr(GError) failure = NULL;

	if ((g_file_get_contents(note, &before, NULL, NULL) && strcmp(before, line) == 0) ||
	    g_file_set_contents_full(note, line, -1,
				     G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
				     0600, &failure))
		return true;
	*error =
		g_strdup_printf("the state folder %s: cannot note where the write-ahead log is: %s",
				dir, failure->message);
	return false;
}

void
dfs_state_close(struct dfs_state *state)
{
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	state->lock_fd = -1;
	explicit_bzero(&state->secret, sizeof state->secret);
}
