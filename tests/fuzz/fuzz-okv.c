/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: stored records of the ordered key-value helper.  The input is a list of records
 * of a damaged store (two bytes of key length, two of value length, then both); every typed read
 * and scan goes over them and answers a record whose parts lie inside of the input, or a status.
 * What decodes must survive being written and read once more.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/metadata/okv/codec.h"

#define RECORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct kv {
	struct dfs_okv okv; /* first */
	struct {
		const uint8_t *key, *value;
		uint32_t key_len, value_len;
	} record[RECORDS_MAX];
	unsigned n;
};

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	if (status == DFS_OK)
		abort();
	return status;
}

/* Any record answers any get: the damage may be in the index, too. */
static enum dfs_status
kv_get(void *arg, struct dfs_txn *txn, const void *key, uint32_t key_len, dfs_okv_fn fn, void *ask)
{
	struct kv *kv = arg;

	if (!kv->n)
		return DFS_NOENT;
	fn(ask, kv->record[0].key, kv->record[0].key_len, kv->record[0].value,
	   kv->record[0].value_len);
	return DFS_OK;
}

static enum dfs_status
kv_scan(void *arg, struct dfs_txn *txn, const void *from, uint32_t from_len, const void *to,
	uint32_t to_len, dfs_okv_fn fn, void *ask)
{
	struct kv *kv = arg;

	for (unsigned i = 0; i < kv->n; i++)
		/* A store answers keys of the range only, and those share its prefix. */
		if (kv->record[i].key_len >= OKV_PREFIX &&
		    !fn(ask, kv->record[i].key, kv->record[i].key_len, kv->record[i].value,
			kv->record[i].value_len))
			break;
	return DFS_OK;
}

static enum dfs_status
kv_erase(void *arg, struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	/* del_map asks again after as many rows as it collects at once. */
	((struct kv *)arg)->n = 0;
	return DFS_OK;
}

static enum dfs_status
kv_put(void *arg, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
       uint32_t value_len)
{
	return DFS_OK;
}

static unsigned sum;

static void
touch(const void *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += ((const uint8_t *)bytes)[i];
}

static int
see_dirent(void *arg, const struct dfs_dirent_record *rec)
{
	unsigned char again[OKV_DIRENT_MAX];
	struct dfs_dirent_record back;

	touch(rec->name, rec->name_len);
	if (okv_decode_dirent(again, okv_encode_dirent(again, rec), &back) != DFS_OK ||
	    back.fileid != rec->fileid || back.name_len != rec->name_len)
		abort();
	return 1;
}

static int
see_map(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	unsigned char again[OKV_MAP_MAX];
	struct dfs_segment back[DFS_SEGMENTS_MAX];
	uint64_t back_lsn;
	uint32_t m;

	if (n < 1 || n > DFS_SEGMENTS_MAX ||
	    okv_decode_map(again, okv_encode_map(again, lsn, segs, n), &back_lsn, back, &m) !=
		    DFS_OK ||
	    m != n || back_lsn != lsn || memcmp(back, segs, n * sizeof(*segs)))
		abort();
	return 1;
}

static int
see_share(void *arg, const struct dfs_share_record *rec)
{
	if (!memchr(rec->name, 0, sizeof(rec->name)))
		abort();
	return 1;
}

static int
see_state(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	touch(key, key_len);
	touch(value, value_len);
	return 1;
}

static int
see_row(void *arg, const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
	const struct dfs_segment *segs, uint32_t n)
{
	touch(content->bytes, sizeof(content->bytes));
	return see_map(arg, block, lsn, segs, n);
}

static int
see_object(void *arg, const struct dfs_object_record *rec)
{
	unsigned char again[OKV_OBJECT_BYTES];
	struct dfs_object_record back;

	if (okv_decode_object(again, okv_encode_object(again, rec), &back) != DFS_OK ||
	    back.refs != rec->refs || back.block != rec->block || back.length != rec->length ||
	    memcmp(back.hash, rec->hash, sizeof(rec->hash)) != 0)
		abort();
	return 1;
}

static int
see_dead(void *arg, const struct dfs_dead_record *rec)
{
	touch(rec, sizeof(*rec));
	return 1;
}

static int
see_usage(void *arg, const struct dfs_usage_record *rec)
{
	unsigned char again[OKV_USAGE_BYTES];
	struct dfs_usage_record back;

	if (okv_decode_usage(again, okv_encode_usage(again, rec), &back) != DFS_OK ||
	    back.bytes != rec->bytes || back.files != rec->files)
		abort();
	return 1;
}

static int
see_orphan(void *arg, uint64_t fileid, const struct dfs_content_id *content)
{
	touch(content->bytes, sizeof(content->bytes));
	return 1;
}

static void
load(struct kv *kv, const uint8_t *data, size_t size)
{
	while (size >= 4 && kv->n < RECORDS_MAX) {
		uint32_t key_len = (data[0] | data[1] << 8) % DFS_OKV_KEY_MAX;
		uint32_t value_len = data[2] | data[3] << 8;

		data += 4;
		size -= 4;
		key_len = key_len < size ? key_len : size;
		value_len = value_len < size - key_len ? value_len : size - key_len;
		kv->record[kv->n].key = data;
		kv->record[kv->n].key_len = key_len;
		kv->record[kv->n].value = data + key_len;
		kv->record[kv->n++].value_len = value_len;
		data += key_len + value_len;
		size -= key_len + value_len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dfs_okv_ops ops = {.size = sizeof(ops),
					       .get = kv_get,
					       .scan = kv_scan,
					       .put = kv_put,
					       .erase = kv_erase};
	static const struct dfs_host host = {.size = sizeof(host), .fail = host_fail};
	static const struct dfs_content_id content;
	static char text[DFS_STATE_VALUE_MAX];
	static const uint8_t hash[32] = {1};
	static const struct dfs_usage_record usage = {
		.size = sizeof(usage), .kind = DFS_USAGE_USER, .bytes = INT64_MAX, .files = -1};
	struct dfs_inode_record inode = {.size = sizeof(inode)};
	struct dfs_object_record object = {.size = sizeof(object)};
	struct kv kv = {.okv = {&ops, &host}};
	uint32_t len = sizeof(text);

	load(&kv, data, size);
	if (dfs_okv_get_inode(&kv, NULL, 1, 2, &inode) == DFS_OK) {
		unsigned char again[OKV_INODE_BYTES];
		struct dfs_inode_record back;

		if (okv_decode_inode(again, okv_encode_inode(again, &inode), &back) != DFS_OK ||
		    back.length != inode.length || back.type != inode.type)
			abort();
	}
	dfs_okv_get_dirent(&kv, NULL, 1, 2, 64, see_dirent, NULL);
	dfs_okv_scan_dirents(&kv, NULL, 1, 2, 0, see_dirent, NULL);
	dfs_okv_scan_map(&kv, NULL, 1, &content, 0, see_map, NULL);
	dfs_okv_scan_rows(&kv, NULL, 1, &content, 0, see_row, NULL);
	if (dfs_okv_get_object(&kv, NULL, 1, 2, &object) == DFS_OK)
		see_object(NULL, &object);
	if (dfs_okv_find_object(&kv, NULL, 1, hash, &object) == DFS_OK)
		see_object(NULL, &object);
	dfs_okv_scan_objects(&kv, NULL, 1, 0, see_object, NULL);
	dfs_okv_scan_dead(&kv, NULL, 1, NULL, see_dead, NULL);
	dfs_okv_scan_usage(&kv, NULL, 1, 0, 0, see_usage, NULL);
	dfs_okv_scan_shares(&kv, NULL, see_share, NULL);
	dfs_okv_scan_orphans(&kv, NULL, 1, 0, see_orphan, NULL);
	dfs_okv_scan_state(&kv, NULL, 1, "", 0, see_state, NULL);
	if (dfs_okv_get_state(&kv, NULL, 1, "k", 1, text, &len) == DFS_OK)
		touch(text, len);
	if (dfs_okv_get_symlink(&kv, NULL, 1, 2, text, &len) == DFS_OK)
		touch(text, len);
	dfs_okv_add_usage(&kv, NULL, 1, &usage);
	dfs_okv_del_map(&kv, NULL, 1, &content, 0, UINT64_MAX);
	kv.n = 0;
	load(&kv, data, size);
	dfs_okv_clear_usage(&kv, NULL, 1);
	return 0;
}
