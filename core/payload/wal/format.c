/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "payload/wal/format.h"

uint64_t
wal_nonce(const uint8_t key[16], uint64_t epoch)
{
	struct dfs_hash_key k;
	uint64_t le = htole64(epoch), words[2];

	memcpy(words, key, sizeof words);
	k.k0 = le64toh(words[0]);
	k.k1 = le64toh(words[1]);
	return dfs_siphash(&k, &le, sizeof le);
}

static unsigned char *
desc_at(const void *page, unsigned i)
{
	return (unsigned char *)page + sizeof(struct wal_header_disk) +
	       i * sizeof(struct wal_desc_disk);
}

void
wal_desc_put(void *page, unsigned i, const struct dfs_wal_record *record, uint32_t payload,
	     uint32_t crc)
{
	struct wal_desc_disk d = {
		.type = record->type,
		.ver = 1,
		.len = htole32(record->len),
		.fileid = htole64(record->fileid),
		.offset = htole64(record->offset),
		.length = htole64(record->length),
		.mtime = htole64((uint64_t)record->mtime),
		.change = htole64(record->type == DFS_WAL_MARK ? record->upto : record->change),
		.payload = htole32(payload),
		.payload_crc = htole32(crc),
	};

	memcpy(d.share, record->share, sizeof d.share);
	memcpy(d.content, record->content.bytes, sizeof d.content);
	memcpy(desc_at(page, i), &d, sizeof d);
}

bool
wal_desc_get(const void *page, unsigned i, struct dfs_wal_record *record, uint32_t *payload,
	     uint32_t *crc)
{
	struct wal_desc_disk d;

	memcpy(&d, desc_at(page, i), sizeof d);
	memset(record, 0, sizeof *record);
	record->type = d.type;
	record->len = le32toh(d.len);
	record->fileid = le64toh(d.fileid);
	record->offset = le64toh(d.offset);
	record->length = le64toh(d.length);
	record->mtime = (int64_t)le64toh(d.mtime);
	*(d.type == DFS_WAL_MARK ? &record->upto : &record->change) = le64toh(d.change);
	memcpy(record->share, d.share, sizeof d.share);
	memcpy(record->content.bytes, d.content, sizeof d.content);
	*payload = le32toh(d.payload);
	*crc = le32toh(d.payload_crc);
	return d.ver == 1 && d.flags == 0 && d.type >= DFS_WAL_WRITE && d.type <= DFS_WAL_MARK;
}

/* h.crc is 0. */
static uint32_t
header_crc(const struct wal_header_disk *h, const void *page, uint32_t n, uint64_t epoch)
{
	uint64_t seed = htole64(epoch);
	uint32_t crc = dfs_crc32c(dfs_crc32c(0, &seed, sizeof seed), h, sizeof *h);

	return dfs_crc32c(crc, desc_at(page, 0), n * sizeof(struct wal_desc_disk));
}

void
wal_header_put(void *page, const struct wal_header *h)
{
	struct wal_header_disk d = {
		.magic = htole32(WAL_BATCH_MAGIC),
		.ver = htole16(1),
		.n = htole16((uint16_t)h->n),
		.epoch = htole64(h->epoch),
		.nonce = htole64(h->nonce),
		.first = htole64(h->first),
		.durable = htole64(h->durable),
		.total = htole32(h->total),
	};

	d.crc = htole32(header_crc(&d, page, h->n, h->epoch));
	memcpy(page, &d, sizeof d);
}

bool
wal_header_get(const void *page, uint64_t epoch, uint64_t nonce, struct wal_header *h)
{
	struct wal_header_disk d;
	uint32_t crc;

	memcpy(&d, page, sizeof d);
	if (le32toh(d.magic) != WAL_BATCH_MAGIC || le64toh(d.epoch) != epoch ||
	    le64toh(d.nonce) != nonce || le16toh(d.n) == 0 || le16toh(d.n) > WAL_BATCH_RECORDS)
		return false;
	h->epoch = epoch;
	h->nonce = nonce;
	h->first = le64toh(d.first);
	h->durable = le64toh(d.durable);
	h->total = le32toh(d.total);
	h->n = le16toh(d.n);
	crc = le32toh(d.crc);
	d.crc = 0;
	return crc == header_crc(&d, page, h->n, epoch) && h->total % WAL_PAGE == 0 &&
	       h->total >= WAL_PAGE && h->total <= WAL_BATCH_MAX && h->first != 0 &&
	       h->first < WAL_NUMBER_MAX && h->durable < WAL_NUMBER_MAX;
}

void
wal_super_put(void *slot, const struct wal_super *super)
{
	struct wal_super_disk *d = slot;

	memset(d, 0, sizeof *d);
	memcpy(d->magic, WAL_MAGIC, sizeof d->magic);
	d->format = htole32(super->format);
	d->incompat = htole64(super->incompat);
	d->generation = htole64(super->generation);
	memcpy(d->uuid, super->uuid, sizeof d->uuid);
	memcpy(d->key, super->key, sizeof d->key);
	d->segment_size = htole64(super->segment_size);
	d->next_epoch = htole64(super->next_epoch);
	d->durable = htole64(super->durable);
	d->last = htole64(super->last);
	d->flags = htole64(super->flags);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		d->segment[i].epoch = htole64(super->segment[i].epoch);
		d->segment[i].first = htole64(super->segment[i].first);
		d->segment[i].end = htole64(super->segment[i].end);
		d->segment[i].flags = htole32(super->segment[i].flags);
	}
	d->crc = htole32(dfs_crc32c(0, d, offsetof(struct wal_super_disk, crc)));
}

bool
wal_super_get(const void *slot, struct wal_super *super)
{
	const struct wal_super_disk *d = slot;

	if (memcmp(d->magic, WAL_MAGIC, sizeof d->magic) != 0 ||
	    le32toh(d->crc) != dfs_crc32c(0, d, offsetof(struct wal_super_disk, crc)))
		return false;
	super->format = le32toh(d->format);
	super->incompat = le64toh(d->incompat);
	super->generation = le64toh(d->generation);
	memcpy(super->uuid, d->uuid, sizeof d->uuid);
	memcpy(super->key, d->key, sizeof d->key);
	super->segment_size = le64toh(d->segment_size);
	super->next_epoch = le64toh(d->next_epoch);
	super->durable = le64toh(d->durable);
	super->last = le64toh(d->last);
	super->flags = le64toh(d->flags);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		super->segment[i].epoch = le64toh(d->segment[i].epoch);
		super->segment[i].first = le64toh(d->segment[i].first);
		super->segment[i].end = le64toh(d->segment[i].end);
		super->segment[i].flags = le32toh(d->segment[i].flags);
	}
	return true;
}
