/* SPDX-License-Identifier: MIT
 *
 * MOUNT v3 over the memory stores: the input is a sequence of calls, each a byte for procedure and
 * peer, a byte for the length, and the arguments.  Replies are taken apart to their last byte.
 */
#include <assert.h>
#include <string.h>

#include "adapters/nfs/mount/mount.h"
#include "adapters/nfs/test-runtime.h"
#include "adapters/nfs/test-world.h"
#include "metadata/attr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct test_world world;
static struct test_conn conn;

static void
list_of_strings(struct xdr_in *in, unsigned strings)
{
	uint32_t len;

	while (xdr_u32(in) == 1 && !in->bad)
		for (unsigned i = 0; i < strings; i++)
			xdr_opaque(in, MOUNT3_PATH_MAX, &len);
}

static void
check_reply(enum mount3_proc_number proc)
{
	struct xdr_in in = {.p = conn.flat, .end = conn.flat + conn.flat_len};
	uint32_t len, flavors;

	switch (proc) {
	case MOUNT3_MNT:
		if (xdr_u32(&in) == 0) {
			xdr_opaque(&in, NFS_HANDLE_MAX, &len);
			flavors = xdr_u32(&in);
			assert(flavors > 0 && flavors < 3);
			xdr_fixed(&in, 4 * flavors);
		}
		break;
	case MOUNT3_DUMP:
		list_of_strings(&in, 2);
		break;
	case MOUNT3_EXPORT:
		while (xdr_u32(&in) == 1 && !in.bad) {
			xdr_opaque(&in, MOUNT3_PATH_MAX, &len);
			list_of_strings(&in, 1);
		}
		break;
	default:
		break;
	}
	assert(!in.bad && in.p == in.end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const peers[] = {"127.0.0.1", "::1", "10.9.8.7", "::ffff:10.1.1.1"};

	if (!world.one) {
		test_world_init(&world);
		test_conn_init(&conn, "127.0.0.1", 900);
		conn.runtime.shares[0] = world.one;
		conn.runtime.shares[1] = world.two;
	}
	while (size >= 2) {
		enum mount3_proc_number proc = data[0] % MOUNT3_PROCS;
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		test_conn_peer(&conn, peers[data[0] / MOUNT3_PROCS % 4], 900);
		test_conn_args(&conn, data + 2, len);
		if (test_conn_run(&conn, &mount3_procs[proc]) == DFS_OK)
			check_reply(proc);
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
