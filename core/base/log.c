/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static _Atomic int log_level = DFS_LOG_INFO;
static _Atomic int log_format = DFS_LOG_TEXT;
static _Thread_local char fail_text[512];

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void
dfs_log_setup(enum dfs_log_level level, enum dfs_log_format format)
{
	log_level = level;
	log_format = format;
}

bool
dfs_log_enabled(enum dfs_log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* JSON string body: quotes, backslashes and control bytes escaped. */
static size_t
json_escape(char *out, size_t cap, const char *text)
{
	size_t n = 0;

	for (; *text && n + 7 < cap; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < 0x20) {
			n += (size_t)snprintf(out + n, cap - n, "\\u%04x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
	return n;
}

void
dfs_log(enum dfs_log_level level, const char *fmt, ...)
{
	char text[1024], line[2400], stamp[40];
	struct timespec ts;
	struct tm tm;
	va_list ap;
	int n;

	if (!dfs_log_enabled(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	if (log_format == DFS_LOG_JSON) {
		char escaped[2100];
		json_escape(escaped, sizeof escaped, text);
		n = snprintf(line, sizeof line,
			     "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"}\n",
			     stamp, ts.tv_nsec / 1000000, level_names[level], escaped);
	} else {
		for (char *p = text; *p; p++)
			if (*p == '\n' || *p == '\r')
				*p = ' ';
		n = snprintf(line, sizeof line, "%s.%03ldZ %-5s %s\n", stamp, ts.tv_nsec / 1000000,
			     level_names[level], text);
	}
	if (n > (int)sizeof line - 1)
		n = sizeof line - 1;
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain */
}

enum dfs_status
dfs_fail(enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof fail_text, fmt, ap);
	va_end(ap);
	return status;
}

const char *
dfs_fail_text(void)
{
	return fail_text;
}

const char *
dfs_status_name(enum dfs_status status)
{
	static const char *const names[] = {
		"OK",        "AGAIN",    "NOENT",    "EXIST",    "NOTDIR",      "ISDIR",
		"NOTEMPTY",  "PERM",     "ACCESS",   "INVAL",    "NAMETOOLONG", "NOSPC",
		"DQUOT",     "FBIG",     "ROFS",     "MLINK",    "XDEV",        "STALE",
		"BADHANDLE", "IO",       "NOTSUP",   "TOOSMALL", "BADCOOKIE",   "NOTSYNC",
		"BADTYPE",   "DELAY",    "TIMEDOUT", "CORRUPT",  "TOOBIG",      "BUSY",
		"NOMEM",     "SHUTDOWN", "CONFIG",   "VERSION",  "FENCED",      "DEADLOCK",
		"GRACE",
	};
	return (unsigned)status < sizeof names / sizeof *names ? names[status] : "UNKNOWN";
}
