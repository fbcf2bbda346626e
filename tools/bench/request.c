/* SPDX-License-Identifier: MIT
 *
 * One slot's request into the connection's send queue: the prepared head, patched, then the
 * arguments; a WRITE points at its data in the shared pattern.
 */
#include "bench.h"
#include "pattern.h"

#define NAME_LEN 9
#define ACCESS_ALL 0x3f

/* Eight decimal digits. */
static void
put_digits(uint8_t *p, uint32_t v)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t q = v / 10;
		p[i] = (uint8_t)('0' + (v - q * 10));
		v = q;
	}
}

static inline void
put_fh(struct xdrw *w, const struct fh *fh)
{
	xdrw_opaque(w, fh->data, fh->len);
}

static inline void
put_name(struct xdrw *w, char prefix, uint32_t index)
{
	uint8_t name[NAME_LEN];

	name[0] = (uint8_t)prefix;
	put_digits(name + 1, index);
	xdrw_opaque(w, name, NAME_LEN);
}

/* sattr3 with a mode only. */
static void
put_mode(struct xdrw *w, uint32_t mode)
{
	xdrw_u32(w, 1);
	xdrw_u32(w, mode);
	for (int i = 0; i < 5; i++) /* uid, gid, size, atime, mtime: leave */
		xdrw_u32(w, 0);
}

static void
put_args(const struct thread *t, const struct slot *s, struct xdrw *w)
{
	switch (s->proc) {
	case NFS3_GETATTR:
		put_fh(w, &s->object->fh);
		break;
	case NFS3_ACCESS:
		put_fh(w, &s->object->fh);
		xdrw_u32(w, ACCESS_ALL);
		break;
	case NFS3_READ:
		put_fh(w, &s->object->fh);
		xdrw_u64(w, s->off);
		xdrw_u32(w, s->len);
		break;
	case NFS3_WRITE:
		put_fh(w, &s->object->fh);
		xdrw_u64(w, s->off);
		xdrw_u32(w, s->len);
		xdrw_u32(w, s->stable);
		xdrw_u32(w, s->len);
		break;
	case NFS3_COMMIT:
		put_fh(w, &s->object->fh);
		xdrw_u64(w, 0);
		xdrw_u32(w, 0);
		break;
	case NFS3_CREATE:
		put_fh(w, s->dir);
		put_name(w, s->prefix, s->index);
		xdrw_u32(w, s->create_mode);
		put_mode(w, 0644);
		break;
	case NFS3_MKDIR:
		put_fh(w, s->dir);
		put_name(w, s->prefix, s->index);
		put_mode(w, 0755);
		break;
	case NFS3_LOOKUP:
	case NFS3_REMOVE:
	case NFS3_RMDIR:
		put_fh(w, s->dir);
		put_name(w, s->prefix, s->index);
		break;
	case NFS3_RENAME:
		put_fh(w, s->dir);
		put_name(w, s->prefix, s->index);
		put_fh(w, s->dir);
		put_name(w, s->to_prefix, s->index);
		break;
	case NFS3_READDIRPLUS:
		put_fh(w, s->dir);
		xdrw_u64(w, s->off);
		xdrw_u64(w, s->cookie_verf);
		xdrw_u32(w, (uint32_t)t->b->opt->dir_bytes);
		xdrw_u32(w, (uint32_t)t->b->opt->dir_bytes);
		break;
	}
}

bool
request_send(struct thread *t, struct conn *c, struct slot *s)
{
	uint8_t *at = txq_reserve(&c->tx, REQUEST_MAX);
	uint32_t payload = s->proc == NFS3_WRITE ? s->len : 0;

	if (!at) {
		engine_fatal(t->b, "the send queue of connection %u is full", c->index);
		return false;
	}
	s->xid += UINT32_C(1) << (t->b->slot_bits + t->b->conn_bits);
	s->t_sent = t->now;
	struct xdrw w = {call_begin(&t->b->head, at, s->xid, s->proc)};
	put_args(t, s, &w);
	txq_commit(&c->tx, call_end(at, w.p, payload));
	if (payload) {
		uint32_t file = s->object->index;
		txq_payload(&c->tx, pattern_at(file, s->generation, s->off), payload);
	}
	t->tally.calls++;
	return true;
}
