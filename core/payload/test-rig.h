/* SPDX-License-Identifier: MIT
 *
 * For the tests of this folder: the real store plugins of the build tree under a payload.
 */
#ifndef DFS_PAYLOAD_TEST_RIG_H
#define DFS_PAYLOAD_TEST_RIG_H

#include <glib.h>

#include "payload/file.h"
#include "plugin/registry.h"

struct rig {
	struct dfs_registry *registry;
	struct dfs_workers *workers;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_cache *cache;
	struct dfs_payload_options options;
	struct dfs_payload *payload;
	char *dir;             /* removed at the end; NULL: none */
	_Atomic uint64_t used; /* what the map rows have, by what flushes told */
	_Atomic unsigned settled;
	_Atomic unsigned published;
	enum dfs_status publish_status; /* what the owner answers */
	void (*in_publish)(void *arg);  /* before it answers; once */
	void *in_publish_arg;
};

/* A test double in the block store's place: what put, get, erase and commit answer instead, and
 * what happens while a put runs.  The last rig's. */
struct rig_double {
	_Atomic enum dfs_status put, get, erase, commit; /* DFS_OK: as the real one */
	_Atomic int failures;    /* > 0: so many puts and gets fail, then no more */
	_Atomic int64_t latency; /* ns of a put and a get */
	_Atomic bool hang;       /* puts, gets and erases do not return while it is set */
	_Atomic(void (*)(void *arg)) during_put; /* once */
	void *arg;
	_Atomic unsigned puts, gets;       /* puts that went through, gets that were asked for */
	_Atomic unsigned calls;            /* puts and gets, whatever came of them */
	_Atomic unsigned in_puts, in_gets; /* under way */
	_Atomic uint64_t put_bytes, get_bytes;
	_Atomic uint64_t first_get; /* length of the first one */
};
extern struct rig_double rig_double;
void rig_install_double(struct rig *rig);

/* block: "memory", "filesystem", or "remote": memory that says it may block. */
struct rig *rig_new(const char *block, uint64_t budget, enum dfs_durability durability);
/* gc (its gc_* fields) not NULL: the metadata store counts as one that outlives the process. */
struct rig *rig_new_kept(const char *block, uint64_t budget, enum dfs_durability durability,
			 const struct dfs_payload_options *gc);
/* A new payload on the same stores, as after a restart: an orderly one, or one after a crash. */
void rig_reopen(struct rig *rig, bool clean);
void rig_open(struct rig *rig);
void rig_free(struct rig *rig);
/* The same with the content of its only file; the double lets go of what hangs. */
void rig_end(struct rig *rig, struct dfs_file *file);
/* One more store for the rig's workers, to be closed before it is freed. */
struct dfs_block_store *rig_open_blocks(struct rig *rig, const char *block, const char *name);
struct dfs_file *rig_file(struct rig *rig, uint8_t id, uint64_t length, uint64_t used);
struct dfs_ctx rig_ctx(void);
/* As the fs layer does it: prepare, then install or copy.  length: before. */
enum dfs_status rig_write(struct dfs_file *file, uint64_t length, uint64_t offset, const void *data,
			  uint32_t len, bool pages);
/* All that is dirty. */
enum dfs_status rig_flush(struct dfs_file *file);
#define rig_flush_ok(file) g_assert_cmpint(rig_flush(file), ==, DFS_OK)
enum dfs_status rig_truncate(struct dfs_file *file, uint64_t old_length, uint64_t new_length);
/* len bytes into out; asserts that as many came. */
enum dfs_status rig_read(struct dfs_file *file, uint64_t length, uint64_t offset, void *out,
			 uint32_t len);
/* Objects below the share's prefix, once all that is due is erased. */
unsigned rig_objects(struct rig *rig);
/* Those that are there now. */
unsigned rig_objects_now(struct rig *rig);

#endif
