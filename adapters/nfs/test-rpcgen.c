/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/test-rpcgen.h"

struct dfs_share share = {.refs = 1,
			  .slot = SLOT,
			  .fsid = 0x1122334455667788,
			  .handle_key = {11, 22},
			  .path = "/export"};
struct dfs_share other_share = {
	.refs = 1, .slot = OTHER_SLOT, .fsid = 99, .handle_key = {33, 44}, .path = "/other"};
/* Random values. */

uint64_t
random64(void)
{
	return (uint64_t)(uint32_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int();
}

int64_t
random_time(void)
{
	return (int64_t)(uint32_t)g_test_rand_int() * DFS_SECOND +
	       g_test_rand_int_range(0, 1000000000);
}

struct dfs_attr
random_attr(void)
{
	return (struct dfs_attr){
		.type = (uint32_t)g_test_rand_int_range(1, 8),
		.mode = (uint32_t)g_test_rand_int_range(0, 010000),
		.nlink = (uint32_t)g_test_rand_int(),
		.uid = (uint32_t)g_test_rand_int(),
		.gid = (uint32_t)g_test_rand_int(),
		.rdev_major = (uint32_t)g_test_rand_int(),
		.rdev_minor = (uint32_t)g_test_rand_int(),
		.fileid = random64(),
		.generation = random64(),
		.length = random64(),
		.used = random64(),
		.atime = random_time(),
		.mtime = random_time(),
		.ctime = random_time(),
	};
}

struct dfs_wcc
random_wcc(void)
{
	return (struct dfs_wcc){
		.pre_valid = g_test_rand_bit(),
		.post_valid = g_test_rand_bit(),
		.pre_length = random64(),
		.pre_mtime = random_time(),
		.pre_ctime = random_time(),
		.post = random_attr(),
	};
}

/* Comparing. */

void
assert_time(const o_time *t, int64_t ns)
{
	g_assert_cmpint((int64_t)t->sec * DFS_SECOND + t->nsec, ==, ns);
}

void
assert_fattr(const o_fattr *o, const struct dfs_attr *a)
{
	g_assert_cmpuint(o->type, ==, a->type);
	g_assert_cmpuint(o->mode, ==, a->mode);
	g_assert_cmpuint(o->nlink, ==, a->nlink);
	g_assert_cmpuint(o->uid, ==, a->uid);
	g_assert_cmpuint(o->gid, ==, a->gid);
	g_assert_cmpuint(o->size, ==, a->length);
	g_assert_cmpuint(o->used, ==, a->used);
	g_assert_cmpuint(o->rdev.major, ==, a->rdev_major);
	g_assert_cmpuint(o->rdev.minor, ==, a->rdev_minor);
	g_assert_cmpuint(o->fsid, ==, share.fsid);
	g_assert_cmpuint(o->fileid, ==, a->fileid);
	assert_time(&o->atime, a->atime);
	assert_time(&o->mtime, a->mtime);
	assert_time(&o->ctime, a->ctime);
}

void
assert_post(const o_post_attr *o, const struct dfs_attr *a)
{
	g_assert_true(o->known);
	assert_fattr(&o->o_post_attr_u.attr, a);
}

void
assert_wcc(const o_wcc *o, const struct dfs_wcc *w)
{
	g_assert_cmpint(o->before.known, ==, w->pre_valid);
	g_assert_cmpint(o->after.known, ==, w->post_valid);
	if (w->pre_valid) {
		g_assert_cmpuint(o->before.o_pre_attr_u.attr.size, ==, w->pre_length);
		assert_time(&o->before.o_pre_attr_u.attr.mtime, w->pre_mtime);
		assert_time(&o->before.o_pre_attr_u.attr.ctime, w->pre_ctime);
	}
	if (w->post_valid)
		assert_fattr(&o->after.o_post_attr_u.attr, &w->post);
}

void
assert_fh(const o_fh *o, const struct dfs_attr *a)
{
	unsigned char h[NFS_HANDLE_SIZE];

	nfs_handle_make(&share, a->fileid, a->generation, h);
	g_assert_cmpmem(o->data.data_val, o->data.data_len, h, sizeof h);
}

/* The connection, arguments and results. */

struct test_conn conn;
unsigned char handle[NFS_HANDLE_SIZE], handle2[NFS_HANDLE_SIZE];

struct dfs_share_rules *rules;

void
test_rpcgen_set_up(void)
{
	memset(&fs, 0, sizeof fs);
	fs.attr = random_attr();
	fs.dir_attr = random_attr();
	fs.wcc[0] = random_wcc();
	fs.wcc[1] = random_wcc();
	test_conn_init(&conn, "127.0.0.1", 900);
	if (!rules) {
		rules = g_malloc0(sizeof *rules + sizeof rules->rules[0]);
		rules->n = 1;
	}
	share.rules = other_share.rules = rules;
	conn.runtime.shares[0] = &share;
	conn.runtime.shares[1] = &other_share;
	nfs_handle_make(&share, 41, 1, handle);
	nfs_handle_make(&share, 42, 2, handle2);
}

void
test_rpcgen_tear_down(void)
{
	test_conn_clear(&conn);
	g_assert_cmpint(share.refs, ==, 1);
	g_assert_cmpint(other_share.refs, ==, 1);
}

void
encode(xdrproc_t fn, const void *args)
{
	static char bytes[400000];
	XDR x;

	xdrmem_create(&x, bytes, sizeof bytes, XDR_ENCODE);
	g_assert_true(fn(&x, (void *)(uintptr_t)args));
	test_conn_args(&conn, bytes, xdr_getpos(&x));
	xdr_destroy(&x);
}

/* The whole body must be the result, no byte more. */
void
decode(xdrproc_t fn, void *res, size_t size)
{
	XDR x;

	memset(res, 0, size);
	xdrmem_create(&x, (char *)conn.flat, conn.flat_len, XDR_DECODE);
	g_assert_true(fn(&x, res));
	g_assert_cmpuint(xdr_getpos(&x), ==, conn.flat_len);
	xdr_destroy(&x);
}

void
run(enum nfs3_proc_number proc)
{
	g_assert_cmpint(test_conn_run(&conn, &nfs3_procs[proc]), ==, DFS_OK);
}

o_sattr
random_sattr(void)
{
	o_sattr s = {0};

	if ((s.mode.set = g_test_rand_bit()))
		s.mode.o_set32_u.value = (uint32_t)g_test_rand_int_range(0, 010000);
	if ((s.uid.set = g_test_rand_bit()))
		s.uid.o_set32_u.value = (uint32_t)g_test_rand_int();
	if ((s.gid.set = g_test_rand_bit()))
		s.gid.o_set32_u.value = (uint32_t)g_test_rand_int();
	if ((s.size.set = g_test_rand_bit()))
		s.size.o_set64_u.value = random64() >> 1;
	s.atime.how = (uint32_t)g_test_rand_int_range(0, 3);
	s.atime.o_settime_u.time = (o_time){(uint32_t)g_test_rand_int(), 5};
	s.mtime.how = (uint32_t)g_test_rand_int_range(0, 3);
	s.mtime.o_settime_u.time = (o_time){(uint32_t)g_test_rand_int(), 999999999};
	return s;
}

void
assert_set(const o_sattr *o)
{
	const struct dfs_setattr *s = &fs.set;

	g_assert_cmpint(o->mode.set, ==, !!(s->mask & DFS_SET_MODE));
	g_assert_cmpint(o->uid.set, ==, !!(s->mask & DFS_SET_UID));
	g_assert_cmpint(o->gid.set, ==, !!(s->mask & DFS_SET_GID));
	g_assert_cmpint(o->size.set, ==, !!(s->mask & DFS_SET_LENGTH));
	if (o->mode.set)
		g_assert_cmpuint(o->mode.o_set32_u.value, ==, s->mode);
	if (o->uid.set)
		g_assert_cmpuint(o->uid.o_set32_u.value, ==, s->uid);
	if (o->gid.set)
		g_assert_cmpuint(o->gid.o_set32_u.value, ==, s->gid);
	if (o->size.set)
		g_assert_cmpuint(o->size.o_set64_u.value, ==, s->length);
	g_assert_cmpuint(o->atime.how, ==, s->set_atime);
	g_assert_cmpuint(o->mtime.how, ==, s->set_mtime);
	if (o->atime.how == 2)
		assert_time(&o->atime.o_settime_u.time, s->atime);
	if (o->mtime.how == 2)
		assert_time(&o->mtime.o_settime_u.time, s->mtime);
}

void
add(const char *path, void (*fn)(void))
{
	g_autofree char *full = g_strconcat("/nfs/", path, NULL);

	g_test_add_vtable(full, 0, fn, (GTestFixtureFunc)(void (*)(void))test_rpcgen_set_up,
			  (GTestFixtureFunc)fn,
			  (GTestFixtureFunc)(void (*)(void))test_rpcgen_tear_down);
}
