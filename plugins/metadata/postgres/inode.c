/* SPDX-License-Identifier: MIT
 *
 * Inodes.
 */
#include "records.h"

void
inode_decode(struct dfs_inode_record *out, uint32_t size, const struct row *row, unsigned at)
{
	struct dfs_inode_record rec;
	struct row r;

	for (unsigned i = 0; i < INODE_COLUMNS; i++) {
		r.bytes[i] = row->bytes[at + i];
		r.len[i] = row->len[at + i];
	}
	memset(&rec, 0, sizeof(rec));
	rec.type = (uint32_t)row_int(&r, INODE_TYPE);
	rec.mode = (uint32_t)row_int(&r, INODE_MODE);
	rec.nlink = (uint32_t)row_int(&r, INODE_NLINK);
	rec.uid = (uint32_t)row_int(&r, INODE_UID);
	rec.gid = (uint32_t)row_int(&r, INODE_GID);
	rec.rdev_major = (uint32_t)row_int(&r, INODE_RDEV_MAJOR);
	rec.rdev_minor = (uint32_t)row_int(&r, INODE_RDEV_MINOR);
	rec.fileid = row_int(&r, INODE_FILEID);
	rec.generation = row_int(&r, INODE_GENERATION);
	rec.length = row_int(&r, INODE_LENGTH);
	rec.used = row_int(&r, INODE_USED);
	rec.change = row_int(&r, INODE_CHANGE);
	rec.atime = (int64_t)row_int(&r, INODE_ATIME);
	rec.mtime = (int64_t)row_int(&r, INODE_MTIME);
	rec.ctime = (int64_t)row_int(&r, INODE_CTIME);
	rec.btime = (int64_t)row_int(&r, INODE_BTIME);
	rec.parent = row_int(&r, INODE_PARENT);
	rec.verifier = row_int(&r, INODE_VERIFIER);
	rec.flags = (uint32_t)row_int(&r, INODE_FLAGS);
	memcpy(rec.content.bytes, r.bytes[INODE_CONTENT], sizeof(rec.content.bytes));
	rec.cut_lsn = row_int(&r, INODE_CUT_LSN);
	rec.cut_length = row_int(&r, INODE_CUT_LENGTH);
	rec.revision = row_int(&r, INODE_REVISION);
	give_record(out, size, &rec, sizeof(rec));
}

static int
got_inode(void *arg, const struct row *row)
{
	struct dfs_inode_record *rec = arg;

	inode_decode(rec, rec->size, row, 0);
	return 0;
}

enum dfs_status
inode_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
	  struct dfs_inode_record *rec)
{
	struct params p = {0};

	if (rec->size < INODE_SIZE_MIN)
		return store_refuse(inst, DFS_INVAL, "the inode record's size");
	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_get(txn, K_INODE, &p, got_inode, rec);
}

enum dfs_status
inode_put(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_inode_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);
	struct dfs_inode_record r = {0};

	if (!ws)
		return st;
	if (rec->size < INODE_SIZE_MIN || rec->type < DFS_TYPE_REG || rec->type > 255)
		return store_refuse(inst, DFS_INVAL, "the inode");
	memcpy(&r, rec, rec->size < sizeof(r) ? rec->size : sizeof(r));
	writeset_begin(ws, K_INODE, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, r.fileid);
	writeset_int8(ws, r.generation);
	writeset_int2(ws, (uint16_t)r.type);
	writeset_int4(ws, r.mode);
	writeset_int8(ws, r.nlink);
	writeset_int8(ws, r.uid);
	writeset_int8(ws, r.gid);
	writeset_int8(ws, r.rdev_major);
	writeset_int8(ws, r.rdev_minor);
	writeset_int8(ws, r.length);
	writeset_int8(ws, r.used);
	writeset_int8(ws, r.change);
	writeset_int8(ws, (uint64_t)r.atime);
	writeset_int8(ws, (uint64_t)r.mtime);
	writeset_int8(ws, (uint64_t)r.ctime);
	writeset_int8(ws, (uint64_t)r.btime);
	writeset_int8(ws, r.parent);
	writeset_int8(ws, r.verifier);
	writeset_int8(ws, r.flags);
	writeset_bytes(ws, r.content.bytes, sizeof(r.content.bytes));
	writeset_int8(ws, r.cut_lsn);
	writeset_int8(ws, r.cut_length);
	writeset_int8(ws, r.revision);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
inode_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_del(txn, K_INODE, &p);
}
