/* SPDX-License-Identifier: MIT
 *
 * Inside the filesystem block store: the instance, and what its operations share.
 *
 * The object a/b/c is the file a/b/c below the base folder.  Beside the objects, under names that
 * no key can have: ".dittofs-blocks", which marks the folder as ours, holds the format's version
 * and carries the lock, and ".tmp", where objects are written before they are renamed into place.
 * Locks, outermost first: tree, dirty.mu.
 */
#ifndef BLOCK_FILESYSTEM_STORE_H
#define BLOCK_FILESYSTEM_STORE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include <dittofs/block_check.h>

#define MARKER ".dittofs-blocks"
#define TEMP ".tmp"

struct filesystem_config {
	const char *path;
	uint8_t create_dir;
	uint32_t dir_mode, file_mode;
	uint64_t reserve;
};

/* What has been put or erased since the last sync: see sync.c. */
struct dirty {
	pthread_mutex_t mu;
	int *files;          /* guarded by mu; descriptors of objects put */
	uint32_t n_files;    /* guarded by mu */
	char **dirs;         /* guarded by mu; hash set of folder paths, "" for the base */
	uint32_t n_dirs;     /* guarded by mu */
	uint64_t bytes;      /* guarded by mu; put since the last sync */
	bool overflow;       /* guarded by mu; more than the lists hold: only syncfs knows */
	bool syncfs_reports; /* this kernel's syncfs tells of failed writes */
};

struct store {
	const struct dfs_host *host;
	int base, temp, lock; /* folders; the marker file */
	uint32_t dir_mode, file_mode;
	uint64_t reserve;             /* bytes of the file system left to others */
	bool chmod_dirs, chmod_files; /* the umask takes bits of the modes away */
	_Atomic bool no_openat2;
	_Atomic bool failed; /* a sync has failed: nothing is put any more */
	_Atomic uint64_t next_temp;
	/* Held while folders are made and removed, so that a put can keep them from vanishing, and
	 * taken by sync(), so that no folder is there whose parent is not noted yet. */
	pthread_mutex_t tree;
	struct dirty dirty;
};

/* open.c */
enum dfs_status store_open(struct store *s, const struct filesystem_config *c,
			   struct dfs_diag *diag);
void store_close(struct store *s);

/* path.c: all paths are relative to the base, and no symbolic link is followed on the way.  These
 * set errno and return -1 when they fail. */
int path_open(struct store *s, const char *path, int flags);
/* The folder that a key's file lies in, as an O_PATH descriptor for path_release, and the file's
 * name in it. */
int path_parent(struct store *s, const char *key, const char **name);
void path_release(struct store *s, int fd);
/* Make the folders that a key's file lies in.  tree is held. */
int path_make_locked(struct store *s, const char *key);
/* Remove the folders above a path that have become empty.  tree is not held. */
void path_prune(struct store *s, const char *path);
/* Length of the folder part of a path, without its '/'; 0: the base. */
uint32_t path_folder(const char *path);

/* sync.c */
bool dirty_init(struct dirty *d);
void dirty_free(struct dirty *d);
/* Note an object put; fd, open for writing, is taken over. */
void dirty_file(struct store *s, int fd, uint64_t bytes);
/* Note that the folder path[0..len) has a changed entry. */
void dirty_dir(struct store *s, const char *path, uint32_t len);

/* error.c */
/* Turn an errno value into a status, with a sentence that says what was tried on which object. */
enum dfs_status store_error(struct store *s, int error, const char *what, const char *key);
enum dfs_status store_bad_key(struct store *s, const char *key);

enum dfs_status store_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n,
			  uint32_t flags);
enum dfs_status store_copy(void *inst, const char *from, const char *to, uint32_t flags);
enum dfs_status store_get(void *inst, const char *key, uint64_t offset, uint64_t length,
			  const struct dfs_sink *sink, uint32_t flags);
enum dfs_status store_head(void *inst, const char *key, uint64_t *length, uint32_t flags);
enum dfs_status store_erase(void *inst, const char *key, uint32_t flags);
enum dfs_status store_erase_prefix(void *inst, const char *prefix);
enum dfs_status store_list(void *inst, const char *prefix, const char *after, dfs_object_fn fn,
			   void *arg);
enum dfs_status store_sync(void *inst);
/* Free bytes of the file system without the reserve. */
uint64_t store_free(const struct store *s, const struct statvfs *v);
enum dfs_status store_stats(void *inst, struct dfs_block_stats *stats);
enum dfs_status store_health(void *inst);

#endif
