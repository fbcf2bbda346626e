/* SPDX-License-Identifier: MIT
 *
 * Kills the server with SIGKILL at random moments under NFS load and checks, after each restart,
 * that everything it had acknowledged is there and nothing else is.
 *
 *   crash-check ROUNDS PORT READY_FILE -- SERVER ARG...
 *
 * Each worker has a folder of its own and a model of it.  An operation that was under way when
 * the server died may have happened or not; every other must show exactly.  Content counts from
 * the COMMIT on: each byte of a file whose rewrite was interrupted is either the old or the new.
 * Prints TAP: one point a round.  CRASH_SEED repeats the same choices.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nfsc/libnfs.h>

#define WORKERS 4
#define NAMES 48
#define LENGTH_MAX 200000

/* One name of a worker's folder.  seed 0: content not known (created, never committed). */
struct entry {
	bool present;
	bool is_dir;
	uint32_t length, seed;
};

enum op { OP_NONE, OP_CREATE, OP_WRITE, OP_RENAME, OP_REMOVE, OP_MKDIR, OP_RMDIR };

struct worker {
	int id;
	unsigned rng;
	struct nfs_context *nfs;
	struct entry entries[NAMES];
	/* The operation under way, as it was when the connection broke. */
	enum op op;
	int name, other;
	uint32_t length, seed;
	unsigned long done;
	pthread_t thread;
};

static struct worker workers[WORKERS];
static int port;
static char why[1024];

static unsigned
rnd(struct worker *w, unsigned n)
{
	return (unsigned)rand_r(&w->rng) % n;
}

static void __attribute__((format(printf, 1, 2))) explain(const char *fmt, ...)
{
	va_list ap;

	if (why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
}

static unsigned char
pattern(uint32_t seed, uint32_t at)
{
	uint32_t x = (seed + at / 4) * 2654435761u;
	return (unsigned char)(x >> (8 * (at & 3))) ^ (unsigned char)(x >> 13);
}

static const char *
path_of(const struct worker *w, int name, char *buf)
{
	snprintf(buf, 64, "/w%d/name-%02d", w->id, name);
	return buf;
}

static struct nfs_context *
mount_share(void)
{
	struct nfs_context *nfs = nfs_init_context();
	struct nfs_url *url;
	char text[128];
	int rc;

	snprintf(text, sizeof text,
		 "nfs://127.0.0.1/export?version=3&nfsport=%d&mountport=%d&autoreconnect=0", port,
		 port);
	url = nfs_parse_url_dir(nfs, text);
	nfs_set_timeout(nfs, 20000);
	rc = url ? nfs_mount(nfs, url->server, url->path) : -EINVAL;
	nfs_destroy_url(url);
	if (rc != 0) {
		explain("mount: %s", nfs_get_error(nfs));
		nfs_destroy_context(nfs);
		return NULL;
	}
	return nfs;
}

/* Whole new content, committed.  0, or a negative errno: the server is gone (or wrong). */
static int
write_file(struct worker *w, const char *path, uint32_t length, uint32_t seed)
{
	struct nfsfh *fh;
	unsigned char *data = malloc(length ? length : 1);
	int rc = nfs_open(w->nfs, path, O_RDWR, &fh);

	if (rc == 0) {
		for (uint32_t i = 0; i < length; i++)
			data[i] = pattern(seed, i);
		rc = nfs_ftruncate(w->nfs, fh, length);
		for (uint32_t at = 0; rc >= 0 && at < length;) {
			rc = nfs_pwrite(w->nfs, fh, at, length - at, data + at);
			if (rc > 0)
				at += (uint32_t)rc;
		}
		if (rc >= 0)
			rc = nfs_fsync(w->nfs, fh);
		nfs_close(w->nfs, fh);
	}
	free(data);
	return rc < 0 ? rc : 0;
}

/* Choose what fits the entry and note it before it starts. */
static int
step(struct worker *w)
{
	struct entry *e;
	char a[64], b[64];
	struct nfsfh *fh;
	int rc;

	w->name = (int)rnd(w, NAMES);
	w->other = (int)rnd(w, NAMES);
	e = &w->entries[w->name];
	path_of(w, w->name, a);
	path_of(w, w->other, b);
	if (!e->present) {
		if (rnd(w, 6) == 0) {
			w->op = OP_MKDIR;
			return nfs_mkdir(w->nfs, a);
		}
		w->op = OP_CREATE;
		rc = nfs_open2(w->nfs, a, O_CREAT | O_EXCL | O_RDWR, 0644, &fh);
		if (rc == 0)
			nfs_close(w->nfs, fh);
		return rc;
	}
	if (e->is_dir) {
		w->op = OP_RMDIR;
		return nfs_rmdir(w->nfs, a);
	}
	switch (rnd(w, 4)) {
	case 0:
		w->op = OP_REMOVE;
		return nfs_unlink(w->nfs, a);
	case 1:
		if (w->name != w->other &&
		    !(w->entries[w->other].present && w->entries[w->other].is_dir)) {
			w->op = OP_RENAME;
			return nfs_rename(w->nfs, a, b);
		}
		/* fall through */
	default:
		w->op = OP_WRITE;
		w->seed = (uint32_t)rand_r(&w->rng) | 1;
		w->length = rnd(w, 3) ? rnd(w, 9000) : rnd(w, LENGTH_MAX);
		return write_file(w, a, w->length, w->seed);
	}
}

/* The noted operation has happened. */
static void
apply(struct worker *w)
{
	struct entry *e = &w->entries[w->name];

	switch (w->op) {
	case OP_CREATE:
		*e = (struct entry){.present = true, .seed = 1, .length = 0};
		break;
	case OP_MKDIR:
		*e = (struct entry){.present = true, .is_dir = true};
		break;
	case OP_WRITE:
		e->length = w->length;
		e->seed = w->seed;
		break;
	case OP_RENAME:
		w->entries[w->other] = *e;
		e->present = false;
		break;
	case OP_REMOVE:
	case OP_RMDIR:
		e->present = false;
		break;
	case OP_NONE:
		break;
	}
	w->op = OP_NONE;
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	while (step(w) >= 0) {
		apply(w);
		w->done++;
	}
	return NULL;
}

static bool
check_content(struct worker *w, int name, const struct entry *e, bool rewriting)
{
	char path[64];
	struct nfsfh *fh;
	struct nfs_stat_64 st;
	uint64_t got = 0;
	unsigned char *data;
	bool good = false;

	path_of(w, name, path);
	if (nfs_stat64(w->nfs, path, &st) != 0 || nfs_open(w->nfs, path, O_RDONLY, &fh) != 0) {
		explain("%s: %s", path, nfs_get_error(w->nfs));
		return false;
	}
	data = malloc(LENGTH_MAX + 1);
	while (got < st.nfs_size) {
		int n = nfs_pread(w->nfs, fh, got, LENGTH_MAX - got, data + got);
		if (n <= 0)
			break;
		got += (uint64_t)n;
	}
	nfs_close(w->nfs, fh);
	if (got != st.nfs_size) {
		explain("%s: read %llu of %llu bytes", path, (unsigned long long)got,
			(unsigned long long)st.nfs_size);
	} else if (!rewriting && got != e->length) {
		explain("%s: %llu bytes, %u were committed", path, (unsigned long long)got,
			e->length);
	} else {
		good = true;
		for (uint32_t i = 0; good && i < got; i++) {
			bool old = i < e->length && data[i] == pattern(e->seed, i);
			bool new = rewriting && (data[i] == pattern(w->seed, i) || data[i] == 0);
			good = old || new;
			if (!good)
				explain("%s: byte %u of %llu is %02x, never written%s", path, i,
					(unsigned long long)got, data[i],
					rewriting ? " (rewrite under way)" : "");
		}
	}
	free(data);
	return good;
}

/* Which of both outcomes of the interrupted operation shows? */
static void
resolve(struct worker *w, const bool *there)
{
	bool happened = false;

	switch (w->op) {
	case OP_CREATE:
	case OP_MKDIR:
		happened = there[w->name];
		break;
	case OP_REMOVE:
	case OP_RMDIR:
		happened = !there[w->name];
		break;
	case OP_RENAME:
		happened = !there[w->name];
		break;
	case OP_WRITE:
	case OP_NONE:
		return;
	}
	if (happened)
		apply(w);
	else
		w->op = OP_NONE;
}

static bool
check_worker(struct worker *w)
{
	struct nfsdir *dir;
	struct nfsdirent *d;
	bool there[NAMES] = {false};
	char path[64];

	snprintf(path, sizeof path, "/w%d", w->id);
	if (nfs_opendir(w->nfs, path, &dir) != 0) {
		explain("%s: %s", path, nfs_get_error(w->nfs));
		return false;
	}
	while ((d = nfs_readdir(w->nfs, dir))) {
		int name;
		if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
			continue;
		if (sscanf(d->name, "name-%d", &name) != 1 || name < 0 || name >= NAMES ||
		    there[name]) {
			explain("%s holds %s, which nobody made (or twice)", path, d->name);
			nfs_closedir(w->nfs, dir);
			return false;
		}
		there[name] = true;
	}
	nfs_closedir(w->nfs, dir);
	resolve(w, there);
	for (int i = 0; i < NAMES; i++) {
		const struct entry *e = &w->entries[i];
		bool rewriting = w->op == OP_WRITE && w->name == i;
		if (e->present != there[i]) {
			explain("%s/name-%02d is %s", path, i,
				there[i] ? "there, though removed" : "lost");
			return false;
		}
		if (e->present && !e->is_dir && !check_content(w, i, e, rewriting))
			return false;
	}
	if (w->op == OP_WRITE) { /* settle: make the content known again */
		path_of(w, w->name, path);
		if (write_file(w, path, w->length, w->seed) != 0) {
			explain("%s: cannot be written again: %s", path, nfs_get_error(w->nfs));
			return false;
		}
		apply(w);
	}
	return true;
}

static pid_t
start_server(char **argv, const char *ready)
{
	pid_t pid;

	unlink(ready);
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	for (int i = 0; i < 600; i++) {
		struct timespec pause = {0, 50 * 1000000};
		if (access(ready, F_OK) == 0)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			explain("the server did not start again");
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	explain("the server was not ready in 30 s");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static bool
mount_all(bool first)
{
	for (int i = 0; i < WORKERS; i++) {
		char path[64];
		workers[i].nfs = mount_share();
		if (!workers[i].nfs)
			return false;
		snprintf(path, sizeof path, "/w%d", i);
		if (first && nfs_mkdir(workers[i].nfs, path) != 0) {
			explain("%s: %s", path, nfs_get_error(workers[i].nfs));
			return false;
		}
	}
	return true;
}

/* One life of the server: check what it has, load it, kill it. */
static bool
round_trip(int round, char **argv, const char *ready, unsigned *rng)
{
	pid_t pid = start_server(argv, ready);
	struct timespec life = {0, (50 + (long)(rand_r(rng) % 450)) * 1000000};
	bool good;

	if (pid < 0)
		return false;
	good = mount_all(round == 0);
	for (int i = 0; good && i < WORKERS; i++)
		good = check_worker(&workers[i]);
	if (good) {
		for (int i = 0; i < WORKERS; i++)
			pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		nanosleep(&life, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (good)
		for (int i = 0; i < WORKERS; i++)
			pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < WORKERS; i++)
		if (workers[i].nfs) {
			nfs_destroy_context(workers[i].nfs);
			workers[i].nfs = NULL;
		}
	return good;
}

int
main(int argc, char **argv)
{
	const char *seed_text = getenv("CRASH_SEED");
	unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)time(NULL);
	unsigned rng = seed;
	unsigned long done = 0;
	int rounds;

	if (argc < 6 || strcmp(argv[4], "--") != 0) {
		fprintf(stderr, "usage: crash-check ROUNDS PORT READY_FILE -- SERVER ARG...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	rounds = atoi(argv[1]);
	port = atoi(argv[2]);
	printf("1..%d\n# CRASH_SEED=%u\n", rounds, seed);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].id = i;
		workers[i].rng = (unsigned)rand_r(&rng);
	}
	for (int round = 0; round < rounds; round++) {
		if (!round_trip(round, argv + 5, argv[3], &rng)) {
			printf("not ok %d - after crash %d\n# %s\n", round + 1, round, why);
			printf("Bail out! the model and the share differ\n");
			return 1;
		}
		unsigned long now = 0;
		for (int i = 0; i < WORKERS; i++)
			now += workers[i].done;
		printf("ok %d - after %d crashes all is there; %lu more acknowledged operations\n",
		       round + 1, round, now - done);
		done = now;
	}
	return 0;
}
