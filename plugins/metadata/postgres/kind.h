/* SPDX-License-Identifier: MIT
 *
 * The kinds of records: for each its table, and the table's columns, keys first.
 *
 * Statements (statement.c), the write set (writeset.c) and the decoding of rows (row.h) all follow
 * these tables, so that a column is named once.
 */
#ifndef POSTGRES_KIND_H
#define POSTGRES_KIND_H

#include <stdbool.h>

enum kind {
	K_SHARE,
	K_INODE,
	K_DIRENT,
	K_SYMLINK,
	K_MAP,
	K_OBJECT,
	K_DEAD,
	K_ORPHAN,
	K_STATE,
	KINDS,
};

enum column_type { T_INT2, T_INT4, T_INT8, T_BYTEA, T_UUID };

#define COLUMNS_MAX 24

struct column {
	const char *name;
	enum column_type type;
	/* Part of a key that is scanned in the order of unsigned numbers: the index is over the
	 * value with its highest bit turned (see BIAS_TEXT). */
	bool biased;
	bool nullable;
	int max; /* bytes; 0: any number */
};

struct kind_info {
	const char *table;
	const struct column *columns;
	unsigned n_columns, n_keys;
};

extern const struct kind_info kinds[KINDS];

struct type_info {
	const char *name;
	unsigned oid;
	int width; /* bytes, 0: any number */
};

extern const struct type_info types[];

/* PostgreSQL has no unsigned numbers.  A 64-bit number is stored as the bigint of the same bits, which
 * reads well below 2^63; where its order counts, the index holds it with the highest bit turned. */
#define BIAS_TEXT "(-9223372036854775807-1)"

/* Columns of K_INODE. */
enum {
	INODE_SHARE,
	INODE_FILEID,
	INODE_GENERATION,
	INODE_TYPE,
	INODE_MODE,
	INODE_NLINK,
	INODE_UID,
	INODE_GID,
	INODE_RDEV_MAJOR,
	INODE_RDEV_MINOR,
	INODE_LENGTH,
	INODE_USED,
	INODE_CHANGE,
	INODE_ATIME,
	INODE_MTIME,
	INODE_CTIME,
	INODE_BTIME,
	INODE_PARENT,
	INODE_VERIFIER,
	INODE_FLAGS,
	INODE_CONTENT,
	INODE_CUT_LSN,
	INODE_CUT_LENGTH,
	INODE_REVISION,
	INODE_COLUMNS,
};

#endif
