/* SPDX-License-Identifier: MIT
 *
 * What the test-nfs3 programs share: one world, a connection and a fresh directory for each test.
 */
#ifndef NFS_TEST_NFS3_H
#define NFS_TEST_NFS3_H

#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-client.h"
#include "adapters/nfs/test-world.h"

extern struct test_world world;
extern struct tfh top; /* the test's directory */

#define ASSERT_STATUS(reply, want) g_assert_cmpuint((reply).status, ==, (want))
#define ASSERT_OK(reply) ASSERT_STATUS(reply, 0)

struct tfh make_file(const char *name); /* in top, root's, 0644 */
struct tfh make_dir(const char *name);  /* in top, root's, 0755 */
/* The only rule of /one from now on; prefix_len 0 admits everybody. */
void set_rule(struct dfs_client_rule rule);

void test_nfs3_init(int *argc, char ***argv);
void test_nfs3_add(const char *path, void (*fn)(void));
int test_nfs3_run(void);

#endif
