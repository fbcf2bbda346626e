/* SPDX-License-Identifier: MIT */
#include <glib.h>

#include "bench.h"
#include "echo_reply.h"
#include "pattern.h"

#define HANDLE_LEN 32
#define XFER_MAX (1u << 20)
#define WRITE_VERF UINT64_C(0x6563686f65636821)

/* A reply as it leaves, and where in it the varying numbers stand (0: nowhere). */
struct canned {
	uint32_t len;
	uint32_t handle, attr;
	uint8_t bytes[ECHO_REPLY_MAX];
};

struct handle {
	uint32_t type, index;
	uint64_t fileid;
};

static struct canned canned[NFS3_PROCS];

/* All entries of one folder, encoded; its size is the number in the folder's handle. */
static struct {
	uint32_t n, entry_len;
	uint8_t *bytes;
} listing;

static void
put_handle(struct xdrw *w, const struct handle *h)
{
	uint8_t b[HANDLE_LEN] = ECHO_MAGIC;

	memcpy(b + 8, &h->type, 4);
	memcpy(b + 12, &h->index, 4);
	memcpy(b + 16, &h->fileid, 8);
	xdrw_opaque(w, b, HANDLE_LEN);
}

static bool
get_handle(struct xdrr *in, struct handle *h)
{
	uint32_t len;
	const uint8_t *p = xdrr_opaque(in, NFS3_FHSIZE, &len);

	if (!p || len != HANDLE_LEN || memcmp(p, ECHO_MAGIC, 8) != 0)
		return false;
	memcpy(&h->type, p + 8, 4);
	memcpy(&h->index, p + 12, 4);
	memcpy(&h->fileid, p + 16, 8);
	return true;
}

/* The handle of a name: 'f00000012' is a file with the number 12, folders begin with d or m or are
 * no such name at all. */
static bool
name_handle(struct xdrr *in, struct handle *h)
{
	uint32_t len;
	const uint8_t *name = xdrr_opaque(in, 255, &len);

	if (!name || len == 0)
		return false;
	h->index = 0;
	h->type = len == 9 && name[0] != 'd' && name[0] != 'm' ? NF3REG : NF3DIR;
	for (unsigned i = 1; len == 9 && i < 9; i++)
		h->index = h->index * 10 + (uint32_t)(name[i] - '0');
	h->fileid = (uint64_t)name[0] << 32 | (h->index + 2);
	return true;
}

static void
put_attr(struct xdrw *w, const struct handle *h)
{
	xdrw_u32(w, h->type);
	xdrw_u32(w, 0755);
	xdrw_u32(w, 1);
	xdrw_u32(w, 0);
	xdrw_u32(w, 0);
	xdrw_u64(w, 4096);
	xdrw_u64(w, 4096);
	xdrw_u64(w, 0);
	xdrw_u64(w, 1);
	xdrw_u64(w, h->fileid);
	for (int i = 0; i < 3; i++)
		xdrw_u64(w, UINT64_C(1) << 32);
}

static void
put_post_op(struct xdrw *w, struct canned *c)
{
	const struct handle h = {NF3REG, 0, 0};

	xdrw_u32(w, 1);
	if (!c->attr)
		c->attr = (uint32_t)(w->p - c->bytes);
	put_attr(w, &h);
}

static void
put_wcc(struct xdrw *w, struct canned *c)
{
	xdrw_u32(w, 1);
	for (int i = 0; i < 3; i++)
		xdrw_u64(w, 0);
	put_post_op(w, c);
}

/* Everything after the status. */
static void
can_results(struct canned *c, struct xdrw *w, uint32_t proc)
{
	const struct handle none = {NF3REG, 0, 0};

	switch (proc) {
	case NFS3_GETATTR:
		c->attr = (uint32_t)(w->p - c->bytes);
		put_attr(w, &none);
		break;
	case NFS3_LOOKUP:
		c->handle = (uint32_t)(w->p - c->bytes) + 4;
		put_handle(w, &none);
		put_post_op(w, c);
		put_post_op(w, c);
		break;
	case NFS3_ACCESS:
		put_post_op(w, c);
		xdrw_u32(w, 0x1f);
		break;
	case NFS3_READ:
	case NFS3_READDIRPLUS:
		put_post_op(w, c);
		break;
	case NFS3_CREATE:
	case NFS3_MKDIR:
		xdrw_u32(w, 1);
		c->handle = (uint32_t)(w->p - c->bytes) + 4;
		put_handle(w, &none);
		put_post_op(w, c);
		put_wcc(w, c);
		break;
	case NFS3_RENAME:
		put_wcc(w, c);
		put_wcc(w, c);
		break;
	case NFS3_SETATTR:
	case NFS3_WRITE:
	case NFS3_REMOVE:
	case NFS3_RMDIR:
		put_wcc(w, c);
		break;
	case NFS3_COMMIT:
		put_wcc(w, c);
		xdrw_u64(w, WRITE_VERF);
		break;
	case NFS3_FSINFO:
		put_post_op(w, c);
		for (int i = 0; i < 2; i++) { /* READ, then WRITE: max, preferred, multiple */
			xdrw_u32(w, XFER_MAX);
			xdrw_u32(w, XFER_MAX);
			xdrw_u32(w, 4096);
		}
		xdrw_u32(w, 65536);
		xdrw_u64(w, INT64_MAX);
		xdrw_u64(w, 1);
		xdrw_u32(w, 0x1b);
		break;
	}
}

void
echo_reply_init(void)
{
	pattern_init();
	for (uint32_t proc = 0; proc < NFS3_PROCS; proc++) {
		struct canned *c = &canned[proc];
		struct xdrw w = {c->bytes};
		xdrw_u32(&w, 0); /* record mark */
		xdrw_u32(&w, 0); /* xid */
		xdrw_u32(&w, 1); /* REPLY */
		for (int i = 0; i < 4; i++)
			xdrw_u32(&w, 0); /* accepted, AUTH_NONE, no verifier, SUCCESS */
		if (proc != NFS3_NULL)
			xdrw_u32(&w, NFS3_OK);
		can_results(c, &w, proc);
		c->len = (uint32_t)(w.p - c->bytes);
	}
}

bool
echo_call_parse(const uint8_t *data, uint32_t len, struct echo_call *call)
{
	struct xdrr in = {data, data + len, false};

	call->xid = xdrr_u32(&in);
	uint32_t type = xdrr_u32(&in), rpc = xdrr_u32(&in);
	call->prog = xdrr_u32(&in);
	xdrr_u32(&in);
	call->proc = xdrr_u32(&in);
	for (int i = 0; i < 2; i++) { /* credentials and verifier */
		uint32_t n;
		xdrr_u32(&in);
		xdrr_opaque(&in, 400, &n);
	}
	call->args = in;
	return !in.bad && type == 0 && rpc == 2;
}

/* A reply that is written out: an accept_stat, or the results of MOUNT. */
static bool
plain(struct txq *q, const struct echo_call *call, uint32_t accept, bool export, bool handle)
{
	static const char path[] = "/echo";
	const struct handle root = {NF3DIR, 0, 1};
	uint8_t *at = txq_reserve(q, ECHO_REPLY_MAX);

	if (!at)
		return false;
	struct xdrw w = {at + 4};
	xdrw_u32(&w, call->xid);
	xdrw_u32(&w, 1);
	for (int i = 0; i < 3; i++)
		xdrw_u32(&w, 0);
	xdrw_u32(&w, accept);
	if (export) {
		xdrw_u32(&w, 1);
		xdrw_opaque(&w, path, sizeof path - 1);
		xdrw_u32(&w, 0);
		xdrw_u32(&w, 0);
	}
	if (handle) {
		xdrw_u32(&w, 0);
		put_handle(&w, &root);
		xdrw_u32(&w, 1);
		xdrw_u32(&w, 1);
	}
	txq_commit(q, call_end(at, w.p, 0));
	return true;
}

static bool
reply_mount(struct txq *q, const struct echo_call *call)
{
	return plain(q, call, 0, call->proc == MOUNT_EXPORT, call->proc == MOUNT_MNT);
}

/* Encode all entries of a folder once. */
static void
make_listing(uint32_t n)
{
	if (listing.n == n)
		return;
	g_free(listing.bytes);
	listing.bytes = g_malloc((size_t)n * 256 + 1);
	listing.n = n;
	struct xdrw w = {listing.bytes};
	for (uint32_t i = 0; i < n; i++) {
		const struct handle h = {NF3REG, i, (uint64_t)'e' << 32 | (i + 2)};
		char name[16];
		g_snprintf(name, sizeof name, "e%08u", i);
		xdrw_u32(&w, 1);
		xdrw_u64(&w, h.fileid);
		xdrw_opaque(&w, name, 9);
		xdrw_u64(&w, i + 1);
		xdrw_u32(&w, 1);
		put_attr(&w, &h);
		xdrw_u32(&w, 1);
		put_handle(&w, &h);
		if (i == 0)
			listing.entry_len = (uint32_t)(w.p - listing.bytes);
	}
}

/* Begin a canned reply at `at`; returns where what is not canned goes. */
static struct xdrw
begin(uint8_t *at, const struct echo_call *call)
{
	const struct canned *c = &canned[call->proc];

	memcpy(at, c->bytes, c->len);
	xdrw_poke32(at + 4, call->xid);
	return (struct xdrw){at + c->len};
}

static bool
reply_listing(struct txq *q, const struct echo_call *call, struct xdrr *in, const struct handle *h)
{
	uint8_t *at = txq_reserve(q, ECHO_REPLY_MAX);
	uint64_t cookie = xdrr_u64(in);
	uint32_t max;

	if (!at)
		return false;
	xdrr_u64(in);
	xdrr_u32(in);
	max = xdrr_u32(in);
	max = MIN(max, XFER_MAX);
	make_listing(h->index);
	struct xdrw w = begin(at, call);
	xdrw_u64(&w, 0); /* cookie verifier */
	uint32_t fixed = (uint32_t)(w.p - at) - 32 + 8;
	uint32_t room = max > fixed && listing.entry_len ? (max - fixed) / listing.entry_len : 0;
	uint32_t first = (uint32_t)MIN(cookie, listing.n), n = MIN(room, listing.n - first);
	uint32_t bytes = n * listing.entry_len;
	txq_commit(q, call_end(at, w.p, bytes + 8));
	if (bytes)
		txq_payload(q, listing.bytes + (size_t)first * listing.entry_len, bytes);
	struct xdrw end = {q->buf + q->tail}; /* was reserved above */
	xdrw_u32(&end, 0);
	xdrw_u32(&end, first + n == listing.n);
	txq_commit(q, 8);
	return true;
}

static bool
reply_nfs(struct txq *q, const struct echo_call *call)
{
	const struct canned *c = &canned[call->proc];
	struct xdrr in = call->args;
	struct handle h = {NF3REG, 0, 0}, made;
	uint32_t payload = 0, file;

	if (call->proc != NFS3_NULL && !get_handle(&in, &h))
		return plain(q, call, 4, false, false);
	if (call->proc == NFS3_READDIRPLUS)
		return reply_listing(q, call, &in, &h);
	uint8_t *at = txq_reserve(q, ECHO_REPLY_MAX);
	if (!at)
		return false;
	struct xdrw w = begin(at, call);
	file = h.index;
	if (c->handle && name_handle(&in, &made)) {
		struct xdrw handle = {at + c->handle - 4};
		put_handle(&handle, &made);
		h = made;
	}
	if (c->attr) {
		xdrw_poke32(at + c->attr, h.type);
		xdrw_poke64(at + c->attr + FATTR_FILEID, h.fileid);
	}
	uint64_t off = xdrr_u64(&in);
	if (call->proc == NFS3_READ) {
		payload = xdrr_u32(&in) & ~3u;
		payload = MIN(payload, XFER_MAX);
		xdrw_u32(&w, payload);
		xdrw_u32(&w, 0);
		xdrw_u32(&w, payload);
	} else if (call->proc == NFS3_WRITE) {
		xdrw_u32(&w, xdrr_u32(&in));
		xdrw_u32(&w, xdrr_u32(&in));
		xdrw_u64(&w, WRITE_VERF);
	}
	txq_commit(q, call_end(at, w.p, payload));
	if (payload)
		txq_payload(q, pattern_at(file, 0, off), payload);
	return true;
}

bool
echo_reply(struct txq *q, const struct echo_call *call)
{
	if (call->prog == PROG_MOUNT)
		return reply_mount(q, call);
	if (call->prog == PROG_NFS && call->proc < NFS3_PROCS)
		return reply_nfs(q, call);
	return plain(q, call, call->prog == PROG_NFS ? 3 : 1, false, false);
}
