/* SPDX-License-Identifier: MIT
 *
 * NFSv3, stateful, over the real core/fs on the memory stores.
 *
 * The input is a program.  Most of its operations are well-formed calls whose choices (which
 * handle, which name, how many bytes) come from the input; the client checks every reply's form.
 * Operation RAW sends arguments that are put together from tokens, so that malformed ones with
 * good handles inside are met too.  Each input has a directory of its own, emptied at its end.
 */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-client.h"
#include "adapters/nfs/test-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HANDLES 16
#define RAW NFS3_PROCS
#define RAW_MAX 2048
#define DATA_MAX 200000

static struct test_world world;
static struct test_conn conn;
static struct tfh handles[HANDLES];
static unsigned n_handles;
static unsigned char payload[DATA_MAX];
static struct tentry entries[TEST_ENTRIES];

struct input {
	const uint8_t *p, *end;
};

static unsigned
u8(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static uint32_t
u16(struct input *in)
{
	uint32_t hi = u8(in);

	return hi << 8 | u8(in);
}

/* Small values, values around interesting limits, and anything. */
static uint64_t
number(struct input *in)
{
	static const uint64_t limits[] = {0,          4095,      4096,      65535,
					  65536,      1 << 20,   4 << 20,   64 << 20,
					  UINT32_MAX, INT64_MAX, UINT64_MAX};
	unsigned how = u8(in);
	uint64_t v = 0;

	if (how < 128)
		return how;
	if (how < 240)
		return limits[how % G_N_ELEMENTS(limits)] + u8(in) - 128;
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | u8(in);
	return v;
}

static struct tfh
handle(struct input *in)
{
	return handles[u8(in) % n_handles];
}

static const char *
name(struct input *in)
{
	static const char *const names[] = {"a", "b", "c", "dir", "file", ".", "..", "", "x/y"};
	static char text[4][300];
	static unsigned turn;
	unsigned how = u8(in), len;
	char *to = text[turn++ % 4];

	if (how < 200)
		return names[how % G_N_ELEMENTS(names)];
	len = how < 250 ? how - 200 : 256 - (255 - how);
	memset(to, 'n', len);
	if (len)
		to[0] = (char)u8(in);
	to[len] = '\0';
	return to;
}

static struct dfs_setattr
sattr(struct input *in)
{
	unsigned bits = u8(in);
	struct dfs_setattr set = {.mask = bits & 15,
				  .set_atime = (bits >> 4 & 3) % 3,
				  .set_mtime = (bits >> 6 & 3) % 3};

	set.mode = bits & 1 ? u16(in) : 0;
	set.uid = bits & 2 ? u8(in) : 0;
	set.gid = bits & 4 ? u8(in) : 0;
	set.length = bits & 8 ? number(in) : 0;
	set.atime = set.mtime = (int64_t)u16(in) * DFS_SECOND;
	return set;
}

static void
keep(const struct treply *r)
{
	if (r->status != 0 || !r->has_fh)
		return;
	if (n_handles < HANDLES)
		handles[n_handles++] = r->fh;
	else
		handles[1 + r->fh.bytes[15] % (HANDLES - 1)] = r->fh;
}

static void
raw(struct input *in)
{
	unsigned char args[RAW_MAX];
	struct xdr_out out = {.base = args, .p = args, .end = args + sizeof args};
	enum nfs3_proc_number proc = u8(in) % NFS3_PROCS;

	for (unsigned token; in->p < in->end && (token = u8(in)) != 0xff;) {
		struct tfh fh = handles[token % n_handles];
		if (token < 0x20) {
			xdr_put_opaque(&out, fh.bytes, sizeof fh.bytes);
		} else if (token < 0x30) {
			const char *text = name(in);
			xdr_put_opaque(&out, text, (uint32_t)strlen(text));
		} else if (token < 0x60) {
			xdr_put_u32(&out, (uint32_t)number(in));
		} else if (token < 0x80) {
			xdr_put_u64(&out, number(in));
		} else {
			unsigned char byte = (unsigned char)token;
			if (out.p < out.end)
				*out.p++ = byte;
		}
	}
	test_conn_args(tconn, args, (size_t)(out.p - out.base));
	test_conn_run(tconn, &nfs3_procs[proc]);
}

static void
data_operation(unsigned op, struct input *in)
{
	struct tfh fh = handle(in);
	uint64_t offset = number(in);
	uint32_t len = (uint32_t)number(in);

	switch (op) {
	case NFS3_READ:
		t_read(fh, offset, len);
		break;
	case NFS3_COMMIT:
		t_commit(fh, offset, len);
		break;
	default:
		len %= DATA_MAX;
		memset(payload, (int)len, len);
		if (len && offset < (uint64_t)INT64_MAX - len && u8(in) % 2)
			t_write_direct(fh, offset, payload, len);
		else
			t_write(fh, offset, payload, len, u8(in) % 3);
		break;
	}
}

static void
make_operation(unsigned op, struct input *in)
{
	struct tfh dir = handle(in);
	const char *text = name(in);
	struct treply r;

	switch (op) {
	case NFS3_CREATE:
		r = t_create(dir, text, u8(in) % 3, sattr(in), u8(in));
		break;
	case NFS3_MKDIR:
		r = t_mkdir(dir, text, u16(in));
		break;
	case NFS3_SYMLINK:
		r = t_symlink(dir, text, name(in));
		break;
	case NFS3_MKNOD:
		r = t_mknod(dir, text, 3 + u8(in) % 2 * 4, u8(in), u8(in));
		break;
	default:
		r = t_lookup(dir, text);
		break;
	}
	keep(&r);
}

static void
operation(unsigned op, struct input *in)
{
	struct dfs_statfs st;
	struct tfh fh;
	const char *text;
	int64_t guard;
	uint32_t n, a, b;

	switch (op) {
	case NFS3_NULL: /* another user */
		a = u8(in);
		t_as(a % 3 ? 1000 + a % 3 : 0, a % 2 ? 1000 : 0);
		break;
	case NFS3_GETATTR:
		t_getattr(handle(in));
		break;
	case NFS3_SETATTR:
		fh = handle(in);
		guard = (int64_t)number(in) / 2 % (INT64_C(4000000000) * DFS_SECOND);
		t_setattr(fh, sattr(in), u8(in) % 4 ? NULL : &guard);
		break;
	case NFS3_ACCESS:
		fh = handle(in);
		t_access(fh, u8(in));
		break;
	case NFS3_READLINK:
		t_readlink(handle(in));
		break;
	case NFS3_READ:
	case NFS3_WRITE:
	case NFS3_COMMIT:
		data_operation(op, in);
		break;
	case NFS3_LOOKUP:
	case NFS3_CREATE:
	case NFS3_MKDIR:
	case NFS3_SYMLINK:
	case NFS3_MKNOD:
		make_operation(op, in);
		break;
	case NFS3_REMOVE:
		fh = handle(in);
		t_remove(fh, name(in));
		break;
	case NFS3_RMDIR:
		fh = handle(in);
		t_rmdir(fh, name(in));
		break;
	case NFS3_RENAME:
		fh = handle(in);
		text = name(in);
		t_rename(fh, text, handle(in), name(in));
		break;
	case NFS3_LINK:
		fh = handle(in);
		t_link(fh, handle(in), name(in));
		break;
	case NFS3_READDIR:
		fh = handle(in);
		t_readdir(fh, number(in), u16(in), entries, &n);
		break;
	case NFS3_READDIRPLUS:
		fh = handle(in);
		a = u16(in);
		t_readdirplus(fh, number(in), a, u16(in), entries, &n);
		break;
	case NFS3_FSSTAT:
		t_fsstat(handle(in), &st);
		break;
	case NFS3_FSINFO:
		t_fsinfo(handle(in));
		break;
	case NFS3_PATHCONF:
		t_pathconf(handle(in), &a, &b);
		break;
	default:
		raw(in);
		break;
	}
}

/* Remove what the input has made, as root. */
static void
empty(struct tfh dir, unsigned depth)
{
	struct tentry *list = g_new(struct tentry, TEST_ENTRIES);
	struct treply r;
	uint32_t n;

	g_assert_cmpuint(depth, <, 1000);
	do {
		r = t_readdirplus(dir, 2, 65536, 65536, list, &n);
		g_assert_cmpuint(r.status, ==, 0);
		for (uint32_t i = 0; i < n; i++) {
			if (list[i].attr.type == DFS_TYPE_DIR) {
				empty(list[i].fh, depth + 1);
				g_assert_cmpuint(t_rmdir(dir, list[i].name).status, ==, 0);
			} else {
				g_assert_cmpuint(t_remove(dir, list[i].name).status, ==, 0);
			}
		}
	} while (!r.eof);
	g_free(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct treply top;

	if (!world.one) {
		test_world_init(&world);
		test_conn_init(&conn, "127.0.0.1", 900);
		conn.runtime.shares[0] = world.one;
		conn.runtime.shares[1] = world.two;
		tconn = &conn;
	}
	t_as(0, 0);
	g_assert_cmpuint(t_setattr(t_root(world.one), SET_MODE(0777), NULL).status, ==, 0);
	top = t_mkdir(t_root(world.one), "top", 0777);
	g_assert_cmpuint(top.status, ==, 0);
	handles[0] = top.fh;
	n_handles = 1;
	while (in.p < in.end)
		operation(u8(&in) % (RAW + 1), &in);
	t_as(0, 0);
	/* What was renamed or made above the input's directory goes as well. */
	empty(t_root(world.one), 0);
	return 0;
}
