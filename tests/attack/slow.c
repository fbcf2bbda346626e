/* SPDX-License-Identifier: MIT
 *
 * A disk that hangs, for a server started with this in LD_PRELOAD: calls that reach a file whose
 * path matches the pattern $SLOW_PATH wait as long as the file $SLOW_SWITCH exists.  With
 * SLOW_DIE=CALL:N in the environment the N-th such call kills the process, as by kill -9; CALL is the
 * function's name, "sync" for each of those, and with a '+' behind it is made before.
 *
 * Descriptors are looked up by their /proc link, so whatever opened them is caught.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int
is_slow(int fd)
{
	const char *part = getenv("SLOW_PATH");
	char link[64], path[4096];
	ssize_t n;

	if (!part)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	return fnmatch(part, path, 0) == 0;
}

static void
die_at(int fd, const char *call)
{
	static _Atomic long passed;
	const char *point = getenv("SLOW_DIE"), *colon = point ? strchr(point, ':') : NULL;

	if (colon && strlen(call) == (size_t)(colon - point) &&
	    strncmp(point, call, strlen(call)) == 0 && is_slow(fd) &&
	    atomic_fetch_add(&passed, 1) + 1 == strtol(colon + 1, NULL, 10))
		kill(getpid(), SIGKILL);
}

static void
hang(int fd)
{
	const char *gate = getenv("SLOW_SWITCH");
	struct timespec pause = {0, 20 * 1000000};

	if (!gate || access(gate, F_OK) != 0 || !is_slow(fd))
		return;
	while (access(gate, F_OK) == 0)
		nanosleep(&pause, NULL);
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	hang(fd);
	die_at(fd, "writev");
	return NEXT(writev)(fd, iov, n);
}

ssize_t
pread(int fd, void *buf, size_t n, off_t at)
{
	hang(fd);
	return NEXT(pread)(fd, buf, n, at);
}

ssize_t
pwrite(int fd, const void *buf, size_t n, off_t at)
{
	hang(fd);
	return NEXT(pwrite)(fd, buf, n, at);
}

ssize_t
write(int fd, const void *buf, size_t n)
{
	hang(fd);
	return NEXT(write)(fd, buf, n);
}

int
renameat(int from, const char *old, int to, const char *new)
{
	int r;

	hang(from);
	die_at(from, "renameat");
	r = NEXT(renameat)(from, old, to, new);
	die_at(from, "renameat+");
	return r;
}

int
fdatasync(int fd)
{
	hang(fd);
	die_at(fd, "sync");
	return NEXT(fdatasync)(fd);
}

int
fsync(int fd)
{
	hang(fd);
	die_at(fd, "sync");
	return NEXT(fsync)(fd);
}

int
syncfs(int fd)
{
	hang(fd);
	die_at(fd, "sync");
	return NEXT(syncfs)(fd);
}
