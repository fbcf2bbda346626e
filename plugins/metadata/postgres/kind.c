/* SPDX-License-Identifier: MIT
 *
 * The tables' columns, keys first, in the order of the migrations.
 */
#include <dittofs/metadata_store.h>

#include "kind.h"

const struct type_info types[] = {
	[T_INT2] = {"int2", 21, 2},   [T_INT4] = {"int4", 23, 4},    [T_INT8] = {"int8", 20, 8},
	[T_BYTEA] = {"bytea", 17, 0}, [T_UUID] = {"uuid", 2950, 16},
};

static const struct column share_columns[] = {
	{"id", T_INT8}, {"uuid", T_UUID}, {"root", T_INT8}, {"name", T_BYTEA}, {"epoch", T_INT8},
};

static const struct column inode_columns[INODE_COLUMNS] = {
	{"share", T_INT8},      {"fileid", T_INT8},     {"generation", T_INT8},
	{"type", T_INT2},       {"mode", T_INT4},       {"nlink", T_INT8},
	{"uid", T_INT8},        {"gid", T_INT8},        {"rdev_major", T_INT8},
	{"rdev_minor", T_INT8}, {"length", T_INT8},     {"used", T_INT8},
	{"change", T_INT8},     {"atime", T_INT8},      {"mtime", T_INT8},
	{"ctime", T_INT8},      {"btime", T_INT8},      {"parent", T_INT8},
	{"verifier", T_INT8},   {"flags", T_INT8},      {"content", T_UUID},
	{"cut_lsn", T_INT8},    {"cut_length", T_INT8}, {"revision", T_INT8},
};

static const struct column dirent_columns[] = {
	{"share", T_INT8}, {"dir", T_INT8},   {"cookie", T_INT8}, {"fileid", T_INT8},
	{"type", T_INT2},  {"flags", T_INT8}, {"name", T_BYTEA},
};

static const struct column symlink_columns[] = {
	{"share", T_INT8}, {"fileid", T_INT8}, {"target", T_BYTEA}};

static const struct column map_columns[] = {
	{"share", T_INT8}, {"content", T_UUID},   {"block", T_INT8, true},
	{"lsn", T_INT8},   {"segments", T_BYTEA},
};

static const struct column object_columns[] = {
	{"share", T_INT8},
	{"version", T_INT8, true},
	{"content", T_UUID},
	{"block", T_INT8},
	{"refs", T_INT8},
	{"length", T_INT8},
	{"hash", T_BYTEA, .nullable = true},
};

static const struct column dead_columns[] = {
	{"share", T_INT8},       {"at", T_INT8, true},      {"content", T_UUID},
	{"block", T_INT8, true}, {"version", T_INT8, true},
};

static const struct column orphan_columns[] = {
	{"share", T_INT8}, {"fileid", T_INT8, true}, {"content", T_UUID}};

static const struct column state_columns[] = {
	{"share", T_INT8}, {"key", T_BYTEA, .max = DFS_STATE_KEY_MAX}, {"value", T_BYTEA}};

#define KIND(table, columns, n_keys)                                                               \
	{                                                                                          \
		table, columns, sizeof(columns) / sizeof((columns)[0]), n_keys                     \
	}

const struct kind_info kinds[KINDS] = {
	[K_SHARE] = KIND("shares", share_columns, 1),
	[K_INODE] = KIND("inodes", inode_columns, 2),
	[K_DIRENT] = KIND("dirents", dirent_columns, 3),
	[K_SYMLINK] = KIND("symlinks", symlink_columns, 2),
	[K_MAP] = KIND("block_map", map_columns, 3),
	[K_OBJECT] = KIND("objects", object_columns, 2),
	[K_DEAD] = KIND("dead_objects", dead_columns, 5),
	[K_ORPHAN] = KIND("orphans", orphan_columns, 2),
	[K_STATE] = KIND("server_state", state_columns, 2),
};
