/* SPDX-License-Identifier: MIT
 *
 * The stored form of the typed records: see codec.h.
 */
#include "codec.h"

static unsigned char *
put8(unsigned char *p, uint32_t v)
{
	*p = (unsigned char)v;
	return p + 1;
}

static unsigned char *
put32(unsigned char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static unsigned char *
put64(unsigned char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, 8);
	return p + 8;
}

static unsigned char *
put_bytes(unsigned char *p, const void *bytes, uint32_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

static uint32_t
get32(const unsigned char **p)
{
	uint32_t v;

	memcpy(&v, *p, 4);
	*p += 4;
	return le32toh(v);
}

static uint64_t
get64(const unsigned char **p)
{
	uint64_t v;

	memcpy(&v, *p, 8);
	*p += 8;
	return le64toh(v);
}

static enum dfs_status
check_version(const unsigned char *value, uint32_t len)
{
	if (len < 1)
		return DFS_CORRUPT;
	return value[0] == OKV_VERSION ? DFS_OK : DFS_VERSION;
}

/* The fixed part of a record as if it had exactly want bytes: what is there, or the part that
 * is there filled up with zeros in room. */
static const unsigned char *
fixed_part(const unsigned char *p, uint32_t have, uint32_t want, unsigned char *room)
{
	if (have >= want)
		return p;
	memset(room, 0, want);
	memcpy(room, p, have);
	return room;
}

uint32_t
okv_encode_inode(unsigned char *out, const struct dfs_inode_record *rec)
{
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put8(p, rec->type);
	p = put32(p, rec->mode);
	p = put32(p, rec->nlink);
	p = put32(p, rec->uid);
	p = put32(p, rec->gid);
	p = put32(p, rec->rdev_major);
	p = put32(p, rec->rdev_minor);
	p = put32(p, rec->flags);
	p = put64(p, rec->generation);
	p = put64(p, rec->length);
	p = put64(p, rec->used);
	p = put64(p, rec->change);
	p = put64(p, (uint64_t)rec->atime);
	p = put64(p, (uint64_t)rec->mtime);
	p = put64(p, (uint64_t)rec->ctime);
	p = put64(p, (uint64_t)rec->btime);
	p = put64(p, rec->parent);
	p = put64(p, rec->verifier);
	p = put_bytes(p, rec->content.bytes, sizeof(rec->content.bytes));
	p = put64(p, rec->cut_lsn);
	p = put64(p, rec->cut_length);
	p = put64(p, rec->revision);
	return p - out;
}

enum dfs_status
okv_decode_inode(const void *value, uint32_t len, struct dfs_inode_record *rec)
{
	unsigned char room[OKV_INODE_BYTES];
	enum dfs_status st = check_version(value, len);
	const unsigned char *p;

	if (st != DFS_OK)
		return st;
	if (len < 2)
		return DFS_CORRUPT;
	p = fixed_part(value, len, OKV_INODE_BYTES, room);
	*rec = (struct dfs_inode_record){.size = sizeof(*rec), .type = p[1]};
	p += 2;
	rec->mode = get32(&p);
	rec->nlink = get32(&p);
	rec->uid = get32(&p);
	rec->gid = get32(&p);
	rec->rdev_major = get32(&p);
	rec->rdev_minor = get32(&p);
	rec->flags = get32(&p);
	rec->generation = get64(&p);
	rec->length = get64(&p);
	rec->used = get64(&p);
	rec->change = get64(&p);
	rec->atime = (int64_t)get64(&p);
	rec->mtime = (int64_t)get64(&p);
	rec->ctime = (int64_t)get64(&p);
	rec->btime = (int64_t)get64(&p);
	rec->parent = get64(&p);
	rec->verifier = get64(&p);
	memcpy(rec->content.bytes, p, sizeof(rec->content.bytes));
	p += sizeof(rec->content.bytes);
	rec->cut_lsn = get64(&p);
	rec->cut_length = get64(&p);
	rec->revision = get64(&p);
	return rec->type == DFS_TYPE_NONE ? DFS_CORRUPT : DFS_OK;
}

uint32_t
okv_encode_dirent(unsigned char *out, const struct dfs_dirent_record *rec)
{
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put8(p, OKV_DIRENT_FIXED);
	p = put8(p, rec->type);
	p = put8(p, rec->name_len);
	p = put32(p, rec->flags);
	p = put64(p, rec->fileid);
	p = put_bytes(p, rec->name, rec->name_len);
	return p - out;
}

/* Parts a record into its fixed part and the rest.  Both lengths lie inside the record. */
static enum dfs_status
split_fixed(const unsigned char *value, uint32_t len, uint32_t *fixed)
{
	enum dfs_status st = check_version(value, len);

	if (st != DFS_OK)
		return st;
	if (len < 2 || value[1] > len - 2)
		return DFS_CORRUPT;
	*fixed = value[1];
	return DFS_OK;
}

enum dfs_status
okv_decode_dirent(const void *value, uint32_t len, struct dfs_dirent_record *rec)
{
	unsigned char room[OKV_DIRENT_FIXED];
	const unsigned char *v = value, *p;
	uint32_t fixed;
	enum dfs_status st = split_fixed(v, len, &fixed);

	if (st != DFS_OK)
		return st;
	p = fixed_part(v + 2, fixed, OKV_DIRENT_FIXED, room);
	*rec = (struct dfs_dirent_record){.size = sizeof(*rec), .type = p[0], .name_len = p[1]};
	p += 2;
	rec->flags = get32(&p);
	rec->fileid = get64(&p);
	rec->name = (const char *)v + 2 + fixed;
	if (rec->name_len > len - 2 - fixed)
		return DFS_CORRUPT;
	return (rec->name_len == 0) == !!(rec->flags & DFS_DIRENT_TOMBSTONE) ? DFS_OK : DFS_CORRUPT;
}

uint32_t
okv_encode_share(unsigned char *out, const struct dfs_share_record *rec)
{
	uint32_t name_len = strnlen(rec->name, sizeof(rec->name) - 1);
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put8(p, OKV_SHARE_FIXED);
	p = put_bytes(p, rec->uuid, sizeof(rec->uuid));
	p = put64(p, rec->root);
	p = put8(p, name_len);
	p = put64(p, rec->epoch);
	p = put_bytes(p, rec->name, name_len);
	return p - out;
}

enum dfs_status
okv_decode_share(const void *value, uint32_t len, struct dfs_share_record *rec)
{
	unsigned char room[OKV_SHARE_FIXED];
	const unsigned char *v = value, *p;
	uint32_t fixed, name_len;
	enum dfs_status st = split_fixed(v, len, &fixed);

	if (st != DFS_OK)
		return st;
	p = fixed_part(v + 2, fixed, OKV_SHARE_FIXED, room);
	memset(rec, 0, sizeof(*rec));
	rec->size = sizeof(*rec);
	memcpy(rec->uuid, p, sizeof(rec->uuid));
	p += sizeof(rec->uuid);
	rec->root = get64(&p);
	name_len = *p++;
	rec->epoch = get64(&p);
	if (name_len > len - 2 - fixed || name_len >= sizeof(rec->name))
		return DFS_CORRUPT;
	memcpy(rec->name, v + 2 + fixed, name_len);
	return DFS_OK;
}

uint32_t
okv_encode_map(unsigned char *out, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put8(p, OKV_SEGMENT_BYTES);
	p = put8(p, n);
	p = put8(p, OKV_MAP_FIXED);
	p = put64(p, lsn);
	for (uint32_t i = 0; i < n; i++) {
		p = put64(p, segs[i].version);
		p = put32(p, segs[i].offset);
		p = put32(p, segs[i].length);
		p = put32(p, segs[i].at);
		p = put32(p, segs[i].flags);
	}
	return p - out;
}

enum dfs_status
okv_decode_map(const void *value, uint32_t len, uint64_t *lsn, struct dfs_segment *segs,
	       uint32_t *n)
{
	unsigned char room[OKV_SEGMENT_BYTES];
	const unsigned char *v = value, *p;
	enum dfs_status st = check_version(v, len);
	uint32_t each, head;

	*n = 0;
	if (st != DFS_OK)
		return st;
	if (len < 4)
		return DFS_CORRUPT;
	each = v[1];
	head = 4 + v[3];
	if (v[2] < 1 || v[2] > DFS_SEGMENTS_MAX || head > len || each * v[2] > len - head)
		return DFS_CORRUPT;
	p = fixed_part(v + 4, v[3], OKV_MAP_FIXED, room);
	*lsn = get64(&p);
	for (uint32_t i = 0; i < v[2]; i++) {
		p = fixed_part(v + head + i * each, each, OKV_SEGMENT_BYTES, room);
		segs[i].version = get64(&p);
		segs[i].offset = get32(&p);
		segs[i].length = get32(&p);
		segs[i].at = get32(&p);
		segs[i].flags = get32(&p);
	}
	*n = v[2];
	return DFS_OK;
}

uint32_t
okv_encode_object(unsigned char *out, const struct dfs_object_record *rec)
{
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put_bytes(p, rec->content.bytes, sizeof(rec->content.bytes));
	p = put64(p, rec->block);
	p = put64(p, rec->refs);
	p = put32(p, rec->length);
	p = put_bytes(p, rec->hash, sizeof(rec->hash));
	return p - out;
}

enum dfs_status
okv_decode_object(const void *value, uint32_t len, struct dfs_object_record *rec)
{
	unsigned char room[OKV_OBJECT_BYTES];
	enum dfs_status st = check_version(value, len);
	const unsigned char *p;

	if (st != DFS_OK)
		return st;
	p = fixed_part(value, len, OKV_OBJECT_BYTES, room) + 1;
	memset(rec, 0, sizeof(*rec));
	rec->size = sizeof(*rec);
	memcpy(rec->content.bytes, p, sizeof(rec->content.bytes));
	p += sizeof(rec->content.bytes);
	rec->block = get64(&p);
	rec->refs = get64(&p);
	rec->length = get32(&p);
	memcpy(rec->hash, p, sizeof(rec->hash));
	return DFS_OK;
}

uint32_t
okv_encode_usage(unsigned char *out, const struct dfs_usage_record *rec)
{
	unsigned char *p = out;

	p = put8(p, OKV_VERSION);
	p = put64(p, (uint64_t)rec->bytes);
	p = put64(p, (uint64_t)rec->files);
	return p - out;
}

enum dfs_status
okv_decode_usage(const void *value, uint32_t len, struct dfs_usage_record *rec)
{
	unsigned char room[OKV_USAGE_BYTES];
	enum dfs_status st = check_version(value, len);
	const unsigned char *p;

	if (st != DFS_OK)
		return st;
	p = fixed_part(value, len, OKV_USAGE_BYTES, room) + 1;
	rec->size = sizeof(*rec);
	rec->reserved = 0;
	rec->bytes = (int64_t)get64(&p);
	rec->files = (int64_t)get64(&p);
	return DFS_OK;
}

enum dfs_status
okv_decode_bytes(const void *value, uint32_t len, uint32_t max, const unsigned char **bytes,
		 uint32_t *bytes_len)
{
	enum dfs_status st = check_version(value, len);

	if (st != DFS_OK)
		return st;
	if (len - 1 > max)
		return DFS_CORRUPT;
	*bytes = (const unsigned char *)value + 1;
	*bytes_len = len - 1;
	return DFS_OK;
}
