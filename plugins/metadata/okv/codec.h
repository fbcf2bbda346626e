/* SPDX-License-Identifier: MIT
 *
 * The stored form of the typed records.
 *
 * Keys: share (4 bytes), kind (1), ids (8 each), all big endian, so that they sort by share, kind
 * and id.  Values: a version byte, then little-endian fields.  Where something of variable length
 * follows the fields, their length in bytes comes first.  A reader takes what it knows of a
 * longer record and zeros for what a shorter one lacks; another version is DFS_VERSION.  Decoding
 * never trusts a stored length.
 */
#ifndef OKV_CODEC_H
#define OKV_CODEC_H

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include <dittofs/okv.h>

#define OKV_VERSION 1

enum okv_kind {
	OKV_SHARE = 1,   /* share 0, share id (4): the share's row */
	OKV_INODE = 2,   /* fileid */
	OKV_DIRENT = 3,  /* directory, cookie */
	OKV_SYMLINK = 4, /* fileid */
	OKV_MAP = 5,     /* content id (16), block */
	OKV_ORPHAN = 6,  /* fileid */
	OKV_STATE = 7,   /* the key's bytes */
	OKV_OBJECT = 8,  /* version */
	OKV_HASH = 9,    /* SHA-256 (32): the version of an object that has it */
	OKV_DEAD = 10,   /* at, content id (16), block, version; the value says nothing */
	OKV_USAGE = 11,  /* enum dfs_usage_kind (4), uid or gid (4): a sum; none is one of zeros */
};

#define OKV_PREFIX 5 /* share and kind */

#define OKV_INODE_BYTES 150
#define OKV_DIRENT_FIXED 14
#define OKV_SHARE_FIXED 33
#define OKV_SEGMENT_BYTES 24
#define OKV_MAP_FIXED 8
#define OKV_OBJECT_BYTES 69
#define OKV_USAGE_BYTES 17
#define OKV_USAGE_KEY (OKV_PREFIX + 8)
#define OKV_DEAD_KEY (OKV_PREFIX + 40)
#define OKV_HASH_KEY (OKV_PREFIX + 32)
#define OKV_DIRENT_MAX (2 + OKV_DIRENT_FIXED + DFS_NAME_MAX)
#define OKV_SHARE_MAX (2 + OKV_SHARE_FIXED + 64)
#define OKV_MAP_MAX (4 + OKV_MAP_FIXED + DFS_SEGMENTS_MAX * OKV_SEGMENT_BYTES)

/* Keys; each returns the length written. */
static inline void
okv_put_be32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

static inline void
okv_put_be64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}

static inline uint32_t
okv_get_be32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline uint64_t
okv_get_be64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

static inline uint32_t
okv_key(unsigned char *key, uint32_t share, enum okv_kind kind)
{
	okv_put_be32(key, share);
	key[4] = (unsigned char)kind;
	return OKV_PREFIX;
}

static inline uint32_t
okv_key1(unsigned char *key, uint32_t share, enum okv_kind kind, uint64_t id)
{
	okv_key(key, share, kind);
	okv_put_be64(key + 5, id);
	return 13;
}

static inline uint32_t
okv_key2(unsigned char *key, uint32_t share, enum okv_kind kind, uint64_t a, uint64_t b)
{
	okv_key1(key, share, kind, a);
	okv_put_be64(key + 13, b);
	return 21;
}

static inline uint32_t
okv_map_key(unsigned char *key, uint32_t share, const struct dfs_content_id *content,
	    uint64_t block)
{
	okv_key(key, share, OKV_MAP);
	memcpy(key + 5, content->bytes, 16);
	okv_put_be64(key + 21, block);
	return 29;
}

static inline uint32_t
okv_dead_key(unsigned char *key, uint32_t share, const struct dfs_dead_record *rec)
{
	okv_key1(key, share, OKV_DEAD, rec->at);
	memcpy(key + 13, rec->content.bytes, 16);
	okv_put_be64(key + 29, rec->block);
	okv_put_be64(key + 37, rec->version);
	return OKV_DEAD_KEY;
}

static inline uint32_t
okv_usage_key(unsigned char *key, uint32_t share, uint32_t kind, uint32_t id)
{
	return okv_key1(key, share, OKV_USAGE, (uint64_t)kind << 32 | id);
}

/* Values.  encode: returns the length written.  decode: DFS_OK, DFS_CORRUPT or DFS_VERSION; the
 * whole of *rec is set, pointers into value included. */
uint32_t okv_encode_inode(unsigned char *out, const struct dfs_inode_record *rec);
enum dfs_status okv_decode_inode(const void *value, uint32_t len, struct dfs_inode_record *rec);
uint32_t okv_encode_dirent(unsigned char *out, const struct dfs_dirent_record *rec);
enum dfs_status okv_decode_dirent(const void *value, uint32_t len, struct dfs_dirent_record *rec);
uint32_t okv_encode_share(unsigned char *out, const struct dfs_share_record *rec);
enum dfs_status okv_decode_share(const void *value, uint32_t len, struct dfs_share_record *rec);
uint32_t okv_encode_map(unsigned char *out, uint64_t lsn, const struct dfs_segment *segs,
			uint32_t n);
/* segs takes DFS_SEGMENTS_MAX. */
enum dfs_status okv_decode_map(const void *value, uint32_t len, uint64_t *lsn,
			       struct dfs_segment *segs, uint32_t *n);
uint32_t okv_encode_object(unsigned char *out, const struct dfs_object_record *rec);
enum dfs_status okv_decode_object(const void *value, uint32_t len, struct dfs_object_record *rec);
/* decode: the kind and the id are left as they are. */
uint32_t okv_encode_usage(unsigned char *out, const struct dfs_usage_record *rec);
enum dfs_status okv_decode_usage(const void *value, uint32_t len, struct dfs_usage_record *rec);
/* A version byte before plain bytes. */
enum dfs_status okv_decode_bytes(const void *value, uint32_t len, uint32_t max,
				 const unsigned char **bytes, uint32_t *bytes_len);

#endif
