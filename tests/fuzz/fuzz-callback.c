/* SPDX-License-Identifier: MIT
 *
 * What peers answer to this server's own calls: the first byte says what was asked, the rest is the reply
 * message.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/portmap/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_port(struct xdr_in *in, const char *peer)
{
	union nfs_address at;
	uint16_t port = 0;

	if (!nfs_address_parse(peer, &at))
		abort();
	if (nfs_message_port(in, &at, &port) == DFS_OK)
		assert(port != 0);
}

static void
run_list(struct xdr_in *in, bool version4)
{
	struct rpcbind_row *rows = malloc(RPCBIND_LIST_MAX * sizeof *rows);
	uint32_t n;

	if (!rows)
		abort();
	rpcbind_parse_list(in, version4, rows, &n);
	assert(n <= RPCBIND_LIST_MAX);
	for (uint32_t i = 0; i < n; i++)
		assert(strlen(rows[i].owner) < sizeof rows[i].owner);
	free(rows);
}

/* A universal address that is read is written to one that reads the same. */
static void
run_address(const uint8_t *data, size_t size)
{
	union nfs_address a, b;
	char text[NFS_UADDR_MAX];

	if (size > UINT32_MAX || !nfs_uaddr_parse(data, (uint32_t)size, &a))
		return;
	nfs_uaddr_text(&a, text);
	assert(nfs_uaddr_parse((const unsigned char *)text, (uint32_t)strlen(text), &b));
	assert(nfs_address_same(&a, &b) && nfs_address_port(&a) == nfs_address_port(&b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xdr_in in = {data + 1, data + size, false};
	uint32_t xid;

	if (size < 1)
		return 0;
	if (data[0] % 5 == 4) {
		run_address(data + 1, size - 1);
		return 0;
	}
	if (nfs_message_reply(&in, &xid) != DFS_OK)
		return 0;
	switch (data[0] % 5) {
	case 0:
		run_port(&in, "192.0.2.1");
		break;
	case 1:
		run_port(&in, "2001:db8::1");
		break;
	default:
		run_list(&in, data[0] % 5 == 2);
		break;
	}
	return 0;
}
