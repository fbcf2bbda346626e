/* SPDX-License-Identifier: MIT
 *
 * The metadata store contract (stable ABI).
 *
 * A store keeps typed records and changes them in transactions.  It checks no permission and
 * knows no protocol: which records a file operation touches is the core's business.  One
 * instance serves many shares; every record belongs to a share, named by a 32-bit id.
 *
 * Commit and sync are two things.  commit() makes a transaction visible and ordered and returns
 * a sequence number; sync(upto) makes everything up to it durable.  The core runs one sync
 * thread per instance and groups whatever waits, so an author writes two simple functions and
 * gets group commit.  Transactions must be serialisable; a store may answer DFS_AGAIN from any
 * call of a transaction (the core aborts and retries with a bound).  A read transaction sees the state
 * of one moment between its begin and the end of its first read.  After a crash the store
 * holds a prefix of the committed transactions, each whole or absent, at least up to the last
 * synced sequence number.
 */
#ifndef DITTOFS_METADATA_STORE_H
#define DITTOFS_METADATA_STORE_H

#include <dittofs/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_METADATA_ABI_MAJOR 2
#define DFS_METADATA_ABI_MINOR 1

#define DFS_NAME_MAX 255      /* bytes of a directory entry's name */
#define DFS_SYMLINK_MAX 4096  /* bytes of a symbolic link's text */
#define DFS_SEGMENTS_MAX 64   /* segments of one block map row */
#define DFS_STATE_KEY_MAX 128 /* bytes of a server-state key */
#define DFS_STATE_VALUE_MAX 65536

/* Capability bits; what the core does when a bit is absent follows the colon. */
#define DFS_METADATA_CAP_DURABLE (1ull << 0)  /* commit is durable by itself: sync() is called */
#define DFS_METADATA_CAP_VOLATILE (1ull << 1) /* nothing survives the process: sync() is called */
/* Several processes may have the store open: create() answers DFS_BUSY to the second, and nobody else
 * changes what this one has read.  With it fence() is required. */
#define DFS_METADATA_CAP_SHARED (1ull << 2)

enum dfs_file_type {
	DFS_TYPE_NONE = 0,
	DFS_TYPE_REG = 1,
	DFS_TYPE_DIR = 2,
	DFS_TYPE_BLK = 3,
	DFS_TYPE_CHR = 4,
	DFS_TYPE_LNK = 5,
	DFS_TYPE_SOCK = 6,
	DFS_TYPE_FIFO = 7,
};

struct dfs_content_id {
	uint8_t bytes[16]; /* all zero: the inode has no content yet */
};

#define DFS_INODE_HAS_VERIFIER (1u << 0) /* verifier holds the one of an exclusive create */
#define DFS_INODE_ORPHAN (1u << 1)       /* no name is left; kept until the last close */

/* One inode.  Times are nanoseconds since 1970-01-01 UTC (1677 to 2262).  size is set by whoever
 * fills the struct; a store keeps the fields that it knows and zero-fills the rest on get. */
struct dfs_inode_record {
	uint32_t size;
	uint32_t type; /* enum dfs_file_type */
	uint32_t mode; /* permission bits, 07777 */
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev_major, rdev_minor;
	uint64_t fileid;     /* unique in the share for ever */
	uint64_t generation; /* never 0 */
	uint64_t length;     /* bytes: file size, link text length, 4096 for directories */
	uint64_t used;       /* bytes allocated */
	uint64_t change;     /* change attribute, only ever grows */
	int64_t atime, mtime, ctime, btime;
	uint64_t parent;   /* directories: the parent's fileid; the root names itself */
	uint64_t verifier; /* see DFS_INODE_HAS_VERIFIER */
	uint32_t flags;    /* DFS_INODE_* */
	uint32_t reserved;
	struct dfs_content_id content;
	/* The last truncation: slices that were logged up to cut_lsn end at cut_length. */
	uint64_t cut_lsn, cut_length;
	uint64_t revision; /* since 2.1: grows whenever rows of the content have changed */

	/* append only */
};

#define DFS_DIRENT_MORE (1u << 0)      /* entries with this name's hash follow at higher cookies */
#define DFS_DIRENT_TOMBSTONE (1u << 1) /* no entry: keeps the place so that probing goes on */

/* One directory entry, keyed by (directory, cookie).  The core derives the cookie from the name's
 * hash and resolves collisions; it is at least 64 and below 2^63. */
struct dfs_dirent_record {
	uint32_t size; /* as in struct dfs_inode_record */
	uint32_t type; /* of the child */
	uint64_t cookie;
	uint64_t fileid;
	uint32_t flags;    /* DFS_DIRENT_* */
	uint32_t name_len; /* 1..DFS_NAME_MAX; 0 for a tombstone */
	const char *name;  /* not NUL-terminated; owned by who fills it */

	/* append only */
};

#define DFS_SEGMENT_ZERO (1u << 0) /* no object: zeros */
#define DFS_SEGMENT_SHARED                                                                         \
	(1u << 1) /* others may refer to the object: it has a record of its own */
#define DFS_SEGMENT_HOLE                                                                           \
	(1u << 2) /* with ZERO: nothing is allocated, the row is there for its lsn */

/* A block of a file is the newest-first list of these: bytes [at, at+length) of the block lie in
 * object {content}/chunk-{c}/block-{b}.{version} from offset on; with DFS_SEGMENT_SHARED the content
 * and the block are those of the object's record. */
struct dfs_segment {
	uint64_t version;
	uint32_t offset, length, at;
	uint32_t flags; /* DFS_SEGMENT_*, kept by stores as it is */
};

/* An object that rows of several blocks may name, those with DFS_SEGMENT_SHARED, or that is found by its
 * hash; keyed by version, which is unique in the share.  The object lies where it was put, under the
 * key of (content, block, version), even when that content is gone. */
struct dfs_object_record {
	uint32_t size;   /* as in struct dfs_inode_record */
	uint32_t length; /* bytes that rows may refer to */
	uint64_t version;
	struct dfs_content_id content;
	uint64_t block;
	uint64_t refs;    /* map rows that name it, at least 1 */
	uint8_t hash[32]; /* SHA-256 of all of it; all zero: not known.  Never changes. */

	/* append only */
};

/* An object that no row names any more and that is still to be erased; keyed by all of it.  Put in
 * the transaction that drops the last row's reference. */
struct dfs_dead_record {
	uint32_t size; /* as in struct dfs_inode_record */
	uint32_t reserved;
	uint64_t at; /* when it died, ns since 1970 */
	struct dfs_content_id content;
	uint64_t block, version;

	/* append only */
};

/* A share's own row. */
struct dfs_share_record {
	uint32_t size;
	uint32_t id;      /* never 0, unique in the store */
	uint8_t uuid[16]; /* random at creation; fsid and handle keys derive from it */
	uint64_t root;    /* fileid of the root directory */
	char name[64];    /* NUL-terminated */
	uint64_t epoch;   /* since 2.1: grows when another server begins to write to the share */

	/* append only */
};

enum dfs_usage_kind {
	DFS_USAGE_SHARE = 0,
	DFS_USAGE_USER = 1,
	DFS_USAGE_GROUP = 2,
};

/* What quotas count: one sum for each (kind, id) of a share. */
struct dfs_usage_record {
	uint32_t size;
	uint32_t kind; /* enum dfs_usage_kind */
	uint32_t id;   /* uid or gid; 0 for DFS_USAGE_SHARE */
	uint32_t reserved;
	int64_t bytes, files; /* add: what is added, may be negative; scan: the sum */

	/* append only */
};

struct dfs_txn; /* defined by the store */

enum dfs_txn_mode {
	DFS_TXN_READ = 0,
	DFS_TXN_WRITE = 1,
};

enum dfs_sync_level {
	DFS_SYNC_PROCESS = 1, /* survives the death of the process */
	DFS_SYNC_POWER = 2,   /* survives the loss of power */
};

struct dfs_metadata_stats {
	uint32_t size;
	uint32_t reserved;
	/* Where the records lie; 0, 0: not known.  Without a free byte the core begins nothing new,
	 * but removes and replaces: a store that cannot bear to run out keeps a reserve back. */
	uint64_t bytes_used, bytes_free;
	uint64_t inodes; /* of all shares; 0: not known */
};

/* Called by scans and gets, inside the transaction; return 0 to stop. */
typedef int (*dfs_share_fn)(void *arg, const struct dfs_share_record *rec);
typedef int (*dfs_dirent_fn)(void *arg, const struct dfs_dirent_record *rec);
typedef int (*dfs_map_fn)(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs,
			  uint32_t n);
typedef int (*dfs_row_fn)(void *arg, const struct dfs_content_id *content, uint64_t block,
			  uint64_t lsn, const struct dfs_segment *segs, uint32_t n);
typedef int (*dfs_object_record_fn)(void *arg, const struct dfs_object_record *rec);
typedef int (*dfs_dead_fn)(void *arg, const struct dfs_dead_record *rec);
typedef int (*dfs_state_fn)(void *arg, const char *key, uint32_t key_len, const void *value,
			    uint32_t value_len);
typedef int (*dfs_orphan_fn)(void *arg, uint64_t fileid, const struct dfs_content_id *content);
typedef int (*dfs_usage_fn)(void *arg, const struct dfs_usage_record *rec);

/* All operations are required unless said otherwise.  Statuses: DFS_OK, DFS_AGAIN (nonblock or
 * serialisation), DFS_NOENT where a record is absent, DFS_DELAY (the store is out of reach, for longer
 * than it waits), DFS_IO, DFS_NOSPC, DFS_CORRUPT; fail() explains the last three.  put replaces; del of
 * an absent record is DFS_OK.  A struct with a size comes with it set by the caller.  A transaction is
 * used by one thread at a time; bytes passed in are borrowed for the call, bytes handed to callbacks
 * are valid inside the callback. */
struct dfs_metadata_ops {
	uint32_t size;

	/* Optional.  Checks what the table cannot (combinations).  No side effects.  config: the
	 * struct that the plugin's table describes; it and its strings are borrowed for the call,
	 * here and in create. */
	enum dfs_status (*validate)(const void *config, struct dfs_diag *diag);
	/* Open or create the store, *inst with DFS_OK; else diag->text says why.  host outlives the
	 * instance; config does not: copy what is kept.  DFS_BUSY: another process has the store.
	 * DFS_VERSION: its format is newer. */
	enum dfs_status (*create)(const struct dfs_host *host, const void *config, void **inst,
				  struct dfs_diag *diag);
	/* Close; no transaction is open.  What was committed but not synced may be lost. */
	void (*destroy)(void *inst);

	/* mode: enum dfs_txn_mode, or'ed with DFS_NONBLOCK: then this and every later call of the
	 * transaction may answer DFS_AGAIN instead of waiting, and commit() answers it before any
	 * effect.  Any number of read transactions, also beside a write one, on any threads. */
	enum dfs_status (*begin)(void *inst, uint32_t mode, struct dfs_txn **txn);
	/* Ends the transaction whatever it answers.  *seq (may be NULL) grows with commit order. */
	enum dfs_status (*commit)(void *inst, struct dfs_txn *txn, uint64_t *seq);
	void (*abort)(void *inst, struct dfs_txn *txn);
	/* Make all commits up to seq survive what level names.  Blocking; called by one thread at a
	 * time; a failure is sticky: writes answer DFS_IO until the store is opened anew.  DFS_DELAY,
	 * after a wait of some seconds: no failure, the store is out of reach; it is called again. */
	enum dfs_status (*sync)(void *inst, uint64_t seq, uint32_t level);

	/* Shares. */
	enum dfs_status (*scan_shares)(void *inst, struct dfs_txn *, dfs_share_fn fn, void *arg);
	enum dfs_status (*put_share)(void *inst, struct dfs_txn *,
				     const struct dfs_share_record *rec);
	enum dfs_status (*del_share)(void *inst, struct dfs_txn *, uint32_t share);

	/* Inodes.  The caller sets rec->size before a get. */
	enum dfs_status (*get_inode)(void *inst, struct dfs_txn *, uint32_t share, uint64_t fileid,
				     struct dfs_inode_record *rec);
	enum dfs_status (*put_inode)(void *inst, struct dfs_txn *, uint32_t share,
				     const struct dfs_inode_record *rec);
	enum dfs_status (*del_inode)(void *inst, struct dfs_txn *, uint32_t share, uint64_t fileid);
	/* Several at once, for READDIRPLUS: recs[i] answers ids[i]; type DFS_TYPE_NONE: absent.
	 * Optional: absent, the core calls get_inode n times.  n: 1..1024. */
	enum dfs_status (*get_inodes)(void *inst, struct dfs_txn *, uint32_t share,
				      const uint64_t *ids, uint32_t n,
				      struct dfs_inode_record *recs);

	/* Text of a symbolic link; removed together with its inode by the core.  buf takes
	 * DFS_SYMLINK_MAX bytes, *len is set; the text has no NUL at its end. */
	enum dfs_status (*get_symlink)(void *inst, struct dfs_txn *, uint32_t share,
				       uint64_t fileid, char *buf, uint32_t *len);
	enum dfs_status (*put_symlink)(void *inst, struct dfs_txn *, uint32_t share,
				       uint64_t fileid, const char *text, uint32_t len);
	enum dfs_status (*del_symlink)(void *inst, struct dfs_txn *, uint32_t share,
				       uint64_t fileid);

	/* Directory entries.  get: fn is called once with the record at exactly this cookie.
	 * scan: ascending from the first cookie >= from until fn answers 0 or the end. */
	enum dfs_status (*get_dirent)(void *inst, struct dfs_txn *, uint32_t share, uint64_t dir,
				      uint64_t cookie, dfs_dirent_fn fn, void *arg);
	enum dfs_status (*scan_dirents)(void *inst, struct dfs_txn *, uint32_t share, uint64_t dir,
					uint64_t from, dfs_dirent_fn fn, void *arg);
	enum dfs_status (*put_dirent)(void *inst, struct dfs_txn *, uint32_t share, uint64_t dir,
				      const struct dfs_dirent_record *rec);
	enum dfs_status (*del_dirent)(void *inst, struct dfs_txn *, uint32_t share, uint64_t dir,
				      uint64_t cookie);

	/* Block map rows: block = offset / 4 MiB.  scan: ascending from the first block >= from.
	 * lsn: what was logged for the block up to there is in the row; kept as it is.
	 * n: 1..DFS_SEGMENTS_MAX. */
	enum dfs_status (*scan_map)(void *inst, struct dfs_txn *, uint32_t share,
				    const struct dfs_content_id *content, uint64_t from,
				    dfs_map_fn fn, void *arg);
	enum dfs_status (*put_map)(void *inst, struct dfs_txn *, uint32_t share,
				   const struct dfs_content_id *content, uint64_t block,
				   uint64_t lsn, const struct dfs_segment *segs, uint32_t n);
	/* Deletes rows [from, to). */
	enum dfs_status (*del_map)(void *inst, struct dfs_txn *, uint32_t share,
				   const struct dfs_content_id *content, uint64_t from,
				   uint64_t to);

	/* The rows of all contents of the share: ascending by content id (its bytes), then block, from
	 * the first that is not below (content, block). */
	enum dfs_status (*scan_rows)(void *inst, struct dfs_txn *, uint32_t share,
				     const struct dfs_content_id *content, uint64_t block,
				     dfs_row_fn fn, void *arg);

	/* Objects with a record of their own.  scan: ascending from the first version >= from.
	 * find: any one with this hash, which is not all zero; with several, any or none. */
	enum dfs_status (*get_object)(void *inst, struct dfs_txn *, uint32_t share,
				      uint64_t version, struct dfs_object_record *rec);
	enum dfs_status (*find_object)(void *inst, struct dfs_txn *, uint32_t share,
				       const uint8_t hash[32], struct dfs_object_record *rec);
	enum dfs_status (*put_object)(void *inst, struct dfs_txn *, uint32_t share,
				      const struct dfs_object_record *rec);
	enum dfs_status (*del_object)(void *inst, struct dfs_txn *, uint32_t share,
				      uint64_t version);
	enum dfs_status (*scan_objects)(void *inst, struct dfs_txn *, uint32_t share, uint64_t from,
					dfs_object_record_fn fn, void *arg);

	/* Dead objects.  scan: ascending by (at, content, block, version) from the first that is not
	 * below *from (NULL: all). */
	enum dfs_status (*put_dead)(void *inst, struct dfs_txn *, uint32_t share,
				    const struct dfs_dead_record *rec);
	enum dfs_status (*del_dead)(void *inst, struct dfs_txn *, uint32_t share,
				    const struct dfs_dead_record *rec);
	enum dfs_status (*scan_dead)(void *inst, struct dfs_txn *, uint32_t share,
				     const struct dfs_dead_record *from, dfs_dead_fn fn, void *arg);

	/* Orphans: content whose last name is gone and whose rows and objects are still to be
	 * reclaimed; keyed by fileid.  scan: ascending from the first fileid >= from. */
	enum dfs_status (*scan_orphans)(void *inst, struct dfs_txn *, uint32_t share, uint64_t from,
					dfs_orphan_fn fn, void *arg);
	enum dfs_status (*put_orphan)(void *inst, struct dfs_txn *, uint32_t share, uint64_t fileid,
				      const struct dfs_content_id *content);
	enum dfs_status (*del_orphan)(void *inst, struct dfs_txn *, uint32_t share,
				      uint64_t fileid);

	/* Named server state: small values under byte keys of 1..DFS_STATE_KEY_MAX, per share
	 * (share 0: the server's own).  get: *len is the capacity before, the length after; a
	 * short buffer is DFS_TOOSMALL with *len set.  scan: keys with the prefix, ascending. */
	enum dfs_status (*get_state)(void *inst, struct dfs_txn *, uint32_t share, const char *key,
				     uint32_t key_len, void *value, uint32_t *len);
	enum dfs_status (*put_state)(void *inst, struct dfs_txn *, uint32_t share, const char *key,
				     uint32_t key_len, const void *value, uint32_t len);
	enum dfs_status (*del_state)(void *inst, struct dfs_txn *, uint32_t share, const char *key,
				     uint32_t key_len);
	enum dfs_status (*scan_state)(void *inst, struct dfs_txn *, uint32_t share,
				      const char *prefix, uint32_t prefix_len, dfs_state_fn fn,
				      void *arg);

	/* Cheap figures, at most 5 s old. */
	enum dfs_status (*stats)(void *inst, struct dfs_metadata_stats *stats);
	/* Answers within 5 s whether the store can serve. */
	enum dfs_status (*health)(void *inst);

	/* --- since 2.1, each of them optional ----------------------------------------------- */

	/* Usage sums.  Optional, all three together: without them a share with quotas is refused.
	 * add: adds rec->bytes and rec->files to the sum of (rec->kind, rec->id), which begins at
	 * zero.  Two transactions that add to one sum must not have to repeat each other for that
	 * alone (a store that would serialise them keeps several rows for one sum).  DFS_INVAL:
	 * the kind is none, or the sum leaves the range of its type; commit() may be who answers it.
	 * scan: each sum once, ascending by (kind, id) from the first that is not below; sums of
	 * zero bytes and zero files may be left out.  clear: forgets all sums of the share. */
	enum dfs_status (*add_usage)(void *inst, struct dfs_txn *, uint32_t share,
				     const struct dfs_usage_record *rec);
	enum dfs_status (*scan_usage)(void *inst, struct dfs_txn *, uint32_t share, uint32_t kind,
				      uint32_t id, dfs_usage_fn fn, void *arg);
	enum dfs_status (*clear_usage)(void *inst, struct dfs_txn *, uint32_t share);

	/* From now on a transaction of this instance that changes records of the share, but for one
	 * that puts the share's own row, commits only while that row has this epoch; else commit()
	 * answers DFS_FENCED, and nothing has changed.  0: not any more.  The check costs no round
	 * trip of its own.  Absent: the store is not DFS_METADATA_CAP_SHARED. */
	enum dfs_status (*fence)(void *inst, uint32_t share, uint64_t epoch);

	/* append only */
};

#ifdef __cplusplus
}
#endif
#endif
