/* SPDX-License-Identifier: MIT
 *
 * The log on disk, format 1.  All numbers are little endian.
 *
 *   LOCK        held while a process uses the folder
 *   SUPER       two slots of 4 KiB, written in turn; the sound one of the higher generation counts
 *   seg-NN.wal  segments 00 to 63, all of one size, made of zeros and then used again and again
 *
 * A segment holds batches, one behind the other from its start, each 4 KiB aligned: a page with a
 * header of 64 bytes and up to 42 descriptors of 96, then the payloads, each 8-byte or, where whole
 * pages come from memory, 4 KiB aligned.  Record i of a batch has sequence number first + i.
 *
 * Each use of a segment has an epoch of its own, which the superblock tells, and a nonce that
 * follows from epoch and key; both are in the header, and the epoch is the seed of its checksum:
 * so neither what an earlier use left behind nor what a client writes into a file passes for a
 * batch.  A payload's checksum has no seed: the header that holds it is what binds it to its use.
 *
 * `durable` in a batch and in the superblock: every record up to it has been synced.  A gap above
 * the highest that is found anywhere is a torn tail, promised to nobody: it and all behind it is
 * void.  A gap at or below it is damage.  A segment's `end` in the superblock closes it there:
 * void records stay void.
 */
#ifndef DFS_PAYLOAD_WAL_FORMAT_H
#define DFS_PAYLOAD_WAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "payload/wal/wal.h"

#define WAL_PAGE 4096u
#define WAL_FORMAT 1u
#define WAL_MAGIC "DFSWAL\r\n"
#define WAL_BATCH_MAGIC 0xd1b47c01u
#define WAL_BATCH_RECORDS 42u
/* A batch's length at most: its page, the largest payload, and what alignment adds. */
#define WAL_BATCH_MAX (DFS_WAL_PAYLOAD_MAX + 2 * WAL_PAGE)
/* Sequence numbers and epochs: so many nanoseconds take 292 years. */
#define WAL_NUMBER_MAX (UINT64_C(1) << 63)
#define WAL_SEGMENT_NAME "seg-%02u.wal"

/* Feature bits: a log with one that is not known is refused (incompat). */
#define WAL_INCOMPAT_KNOWN UINT64_C(0)

#define WAL_SUPER_CLEAN (1u << 0)      /* closed in order: every segment has its end */
#define WAL_SEGMENT_PREPARED (1u << 0) /* written with zeros once, to the end, and synced */

struct wal_desc_disk {
	uint8_t type;
	uint8_t ver; /* 1 */
	uint16_t flags;
	uint32_t len;
	uint8_t share[16];
	uint8_t content[16];
	uint64_t fileid;
	uint64_t offset;
	uint64_t length;
	uint64_t mtime;
	uint64_t change;      /* MARK: upto */
	uint32_t payload;     /* its offset from the batch's start; 0: none */
	uint32_t payload_crc; /* CRC-32C of the payload */
	uint64_t reserved;
};
_Static_assert(sizeof(struct wal_desc_disk) == 96, "descriptor");
_Static_assert(offsetof(struct wal_desc_disk, fileid) == 40, "descriptor");
_Static_assert(offsetof(struct wal_desc_disk, payload) == 80, "descriptor");

struct wal_header_disk {
	uint32_t magic;
	uint16_t ver; /* 1 */
	uint16_t n;   /* descriptors */
	uint64_t epoch;
	uint64_t nonce;
	uint64_t first; /* sequence number of the first record */
	uint64_t durable;
	uint32_t total; /* bytes of the batch, a multiple of 4 KiB */
	uint32_t flags; /* 0 */
	uint32_t crc;   /* of header (this field 0) and descriptors */
	uint8_t reserved[12];
};
_Static_assert(sizeof(struct wal_header_disk) == 64, "batch header");
_Static_assert(offsetof(struct wal_header_disk, crc) == 48, "batch header");
_Static_assert(sizeof(struct wal_header_disk) + WAL_BATCH_RECORDS * sizeof(struct wal_desc_disk) ==
		       WAL_PAGE,
	       "a batch's page is full to the byte");

struct wal_super_disk {
	uint8_t magic[8];
	uint32_t format;
	uint32_t reserved;
	uint64_t incompat;
	uint64_t generation;
	uint8_t uuid[16];
	uint8_t key[16]; /* of the nonces: SipHash-2-4 of the epoch */
	uint64_t segment_size;
	uint64_t next_epoch;
	uint64_t durable;
	uint64_t last; /* highest sequence number that is known */
	uint64_t flags;
	uint8_t zero[920];
	struct {
		uint64_t epoch; /* 0: not in use */
		uint64_t first; /* sequence number of its first record */
		uint64_t end;   /* of its last; 0: still open */
		uint32_t flags;
		uint32_t reserved;
	} segment[DFS_WAL_SEGMENTS_MAX];
	uint8_t zero2[1020];
	uint32_t crc; /* of the bytes before */
};
_Static_assert(sizeof(struct wal_super_disk) == WAL_PAGE, "superblock");
_Static_assert(offsetof(struct wal_super_disk, segment) == 1024, "superblock");
/* Where every later format keeps them, too, so that this one can tell. */
_Static_assert(offsetof(struct wal_super_disk, format) == 8, "superblock");
_Static_assert(offsetof(struct wal_super_disk, generation) == 24, "superblock");
_Static_assert(offsetof(struct wal_super_disk, crc) == 4092, "superblock");

/* The same, as the program has them. */
struct wal_header {
	uint64_t epoch, nonce, first, durable;
	uint32_t total, n;
};

struct wal_super {
	uint32_t format;
	uint64_t incompat, generation;
	uint8_t uuid[16], key[16];
	uint64_t segment_size, next_epoch, durable, last, flags;
	struct {
		uint64_t epoch, first, end;
		uint32_t flags;
	} segment[DFS_WAL_SEGMENTS_MAX];
};

static inline uint64_t
wal_page_up(uint64_t n)
{
	return (n + WAL_PAGE - 1) & ~(uint64_t)(WAL_PAGE - 1);
}

/* Only a WRITE has a payload; another record's len is a number like the rest. */
static inline uint32_t
wal_payload_len(const struct dfs_wal_record *record)
{
	return record->type == DFS_WAL_WRITE ? record->len : 0;
}

uint64_t wal_nonce(const uint8_t key[16], uint64_t epoch);

/* Descriptor i of a batch's page. */
void wal_desc_put(void *page, unsigned i, const struct dfs_wal_record *record, uint32_t payload,
		  uint32_t crc);
/* False: a type or version that is not known. */
bool wal_desc_get(const void *page, unsigned i, struct dfs_wal_record *record, uint32_t *payload,
		  uint32_t *crc);
/* Complete a page whose n descriptors are in place. */
void wal_header_put(void *page, const struct wal_header *h);
/* Whether page begins a batch of this epoch and nonce. */
bool wal_header_get(const void *page, uint64_t epoch, uint64_t nonce, struct wal_header *h);

void wal_super_put(void *slot, const struct wal_super *super);
/* Whether slot is sound (magic and checksum); of another format, only `format` and `generation`
 * mean anything. */
bool wal_super_get(const void *slot, struct wal_super *super);

#endif
