/* SPDX-License-Identifier: MIT
 *
 * Each NFSv3 procedure's arguments and results against rpcgen's codec.
 */
#include "adapters/nfs/test-rpcgen.h"

static void
test_getattr(void)
{
	o_getattr_args args = {.fh = FH(handle)};
	o_getattr_res res;

	for (int i = 0; i < 500; i++) {
		fs.attr = random_attr();
		ENCODE(o_getattr_args, &args);
		run(NFS3_GETATTR);
		DECODE(o_getattr_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		assert_fattr(&res.o_getattr_res_u.attr, &fs.attr);
	}
	g_assert_cmpuint(fs.ref.fileid, ==, 41);
	g_assert_cmpuint(fs.ref.generation, ==, 1);
}

/* Seconds on the wire are 32 bits, unsigned. */
static void
test_times_out_of_range_are_clamped(void)
{
	o_getattr_args args = {.fh = FH(handle)};
	o_getattr_res res;

	fs.attr.atime = -5 * DFS_SECOND;
	fs.attr.mtime = (INT64_C(1) << 32) * DFS_SECOND + 7;
	fs.attr.ctime = INT64_MAX;
	ENCODE(o_getattr_args, &args);
	run(NFS3_GETATTR);
	DECODE(o_getattr_res, &res);
	assert_time(&res.o_getattr_res_u.attr.atime, 0);
	assert_time(&res.o_getattr_res_u.attr.mtime, UINT32_MAX * DFS_SECOND);
	assert_time(&res.o_getattr_res_u.attr.ctime, UINT32_MAX * DFS_SECOND);
}

static void
test_setattr(void)
{
	for (int i = 0; i < 500; i++) {
		o_setattr_args args = {.fh = FH(handle), .set = random_sattr()};
		o_wcc_res res;

		args.guard.check = g_test_rand_bit();
		args.guard.o_guard_u.ctime = (o_time){77, 88};
		fs.wcc[0] = random_wcc();
		ENCODE(o_setattr_args, &args);
		run(NFS3_SETATTR);
		assert_set(&args.set);
		g_assert_cmpint(fs.guarded, ==, args.guard.check);
		if (fs.guarded)
			g_assert_cmpint(fs.guard, ==, 77 * DFS_SECOND + 88);
		DECODE(o_wcc_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		assert_wcc(&res.wcc, &fs.wcc[0]);
	}
}

static void
test_bad_nanoseconds_are_invalid(void)
{
	o_setattr_args args = {.fh = FH(handle)};
	o_wcc_res res;

	args.set.mtime.how = 2;
	args.set.mtime.o_settime_u.time.nsec = 1000000000;
	ENCODE(o_setattr_args, &args);
	run(NFS3_SETATTR);
	DECODE(o_wcc_res, &res);
	g_assert_cmpuint(res.status, ==, 22);
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_huge_size_is_fbig(void)
{
	o_setattr_args args = {.fh = FH(handle)};
	o_wcc_res res;

	args.set.size.set = TRUE;
	args.set.size.o_set64_u.value = UINT64_C(1) << 63;
	ENCODE(o_setattr_args, &args);
	run(NFS3_SETATTR);
	DECODE(o_wcc_res, &res);
	g_assert_cmpuint(res.status, ==, 27);
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_lookup(void)
{
	for (int i = 0; i < 200; i++) {
		char name[256] = {0};
		o_dirop args;
		o_lookup_res res;

		memset(name, 'n', (size_t)g_test_rand_int_range(1, 256));
		args = (o_dirop)DIROP(handle, name);
		fs.attr = random_attr();
		fs.dir_attr = random_attr();
		ENCODE(o_dirop, &args);
		run(NFS3_LOOKUP);
		g_assert_cmpstr(fs.name, ==, name);
		DECODE(o_lookup_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		assert_fh(&res.o_lookup_res_u.ok.fh, &fs.attr);
		assert_post(&res.o_lookup_res_u.ok.attr, &fs.attr);
		assert_post(&res.o_lookup_res_u.ok.dir, &fs.dir_attr);
		FREE(o_lookup_res, &res);
	}
}

static void
test_access(void)
{
	o_access_args args = {.fh = FH(handle), .wanted = 0xffffffff};
	o_access_res res;

	ENCODE(o_access_args, &args);
	run(NFS3_ACCESS);
	DECODE(o_access_res, &res);
	g_assert_cmpuint(fs.wanted, ==, 0x3f); /* bits that do not exist are not granted */
	g_assert_cmpuint(res.o_access_res_u.ok.granted, ==, 0x15);
	assert_post(&res.o_access_res_u.ok.attr, &fs.attr);
}

static void
test_readlink(void)
{
	o_getattr_args args = {.fh = FH(handle)};

	for (uint32_t len = 1; len <= DFS_SYMLINK_MAX; len += 273) {
		o_readlink_res res;

		memset(fs.data, 'l', len);
		fs.len = len;
		ENCODE(o_getattr_args, &args);
		run(NFS3_READLINK);
		DECODE(o_readlink_res, &res);
		assert_post(&res.o_readlink_res_u.ok.attr, &fs.attr);
		g_assert_cmpmem(res.o_readlink_res_u.ok.text.text_val,
				res.o_readlink_res_u.ok.text.text_len, fs.data, len);
		FREE(o_readlink_res, &res);
	}
}

/* Every length of the last span, so that every padding is met. */
static void
test_read(void)
{
	for (uint32_t last = 0; last < 8; last++) {
		o_read_args args = {.fh = FH(handle), .offset = 1234567890123, .count = 200000};
		o_read_res res;
		g_autofree unsigned char *want = g_malloc(140000);
		uint32_t n = 0;

		memset(&fs.read, 0, sizeof fs.read);
		for (uint32_t i = 0; i < 3; i++) {
			struct dfs_buf *buf = dfs_buf_alloc(DFS_PAGE_SIZE);
			uint32_t len = i == 2 ? last : 65536;
			memset(buf->data, 'a' + (int)i, len);
			memcpy(want + n, buf->data, len);
			n += len;
			fs.read.spans[fs.read.n].buf = buf;
			fs.read.spans[fs.read.n].data = buf->data;
			fs.read.spans[fs.read.n++].len = len;
		}
		fs.read.len = n;
		fs.read.eof = last & 1;
		ENCODE(o_read_args, &args);
		run(NFS3_READ);
		g_assert_cmpuint(fs.offset, ==, args.offset);
		g_assert_cmpuint(fs.len, ==, args.count);
		DECODE(o_read_res, &res);
		assert_post(&res.o_read_res_u.ok.attr, &fs.attr);
		g_assert_cmpuint(res.o_read_res_u.ok.count, ==, n);
		g_assert_cmpint(res.o_read_res_u.ok.eof, ==, last & 1);
		g_assert_cmpmem(res.o_read_res_u.ok.data.data_val,
				res.o_read_res_u.ok.data.data_len, want, n);
		FREE(o_read_res, &res);
	}
}

static void
test_read_ranges(void)
{
	static const struct {
		uint64_t offset;
		uint32_t count, status, asked;
	} rows[] = {
		{0, UINT32_MAX, 0, NFS3_IO_MAX}, /* clipped to rtmax */
		{INT64_MAX, 0, 0, 0},
		{INT64_MAX, 1, 22, 0},
		{UINT64_C(1) << 63, 0, 22, 0},
		{UINT64_MAX, UINT32_MAX, 22, 0}, /* the sum wraps */
		{INT64_MAX - 5, 5, 0, 5},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		o_read_args args = {
			.fh = FH(handle), .offset = rows[i].offset, .count = rows[i].count};
		o_read_res res;

		fs.calls = 0;
		ENCODE(o_read_args, &args);
		run(NFS3_READ);
		DECODE(o_read_res, &res);
		g_assert_cmpuint(res.status, ==, rows[i].status);
		g_assert_cmpuint(fs.calls, ==, rows[i].status == 0);
		if (fs.calls)
			g_assert_cmpuint(fs.len, ==, rows[i].asked);
		FREE(o_read_res, &res);
	}
}

static void
test_write(void)
{
	for (int i = 0; i < 100; i++) {
		uint32_t len = (uint32_t)g_test_rand_int_range(0, 70000);
		g_autofree char *data = g_malloc(len + 1);
		o_write_args args = {.fh = FH(handle), .offset = random64() >> 2, .count = len};
		o_write_res res;

		memset(data, 'w', len);
		args.stable = (uint32_t)g_test_rand_int_range(0, 3);
		args.data.data_val = data;
		args.data.data_len = len;
		fs.verifier = random64();
		fs.wcc[0] = random_wcc();
		ENCODE(o_write_args, &args);
		run(NFS3_WRITE);
		g_assert_cmpuint(fs.offset, ==, args.offset);
		g_assert_cmpuint(fs.how, ==, args.stable);
		g_assert_cmpmem(fs.data, fs.len, data, len);
		DECODE(o_write_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		assert_wcc(&res.o_write_res_u.ok.wcc, &fs.wcc[0]);
		g_assert_cmpuint(res.o_write_res_u.ok.count, ==, len);
		g_assert_cmpuint(res.o_write_res_u.ok.committed, ==, DFS_FILE_SYNC);
		g_assert_cmpuint(GUINT64_FROM_BE(*(uint64_t *)res.o_write_res_u.ok.verf), ==,
				 fs.verifier);
	}
}

/* The arguments of a WRITE without its data, which is in pages. */
static void
encode_direct(uint64_t offset, uint32_t count, uint32_t len)
{
	o_write_args args = {.fh = FH(handle), .offset = offset, .count = count, .stable = 0};

	ENCODE(o_write_args, &args);
	len = GUINT32_TO_BE(len);
	memcpy((char *)(uintptr_t)conn.call.args.end - 4, &len, 4);
}

static void
test_write_from_pages(void)
{
	struct dfs_write w = {.offset = 65536, .len = 100001};
	o_write_res res;

	encode_direct(w.offset, w.len, w.len);
	conn.call.direct = &w;
	run(NFS3_WRITE);
	g_assert_null(conn.call.direct);
	DECODE(o_write_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	g_assert_cmpuint(res.o_write_res_u.ok.count, ==, w.len);
	g_assert_cmpuint(fs.len, ==, w.len);
	g_assert_cmpuint(fs.offset, ==, w.offset);
}

/* A refused one stays with the dispatcher, which cancels it. */
static void
test_refused_pages_stay(void)
{
	struct dfs_write w = {.offset = 65536, .len = 100001};
	o_write_res res;

	encode_direct(w.offset, w.len - 1, w.len);
	conn.call.direct = &w;
	run(NFS3_WRITE);
	g_assert_true(conn.call.direct == &w);
	conn.call.direct = NULL;
	DECODE(o_write_res, &res);
	g_assert_cmpuint(res.status, ==, 22);
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_write_ranges(void)
{
	static const struct {
		uint64_t offset;
		uint32_t count, len, status;
	} rows[] = {
		{0, 7, 8, 22},
		{0, 9, 8, 22},
		{0, 0, 0, 0},
		{UINT64_C(1) << 63, 8, 8, 22},
		{INT64_MAX - 7, 8, 8, 27},
		{INT64_MAX - 8, 8, 8, 0},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		o_write_args args = {
			.fh = FH(handle), .offset = rows[i].offset, .count = rows[i].count};
		o_write_res res;

		fs.calls = 0;
		args.data.data_val = (char[]){"abcdefgh"};
		args.data.data_len = rows[i].len;
		ENCODE(o_write_args, &args);
		run(NFS3_WRITE);
		DECODE(o_write_res, &res);
		g_assert_cmpuint(res.status, ==, rows[i].status);
		g_assert_cmpuint(fs.calls, ==, rows[i].status == 0);
	}
}

static void
assert_created(void)
{
	o_create_res res;

	DECODE(o_create_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	g_assert_true(res.o_create_res_u.ok.fh.known);
	assert_fh(&res.o_create_res_u.ok.fh.o_post_fh_u.fh, &fs.attr);
	assert_post(&res.o_create_res_u.ok.attr, &fs.attr);
	assert_wcc(&res.o_create_res_u.ok.dir, &fs.wcc[0]);
	FREE(o_create_res, &res);
}

static void
test_create(void)
{
	for (uint32_t how = 0; how < 3; how++) {
		o_create_args args = {.where = DIROP(handle, "new"), .how.mode = how};

		if (how == 2)
			memcpy(args.how.o_how_u.verf, "\1\2\3\4\5\6\7\10", 8);
		else
			args.how.o_how_u.set = random_sattr();
		ENCODE(o_create_args, &args);
		run(NFS3_CREATE);
		g_assert_cmpuint(fs.how, ==, how);
		if (how == 2)
			g_assert_cmpuint(fs.verifier, ==, 0x0102030405060708);
		else
			assert_set(&args.how.o_how_u.set);
		g_assert_cmpstr(fs.name, ==, "new");
		assert_created();
	}
}

static void
test_mkdir(void)
{
	o_mkdir_args args = {.where = DIROP(handle, "new"), .set = random_sattr()};

	ENCODE(o_mkdir_args, &args);
	run(NFS3_MKDIR);
	assert_set(&args.set);
	assert_created();
}

static void
test_symlink(void)
{
	o_symlink_args args = {.where = DIROP(handle, "new"), .set = random_sattr()};

	args.text.text_val = (char[]){"../else/where"};
	args.text.text_len = 13;
	ENCODE(o_symlink_args, &args);
	run(NFS3_SYMLINK);
	assert_set(&args.set);
	g_assert_cmpmem(fs.data, fs.len, "../else/where", 13);
	assert_created();
}

static void
test_long_symlink_is_refused(void)
{
	o_symlink_args args = {.where = DIROP(handle, "new")};
	g_autofree char *text = g_strnfill(DFS_SYMLINK_MAX + 1, 'x');
	o_create_res res;

	args.text.text_val = text;
	args.text.text_len = DFS_SYMLINK_MAX + 1;
	ENCODE(o_symlink_args, &args);
	run(NFS3_SYMLINK);
	DECODE(o_create_res, &res);
	g_assert_cmpuint(res.status, ==, 63);
	g_assert_cmpuint(fs.calls, ==, 0);
}

static void
test_mknod(void)
{
	for (uint32_t type = 0; type < 9; type++) {
		o_mknod_args args = {.where = DIROP(handle, "new"), .what.type = type};
		bool device = type == DFS_TYPE_CHR || type == DFS_TYPE_BLK;
		bool pipe = type == DFS_TYPE_SOCK || type == DFS_TYPE_FIFO;

		if (device) {
			args.what.o_node_u.device.set = random_sattr();
			args.what.o_node_u.device.spec = (o_spec){8, 17};
		} else if (pipe) {
			args.what.o_node_u.pipe = random_sattr();
		}
		ENCODE(o_mknod_args, &args);
		run(NFS3_MKNOD);
		if (device || pipe) {
			g_assert_cmpuint(fs.how, ==, type);
			assert_set(device ? &args.what.o_node_u.device.set
					  : &args.what.o_node_u.pipe);
			g_assert_cmpuint(fs.major, ==, device ? 8 : 0);
			g_assert_cmpuint(fs.minor, ==, device ? 17 : 0);
			assert_created();
		} else {
			o_create_res res;
			DECODE(o_create_res, &res);
			g_assert_cmpuint(res.status, ==, 10007);
		}
	}
}

static void
test_remove(void)
{
	static const enum nfs3_proc_number procs[] = {NFS3_REMOVE, NFS3_RMDIR};

	for (unsigned i = 0; i < 2; i++) {
		o_dirop args = DIROP(handle, "old");
		o_wcc_res res;

		ENCODE(o_dirop, &args);
		run(procs[i]);
		DECODE(o_wcc_res, &res);
		g_assert_cmpuint(res.status, ==, 0);
		g_assert_cmpstr(fs.name, ==, "old");
		assert_wcc(&res.wcc, &fs.wcc[0]);
	}
}

static void
test_rename(void)
{
	o_rename_args args = {.from = DIROP(handle, "old"), .to = DIROP(handle2, "new")};
	o_rename_res res;

	ENCODE(o_rename_args, &args);
	run(NFS3_RENAME);
	g_assert_cmpstr(fs.name, ==, "old");
	g_assert_cmpstr(fs.name2, ==, "new");
	g_assert_cmpuint(fs.ref.fileid, ==, 41);
	g_assert_cmpuint(fs.ref2.fileid, ==, 42);
	DECODE(o_rename_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	assert_wcc(&res.from, &fs.wcc[0]);
	assert_wcc(&res.to, &fs.wcc[1]);
}

static void
test_link(void)
{
	o_link_args args = {.fh = FH(handle), .where = DIROP(handle2, "new")};
	o_link_res res;

	ENCODE(o_link_args, &args);
	run(NFS3_LINK);
	g_assert_cmpuint(fs.ref.fileid, ==, 41);
	g_assert_cmpuint(fs.ref2.fileid, ==, 42);
	DECODE(o_link_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	assert_post(&res.attr, &fs.attr);
	assert_wcc(&res.dir, &fs.wcc[0]);
}

/* The second handle of RENAME: of another share, of none, forged. */
static void
test_second_handle(void)
{
	static const uint32_t want[] = {18, 70, 10001};

	for (unsigned i = 0; i < 3; i++) {
		unsigned char second[NFS_HANDLE_SIZE];
		struct dfs_share gone = {.slot = 5};
		o_rename_args args = {.from = DIROP(handle, "old"), .to = DIROP(second, "new")};
		o_rename_res res;

		nfs_handle_make(i == 1 ? &gone : &other_share, 42, 2, second);
		if (i == 2)
			second[NFS_HANDLE_SIZE - 1] ^= 1;
		ENCODE(o_rename_args, &args);
		run(NFS3_RENAME);
		DECODE(o_rename_res, &res);
		g_assert_cmpuint(res.status, ==, want[i]);
		g_assert_cmpuint(fs.calls, ==, 0);
	}
}

static void
test_fsstat(void)
{
	o_getattr_args args = {.fh = FH(handle)};
	o_fsstat_res res;

	fs.statfs = (struct dfs_statfs){1, 2, 3, 4, 5, 6};
	ENCODE(o_getattr_args, &args);
	run(NFS3_FSSTAT);
	DECODE(o_fsstat_res, &res);
	assert_post(&res.o_fsstat_res_u.ok.attr, &fs.attr);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.bytes_total, ==, 1);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.bytes_free, ==, 2);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.bytes_avail, ==, 3);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.files_total, ==, 4);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.files_free, ==, 5);
	g_assert_cmpuint(res.o_fsstat_res_u.ok.files_avail, ==, 6);
}

static void
test_fsinfo(void)
{
	o_getattr_args args = {.fh = FH(handle)};
	o_fsinfo_res res;
	const o_fsinfo_ok *ok = &res.o_fsinfo_res_u.ok;

	ENCODE(o_getattr_args, &args);
	run(NFS3_FSINFO);
	DECODE(o_fsinfo_res, &res);
	assert_post(&ok->attr, &fs.attr);
	g_assert_cmpuint(ok->rtmax, ==, 1 << 20);
	g_assert_cmpuint(ok->rtpref, ==, 1 << 20);
	g_assert_cmpuint(ok->wtmax, ==, 1 << 20);
	g_assert_cmpuint(ok->wtpref, ==, 1 << 20);
	g_assert_cmpuint(ok->dtpref, ==, 65536);
	g_assert_cmpuint(ok->maxfilesize, ==, INT64_MAX);
	assert_time(&ok->time_delta, 1);
	g_assert_cmpuint(ok->properties, ==, 0x1b);
}

static void
test_pathconf(void)
{
	o_getattr_args args = {.fh = FH(handle)};
	o_pathconf_res res;
	const o_pathconf_ok *ok = &res.o_pathconf_res_u.ok;

	ENCODE(o_getattr_args, &args);
	run(NFS3_PATHCONF);
	DECODE(o_pathconf_res, &res);
	g_assert_cmpuint(ok->name_max, ==, 255);
	g_assert_true(ok->no_trunc);
	g_assert_true(ok->chown_restricted);
	g_assert_false(ok->case_insensitive);
	g_assert_true(ok->case_preserving);
}

static void
test_commit(void)
{
	o_commit_args args = {.fh = FH(handle), .offset = 65536, .count = 4096};
	o_commit_res res;

	fs.verifier = random64();
	ENCODE(o_commit_args, &args);
	run(NFS3_COMMIT);
	g_assert_cmpuint(fs.offset, ==, 65536);
	g_assert_cmpuint(fs.len, ==, 4096);
	DECODE(o_commit_res, &res);
	g_assert_cmpuint(res.status, ==, 0);
	assert_wcc(&res.o_commit_res_u.ok.wcc, &fs.wcc[0]);
	g_assert_cmpuint(GUINT64_FROM_BE(*(uint64_t *)res.o_commit_res_u.ok.verf), ==, fs.verifier);
}

static void
test_commit_past_the_end_is_the_whole_file(void)
{
	o_commit_args args = {.fh = FH(handle), .offset = UINT64_MAX, .count = 4096};

	ENCODE(o_commit_args, &args);
	run(NFS3_COMMIT);
	g_assert_cmpuint(fs.offset, ==, 0);
	g_assert_cmpuint(fs.len, ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("oracle/getattr", test_getattr);
	add("oracle/times-out-of-range-are-clamped", test_times_out_of_range_are_clamped);
	add("oracle/setattr", test_setattr);
	add("oracle/bad-nanoseconds-are-invalid", test_bad_nanoseconds_are_invalid);
	add("oracle/huge-size-is-fbig", test_huge_size_is_fbig);
	add("oracle/lookup", test_lookup);
	add("oracle/access", test_access);
	add("oracle/readlink", test_readlink);
	add("oracle/read", test_read);
	add("oracle/read-ranges", test_read_ranges);
	add("oracle/write", test_write);
	add("oracle/write-from-pages", test_write_from_pages);
	add("oracle/refused-pages-stay", test_refused_pages_stay);
	add("oracle/write-ranges", test_write_ranges);
	add("oracle/create", test_create);
	add("oracle/mkdir", test_mkdir);
	add("oracle/symlink", test_symlink);
	add("oracle/long-symlink-is-refused", test_long_symlink_is_refused);
	add("oracle/mknod", test_mknod);
	add("oracle/remove-and-rmdir", test_remove);
	add("oracle/rename", test_rename);
	add("oracle/link", test_link);
	add("oracle/second-handle", test_second_handle);
	add("oracle/fsstat", test_fsstat);
	add("oracle/fsinfo", test_fsinfo);
	add("oracle/pathconf", test_pathconf);
	add("oracle/commit", test_commit);
	add("oracle/commit-past-the-end-is-the-whole-file",
	    test_commit_past_the_end_is_the_whole_file);
	return g_test_run();
}
