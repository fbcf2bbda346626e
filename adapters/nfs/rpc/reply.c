/* SPDX-License-Identifier: MIT
 *
 * Finished encodings become records in the connection's queue.  A reply is laid out as
 * [mark][head][body], the body encoded first, since the mark needs its length.
 */
#include "adapters/nfs/rpc/conn.h"
#include "base/log.h"

void
nfs_reply_discard(struct xdr_out *out)
{
	for (uint32_t i = 0; i < out->n_refs; i++)
		dfs_buf_unref(out->refs[i].buf);
	out->n_refs = 0;
}

/* n bytes at p of the encoding, which lies in the last reservation or in buf. */
static void
queue(struct nfs_conn *conn, struct dfs_buf *buf, const unsigned char *p, uint32_t n)
{
	if (n == 0)
		return;
	if (buf)
		dfs_conn_put(&conn->io, dfs_buf_ref(buf), p, n);
	else
		dfs_conn_commit(&conn->io, p, n);
}

/* Queue a record that begins with the mark's place at base; takes over out's references.  buf: what
 * the encoding lies in (referenced), NULL: the last reservation. */
static void
send_record(struct nfs_conn *conn, struct dfs_buf *buf, unsigned char *base, struct xdr_out *out)
{
	unsigned char *at = base;
	uint32_t len = (uint32_t)(out->p - base) - RPC_MARK_SIZE;

	for (uint32_t i = 0; i < out->n_refs; i++)
		len += out->refs[i].len;
	rpc_put_mark(base, len);
	for (uint32_t i = 0; i < out->n_refs; i++) {
		unsigned char *to = out->base + out->refs[i].at;
		queue(conn, buf, at, (uint32_t)(to - at));
		dfs_conn_put(&conn->io, out->refs[i].buf, out->refs[i].data, out->refs[i].len);
		at = to;
	}
	queue(conn, buf, at, (uint32_t)(out->p - at));
	out->n_refs = 0;
}

void
nfs_reply_success(struct nfs_conn *conn, struct dfs_buf *buf, uint32_t xid, unsigned char *base,
		  struct xdr_out *out)
{
	rpc_store_success(base + RPC_MARK_SIZE, xid);
	if (!buf && out->n_refs == 0) { /* nearly every reply */
		uint32_t n = (uint32_t)(out->p - base);
		rpc_put_mark(base, n - RPC_MARK_SIZE);
		dfs_conn_commit(&conn->io, base, n);
		return;
	}
	send_record(conn, buf, base, out);
}

/* Room for a reply without data; closes the connection when there is none. */
static unsigned char *
small_reply(struct nfs_conn *conn, struct xdr_out *out)
{
	uint32_t size = RPC_MARK_SIZE + RPC_REPLY_MAX + NFS_FAIL_MAX;
	unsigned char *base;

	if (conn->io.closed)
		return NULL;
	base = dfs_conn_reserve(&conn->io, size);
	if (!base) {
		dfs_conn_close(&conn->io, "no memory for a reply");
		return NULL;
	}
	out->base = out->p = base + RPC_MARK_SIZE;
	out->end = base + size;
	out->bad = false;
	out->n_refs = 0;
	return base;
}

void
nfs_reply_accept(struct nfs_conn *conn, uint32_t xid, enum rpc_accept_stat stat)
{
	struct xdr_out out;
	unsigned char *base = small_reply(conn, &out);

	if (!base)
		return;
	rpc_put_accepted(&out, xid, stat);
	send_record(conn, NULL, base, &out);
}

void
nfs_reply_fail(struct nfs_conn *conn, uint32_t xid, const struct nfs_proc *proc,
	       enum dfs_status status)
{
	struct xdr_out out;
	unsigned char *base = small_reply(conn, &out);

	if (!base)
		return;
	rpc_put_accepted(&out, xid, proc->fail ? RPC_SUCCESS : RPC_SYSTEM_ERR);
	if (proc->fail)
		proc->fail(&out, status);
	send_record(conn, NULL, base, &out);
}

void
nfs_reply_mismatch(struct nfs_conn *conn, uint32_t xid, const struct nfs_versions *served)
{
	struct xdr_out out;
	unsigned char *base = small_reply(conn, &out);

	if (!base)
		return;
	if (served)
		rpc_put_prog_mismatch(&out, xid, served->low, served->high);
	else
		rpc_put_rpc_mismatch(&out, xid);
	send_record(conn, NULL, base, &out);
}

void
nfs_reply_auth_error(struct nfs_conn *conn, uint32_t xid, enum rpc_auth_stat stat)
{
	struct xdr_out out;
	unsigned char *base = small_reply(conn, &out);

	if (!base)
		return;
	rpc_put_auth_error(&out, xid, stat);
	send_record(conn, NULL, base, &out);
}
