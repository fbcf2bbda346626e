/* SPDX-License-Identifier: MIT
 *
 * LevelDB's log file, lengthened ahead of its writes.
 *
 * A synced write behind the end of a file costs a file system the bytes and its own journal, which
 * has the new length; one over zeros that are there costs the bytes.  LevelDB's log format has a
 * record type that stands for such zeros (db/log_format.h of LevelDB 1.23: "reserved for
 * preallocated files"), which its reader skips, but its writer lengthens nothing: this does it
 * from beside, between two writes.  LevelDB writes at its own place in the file, not at the end.
 *
 * A loss of power during a write may then keep some pages of it and not others, in a file whose
 * length tells nothing, and LevelDB would report damage.  So only synced batches go into zeros:
 * there is one at a time, all in front of it is synced, and nothing is behind it.  Opening cuts the
 * zeros off and, in front of them, what is left of one batch.  Where a whole record follows what is
 * none it was no loss of power, and LevelDB gets to see it.
 *
 * The format (doc/log_format.md of LevelDB): blocks of 32 KiB; a record is a head of 7 bytes (CRC32C,
 * length, type) and its bytes, and never crosses a block; less than a head at the end is unused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/crc32c/crc32c.h"
#include "store.h"

#define BLOCK 32768u
#define HEAD 7u
#define MASK_DELTA 0xa282ead8u /* util/crc32c.h: how LevelDB stores a CRC of bytes that hold CRCs */

#define STEP (1u << 20) /* bytes of zeros at a time; more, when a quarter is left */
#define PIECE (64u << 10)
#define RUN 16 /* synced batches in a row before there are zeros: to take them back costs a sync */

enum type { ZERO, FULL, FIRST, MIDDLE, LAST };

static uint32_t
length_of(const unsigned char *head)
{
	return head[4] | (uint32_t)head[5] << 8;
}

/* Bytes from `at` to the end of its block. */
static uint32_t
left_in_block(uint64_t at)
{
	return BLOCK - (uint32_t)(at % BLOCK);
}

static bool
plausible(const unsigned char *head, uint64_t at)
{
	return head[6] >= FULL && head[6] <= LAST && HEAD + length_of(head) <= left_in_block(at);
}

/* ---- opening ---- */

struct image {
	const unsigned char *bytes;
	uint64_t size;
};

static bool
record_at(const struct image *log, uint64_t at)
{
	const unsigned char *head = log->bytes + at;
	uint32_t stored, crc;

	if (left_in_block(at) < HEAD || log->size - at < HEAD || !plausible(head, at) ||
	    log->size - at < HEAD + length_of(head))
		return false;
	stored = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
	crc = crc32c(0, head + 6, 1 + length_of(head));
	return stored == (crc >> 15 | crc << 17) + MASK_DELTA;
}

/* Behind the last batch that is whole; *bad: where the records end. */
static uint64_t
end_of_batches(const struct image *log, uint64_t *bad)
{
	uint64_t at = 0, end = 0;

	while (at < log->size) {
		if (left_in_block(at) < HEAD) {
			at += left_in_block(at);
			continue;
		}
		if (!record_at(log, at))
			break;
		if (log->bytes[at + 6] == FULL || log->bytes[at + 6] == LAST)
			end = at + HEAD + length_of(log->bytes + at);
		at += HEAD + length_of(log->bytes + at);
	}
	*bad = at < log->size ? at : log->size;
	return end;
}

static bool
only_zeros(const struct image *log, uint64_t from)
{
	return from == log->size ||
	       (log->bytes[from] == 0 &&
		memcmp(log->bytes + from, log->bytes + from + 1, log->size - from - 1) == 0);
}

/* Whether a batch begins behind `from`, where lengths cannot be trusted. */
static bool
batch_follows(const struct image *log, uint64_t from)
{
	for (uint64_t at = from + 1; at + HEAD <= log->size; at++)
		if ((log->bytes[at + 6] == FULL || log->bytes[at + 6] == FIRST) &&
		    record_at(log, at))
			return true;
	return false;
}

/* Cut off what no acknowledged batch is in; errno or 0.  newest: its last batch may be torn. */
static int
trim(int fd, bool newest)
{
	struct image log;
	struct stat st;
	uint64_t end, bad;
	void *map;
	bool cut;

	if (fstat(fd, &st) < 0)
		return errno;
	if (st.st_size == 0)
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return errno;
	log = (struct image){map, (uint64_t)st.st_size};
	end = end_of_batches(&log, &bad);
	cut = bad < log.size &&
	      (only_zeros(&log, bad) || (newest && !batch_follows(&log, bad)));
	munmap(map, (size_t)st.st_size);
	if (cut && (ftruncate(fd, (off_t)end) < 0 || fdatasync(fd) < 0))
		return errno;
	return 0;
}

enum dfs_status
logs_trim(struct store *s, struct dfs_diag *diag)
{
	uint64_t newest = folder_last_log(s);
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		err = errno;
		if (fd >= 0)
			close(fd);
	}
	while (!err && (e = readdir(d))) {
		if (!folder_is_log(e->d_name))
			continue;
		fd = openat(s->dir, e->d_name, O_RDWR | O_CLOEXEC);
		err = fd < 0 ? errno : trim(fd, strtoull(e->d_name, NULL, 10) == newest);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
	if (!err)
		return DFS_OK;
	snprintf(diag->key, sizeof(diag->key), "path");
	snprintf(diag->text, sizeof(diag->text), "%s: cannot look through the logs: %s", s->path,
		 strerror(err));
	return DFS_IO;
}

/* ---- writing ---- */

static void
leave(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* Over what LevelDB has written since. */
static void
advance(struct log *log)
{
	unsigned char head[HEAD];

	while (log->fd >= 0) {
		uint32_t left = left_in_block(log->end);

		if (left < HEAD) {
			log->end += left;
			continue;
		}
		if (pread(log->fd, head, HEAD, (off_t)log->end) < (ssize_t)HEAD)
			return;
		if (head[6] == ZERO && length_of(head) == 0)
			return;
		if (!plausible(head, log->end))
			leave(log); /* not as we know it: it is LevelDB's alone */
		else
			log->end += HEAD + length_of(head);
	}
}

/* Take the zeros back; errno or 0. */
static int
cut(struct log *log)
{
	struct stat st;

	if (log->fd < 0 || log->zeros == 0)
		return 0;
	if (fstat(log->fd, &st) < 0)
		return errno;
	if ((uint64_t)st.st_size > log->end && ftruncate(log->fd, (off_t)log->end) < 0)
		return errno;
	log->zeros = 0;
	return 0;
}

static bool
lengthen(struct log *log, uint32_t bytes)
{
	static const unsigned char zeros[PIECE];
	struct stat st;

	if (fstat(log->fd, &st) < 0)
		return false;
	for (uint32_t done = 0; done < bytes; done += PIECE)
		if (pwrite(log->fd, zeros, PIECE, st.st_size + done) != (ssize_t)PIECE)
			return false;
	log->zeros = (uint64_t)st.st_size + bytes;
	return true;
}

void
log_follow(struct store *s)
{
	struct log *log = &s->log;
	char name[32];
	struct stat st;

	if (log->number != s->buffer.log) {
		leave(log);
		log->number = s->buffer.log;
		log->end = log->zeros = 0;
		snprintf(name, sizeof(name), "%06llu.log", (unsigned long long)log->number);
		log->fd = openat(s->dir, name, O_RDWR | O_CLOEXEC);
	}
	advance(log);
	/* What is there beyond the records must be ours. */
	if (log->fd >= 0 && log->zeros == 0 &&
	    (fstat(log->fd, &st) < 0 || (uint64_t)st.st_size > log->end))
		leave(log);
}

/* No batch that is not synced goes into zeros, nor into those that a loss of power brings back. */
static int
prepare_plain(struct log *log)
{
	int err;

	log->run = 0;
	if (log->fd < 0 || log->zeros == 0)
		return 0;
	err = cut(log);
	return err ? err : fdatasync(log->fd) < 0 ? errno : 0;
}

static int
prepare_synced(struct log *log, uint32_t step)
{
	int err;

	if (log->fd < 0 || ++log->run < RUN || log->zeros >= log->end + step / 4)
		return 0;
	if (lengthen(log, step))
		return 0;
	/* A disk that is full needs the space for something better. */
	log->zeros = UINT64_MAX;
	err = prepare_plain(log);
	leave(log);
	return err;
}

enum dfs_status
log_prepare(struct store *s, bool power)
{
	uint32_t step = s->write_buffer_size < 4 * STEP ? PIECE : STEP;
	int err = power ? prepare_synced(&s->log, step) : prepare_plain(&s->log);

	if (!err)
		return DFS_OK;
	return s->okv.host->fail(s->okv.host->ctx, DFS_IO, "%s: cannot shorten the log: %s",
				 s->path, strerror(err));
}

void
log_close(struct store *s)
{
	cut(&s->log); /* else the next opening does it */
	leave(&s->log);
}
