/* SPDX-License-Identifier: MIT
 *
 * Checks of NFSv3 results (RFC 1813): status, each length, handles and file numbers that are
 * known, counts, write verifiers, data.  A reply that is one byte too long or too short is an
 * error.
 */
#include "bench.h"
#include "pattern.h"

#define ACCESS_READ 1
#define ACCESS_ALL 0x3fu

static inline void
skip_post_op(struct xdrr *in)
{
	uint32_t follows = xdrr_u32(in);

	if (follows == 1)
		xdrr_take(in, NFS3_FATTR);
	else if (follows != 0)
		in->bad = true;
}

static inline void
skip_wcc(struct xdrr *in)
{
	uint32_t follows = xdrr_u32(in);

	if (follows == 1)
		xdrr_take(in, NFS3_WCC_PRE);
	else if (follows != 0)
		in->bad = true;
	skip_post_op(in);
}

static bool
get_fh(struct xdrr *in, struct fh *fh)
{
	const uint8_t *p = xdrr_opaque(in, NFS3_FHSIZE, &fh->len);

	if (!p || fh->len == 0) {
		in->bad = true;
		return false;
	}
	memcpy(fh->data, p, fh->len);
	return true;
}

static enum verdict
wrong(struct thread *t, const struct slot *s, const char *what)
{
	engine_error(t, "%s: %s", nfs3_proc_name(s->proc), what);
	return VERDICT_ERROR;
}

static enum verdict
check_getattr(struct thread *t, struct slot *s, struct xdrr *in)
{
	const uint8_t *attr = xdrr_take(in, NFS3_FATTR);

	if (!attr)
		return wrong(t, s, "the attributes are cut off");
	uint64_t fileid = xdrr_peek64(attr + FATTR_FILEID);
	if (s->object->fileid == 0) /* in the preparation, where one slot alone has the object */
		s->object->fileid = fileid;
	if (fileid != s->object->fileid)
		return wrong(t, s, "another file's attributes");
	return VERDICT_OK;
}

static enum verdict
check_lookup(struct thread *t, struct slot *s, struct xdrr *in)
{
	struct fh *fh = &t->res.fh;

	t->res.have_fh = get_fh(in, fh);
	skip_post_op(in);
	skip_post_op(in);
	if (in->bad || !s->object || s->object->fh.len == 0)
		return VERDICT_OK;
	if (fh->len != s->object->fh.len || memcmp(fh->data, s->object->fh.data, fh->len) != 0)
		return wrong(t, s, "not the handle that the file had before");
	return VERDICT_OK;
}

static enum verdict
check_access(struct thread *t, struct slot *s, struct xdrr *in)
{
	skip_post_op(in);
	uint32_t got = xdrr_u32(in);
	if (!in->bad && ((got & ~ACCESS_ALL) || !(got & ACCESS_READ)))
		return wrong(t, s, "a mask that cannot be right");
	return VERDICT_OK;
}

static enum verdict
check_read(struct thread *t, struct slot *s, struct xdrr *in, const uint8_t **data)
{
	skip_post_op(in);
	uint32_t count = xdrr_u32(in);
	t->res.eof = xdrr_u32(in) != 0;
	uint32_t len = xdrr_u32(in);
	if (in->bad)
		return wrong(t, s, "the reply is cut off");
	if (count != len)
		return wrong(t, s, "the count is not the length of the data");
	if (count != s->len)
		return wrong(t, s, "fewer or more bytes than asked for");
	*data = in->p;
	return VERDICT_OK;
}

/* The verifier of WRITE and COMMIT may not change while the server lives (RFC 1813 3.3.7). */
static enum verdict
check_verf(struct thread *t, const struct slot *s, uint64_t verf)
{
	if (t->have_verf && t->verf != verf) {
		t->verf = verf;
		return wrong(t, s, "the write verifier changed: unstable data may be lost");
	}
	t->have_verf = true;
	t->verf = verf;
	return VERDICT_OK;
}

static enum verdict
check_write(struct thread *t, struct slot *s, struct xdrr *in)
{
	skip_wcc(in);
	uint32_t count = xdrr_u32(in), committed = xdrr_u32(in);
	uint64_t verf = xdrr_u64(in);
	if (in->bad)
		return VERDICT_OK;
	if (count != s->len)
		return wrong(t, s, "not all bytes were written");
	if (committed > WRITE_FILE_SYNC || committed < s->stable)
		return wrong(t, s, "not as stable as asked for");
	return check_verf(t, s, verf);
}

static enum verdict
check_commit(struct thread *t, struct slot *s, struct xdrr *in)
{
	skip_wcc(in);
	uint64_t verf = xdrr_u64(in);
	return in->bad ? VERDICT_OK : check_verf(t, s, verf);
}

static enum verdict
check_create(struct thread *t, struct slot *s, struct xdrr *in)
{
	uint32_t follows = xdrr_u32(in);

	t->res.have_fh = follows == 1 && get_fh(in, &t->res.fh);
	if (follows > 1)
		in->bad = true;
	skip_post_op(in);
	skip_wcc(in);
	return VERDICT_OK;
}

/* The number in a name "e00000012", or -1. */
static int64_t
name_number(const uint8_t *name, uint32_t len, char prefix)
{
	uint32_t v = 0;

	if (len != 9 || name[0] != (uint8_t)prefix)
		return -1;
	for (unsigned i = 1; i < 9; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		v = v * 10 + (uint32_t)(name[i] - '0');
	}
	return v;
}

static enum verdict
check_readdirplus(struct thread *t, struct slot *s, struct xdrr *in)
{
	uint64_t n = 0, listed = 0;

	skip_post_op(in);
	s->cookie_verf = xdrr_u64(in);
	while (xdrr_u32(in) == 1) {
		uint32_t len, fh_len;
		xdrr_u64(in);
		const uint8_t *name = xdrr_opaque(in, 255, &len);
		s->off = xdrr_u64(in);
		skip_post_op(in);
		uint32_t follows = xdrr_u32(in);
		if (follows == 1)
			xdrr_opaque(in, NFS3_FHSIZE, &fh_len);
		else if (follows != 0)
			in->bad = true;
		if (in->bad)
			break;
		n++;
		if (len <= 2 && name[0] == '.')
			continue;
		int64_t number = name_number(name, len, s->prefix);
		if (number < 0)
			return wrong(t, s, "a name that was never made");
		listed++;
		s->sum += (uint64_t)number;
	}
	t->res.eof = xdrr_u32(in) != 0;
	if (!in->bad && n == 0 && !t->res.eof)
		return wrong(t, s, "no entry and no end");
	s->seen += listed;
	t->tally.entries += listed;
	return VERDICT_OK;
}

static enum verdict
check_results(struct thread *t, struct slot *s, struct xdrr *in, const uint8_t **data)
{
	switch (s->proc) {
	case NFS3_GETATTR:
		return check_getattr(t, s, in);
	case NFS3_LOOKUP:
		return check_lookup(t, s, in);
	case NFS3_ACCESS:
		return check_access(t, s, in);
	case NFS3_READ:
		return check_read(t, s, in, data);
	case NFS3_WRITE:
		return check_write(t, s, in);
	case NFS3_COMMIT:
		return check_commit(t, s, in);
	case NFS3_CREATE:
	case NFS3_MKDIR:
		return check_create(t, s, in);
	case NFS3_REMOVE:
	case NFS3_RMDIR:
		skip_wcc(in);
		return VERDICT_OK;
	case NFS3_RENAME:
		skip_wcc(in);
		skip_wcc(in);
		return VERDICT_OK;
	case NFS3_READDIRPLUS:
		return check_readdirplus(t, s, in);
	}
	return VERDICT_OK;
}

enum verdict
reply_check(struct thread *t, struct slot *s, struct xdrr *in, const uint8_t **data)
{
	t->res.status = NFS3_OK;
	t->res.have_fh = false;
	*data = NULL;
	if (s->proc != NFS3_NULL) {
		uint32_t status = t->res.status = xdrr_u32(in);
		if (status == NFS3ERR_JUKEBOX)
			return VERDICT_RETRY;
		if (status != NFS3_OK && status == t->b->phase->tolerated)
			return VERDICT_OK;
		if (status != NFS3_OK)
			return wrong(t, s, nfs3_status_name(status));
	}
	enum verdict v = check_results(t, s, in, data);
	if (v != VERDICT_OK || *data)
		return v;
	if (in->bad || in->p != in->end)
		return wrong(t, s, "the reply's length is wrong");
	return VERDICT_OK;
}

bool
reply_compare(struct thread *t, struct slot *s, const uint8_t *data)
{
	t->tally.verified++;
	if (memcmp(data, pattern_at(s->object->index, s->generation, s->off), s->len) == 0)
		return true;
	engine_error(t, "READ: wrong data in %c%08u at %" G_GUINT64_FORMAT, s->object->prefix,
		     s->object->index, s->off);
	return false;
}
