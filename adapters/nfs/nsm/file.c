/* SPDX-License-Identifier: MIT
 *
 * The status monitor's file, "nsm" in the state folder: lines of words, so that an operator can read it.
 *
 *   dittofs-nsm 1
 *   state NUMBER BOOT
 *   peer ADDRESS LOCAL-ADDRESS STATE NAME
 *   watch PROGRAM VERSION PROCEDURE PRIV USER HOST
 *   lapsed (as watch: of an earlier start of the host, still to be told)
 *   end LINES
 *
 * BOOT names the host's start in which the file was written.  Names are percent-encoded, an address
 * that is not known is "-", PRIV is in hexadecimal.  The file is written under another name, synced
 * and renamed, so it is whole or not there; "end" tells a file that was damaged otherwise.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/nfs/nsm/table.h"
#include "base/log.h"
#include "base/replace.h"

#define FILE_NAME "nsm"
#define FILE_MAX (16u << 20)
#define HEAD "dittofs-nsm 1"
#define WORDS_MAX 7u

static void
put_name(FILE *f, const char *name)
{
	fputc(' ', f);
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (isalnum(*p) || strchr(".-_:", *p))
			fputc(*p, f);
		else
			fprintf(f, "%%%02x", *p);
}

static void
put_address(FILE *f, const union nfs_address *a)
{
	char text[NFS_ADDRESS_TEXT];

	fprintf(f, " %s", a->sa.sa_family == AF_UNSPEC ? "-" : nfs_address_text(a, text));
}

/* How many lines. */
static uint32_t
put_watches(FILE *f, const char *what, const struct nsm_watch *list)
{
	uint32_t lines = 0;

	for (const struct nsm_watch *w = list; w; w = w->next, lines++) {
		fprintf(f, "%s %" PRIu32 " %" PRIu32 " %" PRIu32 " ", what, w->program, w->version,
			w->procedure);
		for (unsigned i = 0; i < NSM_PRIV_SIZE; i++)
			fprintf(f, "%02x", w->priv[i]);
		put_name(f, w->user);
		put_name(f, w->host);
		fputc('\n', f);
	}
	return lines;
}

static void
put_all_locked(const struct nfs_nsm *nsm, FILE *f)
{
	uint32_t lines = 2;

	fprintf(f, HEAD "\nstate %" PRIu32, nsm->state);
	put_name(f, nsm->boot);
	fputc('\n', f);
	for (unsigned i = 0; i < NSM_BUCKETS; i++)
		for (const struct nsm_peer *p = nsm->peers[i]; p; p = p->next, lines++) {
			fputs("peer", f);
			put_address(f, &p->address);
			put_address(f, &p->local);
			fprintf(f, " %" PRIu32, p->state);
			put_name(f, p->name);
			fputc('\n', f);
		}
	lines += put_watches(f, "watch", nsm->watches);
	lines += put_watches(f, "lapsed", nsm->lapsed);
	fprintf(f, "end %" PRIu32 "\n", lines);
}

enum dfs_status
nsm_file_write(struct nfs_nsm *nsm, uint64_t *seq)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int folder;
	bool good;

	if (!f)
		return dfs_fail(DFS_NOMEM, "no memory to write the status monitor's file");
	pthread_mutex_lock(&nsm->mu);
	nsm_prune_locked(nsm, false);
	put_all_locked(nsm, f);
	*seq = nsm->seq;
	pthread_mutex_unlock(&nsm->mu);
	if (fclose(f) != 0) {
		free(text);
		return dfs_fail(DFS_NOMEM, "no memory to write the status monitor's file");
	}
	folder = open(nsm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = folder >= 0 && dfs_file_replace(folder, FILE_NAME, text, len);
	free(text);
	if (!good)
		dfs_fail(DFS_IO, "%s/" FILE_NAME " cannot be written: %s", nsm->dir,
			 strerror(errno));
	if (folder >= 0)
		close(folder);
	return good ? DFS_OK : DFS_IO;
}

static bool
get_number(const char *text, uint32_t *v)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)text[0]))
		return false;
	n = strtoull(text, &end, 10);
	*v = (uint32_t)n;
	return *end == '\0' && n <= UINT32_MAX;
}

static bool
get_hex(const char *text, unsigned char *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;
		if (!isxdigit((unsigned char)text[2 * i]) ||
		    !isxdigit((unsigned char)text[2 * i + 1]) ||
		    sscanf(text + 2 * i, "%2x", &v) != 1)
			return false;
		to[i] = (unsigned char)v;
	}
	return true;
}

static bool
get_name(const char *text, char name[NSM_NAME_MAX + 1])
{
	size_t n = 0;

	while (*text && n < NSM_NAME_MAX) {
		unsigned char c = (unsigned char)*text++;
		if (c == '%') {
			if (!get_hex(text, &c, 1) || c == 0)
				return false;
			text += 2;
		}
		name[n++] = (char)c;
	}
	name[n] = '\0';
	return *text == '\0' && n > 0;
}

static bool
get_address(const char *text, union nfs_address *a)
{
	memset(a, 0, sizeof *a);
	return strcmp(text, "-") == 0 || nfs_address_parse(text, a);
}

static bool
get_peer(struct nfs_nsm *nsm, char *const *words, unsigned n)
{
	union nfs_address address, local;
	char name[NSM_NAME_MAX + 1];
	struct nsm_peer *peer;
	uint32_t state;

	if (n != 5 || !nfs_address_parse(words[1], &address) || !get_address(words[2], &local) ||
	    !get_number(words[3], &state) || !get_name(words[4], name) ||
	    nsm_find_locked(nsm, &address, name))
		return false;
	peer = nsm_add_locked(nsm, &address, name);
	if (!peer)
		return false;
	peer->local = local;
	peer->state = state;
	peer->untold = true;
	nsm->n_untold++;
	return true;
}

static bool
get_watch(struct nfs_nsm *nsm, char *const *words, unsigned n)
{
	bool live = strcmp(words[0], "watch") == 0 && nsm->same_boot;
	uint32_t *count = live ? &nsm->n_watches : &nsm->n_lapsed;
	struct nsm_watch **list = live ? &nsm->watches : &nsm->lapsed;
	struct nsm_watch w = {0}, *copy;

	if (n != 7 || *count >= NSM_WATCHES_MAX || !get_number(words[1], &w.program) ||
	    !get_number(words[2], &w.version) || !get_number(words[3], &w.procedure) ||
	    strlen(words[4]) != 2 * NSM_PRIV_SIZE || !get_hex(words[4], w.priv, NSM_PRIV_SIZE) ||
	    !get_name(words[5], w.user) || !get_name(words[6], w.host))
		return false;
	copy = malloc(sizeof *copy);
	if (!copy)
		return false;
	*copy = w;
	copy->next = *list;
	*list = copy;
	++*count;
	return true;
}

static bool
get_state(struct nfs_nsm *nsm, char *const *words, unsigned n)
{
	char boot[NSM_NAME_MAX + 1];

	if (n != 3 || strcmp(words[0], "state") != 0 || !get_number(words[1], &nsm->state) ||
	    !get_name(words[2], boot))
		return false;
	nsm->same_boot = strcmp(boot, nsm->boot) == 0;
	return true;
}

/* line: the number of lines before it. */
static bool
get_line(struct nfs_nsm *nsm, char *const *words, unsigned n, uint32_t line)
{
	if (line == 1)
		return get_state(nsm, words, n);
	if (strcmp(words[0], "peer") == 0)
		return get_peer(nsm, words, n);
	return (strcmp(words[0], "watch") == 0 || strcmp(words[0], "lapsed") == 0) &&
	       get_watch(nsm, words, n);
}

bool
nsm_file_parse(struct nfs_nsm *nsm, char *text)
{
	uint32_t lines = 0, wanted;
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n")) && rest) {
		char *words[WORDS_MAX], *word, *more = line;
		unsigned n = 0;

		if (lines++ == 0) {
			if (strcmp(line, HEAD) != 0)
				return false;
			continue;
		}
		while ((word = strsep(&more, " ")) && n < WORDS_MAX)
			words[n++] = word;
		if (word)
			return false;
		if (strcmp(words[0], "end") == 0)
			return n == 2 && lines > 2 && get_number(words[1], &wanted) &&
			       wanted == lines - 1 && *rest == '\0';
		if (!get_line(nsm, words, n, lines - 1))
			return false;
	}
	return false;
}

/* The whole file as a string; NULL: errno. */
static char *
read_text(const struct nfs_nsm *nsm)
{
	int folder = open(nsm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = folder < 0 ? -1 : openat(folder, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = fd < 0 ? NULL : malloc(FILE_MAX + 1);
	size_t n = 0;
	ssize_t got = 1;
	int err;

	while (text && n < FILE_MAX && (got = read(fd, text + n, FILE_MAX - n)) > 0)
		n += (size_t)got;
	err = errno;
	if (text && got < 0) {
		free(text);
		text = NULL;
	}
	if (text)
		text[n] = '\0';
	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	errno = err;
	return text;
}

/* The first odd number above; what is no number of ours begins again. */
static uint32_t
advance(uint32_t state)
{
	return state < INT32_MAX - 2 ? (state + 1) | 1 : 1;
}

/* The kernel makes one anew at each start of the host. */
static void
read_boot(struct nfs_nsm *nsm)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, nsm->boot, sizeof nsm->boot - 1);

	if (fd >= 0)
		close(fd);
	nsm->boot[n > 0 ? n : 0] = '\0';
	nsm->boot[strspn(nsm->boot, "0123456789abcdef-")] = '\0';
	if (!nsm->boot[0])
		strcpy(nsm->boot, "-");
}

enum dfs_status
nsm_file_read(struct nfs_nsm *nsm)
{
	char *text;

	read_boot(nsm);
	text = read_text(nsm);
	if (!text && errno == ENOENT) {
		nsm->state = 1;
		nsm->seq = 1;
		return DFS_OK;
	}
	if (!text)
		return dfs_fail(DFS_IO, "%s/" FILE_NAME " cannot be read: %s", nsm->dir,
				strerror(errno));
	if (!nsm_file_parse(nsm, text)) {
		/* Larger than what was there: a server does not start every other second for
		 * years. */
		nsm->state = (uint32_t)(time(NULL) & INT32_MAX);
		dfs_log(DFS_LOG_ERROR,
			"%s/" FILE_NAME " is damaged: clients that it named and that could not be "
			"read are not told that this server has restarted, and do not reclaim "
			"their "
			"locks",
			nsm->dir);
	}
	free(text);
	nsm->state = advance(nsm->state);
	nsm->seq = 1;
	return DFS_OK;
}
