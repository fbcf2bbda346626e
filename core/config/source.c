/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/source.h"

#define TEXT_MAX (4u << 20) /* bytes of all files together */
#define DEPTH_MAX 10u
#define FILES_MAX 256u

/* Lines from `first` of the text on are lines `line`.. of the file. */
struct run {
	unsigned first, line, file;
};

/* The scan of one file.  libconfig's tokens, as far as they matter: comments, strings, names and
 * numbers. */
struct scan {
	struct dfs_source *source;
	const char *p; /* next byte; the text ends with NUL */
	unsigned line; /* of p, in this file */
	unsigned flat; /* of p, in the text made so far */
	unsigned file;
	unsigned depth;
	bool including;  /* @include is allowed */
	bool line_start; /* nothing but blanks since the line's begin */
	GString *name;   /* the last name seen: the key that a number belongs to */
	char **error;
};

static bool scan_file(struct dfs_source *source, const char *path, unsigned *flat, unsigned depth,
		      const char *includer, char **error);

static bool __attribute__((format(printf, 2, 3))) refuse(const struct scan *s, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	*s->error = g_strdup_printf("%s:%u: %s", (char *)s->source->files->pdata[s->file], s->line,
				    text);
	return false;
}

/* Copy n bytes to the text and count their lines. */
static void
copy(struct scan *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->p[i] == '\n') {
			s->line++;
			s->flat++;
		}
	g_string_append_len(s->source->text, s->p, (gssize)n);
	s->p += n;
}

static void
begin_run(struct scan *s)
{
	struct run run = {s->flat, s->line, s->file};

	g_array_append_val(s->source->runs, run);
}

#define ENDLESS SIZE_MAX

/* Length of the comment or string that begins at p; 0: none does; ENDLESS: its end is missing. */
static size_t
quiet_length(const char *p)
{
	const char *end;

	if (p[0] == '#' || (p[0] == '/' && p[1] == '/'))
		return strcspn(p, "\n");
	if (p[0] == '/' && p[1] == '*') {
		end = strstr(p + 2, "*/");
		return end ? (size_t)(end + 2 - p) : ENDLESS;
	}
	if (p[0] != '"')
		return 0;
	for (end = p + 1; *end && *end != '"'; end++)
		if (*end == '\\' && end[1])
			end++;
	return *end ? (size_t)(end + 1 - p) : ENDLESS;
}

/* Length of a number; an integer that libconfig would cut is refused (0). */
static size_t
number_length(const struct scan *s)
{
	const char *digits = s->p + (*s->p == '-' || *s->p == '+');
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	const char *set = hex ? "0123456789abcdefABCDEF" : "0123456789";
	size_t n = (size_t)(digits - s->p) + (hex ? 2 : 0), size;
	bool wide, fits;
	gint64 value;
	g_autofree char *text = NULL;

	n += strspn(s->p + n, set);
	if (!hex && (s->p[n] == '.' || s->p[n] == 'e' || s->p[n] == 'E'))
		return n + strspn(s->p + n, "0123456789.eE+-");
	text = g_strndup(s->p, n);
	wide = s->p[n] == 'L';
	size = n + strspn(s->p + n, "L");
	errno = 0;
	value = hex ? (gint64)g_ascii_strtoull(text, NULL, 16) : g_ascii_strtoll(text, NULL, 10);
	fits = errno == 0 && !(hex && value < 0);
	if (fits && (wide || (value >= INT32_MIN && value <= INT32_MAX)))
		return size;
	refuse(s, "%s%s%.40s %s", s->name->str, s->name->len ? ": " : "", text,
	       fits ? "needs more than 32 bits; append L to it" : "needs more than 64 bits");
	return 0;
}

/* The line `@include "path"`: put the file in its place. */
static bool
include(struct scan *s)
{
	const char *quote = s->p + strspn(s->p, " \t");
	size_t n;
	g_autofree char *quoted = NULL, *name = NULL, *path = NULL, *dir = NULL, *where = NULL;

	if (!s->including)
		return refuse(s, "@include is not allowed here");
	n = *quote == '"' ? quiet_length(quote) : 0;
	if (n < 3 || n == ENDLESS)
		return refuse(s, "@include wants a file name in double quotes");
	quoted = g_strndup(quote + 1, n - 2);
	name = g_strcompress(quoted);
	dir = g_path_get_dirname(s->source->files->pdata[s->file]);
	path = g_path_is_absolute(name) || strcmp(dir, ".") == 0
		       ? g_strdup(name)
		       : g_build_filename(dir, name, NULL);
	s->p = quote + n;
	where = g_strdup_printf("%s:%u", (char *)s->source->files->pdata[s->file], s->line);
	if (!scan_file(s->source, path, &s->flat, s->depth + 1, where, s->error))
		return false;
	/* What follows on this line gets a line of its own in the text. */
	g_string_append_c(s->source->text, '\n');
	s->flat++;
	begin_run(s);
	return true;
}

static bool
scan_name(struct scan *s)
{
	size_t n =
		strspn(s->p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*");

	if (g_ascii_strncasecmp(s->p, "true", n) != 0 &&
	    g_ascii_strncasecmp(s->p, "false", n) != 0) {
		g_string_truncate(s->name, 0);
		g_string_append_len(s->name, s->p, (gssize)MIN(n, 64));
	}
	copy(s, n);
	return true;
}

static bool
scan_token(struct scan *s)
{
	size_t n = quiet_length(s->p);
	bool at_start = s->line_start;

	s->line_start = false;
	if (n == ENDLESS)
		return refuse(s, "the %s that begins here has no end",
			      *s->p == '"' ? "string" : "comment");
	if (n) {
		copy(s, n);
	} else if (g_ascii_isalpha(*s->p) || *s->p == '*') {
		return scan_name(s);
	} else if (g_ascii_isdigit(s->p[*s->p == '-' || *s->p == '+'])) {
		n = number_length(s);
		copy(s, n);
		return n > 0;
	} else if (at_start && g_str_has_prefix(s->p, "@include")) {
		s->p += strlen("@include");
		return include(s);
	} else {
		s->line_start = *s->p == '\n' || (at_start && (*s->p == ' ' || *s->p == '\t'));
		copy(s, 1);
	}
	return true;
}

static bool
scan_text(struct dfs_source *source, const char *text, const char *name, unsigned *flat,
	  unsigned depth, bool including, char **error)
{
	struct scan s = {
		.source = source,
		.p = text,
		.line = 1,
		.flat = *flat,
		.file = source->files->len,
		.depth = depth,
		.including = including,
		.line_start = true,
		.name = g_string_new(NULL),
		.error = error,
	};
	bool ok = true;

	g_ptr_array_add(source->files, g_strdup(name));
	begin_run(&s);
	while (ok && *s.p)
		ok = scan_token(&s);
	if (ok && source->text->len > TEXT_MAX)
		ok = refuse(&s, "the configuration is over %u MiB", TEXT_MAX >> 20);
	*flat = s.flat;
	g_string_free(s.name, TRUE);
	return ok;
}

/* All of a regular file as text. */
static char *
read_text(const char *path, char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	g_autofree char *text = g_malloc(TEXT_MAX + 2);
	size_t n = 0;
	ssize_t got = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		*why = g_strdup_printf("cannot be opened: %s", g_strerror(errno));
	else if (!S_ISREG(st.st_mode))
		*why = g_strdup("is no regular file");
	else
		while ((got = read(fd, text + n, TEXT_MAX + 1 - n)) > 0)
			n += (size_t)got;
	if (!*why && got < 0)
		*why = g_strdup_printf("cannot be read: %s", g_strerror(errno));
	else if (!*why && n > TEXT_MAX)
		*why = g_strdup_printf("is over %u MiB", TEXT_MAX >> 20);
	else if (!*why && memchr(text, '\0', n))
		*why = g_strdup("is no text: it has NUL bytes");
	if (fd >= 0)
		close(fd);
	if (*why)
		return NULL;
	text[n] = '\0';
	return g_strndup(text, n);
}

/* includer: FILE:LINE of the @include, NULL for the first file. */
static bool
scan_file(struct dfs_source *source, const char *path, unsigned *flat, unsigned depth,
	  const char *includer, char **error)
{
	g_autofree char *why = NULL, *text = NULL;

	if (depth > DEPTH_MAX) {
		*error = g_strdup_printf("%s: @include goes deeper than %u files", includer,
					 DEPTH_MAX);
		return false;
	}
	if (source->files->len == FILES_MAX) {
		*error = g_strdup_printf("%s: @include of more than %u files", includer, FILES_MAX);
		return false;
	}
	text = read_text(path, &why);
	if (!text) {
		*error = includer ? g_strdup_printf("%s: @include: %s %s", includer, path, why)
				  : g_strdup_printf("%s %s", path, why);
		return false;
	}
	return scan_text(source, text, path, flat, depth, true, error);
}

static void
init(struct dfs_source *source)
{
	source->text = g_string_new(NULL);
	source->runs = g_array_new(FALSE, FALSE, sizeof(struct run));
	source->files = g_ptr_array_new_with_free_func(g_free);
}

bool
dfs_source_read(struct dfs_source *source, const char *path, char **error)
{
	unsigned flat = 1;

	init(source);
	return scan_file(source, path, &flat, 0, NULL, error);
}

bool
dfs_source_parse(struct dfs_source *source, const char *text, const char *name, char **error)
{
	unsigned flat = 1;

	init(source);
	return scan_text(source, text, name, &flat, 0, false, error);
}

void
dfs_source_clear(struct dfs_source *source)
{
	g_string_free(source->text, TRUE);
	g_array_unref(source->runs);
	g_ptr_array_unref(source->files);
}

char *
dfs_source_where(const struct dfs_source *source, unsigned line)
{
	const struct run *found = &g_array_index(source->runs, struct run, 0);

	for (unsigned i = 1; i < source->runs->len; i++) {
		const struct run *run = &g_array_index(source->runs, struct run, i);
		if (run->first > line)
			break;
		found = run;
	}
	if (line < found->first)
		line = found->first;
	return g_strdup_printf("%s:%u", (char *)source->files->pdata[found->file],
			       line - found->first + found->line);
}

char *
dfs_source_quote(const struct dfs_source *source, unsigned line)
{
	const char *p = source->text->str;
	GString *out = g_string_new(NULL);
	unsigned at = 1;

	/* By tokens: a line may begin inside a string or a comment, which is left out too. */
	while (*p && at < line) {
		size_t n = MAX(quiet_length(p), 1);
		for (size_t i = 0; i < n; i++)
			at += p[i] == '\n';
		p += n;
	}
	p += strspn(p, " \t");
	while (*p && *p != '\n' && out->len < 72) {
		size_t n = quiet_length(p);
		if (n && *p == '"')
			g_string_append(out, "\"...\"");
		else if (!n)
			g_string_append_c(out, g_ascii_isprint(*p) ? *p : ' ');
		p += MAX(n, 1);
	}
	return g_string_free(out, FALSE);
}
