/* SPDX-License-Identifier: MIT
 *
 * MOUNT v3: paths, handles and flavours, the soft state, the export list.
 */
#include <arpa/inet.h>

#include "adapters/nfs/mount/mount.h"
#include "adapters/nfs/test-rpcgen.h"

static void
run_mount(enum mount3_proc_number proc)
{
	g_assert_cmpint(test_conn_run(&conn, &mount3_procs[proc]), ==, DFS_OK);
}

static void
run_path(enum mount3_proc_number proc, const char *path)
{
	o_path args = {
		.path = {.path_val = (char *)(uintptr_t)path, .path_len = (u_int)strlen(path)}};

	fs.attr.type = DFS_TYPE_DIR;
	ENCODE(o_path, &args);
	run_mount(proc);
}

static uint32_t
mnt(const char *path)
{
	o_mnt_res res;
	uint32_t status;

	run_path(MOUNT3_MNT, path);
	DECODE(o_mnt_res, &res);
	status = res.status;
	FREE(o_mnt_res, &res);
	return status;
}

static void
test_paths(void)
{
	static const struct {
		const char *path, *want; /* NULL: refused */
	} rows[] = {
		{"/", "/"},
		{"//", "/"},
		{"/.", "/"},
		{"/export", "/export"},
		{"/export/", "/export"},
		{"/export//a/./b//", "/export/a/b"},
		{"/...", "/..."},
		{"/.a/..b", "/.a/..b"},
		{"", NULL},
		{"export", NULL},
		{"/export/..", NULL},
		{"/../etc", NULL},
	};
	char out[MOUNT3_PATH_MAX + 1];

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		const unsigned char *bytes = (const unsigned char *)rows[i].path;
		enum dfs_status status = mount3_path(bytes, (uint32_t)strlen(rows[i].path), out);
		g_assert_cmpint(status, ==, rows[i].want ? DFS_OK : DFS_INVAL);
		if (rows[i].want)
			g_assert_cmpstr(out, ==, rows[i].want);
	}
}

static void
test_path_with_nul_is_refused(void)
{
	char out[MOUNT3_PATH_MAX + 1];

	g_assert_cmpint(mount3_path((const unsigned char *)"/a\0b", 4, out), ==, DFS_INVAL);
}

static void
test_longest_path_is_taken(void)
{
	g_autofree char *path = g_strnfill(MOUNT3_PATH_MAX, 'p');
	char out[MOUNT3_PATH_MAX + 1];

	path[0] = '/';
	g_assert_cmpint(mount3_path((unsigned char *)path, MOUNT3_PATH_MAX, out), ==, DFS_OK);
	g_assert_cmpstr(out, ==, path);
}

static void
test_root_of_a_share(void)
{
	o_mnt_res res;

	run_path(MOUNT3_MNT, "/export/");
	DECODE(o_mnt_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	g_assert_cmpstr(fs.name, ==, "");
	assert_fh(&res.o_mnt_res_u.ok.fh, &fs.attr);
	g_assert_cmpuint(res.o_mnt_res_u.ok.flavors.flavors_len, ==, 1);
	g_assert_cmpuint(res.o_mnt_res_u.ok.flavors.flavors_val[0], ==, 1);
	FREE(o_mnt_res, &res);
}

static void
test_subdirectory(void)
{
	g_assert_cmpuint(mnt("/export/some/where"), ==, 0);
	g_assert_cmpstr(fs.name, ==, "/some/where");
}

static void
test_file_is_notdir(void)
{
	o_path args = {.path = {.path_val = (char[]){"/export/f"}, .path_len = 9}};
	o_mnt_res res;

	fs.attr.type = DFS_TYPE_REG;
	ENCODE(o_path, &args);
	run_mount(MOUNT3_MNT);
	DECODE(o_mnt_res, &res);
	g_assert_cmpuint(res.status, ==, 20);
}

static void
test_unknown_path_is_noent(void)
{
	g_assert_cmpuint(mnt("/exports"), ==, 2);
	g_assert_cmpuint(mnt("/"), ==, 2);
}

static void
test_long_path_is_nametoolong(void)
{
	g_autofree char *path = g_strnfill(MOUNT3_PATH_MAX + 1, '/');

	g_assert_cmpuint(mnt(path), ==, 63);
}

static void
test_refused_peer_is_acces(void)
{
	rules->rules[0].prefix_len = 128;
	g_assert_cmpuint(mnt("/export"), ==, 13);
	rules->rules[0].prefix_len = 0;
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_all_squash_offers_auth_none(void)
{
	o_mnt_res res;

	rules->rules[0].squash = DFS_SQUASH_ALL;
	run_path(MOUNT3_MNT, "/export");
	rules->rules[0].squash = DFS_SQUASH_NONE;
	DECODE(o_mnt_res, &res);
	g_assert_cmpuint(res.o_mnt_res_u.ok.flavors.flavors_len, ==, 2);
	g_assert_cmpuint(res.o_mnt_res_u.ok.flavors.flavors_val[1], ==, 0);
	FREE(o_mnt_res, &res);
}

static void
test_missing_directory_is_noent(void)
{
	fs.status = DFS_NOENT;
	g_assert_cmpuint(mnt("/export/none"), ==, 2);
}

/* "host path,host path" of DUMP. */
static char *
dump(void)
{
	GString *text = g_string_new(NULL);
	o_dump_res res;

	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_DUMP);
	DECODE(o_dump_res, &res);
	for (o_mounts *m = res; m; m = m->next)
		g_string_append_printf(text, "%s%s %s", text->len ? "," : "", m->host, m->path);
	FREE(o_dump_res, &res);
	return g_string_free(text, FALSE);
}

#define ASSERT_DUMP(want)                                                                          \
	do {                                                                                       \
		g_autofree char *text = dump();                                                    \
		g_assert_cmpstr(text, ==, want);                                                   \
	} while (0)

static void
test_dump_lists_mounts_once(void)
{
	mnt("/export");
	mnt("/other");
	mnt("/export/");
	ASSERT_DUMP("127.0.0.1 /other,127.0.0.1 /export");
}

static void
test_failed_mount_is_not_listed(void)
{
	mnt("/none");
	ASSERT_DUMP("");
}

static void
test_umnt_forgets_one(void)
{
	mnt("/export");
	mnt("/other");
	run_path(MOUNT3_UMNT, "/export");
	g_assert_cmpuint(conn.flat_len, ==, 0);
	ASSERT_DUMP("127.0.0.1 /other");
}

static void
test_umnt_of_nothing_succeeds(void)
{
	run_path(MOUNT3_UMNT, "not even a path");
	g_assert_cmpuint(conn.flat_len, ==, 0);
}

static void
test_umntall_forgets_own_only(void)
{
	mnt("/export");
	test_conn_peer(&conn, "::1", 900);
	mnt("/export");
	mnt("/other");
	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_UMNTALL);
	ASSERT_DUMP("127.0.0.1 /export");
}

static void
test_mapped_address_is_shown_as_ipv4(void)
{
	test_conn_peer(&conn, "::ffff:10.1.2.3", 900);
	mnt("/export");
	ASSERT_DUMP("10.1.2.3 /export");
}

static void
test_soft_state_is_bounded(void)
{
	struct nfs_mounts *mounts = conn.service.mounts;
	uint32_t n = 0;
	o_dump_res res;

	for (unsigned i = 0; i < 3 * NFS_MOUNTS_MAX; i++) {
		g_autofree char *path = g_strdup_printf("/export/%u", i);
		nfs_mounts_add(mounts, "h", path);
	}
	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_DUMP);
	DECODE(o_dump_res, &res);
	g_assert_cmpstr(res->path, ==, "/export/2048"); /* the oldest that is left */
	for (o_mounts *m = res; m; m = m->next)
		n++;
	g_assert_cmpuint(n, ==, NFS_MOUNTS_MAX);
	FREE(o_dump_res, &res);
}

/* Long paths fill the reply before the list ends: it stays a list. */
static void
test_full_dump_decodes(void)
{
	o_dump_res res;

	for (unsigned i = 0; i < NFS_MOUNTS_MAX; i++) {
		g_autofree char *path = g_strdup_printf("/%0300u", i);
		path[1 + i % 200] = 'x';
		nfs_mounts_add(conn.service.mounts, "host", path);
		g_autofree char *host = g_strdup_printf("h%u", i);
		nfs_mounts_add(conn.service.mounts, host, path);
	}
	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_DUMP);
	g_assert_cmpuint(conn.flat_len, >, MOUNT3_LIST_MAX - 400);
	DECODE(o_dump_res, &res);
	FREE(o_dump_res, &res);
}

static void
test_export_lists_clients(void)
{
	static const struct {
		unsigned char addr[16];
		uint8_t prefix;
		const char *want;
	} rows[] = {
		{{0}, 0, "*"},
		{{[10] = 0xff, [11] = 0xff, [12] = 127}, 104, "127.0.0.0/8"},
		{{[10] = 0xff, [11] = 0xff}, 96, "0.0.0.0/0"},
		{{[15] = 1}, 128, "::1/128"},
		{{0x20, 0x01, 0x0d, 0xb8}, 32, "2001:db8::/32"},
	};
	struct dfs_share_rules *many = g_malloc0(sizeof *many + sizeof rows);
	o_export_res res;
	o_groups *g;

	many->n = G_N_ELEMENTS(rows);
	for (unsigned i = 0; i < many->n; i++) {
		memcpy(many->rules[i].addr, rows[i].addr, 16);
		many->rules[i].prefix_len = rows[i].prefix;
	}
	share.rules = many;
	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_EXPORT);
	share.rules = rules;
	g_free(many);
	DECODE(o_export_res, &res);
	g_assert_cmpstr(res->path, ==, "/export");
	g = res->groups;
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++, g = g->next)
		g_assert_cmpstr(g->name, ==, rows[i].want);
	g_assert_null(g);
	g_assert_cmpstr(res->next->path, ==, "/other");
	g_assert_null(res->next->next);
	FREE(o_export_res, &res);
}

/* A share whose list does not fit is left out whole. */
static void
test_full_export_decodes(void)
{
	uint32_t n = 3000;
	struct dfs_share_rules *many = g_malloc0(sizeof *many + n * sizeof many->rules[0]);
	o_export_res res;

	many->n = n;
	for (uint32_t i = 0; i < n; i++)
		many->rules[i].prefix_len = 128;
	share.rules = many;
	test_conn_args(&conn, "", 0);
	run_mount(MOUNT3_EXPORT);
	share.rules = rules;
	g_free(many);
	DECODE(o_export_res, &res);
	g_assert_cmpstr(res->path, ==, "/other");
	FREE(o_export_res, &res);
}

static void
test_truncated_path_is_garbage(void)
{
	test_conn_args(&conn, "\0\0\0\7/expo", 9);
	g_assert_cmpint(test_conn_run(&conn, &mount3_procs[MOUNT3_MNT]), ==, DFS_INVAL);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("mount/paths", test_paths);
	add("mount/path-with-nul-is-refused", test_path_with_nul_is_refused);
	add("mount/longest-path-is-taken", test_longest_path_is_taken);
	add("mount/root-of-a-share", test_root_of_a_share);
	add("mount/subdirectory", test_subdirectory);
	add("mount/file-is-notdir", test_file_is_notdir);
	add("mount/unknown-path-is-noent", test_unknown_path_is_noent);
	add("mount/long-path-is-nametoolong", test_long_path_is_nametoolong);
	add("mount/refused-peer-is-acces", test_refused_peer_is_acces);
	add("mount/all-squash-offers-auth-none", test_all_squash_offers_auth_none);
	add("mount/missing-directory-is-noent", test_missing_directory_is_noent);
	add("mount/dump-lists-mounts-once", test_dump_lists_mounts_once);
	add("mount/failed-mount-is-not-listed", test_failed_mount_is_not_listed);
	add("mount/umnt-forgets-one", test_umnt_forgets_one);
	add("mount/umnt-of-nothing-succeeds", test_umnt_of_nothing_succeeds);
	add("mount/umntall-forgets-own-only", test_umntall_forgets_own_only);
	add("mount/mapped-address-is-shown-as-ipv4", test_mapped_address_is_shown_as_ipv4);
	add("mount/soft-state-is-bounded", test_soft_state_is_bounded);
	add("mount/full-dump-decodes", test_full_dump_decodes);
	add("mount/export-lists-clients", test_export_lists_clients);
	add("mount/full-export-decodes", test_full_export_decodes);
	add("mount/truncated-path-is-garbage", test_truncated_path_is_garbage);
	return g_test_run();
}
