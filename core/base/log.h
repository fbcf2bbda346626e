/* SPDX-License-Identifier: MIT
 *
 * The server's log and the text of the last failure.  Any thread.
 */
#ifndef DFS_BASE_LOG_H
#define DFS_BASE_LOG_H

#include <stdbool.h>

#include <dittofs/host.h>
#include <dittofs/status.h>

enum dfs_log_format { DFS_LOG_TEXT = 0, DFS_LOG_JSON = 1 };

/* Lines above level are dropped.  Output goes to standard error, one write(2) a line. */
void dfs_log_setup(enum dfs_log_level level, enum dfs_log_format format);
bool dfs_log_enabled(enum dfs_log_level level);
void dfs_log(enum dfs_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Keep the sentence that explains status for this thread, and return status.  The text is read
 * by whoever turns the status into a log line or an error for people; it decides nothing. */
enum dfs_status dfs_fail(enum dfs_status status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* This thread's last sentence, "" when none; valid until the next dfs_fail on the thread. */
const char *dfs_fail_text(void);

/* "NOENT" for DFS_NOENT; never NULL. */
const char *dfs_status_name(enum dfs_status status);

#endif
