/* SPDX-License-Identifier: MIT
 *
 * The store's schema in the database: made, checked and brought up to date when a store is opened.
 */
#ifndef POSTGRES_SCHEMA_H
#define POSTGRES_SCHEMA_H

#include "session.h"

extern const char *const migrations[];
extern const unsigned n_migrations;

/* DFS_VERSION: the schema is newer, or holds something else.  On any failure diag->text says why. */
enum dfs_status schema_open(struct session *c, int64_t deadline, struct dfs_diag *diag);

#endif
