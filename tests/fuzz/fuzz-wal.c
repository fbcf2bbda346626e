/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: recovery of the write-ahead log.  The input is a list of changes to the files of a
 * small sound log (SUPER, two segments): where (two bytes), how many bytes (one), whether checksums
 * are made right again behind it (one bit of the next), the bytes.  So damage is met below the
 * checksums, too.  A log that opens must hand out records whose payloads lie in their segments and
 * can be read, take one more, and open again.
 */
#include <endian.h>
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "io/gate.h"
#include "payload/wal/format.h"
#include "payload/wal/test-disk.h"
#include "payload/wal/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT (64u << 10)
#define N_FILES 3

static const char *const names[N_FILES] = {"SUPER", "seg-00.wal", "seg-01.wal"};
static unsigned char *sound[N_FILES];
static uint64_t sizes[N_FILES];

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static struct dfs_wal_config
config(struct sim *sim)
{
	return (struct dfs_wal_config){.persister = DFS_WAL_FILE,
				       .path = "/wal",
				       .size = 4 * SEGMENT,
				       .segment_size = SEGMENT,
				       .disk = sim_ops(sim)};
}

static enum dfs_status
see(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	struct dfs_wal *wal = arg;
	unsigned char *bytes;

	must(record->type >= DFS_WAL_WRITE && record->type <= DFS_WAL_MARK);
	if (record->type != DFS_WAL_WRITE || !record->len)
		return DFS_OK;
	bytes = g_malloc(record->len);
	must(DFS_WAL_SEGMENT(at) < DFS_WAL_SEGMENTS_MAX);
	must(dfs_wal_read(wal, at, bytes, record->len) == DFS_OK);
	g_free(bytes);
	if (lsn % 2)
		dfs_wal_pin(wal, UINT64_C(1) << DFS_WAL_SEGMENT(at));
	return DFS_OK;
}

static bool
append(struct dfs_wal *wal, uint32_t len)
{
	static unsigned char bytes[SEGMENT];
	struct dfs_wal_record record = {.type = len ? DFS_WAL_WRITE : DFS_WAL_REMOVE, .len = len};
	struct dfs_span span = {bytes, len, NULL};
	uint64_t mask = 0;

	return dfs_wal_append(wal, &record, &span, len ? 1 : 0, &mask, NULL, NULL) == DFS_OK;
}

/* A log of two segments, closed. */
static void
make_sound(void)
{
	static const uint32_t lens[] = {100, 0, 5000, 4096, 20000, 7, 30000, 9000, 12000, 0, 500};
	struct sim *sim = sim_new(1);
	struct dfs_wal_config c = config(sim);
	struct dfs_wal_recovery found;
	struct dfs_wal *wal;

	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	must(dfs_wal_open(&c, &wal) == DFS_OK);
	must(dfs_wal_recover(wal, see, wal, &found) == DFS_OK);
	for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
		append(wal, lens[i]);
		dfs_gate_wait_sync(dfs_wal_gate(wal), dfs_wal_last(wal), DFS_SYNC_POWER, INT64_MAX);
	}
	sim_freeze(sim); /* not in order: recovery has to look for the end */
	dfs_wal_close(wal);
	sim_crash(sim, false);
	for (unsigned i = 0; i < N_FILES; i++) {
		unsigned char *bytes = sim_bytes(sim, names[i], &sizes[i]);

		sound[i] = g_memdup2(bytes, sizes[i]);
	}
	sim_free(sim);
}

/* Checksums of superblocks and of whatever has a batch's magic. */
static void
make_right(unsigned file, unsigned char *bytes, const uint8_t key[16])
{
	for (uint64_t at = 0; at < sizes[file]; at += WAL_PAGE) {
		struct wal_header_disk d;
		struct wal_header h;
		uint32_t crc;

		if (file == 0) {
			crc = htole32(dfs_crc32c(0, bytes + at, WAL_PAGE - 4));
			memcpy(bytes + at + WAL_PAGE - 4, &crc, 4);
			continue;
		}
		memcpy(&d, bytes + at, sizeof d);
		if (le32toh(d.magic) != WAL_BATCH_MAGIC)
			continue;
		h = (struct wal_header){le64toh(d.epoch), wal_nonce(key, le64toh(d.epoch)),
					le64toh(d.first), le64toh(d.durable),
					le32toh(d.total), le16toh(d.n)};
		if (h.n <= WAL_BATCH_RECORDS)
			wal_header_put(bytes + at, &h);
	}
}

static void
change(unsigned char *files[N_FILES], const uint8_t *data, size_t size, const uint8_t key[16])
{
	while (size >= 5) {
		uint64_t at = (uint64_t)(data[0] | data[1] << 8);
		uint64_t len = data[2] % 16 + 1;
		bool right = data[3] & 1;
		unsigned file = data[3] >> 2 & 3;

		data += 4;
		size -= 4;
		len = len < size ? len : size;
		if (file < N_FILES) {
			at %= sizes[file] - len;
			memcpy(files[file] + at, data, len);
			if (right)
				make_right(file, files[file], key);
		}
		data += len;
		size -= len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *files[N_FILES];
	struct dfs_wal_recovery found;
	struct wal_super super;
	struct dfs_wal_config c;
	struct dfs_wal *wal;
	struct sim *sim;
	bool more = false;

	if (!sound[0])
		make_sound();
	must(wal_super_get(sound[0], &super));
	sim = sim_new(1);
	c = config(sim);
	for (unsigned i = 0; i < N_FILES; i++)
		files[i] = g_memdup2(sound[i], sizes[i]);
	change(files, data, size, super.key);
	for (unsigned i = 0; i < N_FILES; i++) {
		sim_put(sim, names[i], files[i], sizes[i]);
		g_free(files[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		enum dfs_status status = dfs_wal_open(&c, &wal);

		if (status == DFS_OK) {
			status = dfs_wal_recover(wal, see, wal, &found);
			/* Near the end of their range, where no clock gets, numbers run out. */
			if (status == DFS_OK && append(wal, 10))
				more = dfs_wal_last(wal) < WAL_NUMBER_MAX / 2;
			dfs_wal_close(wal);
		}
		must(i == 0 || status == DFS_OK || !more);
	}
	sim_free(sim);
	return 0;
}
