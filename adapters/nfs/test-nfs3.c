/* SPDX-License-Identifier: MIT
 *
 * NFSv3 over the real core/fs on the memory stores: what servers get wrong, procedure by
 * procedure.  Each test works in a directory of its own below /one, as root unless it says
 * otherwise.  READ, WRITE and COMMIT are in test-nfs3-data.c, names in test-nfs3-names.c.
 */
#include "adapters/nfs/test-nfs3.h"

static void
test_removed_file_is_stale(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_remove(top, "f"));
	ASSERT_STATUS(t_getattr(f), 70);
	ASSERT_STATUS(t_read(f, 0, 1), 70);
	ASSERT_STATUS(t_write(f, 0, "x", 1, DFS_UNSTABLE), 70);
	ASSERT_STATUS(t_setattr(f, SET_MODE(0), NULL), 70);
	ASSERT_STATUS(t_lookup(f, "x"), 70);
}

static void
test_old_generation_is_stale(void)
{
	struct treply r = t_getattr(make_file("f"));
	struct tfh old;

	nfs_handle_make(world.one, r.attr.fileid, 999, old.bytes);
	ASSERT_STATUS(t_getattr(old), 70);
}

static void
test_shares_have_their_own_fsid(void)
{
	struct treply one = t_getattr(t_root(world.one)), two = t_getattr(t_root(world.two));

	g_assert_cmpuint(one.attr.fsid, !=, two.attr.fsid);
	g_assert_cmpuint(t_getattr(make_file("f")).attr.fsid, ==, one.attr.fsid);
}

static void
test_handle_does_not_open_the_other_share(void)
{
	struct tfh f = make_file("f"), other = t_root(world.two);

	memcpy(f.bytes + 4, other.bytes + 4, 4);
	ASSERT_STATUS(t_getattr(f), 10001);
}

static void
test_links_of_directories_are_counted(void)
{
	g_assert_cmpuint(t_getattr(top).attr.nlink, ==, 2);
	make_dir("a");
	make_dir("b");
	make_file("f");
	g_assert_cmpuint(t_getattr(top).attr.nlink, ==, 4);
	ASSERT_OK(t_rmdir(top, "a"));
	g_assert_cmpuint(t_getattr(top).attr.nlink, ==, 3);
}

/* Two changes inside one tick of the clock still differ: v3 clients detect changes by ctime. */
static void
test_ctime_moves_strictly(void)
{
	struct tfh f = make_file("f");
	int64_t last = t_getattr(f).attr.ctime;

	for (unsigned i = 0; i < 200; i++) {
		struct treply r = t_setattr(f, SET_MODE(0600 + i % 2), NULL);
		ASSERT_OK(r);
		g_assert_cmpint(r.wcc.after.ctime, >, last);
		g_assert_cmpint(r.wcc.ctime, ==, last);
		last = r.wcc.after.ctime;
	}
}

static void
test_guard_that_differs_changes_nothing(void)
{
	struct tfh f = make_file("f");
	struct tattr before = t_getattr(f).attr;
	int64_t guard = before.ctime - 1;
	struct treply r = t_setattr(f, SET_MODE(0), &guard);

	ASSERT_STATUS(r, 10002);
	g_assert_cmpuint(t_getattr(f).attr.mode, ==, before.mode);
	g_assert_cmpint(t_getattr(f).attr.ctime, ==, before.ctime);
}

static void
test_guard_that_agrees_passes(void)
{
	struct tfh f = make_file("f");
	int64_t guard = t_getattr(f).attr.ctime;

	ASSERT_OK(t_setattr(f, SET_MODE(0640), &guard));
	g_assert_cmpuint(t_getattr(f).attr.mode, ==, 0640);
}

static void
test_size_of_a_directory_is_refused(void)
{
	uint32_t status = t_setattr(top, SET_SIZE(0), NULL).status;

	g_assert_true(status == 21 || status == 22);
}

static void
test_size_and_mode_together(void)
{
	struct tfh f = make_file("f");
	struct dfs_setattr set = {
		.mask = DFS_SET_MODE | DFS_SET_LENGTH, .mode = 0444, .length = 100};

	ASSERT_OK(t_setattr(f, set, NULL));
	g_assert_cmpuint(t_getattr(f).attr.mode, ==, 0444);
	g_assert_cmpuint(t_getattr(f).attr.size, ==, 100);
}

static void
test_only_the_owner_changes_the_mode(void)
{
	struct tfh f = make_file("f");

	t_as(1000, 1000);
	ASSERT_STATUS(t_setattr(f, SET_MODE(0777), NULL), 1);
}

static void
test_writer_may_set_times_to_now_only(void)
{
	struct tfh f = make_file("f");
	struct dfs_setattr now = {.set_mtime = DFS_TIME_SERVER, .set_atime = DFS_TIME_SERVER};
	struct dfs_setattr then = {.set_mtime = DFS_TIME_CLIENT, .mtime = 5 * DFS_SECOND};
	uint32_t status;

	ASSERT_OK(t_setattr(f, SET_MODE(0666), NULL));
	t_as(1000, 1000);
	ASSERT_OK(t_setattr(f, now, NULL));
	status = t_setattr(f, then, NULL).status;
	g_assert_true(status == 1 || status == 13);
	t_as(0, 0);
	ASSERT_OK(t_setattr(f, then, NULL));
	g_assert_cmpint(t_getattr(f).attr.mtime, ==, 5 * DFS_SECOND);
}

static void
test_chown_clears_suid(void)
{
	struct tfh f = make_file("f");
	struct dfs_setattr own = {.mask = DFS_SET_UID | DFS_SET_GID, .uid = 1000, .gid = 1000};
	struct dfs_setattr group = {.mask = DFS_SET_GID, .gid = 2000};

	ASSERT_OK(t_setattr(f, own, NULL));
	ASSERT_OK(t_setattr(f, SET_MODE(06755), NULL));
	t_as(1000, 1000);
	tconn->call.ctx.id.ngids = 1;
	tconn->call.ctx.id.gids[0] = 2000;
	ASSERT_OK(t_setattr(f, group, NULL));
	g_assert_cmpuint(t_getattr(f).attr.mode & 06000, ==, 0);
}

static void
test_user_cannot_give_files_away(void)
{
	struct dfs_setattr own = {.mask = DFS_SET_UID, .uid = 1000};
	struct dfs_setattr away = {.mask = DFS_SET_UID, .uid = 1001};
	struct tfh f = make_file("f");

	ASSERT_OK(t_setattr(f, own, NULL));
	t_as(1000, 1000);
	ASSERT_STATUS(t_setattr(f, away, NULL), 1);
}

static void
test_access_tells_what_operations_do(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_setattr(f, SET_MODE(0640), NULL));
	g_assert_cmpuint(t_access(f, 0x3f).granted & 0x0d, ==, 0x0d);
	t_as(1000, 1000);
	g_assert_cmpuint(t_access(f, 0x3f).granted, ==, 0);
	t_as(1000, 0); /* the file's group */
	g_assert_cmpuint(t_access(f, 0x3f).granted, ==, 0x01);
}

static void
test_access_of_a_directory(void)
{
	struct tfh d = make_dir("d");

	g_assert_cmpuint(t_access(d, 0x3f).granted & 0x1f, ==, 0x1f);
	t_as(1000, 1000); /* 0755 */
	g_assert_cmpuint(t_access(d, 0x3f).granted & 0x1f, ==, 0x03);
}

static void
test_access_answers_only_what_was_asked(void)
{
	g_assert_cmpuint(t_access(top, 0x02).granted, ==, 0x02);
	g_assert_cmpuint(t_access(top, 0).granted, ==, 0);
}

static void
test_access_on_a_read_only_share(void)
{
	set_rule((struct dfs_client_rule){.read_only = true});
	g_assert_cmpuint(t_access(top, 0x3f).granted & 0x1c, ==, 0);
}

static void
test_read_only_share_refuses_every_change(void)
{
	struct tfh f = make_file("f");

	set_rule((struct dfs_client_rule){.read_only = true});
	ASSERT_STATUS(t_setattr(f, SET_MODE(0), NULL), 30);
	ASSERT_STATUS(t_write(f, 0, "x", 1, DFS_UNSTABLE), 30);
	ASSERT_STATUS(t_create(top, "n", DFS_CREATE_UNCHECKED, SET_MODE(0), 0), 30);
	ASSERT_STATUS(t_mkdir(top, "n", 0), 30);
	ASSERT_STATUS(t_symlink(top, "n", "t"), 30);
	ASSERT_STATUS(t_mknod(top, "n", DFS_TYPE_FIFO, 0, 0), 30);
	ASSERT_STATUS(t_remove(top, "f"), 30);
	ASSERT_STATUS(t_rmdir(top, "f"), 30);
	ASSERT_STATUS(t_rename(top, "f", top, "g"), 30);
	ASSERT_STATUS(t_link(f, top, "g"), 30);
	ASSERT_OK(t_getattr(f));
	ASSERT_OK(t_lookup(top, "f"));
}

static void
test_root_is_squashed(void)
{
	set_rule((struct dfs_client_rule){
		.squash = DFS_SQUASH_ROOT, .anon_uid = 65534, .anon_gid = 65534});
	ASSERT_STATUS(t_create(top, "n", DFS_CREATE_UNCHECKED, SET_MODE(0), 0), 13);
	struct treply r =
		t_create(t_root(world.one), "squashed", DFS_CREATE_GUARDED, SET_MODE(0644), 0);
	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.uid, ==, 65534);
	g_assert_cmpuint(r.attr.gid, ==, 65534);
	ASSERT_OK(t_remove(t_root(world.one), "squashed"));
}

static void
test_readlink_gives_the_text_back(void)
{
	static const char text[] = "/../\x01\xff//odd ";
	struct treply r = t_symlink(top, "l", text);

	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.type, ==, DFS_TYPE_LNK);
	g_assert_cmpuint(r.attr.size, ==, strlen(text));
	r = t_readlink(r.fh);
	ASSERT_OK(r);
	g_assert_cmpmem(r.data, r.len, text, strlen(text));
}

static void
test_readlink_of_a_file_is_invalid(void)
{
	ASSERT_STATUS(t_readlink(make_file("f")), 22);
	ASSERT_STATUS(t_readlink(top), 22);
}

static void
test_guarded_create_of_a_name_that_exists(void)
{
	make_file("f");
	ASSERT_STATUS(t_create(top, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0), 17);
}

/* An existing file keeps everything but, when a size comes along, its length. */
static void
test_unchecked_create_of_a_file_that_exists(void)
{
	struct tfh f = make_file("f");
	struct dfs_setattr mode = SET_MODE(0111), size = SET_SIZE(0);
	struct treply r;

	ASSERT_OK(t_write(f, 0, "hello", 5, DFS_UNSTABLE));
	r = t_create(top, "f", DFS_CREATE_UNCHECKED, mode, 0);
	ASSERT_OK(r);
	g_assert_cmpmem(r.fh.bytes, sizeof r.fh.bytes, f.bytes, sizeof f.bytes);
	g_assert_cmpuint(r.attr.size, ==, 5);
	g_assert_cmpuint(r.attr.mode, ==, 0644);
	r = t_create(top, "f", DFS_CREATE_UNCHECKED, size, 0);
	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.size, ==, 0);
}

static void
test_create_over_a_directory_is_refused(void)
{
	uint32_t status;

	make_dir("d");
	status = t_create(top, "d", DFS_CREATE_UNCHECKED, SET_MODE(0), 0).status;
	g_assert_true(status == 17 || status == 21);
	ASSERT_STATUS(t_create(top, "d", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 5), 17);
}

static void
test_exclusive_create_again_is_the_same_file(void)
{
	struct treply first = t_create(top, "f", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 0x1234);
	struct treply again = t_create(top, "f", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 0x1234);

	ASSERT_OK(first);
	ASSERT_OK(again);
	g_assert_cmpmem(first.fh.bytes, NFS_HANDLE_SIZE, again.fh.bytes, NFS_HANDLE_SIZE);
}

static void
test_exclusive_create_with_another_verifier(void)
{
	ASSERT_OK(t_create(top, "f", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 1));
	ASSERT_STATUS(t_create(top, "f", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 2), 17);
	make_file("g");
	ASSERT_STATUS(t_create(top, "g", DFS_CREATE_EXCLUSIVE, SET_MODE(0), 0), 17);
}

static void
test_setgid_directory_hands_its_group_on(void)
{
	struct tfh d = make_dir("d");
	struct dfs_setattr set = {.mask = DFS_SET_GID | DFS_SET_MODE, .gid = 77, .mode = 02777};
	struct treply r;

	ASSERT_OK(t_setattr(d, set, NULL));
	t_as(1000, 1000);
	r = t_create(d, "f", DFS_CREATE_GUARDED, SET_MODE(0644), 0);
	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.gid, ==, 77);
	r = t_mkdir(d, "sub", 0755);
	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.gid, ==, 77);
	g_assert_cmpuint(r.attr.mode & 02000, ==, 02000);
}

static void
test_fifos_and_sockets(void)
{
	struct treply fifo = t_mknod(top, "p", DFS_TYPE_FIFO, 0, 0);
	struct treply sock = t_mknod(top, "s", DFS_TYPE_SOCK, 0, 0);

	ASSERT_OK(fifo);
	ASSERT_OK(sock);
	g_assert_cmpuint(fifo.attr.type, ==, 7);
	g_assert_cmpuint(sock.attr.type, ==, 6);
}

static void
test_devices_need_privilege(void)
{
	struct treply r = t_mknod(top, "c", DFS_TYPE_CHR, 8, 17);

	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.major, ==, 8);
	g_assert_cmpuint(r.attr.minor, ==, 17);
	ASSERT_OK(t_setattr(top, SET_MODE(0777), NULL));
	t_as(1000, 1000);
	ASSERT_STATUS(t_mknod(top, "b", DFS_TYPE_BLK, 1, 1), 1);
	ASSERT_OK(t_mknod(top, "p", DFS_TYPE_FIFO, 0, 0));
}

static void
test_hard_link(void)
{
	struct tfh f = make_file("f");
	struct treply r = t_link(f, top, "g");

	ASSERT_OK(r);
	g_assert_cmpuint(r.attr.nlink, ==, 2);
	g_assert_true(r.wcc.known && r.wcc.after.known);
	ASSERT_OK(t_remove(top, "f"));
	g_assert_cmpuint(t_getattr(f).attr.nlink, ==, 1);
	r = t_lookup(top, "g");
	ASSERT_OK(r);
	g_assert_cmpmem(r.fh.bytes, NFS_HANDLE_SIZE, f.bytes, NFS_HANDLE_SIZE);
}

static void
test_hard_link_to_a_directory_is_refused(void)
{
	uint32_t status = t_link(make_dir("d"), top, "e").status;

	g_assert_true(status == 1 || status == 21 || status == 22);
}

static void
test_hard_link_to_a_name_that_exists(void)
{
	struct tfh f = make_file("f");

	make_file("g");
	ASSERT_STATUS(t_link(f, top, "g"), 17);
}

static void
test_no_link_or_rename_across_shares(void)
{
	struct tfh f = make_file("f"), other = t_root(world.two);

	ASSERT_STATUS(t_link(f, other, "g"), 18);
	ASSERT_STATUS(t_rename(top, "f", other, "g"), 18);
}

static void
test_statfs_adds_up(void)
{
	struct dfs_statfs st;

	ASSERT_OK(t_fsstat(top, &st));
	g_assert_cmpuint(st.bytes_avail, <=, st.bytes_free);
	g_assert_cmpuint(st.bytes_free, <=, st.bytes_total);
	g_assert_cmpuint(st.bytes_total, >, 0);
	g_assert_cmpuint(st.files_free, <=, st.files_total);
}

static void
test_static_information(void)
{
	uint32_t linkmax, name_max;

	ASSERT_OK(t_fsinfo(top));
	ASSERT_OK(t_pathconf(top, &linkmax, &name_max));
	g_assert_cmpuint(name_max, ==, 255);
	g_assert_true(t_fsinfo(top).attr.known);
}

/* Every failure that found its object tells the object's attributes. */
static void
test_failures_carry_attributes(void)
{
	struct tfh f = make_file("f");
	uint32_t n;
	struct tentry e[2];

	g_assert_true(t_lookup(top, "none").dir.known);
	g_assert_true(t_readlink(f).attr.known);
	g_assert_true(t_create(top, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0).wcc.after.known);
	g_assert_true(t_mkdir(top, "f", 0).wcc.after.known);
	g_assert_true(t_remove(top, "none").wcc.after.known);
	g_assert_true(t_rmdir(top, "f").wcc.after.known);
	g_assert_true(t_rename(top, "none", top, "x").wcc.after.known);
	g_assert_true(t_readdir(f, 0, 4096, e, &n).dir.known);
}

static void
test_changes_tell_the_directory_before_and_after(void)
{
	struct tattr before = t_getattr(top).attr;
	struct treply r = t_create(top, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0);

	ASSERT_OK(r);
	g_assert_true(r.wcc.known);
	g_assert_cmpint(r.wcc.mtime, ==, before.mtime);
	g_assert_cmpint(r.wcc.ctime, ==, before.ctime);
	g_assert_cmpint(r.wcc.after.mtime, >, before.mtime);
	struct treply m = t_mkdir(top, "d", 0755);
	g_assert_cmpint(m.wcc.ctime, ==, r.wcc.after.ctime);
	struct treply x = t_rename(top, "f", top, "g");
	g_assert_cmpint(x.wcc.ctime, ==, m.wcc.after.ctime);
	struct treply d = t_remove(top, "g");
	g_assert_cmpint(d.wcc.ctime, ==, x.wcc2.after.ctime);
	struct treply rd = t_rmdir(top, "d");
	g_assert_cmpint(rd.wcc.ctime, ==, d.wcc.after.ctime);
}

/* A new share's rules bind from the next request on, whatever the client has mounted. */
static void
test_rules_bind_at_once(void)
{
	ASSERT_OK(t_getattr(top));
	set_rule((struct dfs_client_rule){.prefix_len = 128});
	ASSERT_STATUS(t_getattr(top), 13);
}

int
main(int argc, char **argv)
{
	test_nfs3_init(&argc, &argv);
#define ADD(name, fn) test_nfs3_add("/nfs/nfs3/" name, fn)
	ADD("removed-file-is-stale", test_removed_file_is_stale);
	ADD("old-generation-is-stale", test_old_generation_is_stale);
	ADD("shares-have-their-own-fsid", test_shares_have_their_own_fsid);
	ADD("handle-does-not-open-the-other-share", test_handle_does_not_open_the_other_share);
	ADD("links-of-directories-are-counted", test_links_of_directories_are_counted);
	ADD("ctime-moves-strictly", test_ctime_moves_strictly);
	ADD("guard-that-differs-changes-nothing", test_guard_that_differs_changes_nothing);
	ADD("guard-that-agrees-passes", test_guard_that_agrees_passes);
	ADD("size-of-a-directory-is-refused", test_size_of_a_directory_is_refused);
	ADD("size-and-mode-together", test_size_and_mode_together);
	ADD("only-the-owner-changes-the-mode", test_only_the_owner_changes_the_mode);
	ADD("writer-may-set-times-to-now-only", test_writer_may_set_times_to_now_only);
	ADD("chown-clears-suid", test_chown_clears_suid);
	ADD("user-cannot-give-files-away", test_user_cannot_give_files_away);
	ADD("access-tells-what-operations-do", test_access_tells_what_operations_do);
	ADD("access-of-a-directory", test_access_of_a_directory);
	ADD("access-answers-only-what-was-asked", test_access_answers_only_what_was_asked);
	ADD("access-on-a-read-only-share", test_access_on_a_read_only_share);
	ADD("read-only-share-refuses-every-change", test_read_only_share_refuses_every_change);
	ADD("root-is-squashed", test_root_is_squashed);
	ADD("readlink-gives-the-text-back", test_readlink_gives_the_text_back);
	ADD("readlink-of-a-file-is-invalid", test_readlink_of_a_file_is_invalid);
	ADD("guarded-create-of-a-name-that-exists", test_guarded_create_of_a_name_that_exists);
	ADD("unchecked-create-of-a-file-that-exists", test_unchecked_create_of_a_file_that_exists);
	ADD("create-over-a-directory-is-refused", test_create_over_a_directory_is_refused);
	ADD("exclusive-create-again-is-the-same-file",
	    test_exclusive_create_again_is_the_same_file);
	ADD("exclusive-create-with-another-verifier", test_exclusive_create_with_another_verifier);
	ADD("setgid-directory-hands-its-group-on", test_setgid_directory_hands_its_group_on);
	ADD("fifos-and-sockets", test_fifos_and_sockets);
	ADD("devices-need-privilege", test_devices_need_privilege);
	ADD("hard-link", test_hard_link);
	ADD("hard-link-to-a-directory-is-refused", test_hard_link_to_a_directory_is_refused);
	ADD("hard-link-to-a-name-that-exists", test_hard_link_to_a_name_that_exists);
	ADD("no-link-or-rename-across-shares", test_no_link_or_rename_across_shares);
	ADD("statfs-adds-up", test_statfs_adds_up);
	ADD("static-information", test_static_information);
	ADD("failures-carry-attributes", test_failures_carry_attributes);
	ADD("changes-tell-the-directory-before-and-after",
	    test_changes_tell_the_directory_before_and_after);
	ADD("rules-bind-at-once", test_rules_bind_at_once);
	return test_nfs3_run();
}
