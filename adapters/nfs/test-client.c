/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-client.h"

struct test_conn *tconn;

static unsigned char bytes[DFS_WRITE_MAX + 8192];
static struct xdr_out args;
static struct xdr_in res;

void
t_as(uint32_t uid, uint32_t gid)
{
	tconn->call.ctx.id = (struct dfs_identity){.uid = uid, .gid = gid};
}

struct tfh
t_root(const struct dfs_share *share)
{
	struct tfh fh;

	nfs_handle_make(share, share->root_fileid, share->root_generation, fh.bytes);
	return fh;
}

static void
put_fh(struct tfh fh)
{
	xdr_put_opaque(&args, fh.bytes, sizeof fh.bytes);
}

static void
begin(struct tfh fh)
{
	args = (struct xdr_out){.base = bytes, .p = bytes, .end = bytes + sizeof bytes};
	put_fh(fh);
}

static void
put_name(const char *name)
{
	xdr_put_opaque(&args, name, (uint32_t)strlen(name));
}

static void
put_time(int64_t ns)
{
	xdr_put_u32(&args, (uint32_t)(ns / DFS_SECOND));
	xdr_put_u32(&args, (uint32_t)(ns % DFS_SECOND));
}

static void
put_optional(bool set, uint32_t value)
{
	xdr_put_u32(&args, set);
	if (set)
		xdr_put_u32(&args, value);
}

static void
put_sattr(const struct dfs_setattr *set)
{
	put_optional(set->mask & DFS_SET_MODE, set->mode);
	put_optional(set->mask & DFS_SET_UID, set->uid);
	put_optional(set->mask & DFS_SET_GID, set->gid);
	xdr_put_u32(&args, !!(set->mask & DFS_SET_LENGTH));
	if (set->mask & DFS_SET_LENGTH)
		xdr_put_u64(&args, set->length);
	xdr_put_u32(&args, set->set_atime);
	if (set->set_atime == DFS_TIME_CLIENT)
		put_time(set->atime);
	xdr_put_u32(&args, set->set_mtime);
	if (set->set_mtime == DFS_TIME_CLIENT)
		put_time(set->mtime);
}

static struct treply
run(enum nfs3_proc_number proc)
{
	g_assert_false(args.bad);
	test_conn_args(tconn, bytes, (size_t)(args.p - args.base));
	g_assert_cmpint(test_conn_run(tconn, &nfs3_procs[proc]), ==, DFS_OK);
	res = (struct xdr_in){.p = tconn->flat, .end = tconn->flat + tconn->flat_len};
	return (struct treply){.status = xdr_u32(&res)};
}

static struct treply
end(struct treply r)
{
	g_assert_false(res.bad);
	g_assert_true(res.p == res.end);
	return r;
}

static int64_t
get_time(void)
{
	uint32_t sec = xdr_u32(&res);

	return (int64_t)sec * DFS_SECOND + xdr_u32(&res);
}

static struct tattr
get_fattr(void)
{
	struct tattr a = {.known = true};

	a.type = xdr_u32(&res);
	a.mode = xdr_u32(&res);
	a.nlink = xdr_u32(&res);
	a.uid = xdr_u32(&res);
	a.gid = xdr_u32(&res);
	a.size = xdr_u64(&res);
	a.used = xdr_u64(&res);
	a.major = xdr_u32(&res);
	a.minor = xdr_u32(&res);
	a.fsid = xdr_u64(&res);
	a.fileid = xdr_u64(&res);
	a.atime = get_time();
	a.mtime = get_time();
	a.ctime = get_time();
	return a;
}

static struct tattr
get_post(void)
{
	return xdr_u32(&res) ? get_fattr() : (struct tattr){0};
}

static struct twcc
get_wcc(void)
{
	struct twcc w = {.known = xdr_u32(&res)};

	if (w.known) {
		w.size = xdr_u64(&res);
		w.mtime = get_time();
		w.ctime = get_time();
	}
	w.after = get_post();
	return w;
}

static void
get_fh(struct tfh *fh)
{
	uint32_t len;
	const unsigned char *p = xdr_opaque(&res, NFS_HANDLE_MAX, &len);

	g_assert_cmpuint(len, ==, NFS_HANDLE_SIZE);
	memcpy(fh->bytes, p, NFS_HANDLE_SIZE);
}

struct treply
t_getattr(struct tfh fh)
{
	begin(fh);
	struct treply r = run(NFS3_GETATTR);
	if (r.status == 0)
		r.attr = get_fattr();
	return end(r);
}

static struct treply
wcc_reply(enum nfs3_proc_number proc)
{
	struct treply r = run(proc);

	r.wcc = get_wcc();
	return end(r);
}

struct treply
t_setattr(struct tfh fh, struct dfs_setattr set, const int64_t *guard)
{
	begin(fh);
	put_sattr(&set);
	xdr_put_u32(&args, guard != NULL);
	if (guard)
		put_time(*guard);
	return wcc_reply(NFS3_SETATTR);
}

struct treply
t_lookup_bytes(struct tfh dir, const char *name, uint32_t len)
{
	begin(dir);
	xdr_put_opaque(&args, name, len);
	struct treply r = run(NFS3_LOOKUP);
	if (r.status == 0) {
		get_fh(&r.fh);
		r.has_fh = true;
		r.attr = get_post();
	}
	r.dir = get_post();
	return end(r);
}

struct treply
t_lookup(struct tfh dir, const char *name)
{
	return t_lookup_bytes(dir, name, (uint32_t)strlen(name));
}

struct treply
t_access(struct tfh fh, uint32_t wanted)
{
	begin(fh);
	xdr_put_u32(&args, wanted);
	struct treply r = run(NFS3_ACCESS);
	r.attr = get_post();
	if (r.status == 0)
		r.granted = xdr_u32(&res);
	return end(r);
}

struct treply
t_readlink(struct tfh fh)
{
	begin(fh);
	struct treply r = run(NFS3_READLINK);
	r.attr = get_post();
	if (r.status == 0)
		r.data = xdr_opaque(&res, UINT32_MAX, &r.len);
	return end(r);
}

struct treply
t_read(struct tfh fh, uint64_t offset, uint32_t count)
{
	begin(fh);
	xdr_put_u64(&args, offset);
	xdr_put_u32(&args, count);
	struct treply r = run(NFS3_READ);
	r.attr = get_post();
	if (r.status == 0) {
		r.count = xdr_u32(&res);
		r.eof = xdr_u32(&res);
		r.data = xdr_opaque(&res, UINT32_MAX, &r.len);
		g_assert_cmpuint(r.count, ==, r.len);
	}
	return end(r);
}

static struct treply
write_reply(void)
{
	struct treply r = run(NFS3_WRITE);

	r.wcc = get_wcc();
	if (r.status == 0) {
		r.count = xdr_u32(&res);
		r.committed = xdr_u32(&res);
		r.verf = xdr_u64(&res);
	}
	return end(r);
}

struct treply
t_write(struct tfh fh, uint64_t offset, const void *data, uint32_t len, enum dfs_stable stable)
{
	begin(fh);
	xdr_put_u64(&args, offset);
	xdr_put_u32(&args, len);
	xdr_put_u32(&args, stable);
	xdr_put_opaque(&args, data, len);
	return write_reply();
}

struct treply
t_write_direct(struct tfh fh, uint64_t offset, const void *data, uint32_t len)
{
	const unsigned char *from = data;
	struct dfs_write w;

	g_assert_cmpint(dfs_fs_write_reserve(offset, len, &w), ==, DFS_OK);
	for (uint32_t i = 0; i < w.n; i++) {
		memcpy(w.iov[i].iov_base, from, w.iov[i].iov_len);
		from += w.iov[i].iov_len;
	}
	begin(fh);
	xdr_put_u64(&args, offset);
	xdr_put_u32(&args, len);
	xdr_put_u32(&args, DFS_UNSTABLE);
	xdr_put_u32(&args, len);
	tconn->call.direct = &w;
	struct treply r = write_reply();
	if (tconn->call.direct)
		dfs_fs_write_cancel(&w);
	tconn->call.direct = NULL;
	return r;
}

static struct treply
created(enum nfs3_proc_number proc)
{
	struct treply r = run(proc);

	if (r.status == 0) {
		r.has_fh = xdr_u32(&res);
		if (r.has_fh)
			get_fh(&r.fh);
		r.attr = get_post();
	}
	r.wcc = get_wcc();
	return end(r);
}

struct treply
t_create(struct tfh dir, const char *name, enum dfs_create_how how, struct dfs_setattr set,
	 uint64_t verifier)
{
	begin(dir);
	put_name(name);
	xdr_put_u32(&args, how);
	if (how == DFS_CREATE_EXCLUSIVE)
		xdr_put_u64(&args, verifier);
	else
		put_sattr(&set);
	return created(NFS3_CREATE);
}

struct treply
t_create_bytes(struct tfh dir, const char *name, uint32_t len)
{
	struct dfs_setattr set = SET_MODE(0644);

	begin(dir);
	xdr_put_opaque(&args, name, len);
	xdr_put_u32(&args, DFS_CREATE_GUARDED);
	put_sattr(&set);
	return created(NFS3_CREATE);
}

struct treply
t_mkdir(struct tfh dir, const char *name, uint32_t mode)
{
	struct dfs_setattr set = SET_MODE(mode);

	begin(dir);
	put_name(name);
	put_sattr(&set);
	return created(NFS3_MKDIR);
}

struct treply
t_symlink(struct tfh dir, const char *name, const char *text)
{
	struct dfs_setattr set = SET_MODE(0777);

	begin(dir);
	put_name(name);
	put_sattr(&set);
	put_name(text);
	return created(NFS3_SYMLINK);
}

struct treply
t_mknod(struct tfh dir, const char *name, uint32_t type, uint32_t major, uint32_t minor)
{
	struct dfs_setattr set = SET_MODE(0600);

	begin(dir);
	put_name(name);
	xdr_put_u32(&args, type);
	put_sattr(&set);
	if (type == DFS_TYPE_CHR || type == DFS_TYPE_BLK) {
		xdr_put_u32(&args, major);
		xdr_put_u32(&args, minor);
	}
	return created(NFS3_MKNOD);
}

struct treply
t_remove(struct tfh dir, const char *name)
{
	begin(dir);
	put_name(name);
	return wcc_reply(NFS3_REMOVE);
}

struct treply
t_rmdir(struct tfh dir, const char *name)
{
	begin(dir);
	put_name(name);
	return wcc_reply(NFS3_RMDIR);
}

struct treply
t_rename(struct tfh from, const char *name, struct tfh to, const char *new_name)
{
	begin(from);
	put_name(name);
	put_fh(to);
	put_name(new_name);
	struct treply r = run(NFS3_RENAME);
	r.wcc = get_wcc();
	r.wcc2 = get_wcc();
	return end(r);
}

struct treply
t_link(struct tfh fh, struct tfh dir, const char *name)
{
	begin(fh);
	put_fh(dir);
	put_name(name);
	struct treply r = run(NFS3_LINK);
	r.attr = get_post();
	r.wcc = get_wcc();
	return end(r);
}

static struct treply
dir_reply(enum nfs3_proc_number proc, struct tentry *entries, uint32_t *n)
{
	bool plus = proc == NFS3_READDIRPLUS;
	struct treply r = run(proc);

	*n = 0;
	r.dir = get_post();
	if (r.status != 0)
		return end(r);
	r.verf = xdr_u64(&res);
	while (xdr_u32(&res) == 1 && !res.bad) {
		struct tentry *e = &entries[*n];
		const unsigned char *name;
		uint32_t len;

		g_assert_cmpuint(*n, <, TEST_ENTRIES);
		(*n)++;
		e->fileid = xdr_u64(&res);
		name = xdr_opaque(&res, 255, &len);
		g_assert_nonnull(name);
		memcpy(e->name, name, len);
		e->name[len] = '\0';
		e->cookie = xdr_u64(&res);
		e->attr = plus ? get_post() : (struct tattr){0};
		e->has_fh = plus && xdr_u32(&res);
		if (e->has_fh)
			get_fh(&e->fh);
	}
	r.eof = xdr_u32(&res);
	return end(r);
}

struct treply
t_readdir(struct tfh dir, uint64_t cookie, uint32_t count, struct tentry *entries, uint32_t *n)
{
	begin(dir);
	xdr_put_u64(&args, cookie);
	xdr_put_u64(&args, 0);
	xdr_put_u32(&args, count);
	return dir_reply(NFS3_READDIR, entries, n);
}

struct treply
t_readdirplus(struct tfh dir, uint64_t cookie, uint32_t dircount, uint32_t maxcount,
	      struct tentry *entries, uint32_t *n)
{
	begin(dir);
	xdr_put_u64(&args, cookie);
	xdr_put_u64(&args, 0);
	xdr_put_u32(&args, dircount);
	xdr_put_u32(&args, maxcount);
	return dir_reply(NFS3_READDIRPLUS, entries, n);
}

struct treply
t_fsstat(struct tfh fh, struct dfs_statfs *st)
{
	begin(fh);
	struct treply r = run(NFS3_FSSTAT);
	r.attr = get_post();
	if (r.status == 0) {
		st->bytes_total = xdr_u64(&res);
		st->bytes_free = xdr_u64(&res);
		st->bytes_avail = xdr_u64(&res);
		st->files_total = xdr_u64(&res);
		st->files_free = xdr_u64(&res);
		st->files_avail = xdr_u64(&res);
		xdr_u32(&res);
	}
	return end(r);
}

struct treply
t_fsinfo(struct tfh fh)
{
	begin(fh);
	struct treply r = run(NFS3_FSINFO);
	r.attr = get_post();
	if (r.status == 0)
		xdr_fixed(&res, 48);
	return end(r);
}

struct treply
t_pathconf(struct tfh fh, uint32_t *linkmax, uint32_t *name_max)
{
	begin(fh);
	struct treply r = run(NFS3_PATHCONF);
	r.attr = get_post();
	if (r.status == 0) {
		*linkmax = xdr_u32(&res);
		*name_max = xdr_u32(&res);
		xdr_fixed(&res, 16);
	}
	return end(r);
}

struct treply
t_commit(struct tfh fh, uint64_t offset, uint32_t count)
{
	begin(fh);
	xdr_put_u64(&args, offset);
	xdr_put_u32(&args, count);
	struct treply r = run(NFS3_COMMIT);
	r.wcc = get_wcc();
	if (r.status == 0)
		r.verf = xdr_u64(&res);
	return end(r);
}
