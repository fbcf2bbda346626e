/* SPDX-License-Identifier: MIT
 *
 * What holds for every NFSv3 procedure that fails: its body, its status, garbage.
 */
#include "adapters/nfs/test-rpcgen.h"

struct sample {
	enum nfs3_proc_number proc;
	xdrproc_t args_fn;
	const void *args;
	xdrproc_t res_fn;
	size_t res_size;
	uint32_t fail_words; /* absent attributes of a failure */
};

static struct sample samples[NFS3_PROCS];

#define SAMPLE(number, args_type, res_type, words, ...)                                            \
	do {                                                                                       \
		static args_type a;                                                                \
		a = (args_type)__VA_ARGS__;                                                        \
		samples[NFS3_##number] = (struct sample){NFS3_##number,                            \
							 (xdrproc_t)xdr_##args_type,               \
							 &a,                                       \
							 (xdrproc_t)xdr_##res_type,                \
							 sizeof(res_type),                         \
							 words};                                   \
	} while (0)

static void
make_samples(void)
{
	static char name[] = "name", name2[] = "second";

	SAMPLE(GETATTR, o_getattr_args, o_getattr_res, 0, {.fh = FH(handle)});
	SAMPLE(SETATTR, o_setattr_args, o_wcc_res, 2, {.fh = FH(handle), .guard.check = TRUE});
	SAMPLE(LOOKUP, o_dirop, o_lookup_res, 1, DIROP(handle, name));
	SAMPLE(ACCESS, o_access_args, o_access_res, 1, {.fh = FH(handle), .wanted = 1});
	SAMPLE(READLINK, o_getattr_args, o_readlink_res, 1, {.fh = FH(handle)});
	SAMPLE(READ, o_read_args, o_read_res, 1, {.fh = FH(handle), .count = 1});
	SAMPLE(WRITE, o_write_args, o_write_res, 2,
	       {.fh = FH(handle), .count = 4, .data = {.data_val = name, .data_len = 4}});
	SAMPLE(CREATE, o_create_args, o_create_res, 2, {.where = DIROP(handle, name)});
	SAMPLE(MKDIR, o_mkdir_args, o_create_res, 2, {.where = DIROP(handle, name)});
	SAMPLE(SYMLINK, o_symlink_args, o_create_res, 2,
	       {.where = DIROP(handle, name), .text = {.text_val = name2, .text_len = 6}});
	SAMPLE(MKNOD, o_mknod_args, o_create_res, 2,
	       {.where = DIROP(handle, name), .what.type = 3});
	SAMPLE(REMOVE, o_dirop, o_wcc_res, 2, DIROP(handle, name));
	SAMPLE(RMDIR, o_dirop, o_wcc_res, 2, DIROP(handle, name));
	SAMPLE(RENAME, o_rename_args, o_rename_res, 4,
	       {.from = DIROP(handle, name), .to = DIROP(handle2, name2)});
	SAMPLE(LINK, o_link_args, o_link_res, 3, {.fh = FH(handle), .where = DIROP(handle2, name)});
	SAMPLE(READDIR, o_readdir_args, o_readdir_res, 1, {.dir = FH(handle), .count = 4096});
	SAMPLE(READDIRPLUS, o_readdirplus_args, o_readdirplus_res, 1,
	       {.dir = FH(handle), .dircount = 4096, .maxcount = 4096});
	SAMPLE(FSSTAT, o_getattr_args, o_fsstat_res, 1, {.fh = FH(handle)});
	SAMPLE(FSINFO, o_getattr_args, o_fsinfo_res, 1, {.fh = FH(handle)});
	SAMPLE(PATHCONF, o_getattr_args, o_pathconf_res, 1, {.fh = FH(handle)});
	SAMPLE(COMMIT, o_commit_args, o_commit_res, 2, {.fh = FH(handle)});
}

static uint32_t
wire_status(void)
{
	return GUINT32_FROM_BE(*(uint32_t *)(void *)conn.flat);
}

static uint32_t
decode_sample(const struct sample *s)
{
	g_autofree void *res = g_malloc(s->res_size);

	decode(s->res_fn, res, s->res_size);
	xdr_free(s->res_fn, res);
	return wire_status();
}

/* Every failure of every procedure decodes to its last byte, with attributes and without, and is
 * a number of nfsstat3. */
static void
test_every_failure_has_its_body(void)
{
	static const uint32_t known[] = {
		1,  2,  5,  6,  13, 17, 18,    19,    20,    21,    22,    27,    28,    30,
		31, 63, 66, 69, 70, 71, 10001, 10002, 10003, 10004, 10005, 10006, 10007, 10008};

	make_samples();
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		for (int status = DFS_NOENT; status <= DFS_FENCED + 3; status++) {
			bool found = false;

			fs.status = (enum dfs_status)status;
			fs.wcc[0] = random_wcc();
			fs.attr.type = fs.dir_attr.type = (uint32_t)g_test_rand_int_range(0, 2);
			encode(samples[p].args_fn, samples[p].args);
			run(p);
			uint32_t wire = decode_sample(&samples[p]);
			for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
				found |= known[i] == wire;
			g_assert_true(found);
		}
	}
}

static void
test_bad_handle_has_no_attributes(void)
{
	make_samples();
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		encode(samples[p].args_fn, samples[p].args);
		conn.args[4 + NFS_HANDLE_SIZE - 1] ^= 1;
		run(p);
		g_assert_cmpuint(decode_sample(&samples[p]), ==, 10001);
		g_assert_cmpuint(conn.flat_len, ==, 4 + 4 * samples[p].fail_words);
	}
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_unknown_share_is_stale(void)
{
	make_samples();
	conn.runtime.shares[0] = NULL;
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		encode(samples[p].args_fn, samples[p].args);
		run(p);
		g_assert_cmpuint(decode_sample(&samples[p]), ==, 70);
	}
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_refused_peer_reaches_nothing(void)
{
	make_samples();
	rules->rules[0].prefix_len = 128; /* :: and nobody else */
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		encode(samples[p].args_fn, samples[p].args);
		run(p);
		g_assert_cmpuint(decode_sample(&samples[p]), ==, 13);
	}
	rules->rules[0].prefix_len = 0;
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_fail_bodies_decode(void)
{
	make_samples();
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		struct xdr_out out = {.base = conn.flat, .p = conn.flat, .end = conn.flat + 100};

		nfs3_procs[p].fail(&out, DFS_DELAY);
		conn.flat_len = (uint32_t)(out.p - out.base);
		g_assert_cmpuint(decode_sample(&samples[p]), ==, 10008);
		g_assert_cmpuint(conn.flat_len, ==, 4 + 4 * samples[p].fail_words);
	}
}

static void
test_every_truncation_is_garbage(void)
{
	make_samples();
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		g_autofree unsigned char *args = NULL;
		size_t len;

		encode(samples[p].args_fn, samples[p].args);
		len = (size_t)(conn.call.args.end - conn.args);
		args = g_memdup2(conn.args, len);
		for (size_t cut = 0; cut < len; cut++) {
			test_conn_args(&conn, args, cut);
			g_assert_cmpint(test_conn_run(&conn, &nfs3_procs[p]), ==, DFS_INVAL);
		}
	}
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_every_procedure_passes_again_on(void)
{
	make_samples();
	fs.status = DFS_AGAIN;
	for (unsigned p = 1; p < NFS3_PROCS; p++) {
		encode(samples[p].args_fn, samples[p].args);
		g_assert_cmpint(test_conn_run_once(&conn, &nfs3_procs[p], true), ==, DFS_AGAIN);
	}
}

static void
test_long_handle_is_garbage(void)
{
	unsigned char args[72] = {0};

	args[3] = 65;
	test_conn_args(&conn, args, sizeof args);
	g_assert_cmpint(test_conn_run(&conn, &nfs3_procs[NFS3_GETATTR]), ==, DFS_INVAL);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("failures/every-failure-has-its-body", test_every_failure_has_its_body);
	add("failures/bad-handle-has-no-attributes", test_bad_handle_has_no_attributes);
	add("failures/unknown-share-is-stale", test_unknown_share_is_stale);
	add("failures/refused-peer-reaches-nothing", test_refused_peer_reaches_nothing);
	add("failures/fail-bodies-decode", test_fail_bodies_decode);
	add("failures/every-truncation-is-garbage", test_every_truncation_is_garbage);
	add("failures/every-procedure-passes-again-on", test_every_procedure_passes_again_on);
	add("failures/long-handle-is-garbage", test_long_handle_is_garbage);
	return g_test_run();
}
