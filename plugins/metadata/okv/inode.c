/* SPDX-License-Identifier: MIT
 *
 * Inodes and the texts of symbolic links on the ordered key-value contract.
 */
#include "okv.h"

/* Up to here every release has known the record. */
#define INODE_SIZE_MIN (offsetof(struct dfs_inode_record, content) + sizeof(struct dfs_content_id))

struct inode_ask {
	struct okv_ask ask;
	uint64_t fileid;
	struct dfs_inode_record *out;
};

/* Fill what the caller's struct, of out->size bytes, has room for. */
static void
give(struct dfs_inode_record *out, const struct dfs_inode_record *rec)
{
	uint32_t size = out->size;

	if (size == sizeof(*rec)) {
		*out = *rec;
		return;
	}
	memcpy(out, rec, size < sizeof(*rec) ? size : sizeof(*rec));
	if (size > sizeof(*rec))
		memset((char *)out + sizeof(*rec), 0, size - sizeof(*rec));
	out->size = size;
}

static int
got_inode(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct inode_ask *ask = arg;
	struct dfs_inode_record rec;
	enum dfs_status st = okv_decode_inode(value, value_len, &rec);

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "inode", ask->fileid);
	rec.fileid = ask->fileid;
	give(ask->out, &rec);
	return 0;
}

enum dfs_status
dfs_okv_get_inode(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
		  struct dfs_inode_record *rec)
{
	struct inode_ask ask = {{inst, DFS_OK, share}, fileid, rec};
	unsigned char key[13];

	if (rec->size < INODE_SIZE_MIN)
		return okv_refuse(inst, DFS_INVAL, "the inode record's size");
	okv_key1(key, share, OKV_INODE, fileid);
	return okv_get(inst, txn, key, sizeof(key), got_inode, &ask.ask);
}

enum dfs_status
dfs_okv_get_inodes(void *inst, struct dfs_txn *txn, uint32_t share, const uint64_t *ids, uint32_t n,
		   struct dfs_inode_record *recs)
{
	/* The caller's struct may be longer or shorter than ours: its size is the stride. */
	uint32_t stride = n ? recs->size : 0;

	for (uint32_t i = 0; i < n; i++) {
		struct dfs_inode_record *rec = (void *)((char *)recs + (size_t)i * stride);
		enum dfs_status st;

		rec->size = stride;
		st = dfs_okv_get_inode(inst, txn, share, ids[i], rec);
		if (st == DFS_NOENT)
			rec->type = DFS_TYPE_NONE;
		else if (st != DFS_OK)
			return st;
	}
	return DFS_OK;
}

enum dfs_status
dfs_okv_put_inode(void *inst, struct dfs_txn *txn, uint32_t share,
		  const struct dfs_inode_record *rec)
{
	struct dfs_okv *kv = inst;
	struct dfs_inode_record whole = {.size = 0};
	unsigned char key[13], value[OKV_INODE_BYTES];
	uint32_t len;

	if (rec->size < INODE_SIZE_MIN || rec->type < DFS_TYPE_REG || rec->type > 255)
		return okv_refuse(kv, DFS_INVAL, "the inode");
	if (rec->size < sizeof(whole)) {
		memcpy(&whole, rec, rec->size);
		rec = &whole;
	}
	okv_key1(key, share, OKV_INODE, rec->fileid);
	len = okv_encode_inode(value, rec);
	return kv->ops->put(kv, txn, key, sizeof(key), value, len);
}

enum dfs_status
dfs_okv_del_inode(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	return okv_erase1(inst, txn, share, OKV_INODE, fileid);
}

struct symlink_ask {
	struct okv_ask ask;
	uint64_t fileid;
	char *buf;
	uint32_t *len;
};

static int
got_symlink(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct symlink_ask *ask = arg;
	const unsigned char *text;
	uint32_t len;
	enum dfs_status st = okv_decode_bytes(value, value_len, DFS_SYMLINK_MAX, &text, &len);

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "symbolic link", ask->fileid);
	memcpy(ask->buf, text, len);
	*ask->len = len;
	return 0;
}

enum dfs_status
dfs_okv_get_symlink(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid, char *buf,
		    uint32_t *len)
{
	struct symlink_ask ask = {{inst, DFS_OK, share}, fileid, buf, len};
	unsigned char key[13];

	okv_key1(key, share, OKV_SYMLINK, fileid);
	return okv_get(inst, txn, key, sizeof(key), got_symlink, &ask.ask);
}

enum dfs_status
dfs_okv_put_symlink(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
		    const char *text, uint32_t len)
{
	struct dfs_okv *kv = inst;
	unsigned char key[13], value[1 + DFS_SYMLINK_MAX];

	if (len > DFS_SYMLINK_MAX)
		return okv_refuse(kv, DFS_TOOBIG, "the text of the symbolic link");
	okv_key1(key, share, OKV_SYMLINK, fileid);
	value[0] = OKV_VERSION;
	memcpy(value + 1, text, len);
	return kv->ops->put(kv, txn, key, sizeof(key), value, 1 + len);
}

enum dfs_status
dfs_okv_del_symlink(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	return okv_erase1(inst, txn, share, OKV_SYMLINK, fileid);
}
