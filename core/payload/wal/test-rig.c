/* SPDX-License-Identifier: MIT */
#include <glib/gstdio.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/log.h"
#include "payload/wal/test-rig.h"

int64_t
rig_soon(void)
{
	return dfs_clock_mono() + 60 * DFS_SECOND;
}

void
rig_init(struct rig *rig, const struct dfs_disk_ops *disk)
{
	memset(rig, 0, sizeof *rig);
	if (!disk)
		rig->folder = g_dir_make_tmp("dfs-wal-XXXXXX", NULL);
	rig->config = (struct dfs_wal_config){
		.persister = DFS_WAL_FILE,
		.path = disk ? "/wal" : g_build_filename(rig->folder, "wal", NULL),
		.size = 8 * MIB,
		.segment_size = MIB,
		.disk = disk,
	};
	rig->found = g_array_new(FALSE, FALSE, sizeof(struct found));
	rig->keep = true;
}

static enum dfs_status
collect(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	struct rig *rig = arg;
	struct found f = {lsn, *record, at, damaged};
	uint64_t mask;

	g_array_append_val(rig->found, f);
	if (rig->keep && at) {
		mask = UINT64_C(1) << DFS_WAL_SEGMENT(at);
		if (!(rig->segments & mask))
			dfs_wal_pin(rig->wal, mask);
		rig->segments |= mask;
	}
	return DFS_OK;
}

enum dfs_status
rig_open(struct rig *rig)
{
	return dfs_wal_open(&rig->config, &rig->wal);
}

enum dfs_status
rig_start(struct rig *rig)
{
	enum dfs_status status = rig_open(rig);

	if (status != DFS_OK)
		return status;
	g_array_set_size(rig->found, 0);
	rig->segments = 0;
	return dfs_wal_recover(rig->wal, collect, rig, &rig->recovery);
}

void
rig_close(struct rig *rig)
{
	dfs_wal_close(rig->wal);
	rig->wal = NULL;
}

void
rig_free(struct rig *rig)
{
	g_array_free(rig->found, TRUE);
	if (!rig->folder)
		return;
	GDir *dir = g_dir_open(rig->config.path, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(rig->config.path, name, NULL);
		g_unlink(path);
	}
	if (dir)
		g_dir_close(dir);
	g_rmdir(rig->config.path);
	g_rmdir(rig->folder);
	g_free((char *)rig->config.path);
	g_free(rig->folder);
}

void
rig_fill(uint64_t fileid, unsigned char *bytes, uint32_t len)
{
	uint64_t x = fileid * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (uint32_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		bytes[i] = (unsigned char)(x >> (8 * (i % 8)));
	}
}

enum dfs_status
rig_try(struct rig *rig, uint64_t fileid, uint32_t len, uint64_t *segments, uint64_t *lsn,
	dfs_wal_at *at)
{
	g_autofree unsigned char *bytes = g_malloc(len + 1);
	struct dfs_span span = {bytes, len, NULL};
	struct dfs_wal_record record = {
		.type = DFS_WAL_WRITE,
		.len = len,
		.share = {1, 2, 3},
		.content.bytes = {9, (uint8_t)fileid},
		.fileid = fileid,
		.offset = fileid * 10,
		.length = fileid * 10 + len,
		.mtime = -(int64_t)fileid,
		.change = fileid + 7,
	};

	rig_fill(fileid, bytes, len);
	return dfs_wal_append(rig->wal, &record, &span, 1, segments, lsn, at);
}

uint64_t
rig_append(struct rig *rig, uint64_t fileid, uint32_t len, dfs_wal_at *at)
{
	uint64_t lsn;

	/* The background may still be making the next segment. */
	g_assert_true(dfs_wal_wait_room(rig->wal, len, rig_soon()));
	g_assert_cmpint(rig_try(rig, fileid, len, &rig->segments, &lsn, at), ==, DFS_OK);
	return lsn;
}

enum dfs_status
rig_sync(struct rig *rig, uint64_t lsn, uint32_t level)
{
	return dfs_gate_wait_sync(dfs_wal_gate(rig->wal), lsn, level, rig_soon());
}

bool
rig_reads(struct rig *rig, uint64_t fileid, dfs_wal_at at, uint32_t len)
{
	g_autofree unsigned char *want = g_malloc(len + 1), *have = g_malloc(len + 1);

	rig_fill(fileid, want, len);
	return dfs_wal_read(rig->wal, at, have, len) == DFS_OK && memcmp(want, have, len) == 0;
}

struct found *
rig_found(struct rig *rig, unsigned i)
{
	g_assert_cmpuint(i, <, rig->found->len);
	return &g_array_index(rig->found, struct found, i);
}
