/* SPDX-License-Identifier: MIT
 *
 * READDIR and READDIRPLUS: encoding, and the bounds that the client sets.
 */
#include "adapters/nfs/test-rpcgen.h"

static void
random_entries(uint32_t n)
{
	static struct dfs_attr attrs[64];
	static char names[64][256];

	fs.n_entries = n;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = (uint32_t)g_test_rand_int_range(1, 256);
		memset(names[i], 'a' + (int)(i % 26), len);
		attrs[i] = random_attr();
		fs.entries[i] = (struct dfs_dir_entry){
			.name = {names[i], len}, .fileid = random64(), .cookie = random64() >> 1};
		if (g_test_rand_int_range(0, 8))
			fs.entries[i].attr = &attrs[i];
	}
}

static void
test_readdirplus(void)
{
	for (int round = 0; round < 100; round++) {
		o_readdirplus_args args = {.dir = FH(handle),
					   .cookie = random64() >> 1,
					   .dircount = UINT32_MAX,
					   .maxcount = 65536};
		o_readdirplus_res res;
		o_entryplus *e;

		random_entries((uint32_t)g_test_rand_int_range(0, 64));
		fs.dir_attr = random_attr();
		if (round % 10 == 0)
			fs.dir_attr.type = DFS_TYPE_NONE;
		ENCODE(o_readdirplus_args, &args);
		run(NFS3_READDIRPLUS);
		g_assert_cmpuint(fs.cookie, ==, args.cookie);
		DECODE(o_readdirplus_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		if (fs.dir_attr.type)
			assert_post(&res.o_readdirplus_res_u.ok.dir, &fs.dir_attr);
		else
			g_assert_false(res.o_readdirplus_res_u.ok.dir.known);
		g_assert_true(res.o_readdirplus_res_u.ok.eof);
		e = res.o_readdirplus_res_u.ok.entries;
		for (uint32_t i = 0; i < fs.n_entries; i++, e = e->next) {
			const struct dfs_dir_entry *want = &fs.entries[i];
			g_assert_nonnull(e);
			g_assert_cmpuint(e->fileid, ==, want->fileid);
			g_assert_cmpuint(e->cookie, ==, want->cookie);
			g_assert_cmpmem(e->name.name_val, e->name.name_len, want->name.bytes,
					want->name.len);
			g_assert_cmpint(e->attr.known, ==, want->attr != NULL);
			g_assert_cmpint(e->fh.known, ==, want->attr != NULL);
			if (want->attr) {
				assert_post(&e->attr, want->attr);
				assert_fh(&e->fh.o_post_fh_u.fh, want->attr);
			}
		}
		g_assert_null(e);
		FREE(o_readdirplus_res, &res);
	}
}

static uint32_t
entries_of(const o_readdir_res *res)
{
	uint32_t n = 0;

	for (o_entry *e = res->o_readdir_res_u.ok.entries; e; e = e->next)
		n++;
	return n;
}

/* count bounds the resok structure to the byte: one less, and the last entry is left out. */
static void
test_readdir_count_is_exact(void)
{
	o_readdir_args args = {.dir = FH(handle), .count = 65536};
	o_readdir_res res;
	uint32_t full;

	random_entries(20);
	ENCODE(o_readdir_args, &args);
	run(NFS3_READDIR);
	full = conn.flat_len - 4; /* the status is not part of it */
	DECODE(o_readdir_res, &res);
	g_assert_cmpuint(entries_of(&res), ==, 20);
	g_assert_true(res.o_readdir_res_u.ok.eof);
	FREE(o_readdir_res, &res);

	for (uint32_t less = 0; less < 2; less++) {
		args.count = full - less;
		ENCODE(o_readdir_args, &args);
		run(NFS3_READDIR);
		DECODE(o_readdir_res, &res);
		g_assert_cmpuint(entries_of(&res), ==, 20 - less);
		g_assert_cmpint(res.o_readdir_res_u.ok.eof, ==, less == 0);
		FREE(o_readdir_res, &res);
	}
}

static void
test_readdirplus_maxcount_is_exact(void)
{
	o_readdirplus_args args = {.dir = FH(handle), .dircount = UINT32_MAX, .maxcount = 65536};
	o_readdirplus_res res;
	uint32_t full;

	random_entries(20);
	ENCODE(o_readdirplus_args, &args);
	run(NFS3_READDIRPLUS);
	full = conn.flat_len - 4;
	for (uint32_t less = 0; less < 2; less++) {
		args.maxcount = full - less;
		ENCODE(o_readdirplus_args, &args);
		run(NFS3_READDIRPLUS);
		g_assert_cmpuint(conn.flat_len - 4, <=, args.maxcount);
		DECODE(o_readdirplus_res, &res);
		g_assert_cmpint(res.o_readdirplus_res_u.ok.eof, ==, less == 0);
		FREE(o_readdirplus_res, &res);
	}
}

/* dircount bounds names, but never the first: it is advice. */
static void
test_dircount_bounds_names(void)
{
	static const struct {
		uint32_t dircount, entries;
	} rows[] = {{0, 1}, {23, 1}, {24, 1}, {47, 1}, {48, 2}, {72, 3}, {1000, 3}};

	random_entries(3);
	for (uint32_t i = 0; i < 3; i++)
		fs.entries[i].name.len = 4; /* 20 bytes and the name */
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		o_readdirplus_args args = {
			.dir = FH(handle), .dircount = rows[i].dircount, .maxcount = 65536};
		o_readdirplus_res res;
		uint32_t n = 0;

		ENCODE(o_readdirplus_args, &args);
		run(NFS3_READDIRPLUS);
		DECODE(o_readdirplus_res, &res);
		for (o_entryplus *e = res.o_readdirplus_res_u.ok.entries; e; e = e->next)
			n++;
		g_assert_cmpuint(n, ==, rows[i].entries);
		g_assert_cmpint(res.o_readdirplus_res_u.ok.eof, ==, n == 3);
		FREE(o_readdirplus_res, &res);
	}
}

static void
test_first_entry_too_big_is_toosmall(void)
{
	random_entries(1);
	for (uint32_t count = 0; count < 104 + 24 + fs.entries[0].name.len; count += 13) {
		o_readdir_args args = {.dir = FH(handle), .count = count};
		o_readdir_res res;

		ENCODE(o_readdir_args, &args);
		run(NFS3_READDIR);
		DECODE(o_readdir_res, &res);
		g_assert_cmpuint(res.status, ==, 10005);
	}
}

static void
test_empty_end_of_directory_is_ok(void)
{
	o_readdir_args args = {.dir = FH(handle), .count = 104};
	o_readdir_res res;

	ENCODE(o_readdir_args, &args);
	run(NFS3_READDIR);
	DECODE(o_readdir_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	g_assert_cmpuint(entries_of(&res), ==, 0);
	g_assert_true(res.o_readdir_res_u.ok.eof);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("dirlist/readdirplus", test_readdirplus);
	add("dirlist/readdir-count-is-exact", test_readdir_count_is_exact);
	add("dirlist/readdirplus-maxcount-is-exact", test_readdirplus_maxcount_is_exact);
	add("dirlist/dircount-bounds-names", test_dircount_bounds_names);
	add("dirlist/first-entry-too-big-is-toosmall", test_first_entry_too_big_is_toosmall);
	add("dirlist/empty-end-of-directory-is-ok", test_empty_end_of_directory_is_ok);
	return g_test_run();
}
