/* SPDX-License-Identifier: MIT
 *
 * For the tests of quotas: limits, short calls, and whether all sums agree.
 */
#ifndef DFS_FS_TEST_QUOTA_H
#define DFS_FS_TEST_QUOTA_H

#include "fs/recount.h"
#include "fs/test-share.h"
#include "metadata/quota.h"
#include "metadata/usage.h"
#include "metadata/writeback.h"
#include "payload/payload.h"

#define KIB UINT64_C(1024)
#define USER 1000u
#define GROUP 100u

#define QUOTA_TEST(name) g_test_add_func("/quota/" #name, name)

/* Limits with one row for USER and one for GROUP; g_free. */
static inline struct dfs_quota_rules *
limits(void)
{
	struct dfs_quota_rules *r = g_malloc0(sizeof *r + 2 * sizeof r->rules[0]);

	r->n_users = r->n_groups = 1;
	r->rules[0].id = USER;
	r->rules[1].id = GROUP;
	r->share.grace = r->default_user.grace = r->rules[0].limit.grace = r->rules[1].limit.grace =
		7 * 86400 * DFS_SECOND;
	return r;
}

static inline struct fixture
share_with(const char *kind, const struct dfs_quota_rules *quotas)
{
	return (struct fixture){.kind = kind,
				.durability = strcmp(kind, "test-durable") == 0
						      ? DFS_DURABILITY_POWER
						      : DFS_DURABILITY_NONE,
				.quotas = quotas};
}

static inline void
open_for_all(struct fixture *f)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0777};
	struct dfs_wcc wcc;

	fixture_open(f);
	assert_status(dfs_fs_setattr(&f->ctx, &f->root, &set, NULL, &wcc), DFS_OK);
}

static inline enum dfs_status
write_as(struct fixture *f, uint32_t uid, const struct dfs_ref *ref, uint64_t offset, uint32_t len)
{
	g_autofree unsigned char *data = g_malloc(len);
	struct dfs_ctx ctx = ctx_as(f, uid, GROUP);
	enum dfs_stable committed;
	struct dfs_wcc wcc;
	uint64_t verifier;

	memset(data, 0x5a, len);
	return dfs_fs_write(&ctx, ref, offset, data, len, DFS_UNSTABLE, &committed, &verifier,
			    &wcc);
}

static inline enum dfs_status
create_as(struct fixture *f, uint32_t uid, uint32_t gid, const char *name, struct dfs_ref *ref)
{
	struct dfs_ctx ctx = ctx_as(f, uid, gid);
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0666};
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	enum dfs_status status = dfs_fs_create(&ctx, &f->root, name_of(name), DFS_CREATE_UNCHECKED,
					       &set, 0, &attr, &wcc);

	if (status == DFS_OK)
		*ref = ref_of(&attr);
	return status;
}

static inline struct dfs_ref
user_file(struct fixture *f, const char *name)
{
	struct dfs_ref ref;

	assert_status(create_as(f, USER, GROUP, name, &ref), DFS_OK);
	return ref;
}

static inline enum dfs_status
set_length(struct fixture *f, struct dfs_ref ref, uint64_t length)
{
	struct dfs_setattr set = {.mask = DFS_SET_LENGTH, .length = length};
	struct dfs_wcc wcc;

	return dfs_fs_setattr(&f->ctx, &ref, &set, NULL, &wcc);
}

/* What is charged, in memory. */
static inline int64_t
bytes_of(struct fixture *f, uint32_t kind, uint32_t id)
{
	int64_t bytes, files;

	dfs_quota_usage(f->share->ns->quota, kind, id, &bytes, &files);
	return bytes;
}

static inline int64_t
files_of(struct fixture *f, uint32_t kind, uint32_t id)
{
	int64_t bytes, files;

	dfs_quota_usage(f->share->ns->quota, kind, id, &bytes, &files);
	return files;
}

/* The store's sums are those of its records, and these those of their rows. */
static inline void
assert_store_sound(struct fixture *f)
{
	struct dfs_recount found;

	assert_status(dfs_recount_check(f->share->ns, &found), DFS_OK);
	g_assert_cmpuint(found.wrong_sums, ==, 0);
	g_assert_cmpuint(found.wrong_used, ==, 0);
}

static inline int
take_off(void *arg, const struct dfs_usage_record *rec)
{
	const struct dfs_quota_charge off = {rec->id, rec->id, 1u << rec->kind, rec->bytes,
					     rec->files};

	dfs_quota_release(arg, &off);
	return 1;
}

static inline void
put_on(void *arg, const struct dfs_usage_record *rec)
{
	const struct dfs_quota_charge on = {rec->id, rec->id, 1u << rec->kind, rec->bytes,
					    rec->files};

	dfs_quota_change(arg, &on, NULL, NULL);
}

static inline void
none_left(void *arg, const struct dfs_usage_record *rec)
{
	g_error("kind %u id %u: memory and store differ by %" G_GINT64_FORMAT
		" bytes and %" G_GINT64_FORMAT " files",
		rec->kind, rec->id, rec->bytes, rec->files);
}

/* The same, and with everything written memory says the same as the store. */
static inline void
assert_sound(struct fixture *f)
{
	static const struct dfs_quota_rules none;
	struct dfs_quota *difference = dfs_quota_new(&none);

	assert_status(dfs_payload_flush(f->share->payload, INT64_MAX), DFS_OK);
	assert_status(dfs_writeback_run(f->metadata, NULL), DFS_OK);
	assert_store_sound(f);
	dfs_quota_each(f->share->ns->quota, put_on, difference);
	assert_status(dfs_usage_each(f->share->ns, take_off, difference), DFS_OK);
	dfs_quota_each(difference, none_left, NULL);
	dfs_quota_free(difference);
}

#endif
