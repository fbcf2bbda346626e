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
 * zeros off and, in front of them, what is left of one batch.  What cannot be that was no loss of
 * power, and LevelDB gets to see it.
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
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/crc32c/crc32c.h"
#include "store.h"

#define BLOCK 32768u
#define HEAD 7u
#define SECTOR 512u            /* what a disk writes whole */
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

/* A log, read a block at a time; err: not all of it could be. */
struct image {
	int fd, err;
	uint64_t size;
	uint64_t from; /* of the block in bytes; UINT64_MAX: none is */
	unsigned char bytes[BLOCK];
};

/* What there is at `at` < size, to the end of its block: *n bytes; none after an error. */
static const unsigned char *
look(struct image *log, uint64_t at, uint32_t *n)
{
	uint64_t from = at - at % BLOCK;
	uint32_t len = log->size - from < BLOCK ? (uint32_t)(log->size - from) : BLOCK;
	ssize_t got = len;

	if (from != log->from)
		got = pread(log->fd, log->bytes, len, (off_t)from);
	log->from = from;
	if (got != (ssize_t)len) {
		log->err = got < 0 ? errno : EIO;
		log->from = UINT64_MAX;
		len = (uint32_t)(at - from);
	}
	*n = len - (uint32_t)(at - from);
	return log->bytes + (at - from);
}

static uint32_t
crc_of(const unsigned char *head)
{
	uint32_t stored = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
			  (uint32_t)head[3] << 24;

	stored -= MASK_DELTA;
	return stored >> 17 | stored << 15;
}

static bool
whole(const unsigned char *head, uint32_t n, uint64_t at)
{
	return n >= HEAD && plausible(head, at) && n >= HEAD + length_of(head) &&
	       crc32c(0, head + 6, 1 + length_of(head)) == crc_of(head);
}

/* Whether with another length the record is whole, and one that is whole follows it. */
static bool
lies_of_length(const unsigned char *head, uint32_t n, uint64_t at)
{
	uint32_t crc = 0;

	for (uint32_t i = HEAD - 1; i < n; i++) {
		crc = crc32c(crc, head + i, 1);
		if (crc == crc_of(head) && whole(head + i + 1, n - i - 1, at + i + 1))
			return true;
	}
	return false;
}

/* Behind the last batch that is whole; *bad: where the records end. */
static uint64_t
end_of_batches(struct image *log, uint64_t *bad)
{
	uint64_t at = 0, end = 0;
	const unsigned char *head;
	uint32_t n;

	while (at < log->size) {
		if (left_in_block(at) < HEAD) {
			at += left_in_block(at);
			continue;
		}
		head = look(log, at, &n);
		if (!whole(head, n, at))
			break;
		at += HEAD + length_of(head);
		if (head[6] == FULL || head[6] == LAST)
			end = at;
	}
	*bad = at < log->size ? at : log->size;
	return end;
}

static bool
zeros(const unsigned char *bytes, uint32_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static bool
only_zeros(struct image *log, uint64_t from)
{
	uint32_t n;

	for (uint64_t at = from; at < log->size; at += n) {
		const unsigned char *bytes = look(log, at, &n);

		if (log->err || !zeros(bytes, n))
			return false;
	}
	return true;
}

/* Whether what begins at `from` < size, where no whole record is, can be what is left of one batch
 * over zeros.  Its own heads tell: they say where it ends, at a block's start is nothing but more of
 * it, and a head is there as it was written or not at all, unless it lies in two sectors.  What lies
 * behind a head says nothing: somebody may have made it look like records. */
static bool
torn_batch(struct image *log, uint64_t from)
{
	for (uint64_t at = from; at < log->size; at += left_in_block(at)) {
		uint32_t n;
		const unsigned char *head = look(log, at, &n);
		unsigned type = n < HEAD ? ZERO : head[6];

		if (log->err)
			return false;
		if (n < HEAD || zeros(head, HEAD) || at % SECTOR > SECTOR - HEAD)
			continue;
		if (!plausible(head, at) || (at > from && (type == FULL || type == FIRST)) ||
		    lies_of_length(head, n, at))
			return false;
		if (type == FULL || type == LAST)
			return only_zeros(log, at + HEAD + length_of(head));
		if (HEAD + length_of(head) != left_in_block(at))
			return false;
	}
	return true;
}

/* Cut off what no acknowledged batch is in; errno or 0.  newest: its last batch may be torn, *torn
 * tells.  What is left is durable: LevelDB opens a new log, and this one is then not the newest any
 * more. */
static int
trim(int fd, bool newest, bool *torn)
{
	struct image log = {.fd = fd, .from = UINT64_MAX};
	struct stat st;
	uint64_t end, bad;
	bool cut;

	if (fstat(fd, &st) < 0)
		return errno;
	log.size = (uint64_t)st.st_size;
	end = end_of_batches(&log, &bad);
	/* An older log has no batch that lacks its end. */
	cut = only_zeros(&log, bad) && (newest || bad - end < HEAD);
	*torn = !cut && newest && torn_batch(&log, bad);
	cut = (cut && bad < log.size) || *torn;
	if (log.err)
		return log.err;
	return (cut && ftruncate(fd, (off_t)end) < 0) || fdatasync(fd) < 0 ? errno : 0;
}

enum dfs_status
logs_trim(struct store *s, struct dfs_diag *diag)
{
	uint64_t newest = folder_last_log(s);
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool torn;

	if (!d) {
		err = errno;
		if (fd >= 0)
			close(fd);
	}
	while (!err && (e = readdir(d))) {
		if (!folder_is_log(e->d_name))
			continue;
		fd = openat(s->dir, e->d_name, O_RDWR | O_CLOEXEC);
		torn = false;
		err = fd < 0 ? errno : trim(fd, strtoull(e->d_name, NULL, 10) == newest, &torn);
		if (fd >= 0)
			close(fd);
		if (torn)
			s->okv.host->log(s->okv.host->ctx, DFS_LOG_WARN,
					 "metadata store %s: the last batch of %s is not whole and "
					 "was cut off, as after a loss of power",
					 s->path, e->d_name);
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

/* Over what LevelDB has written since; errno or 0. */
static int
advance(struct log *log)
{
	unsigned char head[HEAD];

	for (;;) {
		uint32_t left = left_in_block(log->end);
		ssize_t n;

		if (left < HEAD) {
			log->end += left;
			continue;
		}
		n = pread(log->fd, head, HEAD, (off_t)log->end);
		if (n < 0)
			return errno;
		if (n < (ssize_t)HEAD || (head[6] == ZERO && length_of(head) == 0))
			return 0;
		if (!plausible(head, log->end))
			return EIO; /* not as we know it */
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

enum dfs_status
log_follow(struct store *s)
{
	struct log *log = &s->log;
	char name[32];
	struct stat st;
	int err;

	if (log->number != s->buffer.log) {
		leave(log);
		log->number = s->buffer.log;
		log->end = log->zeros = 0;
		snprintf(name, sizeof(name), "%06llu.log", (unsigned long long)log->number);
		log->fd = openat(s->dir, name, O_RDWR | O_CLOEXEC);
	}
	if (log->fd < 0)
		return DFS_OK;
	err = advance(log);
	/* Who does not know where the records end cannot take zeros back from behind them. */
	if (err && log->zeros)
		return s->okv.host->fail(s->okv.host->ctx, DFS_IO, "%s: cannot follow the log: %s",
					 s->path, strerror(err));
	/* What is there beyond the records must be ours. */
	if (err ||
	    (log->zeros == 0 && (fstat(log->fd, &st) < 0 || (uint64_t)st.st_size > log->end)))
		leave(log);
	return DFS_OK;
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
