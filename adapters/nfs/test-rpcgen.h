/* SPDX-License-Identifier: MIT
 *
 * For the tests that hold our codec against rpcgen's (oracle.x): one connection to two shares of a
 * played core/fs (test-fs.h), encoding arguments, decoding results, comparing.
 */
#ifndef NFS_TEST_RPCGEN_H
#define NFS_TEST_RPCGEN_H

#include <glib.h>
#include <stdlib.h>
#include <string.h>

/* libtirpc has functions of our readers' names; only its own code needs them. */
#define xdr_opaque tirpc_xdr_opaque
#include "adapters/nfs/oracle.h"
#undef xdr_opaque

#include "adapters/nfs/nfs3/nfs3.h"
#include "adapters/nfs/test-fs.h"
#include "adapters/nfs/test-runtime.h"

#define fs test_fs

#define SLOT 0xabcd0001u
#define OTHER_SLOT 0xabcd0002u

extern struct dfs_share share, other_share;
extern struct dfs_share_rules *rules; /* of both: one rule, which admits everybody */
extern struct test_conn conn;
extern unsigned char handle[NFS_HANDLE_SIZE],
	handle2[NFS_HANDLE_SIZE]; /* files 41 and 42 of share */

#define FH(bytes)                                                                                  \
	{                                                                                          \
		{                                                                                  \
			.data_val = (char *)(bytes), .data_len = NFS_HANDLE_SIZE                   \
		}                                                                                  \
	}
#define DIROP(bytes, text)                                                                         \
	{                                                                                          \
		.dir = FH(bytes), .name = {.name_val = (text), .name_len = strlen(text) }          \
	}
#define ENCODE(type, args) encode((xdrproc_t)xdr_##type, (args))
#define DECODE(type, res) decode((xdrproc_t)xdr_##type, (res), sizeof *(res))
#define FREE(type, res) xdr_free((xdrproc_t)xdr_##type, (res))

uint64_t random64(void);
int64_t random_time(void);
struct dfs_attr random_attr(void);
struct dfs_wcc random_wcc(void);
o_sattr random_sattr(void);

void assert_time(const o_time *t, int64_t ns);
void assert_fattr(const o_fattr *o, const struct dfs_attr *a);
void assert_post(const o_post_attr *o, const struct dfs_attr *a);
void assert_wcc(const o_wcc *o, const struct dfs_wcc *w);
void assert_fh(const o_fh *o, const struct dfs_attr *a);
/* What core/fs was asked to set. */
void assert_set(const o_sattr *o);

/* Make the next run's arguments. */
void encode(xdrproc_t fn, const void *args);
/* The whole body of the last run must be the result, no byte more. */
void decode(xdrproc_t fn, void *res, size_t size);
/* Run on the loop, and as a worker after DFS_AGAIN; the arguments must be good. */
void run(enum nfs3_proc_number proc);
/* Add the test /nfs/PATH, with a fresh connection and random answers of core/fs. */
void add(const char *path, void (*fn)(void));

#endif
