/* SPDX-License-Identifier: MIT
 *
 * A server with a program of the tests' own, on a loopback port, and what blocking clients need.
 */
#ifndef NFS_TEST_SERVER_H
#define NFS_TEST_SERVER_H

#include <glib.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/test-doubles.h"
#include "adapters/nfs/test-runtime.h"
#include "base/clock.h"

enum {
	T_NULL,
	T_ECHO,
	T_WORKER,
	T_GATED,
	T_GARBAGE,
	T_ODD,
	T_READ,
	T_WRITE,
	T_COUNT,
	T_HOLE,
	T_LARGE,
	T_WORKER_GATED,
	T_COUNT_GATED,
	T_PROCS
};

enum { W_PLAIN, W_WORKER, W_GATED }; /* the stable word of T_WRITE */

extern sem_t sync_go;           /* the gate's sync waits for it */
extern _Atomic int sync_status; /* and answers this */
extern sem_t work_go;           /* T_WORKER waits for it */

struct fixture {
	struct dfs_runtime runtime;
	struct dfs_workers *workers;
	struct nfs_server *server;
	int fd;
};

struct message {
	unsigned char bytes[2100000];
	uint32_t len;
};

struct reply {
	uint32_t words[300000];
	uint32_t n;
};

extern struct reply reply; /* the last one received, words in host order */
#define BODY(i) reply.words[6 + (i)]

void test_setup(struct fixture *f, gconstpointer data);
void test_teardown(struct fixture *f, gconstpointer data);
int dial(struct fixture *f);
void add_u32(struct message *m, uint32_t v);
void add_bytes(struct message *m, const void *p, uint32_t n);
struct message *message_new(void);
void add_head(struct message *m, uint32_t xid, uint32_t program, uint32_t version,
	      uint32_t procedure);
void add_auth_sys(struct message *m, uint32_t uid);
struct message *call_new(uint32_t xid, uint32_t procedure);
void finish(struct message *m);
void send_all(int fd, const void *data, size_t n);
void send_call(int fd, struct message *m);
/* m as fragments of `size` bytes, each after `empty` empty ones. */
void send_fragments(int fd, const struct message *m, uint32_t size, uint32_t empty);
void send_simple(int fd, uint32_t xid, uint32_t procedure, uint32_t arg);
void recv_reply(int fd);
void expect_accepted(int fd, uint32_t xid, enum rpc_accept_stat stat);
void expect_auth_error(int fd, uint32_t xid, enum rpc_auth_stat stat);
void expect_closed(struct fixture *f);
void expect_alive(int fd);
int log_away(void);
void log_back(int log);

#define TEST(name, fn) g_test_add("/rpc/" name, struct fixture, NULL, test_setup, fn, test_teardown)

#endif
