/* SPDX-License-Identifier: MIT
 *
 * The database's error codes: PostgreSQL's documentation, appendix A.  Those that only mean something in one
 * statement are named beside it (statement.h).
 */
#ifndef POSTGRES_SQLSTATE_H
#define POSTGRES_SQLSTATE_H

#include <dittofs/status.h>
#include <stdbool.h>

#define SQLSTATE_READ_ONLY "25006"
#define SQLSTATE_DENIED "42501"
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300"

/* Of a statement that has failed; DFS_IO: it is none that is expected. */
enum dfs_status sqlstate_status(const char *sqlstate);
/* Whether it refuses a connection in a way that waiting does not mend. */
bool sqlstate_is_lasting(const char *sqlstate);

#endif
