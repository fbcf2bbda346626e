/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>

#include "adapters/nfs/mount/mount.h"
#include "runtime/runtime.h"

#define GROUP_TEXT (INET6_ADDRSTRLEN + 5)
#define MAPPED_BITS 96 /* of an IPv4 address in its IPv6 form */

static void
group_text(const struct dfs_client_rule *rule, char text[GROUP_TEXT])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	char addr[INET6_ADDRSTRLEN];

	if (rule->prefix_len == 0) {
		strcpy(text, "*");
	} else if (rule->prefix_len >= MAPPED_BITS &&
		   memcmp(rule->addr, mapped, sizeof mapped) == 0) {
		inet_ntop(AF_INET, rule->addr + 12, addr, sizeof addr);
		snprintf(text, GROUP_TEXT, "%s/%u", addr, rule->prefix_len - MAPPED_BITS);
	} else {
		inet_ntop(AF_INET6, rule->addr, addr, sizeof addr);
		snprintf(text, GROUP_TEXT, "%s/%u", addr, rule->prefix_len);
	}
}

/* One exportnode, whole or not at all. */
static void
put_share(void *arg, struct dfs_share *share)
{
	struct xdr_out *out = arg;
	const struct dfs_share_rules *rules;
	unsigned char *start = out->p, *end = out->end;
	char text[GROUP_TEXT];

	if (end - start < 8)
		return;
	out->end -= 4; /* the end of the list */
	xdr_put_u32(out, 1);
	xdr_put_opaque(out, share->path, (uint32_t)strlen(share->path));
	dfs_lock_acquire(&share->rules_lock);
	rules = share->rules;
	for (uint32_t i = 0; rules && i < rules->n; i++) {
		group_text(&rules->rules[i], text);
		xdr_put_u32(out, 1);
		xdr_put_opaque(out, text, (uint32_t)strlen(text));
	}
	dfs_lock_release(&share->rules_lock);
	xdr_put_u32(out, 0);
	if (out->bad)
		out->p = start;
	out->bad = false;
	out->end = end;
}

/* RFC 1813 5.2.5. */
enum dfs_status
mount3_export(struct nfs_call *call)
{
	dfs_runtime_each_share(call->access->service->runtime, put_share, &call->out);
	xdr_put_u32(&call->out, 0);
	return DFS_OK;
}
