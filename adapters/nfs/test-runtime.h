/* SPDX-License-Identifier: MIT
 *
 * For the tests of this folder: a runtime that is a plain array of shares, and a call with its
 * buffers.  The functions of runtime/runtime.h that procedures use are defined here and take the
 * place of libdittofs's.
 */
#ifndef NFS_TEST_RUNTIME_H
#define NFS_TEST_RUNTIME_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/handle.h"
#include "adapters/nfs/mount/mounts.h"
#include "runtime/runtime.h"

#define TEST_SHARES 4

struct dfs_runtime {
	uint64_t epoch;
	struct dfs_share *shares[TEST_SHARES]; /* NULL: a hole */
	struct dfs_share *leaving;             /* NULL: none */
	unsigned most_refs; /* that any of shares had when one was looked up by its slot */
};

struct test_conn {
	struct dfs_runtime runtime;
	struct nfs_service service;
	struct nfs_access access;
	struct nfs_call call;
	unsigned char
		*args; /* owned, of exactly the arguments' length so that sanitizers see the end */
	unsigned char out[70000];
	unsigned char flat[DFS_READ_MAX + 4096]; /* the reply's body, pages included */
	uint32_t flat_len;
};

void test_conn_init(struct test_conn *c, const char *address, uint16_t port);
void test_conn_clear(struct test_conn *c);
/* Another peer, same runtime. */
void test_conn_peer(struct test_conn *c, const char *address, uint16_t port);
/* Arguments of the next run; copied. */
void test_conn_args(struct test_conn *c, const void *args, size_t len);
/* Run as the dispatcher does: on the loop, and again as a worker if the answer is DFS_AGAIN.
 * The body is in flat. */
enum dfs_status test_conn_run(struct test_conn *c, const struct nfs_proc *proc);
/* One run, DFS_AGAIN included. */
enum dfs_status test_conn_run_once(struct test_conn *c, const struct nfs_proc *proc, bool nonblock);
/* One run on the loop whose reply keeps its pages: *held has their references. */
enum dfs_status test_conn_run_held(struct test_conn *c, const struct nfs_proc *proc,
				   struct xdr_out *held);

#endif
