/* SPDX-License-Identifier: MIT
 *
 * The built-in portmapper: the input is a sequence of calls, each a byte for version and procedure, a
 * byte for the length, and the arguments.  Replies are taken apart to their last byte.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/portmap/portmap.h"
#include "adapters/nfs/test-runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct test_conn conn;
static struct nfs_map map;

static void
serve(uint32_t program, uint8_t protocol, const char *host, uint16_t port)
{
	union nfs_address at;

	if (!nfs_address_parse(host, &at))
		abort();
	nfs_address_set_port(&at, port);
	nfs_map_add(&map, program, 3, protocol, &at);
}

static void
start(void)
{
	test_conn_init(&conn, "127.0.0.1", 900);
	serve(100003, IPPROTO_TCP, "0.0.0.0", 2049);
	serve(100005, IPPROTO_UDP, "::", 2049);
	serve(100024, IPPROTO_TCP, "192.0.2.1", 2049);
	conn.service.map = &map;
	nfs_address_parse("192.0.2.1", &conn.access.local);
}

static void
check_reply(unsigned version, uint32_t proc)
{
	struct xdr_in in = {.p = conn.flat, .end = conn.flat + conn.flat_len};
	uint32_t len;

	if (proc == 4) {
		while (xdr_u32(&in) == 1 && !in.bad) {
			xdr_fixed(&in, version == 2 ? 16 : 8);
			for (unsigned i = 0; version > 2 && i < 3; i++)
				xdr_opaque(&in, 64, &len);
		}
	} else if (proc == 7) {
		xdr_u32(&in);
		xdr_opaque(&in, sizeof(struct sockaddr_in6), &len);
	} else if (version > 2 && (proc == 3 || proc == 8 || proc == 9)) {
		xdr_opaque(&in, NFS_UADDR_MAX, &len);
	} else if (proc != 0) {
		xdr_u32(&in);
	}
	assert(!in.bad && in.p == in.end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const struct nfs_proc *procs;
		uint32_t n;
	} versions[] = {{portmap2_procs, PORTMAP_PROCS_2},
			{rpcbind_procs, PORTMAP_PROCS_3},
			{rpcbind_procs, PORTMAP_PROCS_4}};

	if (!map.n)
		start();
	while (size >= 2) {
		unsigned version = data[0] % 3;
		uint32_t proc = data[0] / 3 % versions[version].n;
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		conn.access.datagram = data[0] & 0x80;
		test_conn_args(&conn, data + 2, len);
		if (versions[version].procs[proc].run &&
		    test_conn_run(&conn, &versions[version].procs[proc]) == DFS_OK)
			check_reply(version + 2, proc);
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
