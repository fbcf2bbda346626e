/* SPDX-License-Identifier: MIT
 *
 * Names: create, look up, link, remove, rename in all their cases.
 */
#include "fs/test-share.h"

static void
with_share(void (*test)(struct fixture *))
{
	struct fixture f = {.kind = "test"};

	fixture_open(&f);
	test(&f);
	fixture_close(&f);
}

static enum dfs_status
create(struct fixture *f, struct dfs_ref dir, const char *name, enum dfs_create_how how,
       uint64_t verifier, struct dfs_attr *attr)
{
	struct dfs_wcc wcc;

	return dfs_fs_create(&f->ctx, &dir, name_of(name), how, NULL, verifier, attr, &wcc);
}

static void
test_created_is_found(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644), found;

	assert_status(look(f, f->root, "a", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, file.fileid);
	g_assert_cmpuint(found.generation, ==, file.generation);
}

static void
test_absent_is_noent(struct fixture *f)
{
	assert_status(look(f, f->root, "a", NULL), DFS_NOENT);
	assert_status(look(f, f->root, "a", NULL), DFS_NOENT); /* from the cache */
	make_file(f, f->root, "a", 0644);
	assert_status(look(f, f->root, "a", NULL), DFS_OK);
}

static void
test_guarded_exists(struct fixture *f)
{
	struct dfs_attr attr;

	make_file(f, f->root, "a", 0644);
	assert_status(create(f, f->root, "a", DFS_CREATE_GUARDED, 0, &attr), DFS_EXIST);
}

static void
test_unchecked_reuses(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr attr;

	assert_status(create(f, f->root, "a", DFS_CREATE_UNCHECKED, 0, &attr), DFS_OK);
	g_assert_cmpuint(attr.fileid, ==, file.fileid);
}

static void
test_unchecked_over_directory_exists(struct fixture *f)
{
	struct dfs_attr attr;

	make_dir(f, f->root, "a", 0755);
	assert_status(create(f, f->root, "a", DFS_CREATE_UNCHECKED, 0, &attr), DFS_EXIST);
}

static void
test_exclusive_same_verifier(struct fixture *f)
{
	struct dfs_attr first, again;

	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 77, &first), DFS_OK);
	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 77, &again), DFS_OK);
	g_assert_cmpuint(first.fileid, ==, again.fileid);
}

static void
test_exclusive_other_verifier(struct fixture *f)
{
	struct dfs_attr attr;

	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 77, &attr), DFS_OK);
	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 78, &attr), DFS_EXIST);
}

static void
test_exclusive_after_restart(struct fixture *f)
{
	struct dfs_attr first, again;

	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 77, &first), DFS_OK);
	fixture_reopen(f);
	assert_status(create(f, f->root, "a", DFS_CREATE_EXCLUSIVE, 77, &again), DFS_OK);
	g_assert_cmpuint(first.generation, ==, again.generation);
}

static void
test_bad_names(struct fixture *f)
{
	char longer[257];
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	struct dfs_name nul = {"a\0b", 3};

	memset(longer, 'x', 256);
	longer[256] = '\0';
	assert_status(create(f, f->root, "", DFS_CREATE_GUARDED, 0, &attr), DFS_INVAL);
	assert_status(create(f, f->root, "a/b", DFS_CREATE_GUARDED, 0, &attr), DFS_INVAL);
	assert_status(create(f, f->root, longer, DFS_CREATE_GUARDED, 0, &attr), DFS_NAMETOOLONG);
	assert_status(create(f, f->root, ".", DFS_CREATE_GUARDED, 0, &attr), DFS_EXIST);
	assert_status(create(f, f->root, "..", DFS_CREATE_GUARDED, 0, &attr), DFS_EXIST);
	assert_status(
		dfs_fs_create(&f->ctx, &f->root, nul, DFS_CREATE_GUARDED, NULL, 0, &attr, &wcc),
		DFS_INVAL);
	longer[255] = '\0';
	assert_status(create(f, f->root, longer, DFS_CREATE_GUARDED, 0, &attr), DFS_OK);
	assert_status(look(f, f->root, longer, NULL), DFS_OK);
}

static void
test_every_byte_value(struct fixture *f)
{
	for (unsigned c = 1; c < 256; c++) {
		char name[3] = {(char)c, 'x', '\0'};

		if (c != '/')
			make_file(f, f->root, name, 0644);
	}
	fixture_reopen(f);
	for (unsigned c = 1; c < 256; c++) {
		char name[3] = {(char)c, 'x', '\0'};

		if (c != '/')
			assert_status(look(f, f->root, name, NULL), DFS_OK);
	}
}

static void
test_create_in_file_is_notdir(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr attr;

	assert_status(create(f, file, "b", DFS_CREATE_GUARDED, 0, &attr), DFS_NOTDIR);
}

static void
test_stale_generation(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr attr;

	file.generation++;
	assert_status(dfs_fs_getattr(&f->ctx, &file, &attr), DFS_STALE);
}

static void
test_removed_is_stale(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr attr;

	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	assert_status(look(f, f->root, "a", NULL), DFS_NOENT);
	assert_status(dfs_fs_getattr(&f->ctx, &file, &attr), DFS_STALE);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 1);
	g_assert_cmpuint(test_store_count(f->ts, 'd'), ==, 0);
}

static void
test_remove_directory_is_isdir(struct fixture *f)
{
	make_dir(f, f->root, "d", 0755);
	assert_status(remove_name(f, f->root, "d"), DFS_ISDIR);
}

static void
test_rmdir_rules(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);

	make_file(f, f->root, "f", 0644);
	make_file(f, d, "x", 0644);
	assert_status(remove_dir(f, f->root, "f"), DFS_NOTDIR);
	assert_status(remove_dir(f, f->root, "d"), DFS_NOTEMPTY);
	assert_status(remove_dir(f, f->root, "."), DFS_INVAL);
	assert_status(remove_dir(f, f->root, ".."), DFS_EXIST);
	assert_status(remove_name(f, d, "x"), DFS_OK);
	assert_status(remove_dir(f, f->root, "d"), DFS_OK);
}

static void
test_create_in_removed_directory_is_stale(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	struct dfs_attr attr;

	assert_status(remove_dir(f, f->root, "d"), DFS_OK);
	assert_status(create(f, d, "x", DFS_CREATE_GUARDED, 0, &attr), DFS_STALE);
}

static void
test_directory_nlink(struct fixture *f)
{
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, 2);
	make_dir(f, f->root, "a", 0755);
	make_dir(f, f->root, "b", 0755);
	make_file(f, f->root, "c", 0755);
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, 4);
	assert_status(remove_dir(f, f->root, "a"), DFS_OK);
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, 3);
	fixture_reopen(f);
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, 3);
}

static void
test_dot_and_dotdot(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755), found;

	assert_status(look(f, d, ".", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, d.fileid);
	assert_status(look(f, d, "..", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, f->root.fileid);
	assert_status(look(f, f->root, "..", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, f->root.fileid);
}

static enum dfs_status
link_to(struct fixture *f, struct dfs_ref file, struct dfs_ref dir, const char *name)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	return dfs_fs_link(&f->ctx, &file, &dir, name_of(name), &attr, &wcc);
}

static void
test_hard_links(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644), found;

	assert_status(link_to(f, file, f->root, "b"), DFS_OK);
	assert_status(look(f, f->root, "b", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, file.fileid);
	g_assert_cmpuint(attr_of(f, file).nlink, ==, 2);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).nlink, ==, 1);
	fixture_reopen(f);
	g_assert_cmpuint(attr_of(f, file).nlink, ==, 1);
}

static void
test_link_rules(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);

	assert_status(link_to(f, d, f->root, "x"), DFS_ISDIR);
	assert_status(link_to(f, file, f->root, "d"), DFS_EXIST);
	assert_status(link_to(f, file, file, "x"), DFS_NOTDIR);
}

static void
test_symlink_text(struct fixture *f)
{
	char text[DFS_SYMLINK_MAX];
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	struct dfs_ref link;
	uint32_t len;

	assert_status(
		dfs_fs_symlink(&f->ctx, &f->root, name_of("l"), "../x//y", 7, NULL, &attr, &wcc),
		DFS_OK);
	g_assert_cmpuint(attr.length, ==, 7);
	link = ref_of(&attr);
	fixture_reopen(f);
	assert_status(dfs_fs_readlink(&f->ctx, &link, text, &len, &attr), DFS_OK);
	g_assert_cmpmem(text, len, "../x//y", 7);
	assert_status(remove_name(f, f->root, "l"), DFS_OK);
	g_assert_cmpuint(test_store_count(f->ts, 'l'), ==, 0);
}

static void
test_readlink_of_file_is_inval(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	char text[DFS_SYMLINK_MAX];
	struct dfs_attr attr;
	uint32_t len;

	assert_status(dfs_fs_readlink(&f->ctx, &file, text, &len, &attr), DFS_INVAL);
}

static void
test_mknod_types(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_mknod(&f->ctx, &f->root, name_of("c"), DFS_TYPE_CHR, 4, 64, NULL,
				   &attr, &wcc),
		      DFS_OK);
	g_assert_cmpuint(attr.rdev_major, ==, 4);
	g_assert_cmpuint(attr.rdev_minor, ==, 64);
	assert_status(dfs_fs_mknod(&f->ctx, &f->root, name_of("p"), DFS_TYPE_FIFO, 0, 0, NULL,
				   &attr, &wcc),
		      DFS_OK);
	assert_status(dfs_fs_mknod(&f->ctx, &f->root, name_of("r"), DFS_TYPE_REG, 0, 0, NULL, &attr,
				   &wcc),
		      DFS_BADTYPE);
	f->ctx.id.uid = 7;
	assert_status(dfs_fs_mknod(&f->ctx, &f->root, name_of("d"), DFS_TYPE_BLK, 1, 1, NULL, &attr,
				   &wcc),
		      DFS_PERM);
}

static void
test_rename_in_one_directory(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644), found;

	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_OK);
	assert_status(look(f, f->root, "a", NULL), DFS_NOENT);
	assert_status(look(f, f->root, "b", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, file.fileid);
	fixture_reopen(f);
	assert_status(look(f, f->root, "a", NULL), DFS_NOENT);
	assert_status(look(f, f->root, "b", &found), DFS_OK);
}

static void
test_rename_absent(struct fixture *f)
{
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_NOENT);
}

static void
test_rename_dots(struct fixture *f)
{
	make_dir(f, f->root, "d", 0755);
	assert_status(rename_to(f, f->root, ".", f->root, "b"), DFS_INVAL);
	assert_status(rename_to(f, f->root, "d", f->root, ".."), DFS_EXIST);
}

static void
test_rename_over_file(struct fixture *f)
{
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644),
		       found;
	struct dfs_attr attr;

	fixture_reopen(f); /* the new name is not in the cache */
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_OK);
	assert_status(look(f, f->root, "b", &found), DFS_OK);
	g_assert_cmpuint(found.fileid, ==, a.fileid);
	assert_status(dfs_fs_getattr(&f->ctx, &b, &attr), DFS_STALE);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 2);
}

static void
test_rename_same_inode_is_nothing(struct fixture *f)
{
	struct dfs_ref a = make_file(f, f->root, "a", 0644);

	assert_status(link_to(f, a, f->root, "b"), DFS_OK);
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_OK);
	assert_status(look(f, f->root, "a", NULL), DFS_OK);
	assert_status(look(f, f->root, "b", NULL), DFS_OK);
	assert_status(rename_to(f, f->root, "a", f->root, "a"), DFS_OK);
	assert_status(look(f, f->root, "a", NULL), DFS_OK);
}

static void
test_rename_types_must_agree(struct fixture *f)
{
	make_file(f, f->root, "f", 0644);
	make_dir(f, f->root, "d", 0755);
	assert_status(rename_to(f, f->root, "f", f->root, "d"), DFS_ISDIR);
	assert_status(rename_to(f, f->root, "d", f->root, "f"), DFS_NOTDIR);
}

static void
test_rename_over_directory(struct fixture *f)
{
	struct dfs_ref b;

	make_dir(f, f->root, "a", 0755);
	b = make_dir(f, f->root, "b", 0755);
	make_file(f, b, "x", 0644);
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_NOTEMPTY);
	assert_status(remove_name(f, b, "x"), DFS_OK);
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_OK);
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, 3);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 2);
}

static void
test_rename_moves_directory(struct fixture *f)
{
	struct dfs_ref a = make_dir(f, f->root, "a", 0755), b = make_dir(f, f->root, "b", 0755);
	struct dfs_ref m = make_dir(f, a, "m", 0755), up;

	assert_status(rename_to(f, a, "m", b, "n"), DFS_OK);
	g_assert_cmpuint(attr_of(f, a).nlink, ==, 2);
	g_assert_cmpuint(attr_of(f, b).nlink, ==, 3);
	assert_status(look(f, m, "..", &up), DFS_OK);
	g_assert_cmpuint(up.fileid, ==, b.fileid);
	fixture_reopen(f);
	g_assert_cmpuint(attr_of(f, a).nlink, ==, 2);
	g_assert_cmpuint(attr_of(f, b).nlink, ==, 3);
	assert_status(look(f, m, "..", &up), DFS_OK);
	g_assert_cmpuint(up.fileid, ==, b.fileid);
}

static void
test_rename_into_itself(struct fixture *f)
{
	struct dfs_ref a = make_dir(f, f->root, "a", 0755), b = make_dir(f, a, "b", 0755);

	assert_status(rename_to(f, f->root, "a", a, "x"), DFS_INVAL);
	assert_status(rename_to(f, f->root, "a", b, "x"), DFS_INVAL);
	assert_status(look(f, f->root, "a", NULL), DFS_OK);
}

static void
test_rename_over_own_parent(struct fixture *f)
{
	struct dfs_ref a = make_dir(f, f->root, "a", 0755);

	make_dir(f, a, "b", 0755);
	make_file(f, a, "f", 0644);
	assert_status(rename_to(f, a, "b", f->root, "a"), DFS_NOTEMPTY);
	assert_status(rename_to(f, a, "f", f->root, "a"), DFS_ISDIR);
}

struct listing {
	GString *names;
	unsigned max;
	uint64_t last;
	unsigned without_attr;
};

static bool
list_entry(void *arg, const struct dfs_dir_entry *e)
{
	struct listing *l = arg;

	if (l->max-- == 0)
		return false;
	g_string_append_len(l->names, e->name.bytes, e->name.len);
	g_string_append_c(l->names, ' ');
	l->last = e->cookie;
	l->without_attr += !e->attr;
	return true;
}

static void
test_readdir_starts_with_dots(struct fixture *f)
{
	struct listing l = {g_string_new(NULL), 100, 0, 0};
	struct dfs_attr attr;
	bool eof;

	make_file(f, f->root, "f", 0644);
	assert_status(dfs_fs_readdir(&f->ctx, &f->root, 0, true, list_entry, &l, &eof, &attr),
		      DFS_OK);
	g_assert_cmpstr(l.names->str, ==, ". .. f ");
	g_assert_true(eof);
	g_assert_cmpuint(l.without_attr, ==, 0);
	g_string_free(l.names, TRUE);
}

static void
test_readdir_gives_each_once(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	uint64_t cookie = 0;
	bool eof = false;

	for (unsigned i = 0; i < 500; i++) {
		char name[16];

		snprintf(name, sizeof name, "f%u", i);
		make_file(f, d, name, 0644);
	}
	fixture_reopen(f);
	while (!eof) {
		struct listing l = {g_string_new(NULL), 7, 0, 0};
		struct dfs_attr attr;
		char **names;

		assert_status(
			dfs_fs_readdir(&f->ctx, &d, cookie, true, list_entry, &l, &eof, &attr),
			DFS_OK);
		g_assert_cmpuint(l.without_attr, ==, 0);
		names = g_strsplit(g_strstrip(l.names->str), " ", 0);
		for (char **n = names; *n && **n; n++)
			g_assert_true(g_hash_table_add(seen, g_strdup(*n)));
		g_strfreev(names);
		g_string_free(l.names, TRUE);
		if (l.last)
			cookie = l.last;
	}
	g_assert_cmpuint(g_hash_table_size(seen), ==, 502);
	g_hash_table_unref(seen);
}

static void
test_cookie_survives_changes(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	struct listing l = {g_string_new(NULL), 10, 0, 0}, rest = {g_string_new(NULL), 1000, 0, 0};
	struct dfs_attr attr;
	char **names;
	bool eof;

	for (unsigned i = 0; i < 30; i++) {
		char name[16];

		snprintf(name, sizeof name, "f%u", i);
		make_file(f, d, name, 0644);
	}
	assert_status(dfs_fs_readdir(&f->ctx, &d, 0, false, list_entry, &l, &eof, &attr), DFS_OK);
	names = g_strsplit(l.names->str, " ", 0);
	for (unsigned i = 2; i < 10; i++)
		assert_status(remove_name(f, d, names[i]), DFS_OK);
	assert_status(dfs_fs_readdir(&f->ctx, &d, l.last, false, list_entry, &rest, &eof, &attr),
		      DFS_OK);
	g_assert_cmpuint(1000 - rest.max, ==, 22);
	g_assert_true(eof);
	g_strfreev(names);
	g_string_free(l.names, TRUE);
	g_string_free(rest.names, TRUE);
}

static void
test_bad_cookie(struct fixture *f)
{
	struct listing l = {NULL, 0, 0, 0};
	struct dfs_attr attr;
	bool eof;

	assert_status(dfs_fs_readdir(&f->ctx, &f->root, 5, false, list_entry, &l, &eof, &attr),
		      DFS_BADCOOKIE);
	assert_status(
		dfs_fs_readdir(&f->ctx, &f->root, UINT64_MAX, false, list_entry, &l, &eof, &attr),
		DFS_BADCOOKIE);
}

static void
test_resolve(struct fixture *f)
{
	struct dfs_ref a = make_dir(f, f->root, "a", 0700), b = make_dir(f, a, "b", 0700);
	struct dfs_attr attr;

	f->ctx.id.uid = 5;
	assert_status(dfs_fs_resolve(&f->ctx, "/a//b/", &attr), DFS_OK);
	g_assert_cmpuint(attr.fileid, ==, b.fileid);
	assert_status(dfs_fs_resolve(&f->ctx, "", &attr), DFS_OK);
	g_assert_cmpuint(attr.fileid, ==, f->root.fileid);
	assert_status(dfs_fs_resolve(&f->ctx, "/a/x", &attr), DFS_NOENT);
	g_assert_cmpuint(f->ctx.id.uid, ==, 5);
}

#define TEST(name)                                                                                 \
	{                                                                                          \
		"/fs/names/" #name, test_##name                                                    \
	}

static const struct {
	const char *path;
	void (*run)(struct fixture *);
} tests[] = {
	TEST(created_is_found),
	TEST(absent_is_noent),
	TEST(guarded_exists),
	TEST(unchecked_reuses),
	TEST(unchecked_over_directory_exists),
	TEST(exclusive_same_verifier),
	TEST(exclusive_other_verifier),
	TEST(exclusive_after_restart),
	TEST(bad_names),
	TEST(every_byte_value),
	TEST(create_in_file_is_notdir),
	TEST(stale_generation),
	TEST(removed_is_stale),
	TEST(remove_directory_is_isdir),
	TEST(rmdir_rules),
	TEST(create_in_removed_directory_is_stale),
	TEST(directory_nlink),
	TEST(dot_and_dotdot),
	TEST(hard_links),
	TEST(link_rules),
	TEST(symlink_text),
	TEST(readlink_of_file_is_inval),
	TEST(mknod_types),
	TEST(rename_in_one_directory),
	TEST(rename_absent),
	TEST(rename_dots),
	TEST(rename_over_file),
	TEST(rename_same_inode_is_nothing),
	TEST(rename_types_must_agree),
	TEST(rename_over_directory),
	TEST(rename_moves_directory),
	TEST(rename_into_itself),
	TEST(rename_over_own_parent),
	TEST(readdir_starts_with_dots),
	TEST(readdir_gives_each_once),
	TEST(cookie_survives_changes),
	TEST(bad_cookie),
	TEST(resolve),
};

static void
run(gconstpointer test)
{
	with_share(*(void (*const *)(struct fixture *))test);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_data_func(tests[i].path, &tests[i].run, run);
	return g_test_run();
}
