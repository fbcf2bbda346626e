/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-fs.h"

struct test_fs test_fs;

struct dfs_share *
dfs_share_ref(struct dfs_share *share)
{
	share->refs++;
	return share;
}

void
dfs_share_unref(struct dfs_share *share)
{
	g_assert_cmpuint(share->refs, >, 1);
	share->refs--;
}

/* The first rule with a prefix of 0 bits; addresses are core/fs's business. */
bool
dfs_share_match(struct dfs_share *share, const struct sockaddr *peer, struct dfs_client_rule *rule)
{
	const struct dfs_share_rules *rules = share->rules;

	for (uint32_t i = 0; i < rules->n; i++)
		if (rules->rules[i].prefix_len == 0) {
			*rule = rules->rules[i];
			return true;
		}
	return false;
}

static void
note_name(char *to, struct dfs_name name)
{
	g_assert_cmpuint(name.len, <, 300);
	memcpy(to, name.bytes, name.len);
	to[name.len] = '\0';
}

static enum dfs_status
answer(const struct dfs_ref *ref, struct dfs_attr *attr)
{
	test_fs.calls++;
	test_fs.ref = *ref;
	if (attr)
		*attr = test_fs.attr;
	return test_fs.status;
}

enum dfs_status
dfs_fs_getattr(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_attr *attr)
{
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_setattr(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_setattr *set,
	       const int64_t *guard_ctime, struct dfs_wcc *wcc)
{
	test_fs.set = *set;
	test_fs.guarded = guard_ctime != NULL;
	test_fs.guard = guard_ctime ? *guard_ctime : 0;
	*wcc = test_fs.wcc[0];
	return answer(ref, NULL);
}

enum dfs_status
dfs_fs_lookup(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      struct dfs_attr *attr, struct dfs_attr *dir_attr)
{
	note_name(test_fs.name, name);
	*dir_attr = test_fs.dir_attr;
	return answer(dir, attr);
}

enum dfs_status
dfs_fs_access(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint32_t wanted, uint32_t *granted,
	      struct dfs_attr *attr)
{
	test_fs.wanted = wanted;
	*granted = wanted & 0x15;
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_readlink(struct dfs_ctx *ctx, const struct dfs_ref *ref, char *buf, uint32_t *len,
		struct dfs_attr *attr)
{
	memcpy(buf, test_fs.data, test_fs.len);
	*len = test_fs.len;
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_read(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, uint32_t len,
	    struct dfs_read *out, struct dfs_attr *attr)
{
	test_fs.offset = offset;
	test_fs.len = len;
	if (test_fs.status == DFS_OK)
		*out = test_fs.read;
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_write(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, const void *data,
	     uint32_t len, enum dfs_stable stable, enum dfs_stable *committed, uint64_t *verifier,
	     struct dfs_wcc *wcc)
{
	g_assert_cmpuint(len, <=, sizeof test_fs.data);
	memcpy(test_fs.data, data, len);
	test_fs.offset = offset;
	test_fs.len = len;
	test_fs.how = stable;
	*committed = DFS_FILE_SYNC;
	*verifier = test_fs.verifier;
	*wcc = test_fs.wcc[0];
	return answer(ref, NULL);
}

enum dfs_status
dfs_fs_write_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_write *w,
		    enum dfs_stable stable, enum dfs_stable *committed, uint64_t *verifier,
		    struct dfs_wcc *wcc)
{
	test_fs.offset = w->offset;
	test_fs.len = w->len;
	test_fs.how = stable;
	*committed = stable;
	*verifier = test_fs.verifier;
	*wcc = test_fs.wcc[0];
	return answer(ref, NULL);
}

enum dfs_status
dfs_fs_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, uint32_t len,
	      uint64_t *verifier, struct dfs_wcc *wcc)
{
	test_fs.offset = offset;
	test_fs.len = len;
	*verifier = test_fs.verifier;
	*wcc = test_fs.wcc[0];
	return answer(ref, NULL);
}

enum dfs_status
dfs_fs_create(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      enum dfs_create_how how, const struct dfs_setattr *set, uint64_t verifier,
	      struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	note_name(test_fs.name, name);
	test_fs.how = how;
	test_fs.set = *set;
	test_fs.verifier = verifier;
	*dir_wcc = test_fs.wcc[0];
	return answer(dir, attr);
}

enum dfs_status
dfs_fs_mkdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     const struct dfs_setattr *set, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	return dfs_fs_create(ctx, dir, name, 0, set, 0, attr, dir_wcc);
}

enum dfs_status
dfs_fs_symlink(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	       const char *text, uint32_t len, const struct dfs_setattr *set, struct dfs_attr *attr,
	       struct dfs_wcc *dir_wcc)
{
	memcpy(test_fs.data, text, len);
	test_fs.len = len;
	return dfs_fs_create(ctx, dir, name, 0, set, 0, attr, dir_wcc);
}

enum dfs_status
dfs_fs_mknod(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     enum dfs_file_type type, uint32_t rdev_major, uint32_t rdev_minor,
	     const struct dfs_setattr *set, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	test_fs.major = rdev_major;
	test_fs.minor = rdev_minor;
	return dfs_fs_create(ctx, dir, name, (enum dfs_create_how)type, set, 0, attr, dir_wcc);
}

enum dfs_status
dfs_fs_link(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_ref *dir,
	    struct dfs_name name, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	note_name(test_fs.name, name);
	test_fs.ref2 = *dir;
	*dir_wcc = test_fs.wcc[0];
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_remove(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      struct dfs_wcc *dir_wcc)
{
	note_name(test_fs.name, name);
	*dir_wcc = test_fs.wcc[0];
	return answer(dir, NULL);
}

enum dfs_status
dfs_fs_rmdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     struct dfs_wcc *dir_wcc)
{
	return dfs_fs_remove(ctx, dir, name, dir_wcc);
}

enum dfs_status
dfs_fs_rename(struct dfs_ctx *ctx, const struct dfs_ref *from_dir, struct dfs_name from,
	      const struct dfs_ref *to_dir, struct dfs_name to, struct dfs_wcc *from_wcc,
	      struct dfs_wcc *to_wcc)
{
	note_name(test_fs.name, from);
	note_name(test_fs.name2, to);
	test_fs.ref2 = *to_dir;
	*from_wcc = test_fs.wcc[0];
	*to_wcc = test_fs.wcc[1];
	return answer(from_dir, NULL);
}

enum dfs_status
dfs_fs_readdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, uint64_t cookie, bool want_attrs,
	       dfs_dir_fn fn, void *arg, bool *eof, struct dfs_attr *dir_attr)
{
	test_fs.cookie = cookie;
	*dir_attr = test_fs.dir_attr;
	*eof = true;
	for (uint32_t i = 0; i < test_fs.n_entries && test_fs.status == DFS_OK; i++) {
		struct dfs_dir_entry entry = test_fs.entries[i];
		if (!want_attrs)
			entry.attr = NULL;
		if (!fn(arg, &entry)) {
			*eof = false;
			break;
		}
	}
	return answer(dir, NULL);
}

enum dfs_status
dfs_fs_statfs(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_statfs *st,
	      struct dfs_attr *attr)
{
	*st = test_fs.statfs;
	return answer(ref, attr);
}

enum dfs_status
dfs_fs_resolve(struct dfs_ctx *ctx, const char *path, struct dfs_attr *attr)
{
	static const struct dfs_ref none;

	strncpy(test_fs.name, path, sizeof test_fs.name - 1);
	return answer(&none, attr);
}
