/* SPDX-License-Identifier: MIT
 *
 * Preloaded by test-powerloss: notes what fsync and fdatasync have made durable, as lines in the
 * file that POWERLOSS_JOURNAL names:
 *   F INODE SIZE PATH    this file up to this size
 *   N PATH               this name, when its folder was synced
 * and, of LevelDB's logs, which are written over zeros, the bytes: a copy in the file JOURNAL.NAME.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
note(const char *line)
{
	const char *path = getenv("POWERLOSS_JOURNAL");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		_exit(120);
	close(fd);
}

static void
note_names(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char line[4500];

	while (d && (e = readdir(d))) {
		snprintf(line, sizeof(line), "N %s/%s\n", path, e->d_name);
		note(line);
	}
	if (d)
		closedir(d);
}

/* A copy of size bytes of fd, taken before the sync that makes them durable. */
static char *
bytes_of(int fd, off_t size)
{
	char *bytes = malloc((size_t)size + 1);

	if (!bytes || pread(fd, bytes, (size_t)size, 0) != size)
		_exit(120);
	return bytes;
}

/* Whole or not at all, whenever this process is killed. */
static void
keep(const char *of, const char *bytes, off_t size)
{
	const char *journal = getenv("POWERLOSS_JOURNAL");
	char path[8500], temp[4300];
	int fd;

	snprintf(path, sizeof(path), "%s.%s", journal, strrchr(of, '/') + 1);
	snprintf(temp, sizeof(temp), "%s.new", journal);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, (size_t)size) != size || rename(temp, path) < 0)
		_exit(120);
	close(fd);
}

static int
sync_and_note(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	char link[64], path[4096], line[4500], *bytes = NULL;
	struct stat st;
	ssize_t n;
	int result;

	/* The size from before: what is written meanwhile may miss the sync. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return real(fd);
	path[n] = 0;
	if (getenv("POWERLOSS_JOURNAL") && n > 4 && strcmp(path + n - 4, ".log") == 0) {
		int again = open(path, O_RDONLY | O_CLOEXEC); /* fd may be for writing only */

		if (again >= 0) {
			bytes = bytes_of(again, st.st_size);
			close(again);
		}
	}
	result = real(fd);
	if (result == 0 && bytes)
		keep(path, bytes, st.st_size);
	free(bytes);
	if (result == 0 && S_ISDIR(st.st_mode))
		note_names(path);
	if (result == 0 && S_ISREG(st.st_mode)) {
		snprintf(line, sizeof(line), "F %lu %ld %s\n", (unsigned long)st.st_ino,
			 (long)st.st_size, path);
		note(line);
	}
	return result;
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
	return sync_and_note("fsync", fd);
}

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	return sync_and_note("fdatasync", fd);
}
