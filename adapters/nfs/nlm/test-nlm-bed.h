/* SPDX-License-Identifier: MIT
 *
 * What the test-nlm programs share: NLM without a network over the real core/fs, whose procedures are
 * held against rpcgen's codec; what it tells the status monitor, and what it sends.  For each test a
 * new one, for one file of /one.
 */
#ifndef NFS_NLM_TEST_NLM_BED_H
#define NFS_NLM_TEST_NLM_BED_H

#include <glib.h>
#include <pthread.h>

#define xdr_opaque tirpc_xdr_opaque
#include "adapters/nfs/oracle.h"
#undef xdr_opaque

#include "adapters/nfs/nlm/service.h"
#include "adapters/nfs/test-runtime.h"
#include "adapters/nfs/test-world.h"

extern struct test_world world;
extern struct test_conn conn;
extern struct nlm *nlm; /* NULL: the test has freed it */
extern unsigned char handle[NFS_HANDLE_SIZE];
extern struct dfs_ref file;
extern char host_a[], host_b[];

/* What was sent, and how each is answered. */
extern struct nlm_sent {
	pthread_mutex_t mu; /* not GLib's, which the thread sanitizer does not see */
	pthread_cond_t cond;
	unsigned n;
	uint32_t procedure, version, len;
	unsigned char args[NFS_CALL_ARGS_MAX];
	enum dfs_status status; /* with which the call ends */
	uint32_t stat;          /* in its reply */
	bool hold;              /* the call does not end */
	bool (*wanted)(void *arg);
	nfs_callback_fn done;
	void *done_arg;
} out;

/* What the status monitor was asked. */
extern struct nlm_watch {
	unsigned monitored, forgotten;
	enum dfs_status status;
	char name[64];
} watch;

void encode(xdrproc_t fn, const void *args); /* as the arguments of the next call */
void decode_bytes(xdrproc_t fn, void *res, size_t size, void *bytes, uint32_t len);

#define ENCODE(type, args) encode((xdrproc_t)xdr_##type, args)
#define DECODE(type, res)                                                                          \
	decode_bytes((xdrproc_t)xdr_##type, res, sizeof *(res), conn.flat, conn.flat_len)
#define FREE(type, res) xdr_free((xdrproc_t)xdr_##type, res)
#define OBJ(text)                                                                                  \
	{                                                                                          \
		.o_netobj_len = sizeof(text) - 1, .o_netobj_val = (char *)(uintptr_t)(text)        \
	}
#define HANDLE                                                                                     \
	{                                                                                          \
		.o_netobj_len = NFS_HANDLE_SIZE, .o_netobj_val = (char *)handle                    \
	}

/* A call over conn, with those arguments. */
void run(uint32_t version, uint32_t proc);
/* The status of its reply, which has this cookie. */
uint32_t result(const char *cookie);
o_lock4 lock4(char *host, uint32_t svid, uint64_t offset, uint64_t length);
/* An exclusive LOCK, its UNLOCK, the CANCEL of a wait. */
uint32_t take(char *host, uint32_t svid, uint64_t offset, uint64_t length, bool block);
uint32_t give(char *host, uint32_t svid, uint64_t offset, uint64_t length);
uint32_t cancel(char *host, uint32_t svid, uint64_t offset, uint64_t length);
bool is_free(void);    /* for host_a */
void drop_locks(void); /* of all clients, in the lock manager alone */

/* Until n calls were made. */
void wait_sent(unsigned n);
/* Until it is told, tick by tick; each tick is due at once. */
void tick_to(unsigned sent);
/* host_b has waited for the whole file, and was told. */
void block_and_grant(void);
/* The end of the last call, which was held. */
void wait_no_grants(void); /* until no grant is to be told */
void end_call(enum dfs_status status);

void test_nlm_init(int *argc, char ***argv);
void test_nlm_add(const char *path, void (*fn)(void));
int test_nlm_run(void);

#endif
