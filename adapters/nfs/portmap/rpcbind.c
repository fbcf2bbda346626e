/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "adapters/nfs/nsm/nsm.h"
#include "adapters/nfs/portmap/rpcbind.h"
#include "adapters/nfs/portmap/session.h"
#include "base/log.h"

static const struct rpcbind_row *
find_row(const struct rpcbind_row *rows, uint32_t n, const struct nfs_map_entry *entry)
{
	for (uint32_t i = 0; i < n; i++)
		if (rows[i].program == entry->program && rows[i].version == entry->version &&
		    rows[i].protocol == entry->protocol &&
		    rows[i].family == entry->address.sa.sa_family)
			return &rows[i];
	return NULL;
}

static void
say_taken(const struct nfs_map_entry *entry, const struct rpcbind_row *row)
{
	const char *netid = nfs_netid(entry->protocol, entry->address.sa.sa_family);

	if (entry->program == NSM_PROGRAM)
		dfs_log(DFS_LOG_WARN,
			"rpcbind has another status monitor (%s port %u, of %s; rpc.statd?): "
			"clients "
			"tell it, and not this server, that they have restarted, so their locks "
			"stay. "
			"Stop it (systemctl disable --now rpc-statd.service) and reload this "
			"server",
			netid, row->port, row->owner);
	else
		dfs_log(DFS_LOG_WARN,
			"rpcbind has program %u version %u at %s port %u, of %s: left as it is. If "
			"nothing serves that any more: rpcinfo -d %u %u, and reload this server",
			entry->program, entry->version, netid, row->port, row->owner,
			entry->program, entry->version);
}

/* One entry.  False: rpcbind cannot be talked to any more. */
static bool
register_one(struct rpcbind_session *s, const struct nfs_map_entry *entry,
	     const struct rpcbind_row *row, bool *done)
{
	enum dfs_status status = DFS_OK;

	*done = false;
	if (row && row->port != nfs_address_port(&entry->address)) {
		say_taken(entry, row);
		return true;
	}
	if (row)
		status = rpcbind_unset(s, entry);
	if (status == DFS_OK || status == DFS_EXIST)
		status = rpcbind_set(s, entry);
	*done = status == DFS_OK;
	if (status != DFS_OK)
		dfs_log(DFS_LOG_WARN, "program %u version %u cannot be registered with rpcbind: %s",
			entry->program, entry->version, dfs_fail_text());
	return status == DFS_OK || status == DFS_EXIST;
}

void
nfs_rpcbind_register(struct nfs_registration *r, const struct nfs_map *map, const char *path,
		     int64_t deadline)
{
	struct rpcbind_session s;
	struct rpcbind_row *rows = NULL;
	uint32_t n = 0, registered = 0;

	*r = (struct nfs_registration){0};
	if (rpcbind_open(&s, path, deadline) != DFS_OK) {
		dfs_log(DFS_LOG_WARN,
			"register_rpcbind: there is no rpcbind to register with (%s): start it and "
			"reload this server; until then clients have to name the port",
			dfs_fail_text());
		return;
	}
	if (rpcbind_list(&s, &rows, &n) != DFS_OK) {
		dfs_log(DFS_LOG_WARN, "register_rpcbind: %s", dfs_fail_text());
		rpcbind_close(&s);
		return;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const struct nfs_map_entry *entry = &map->entries[i];

		if (rpcbind_can_tell(&s, entry) &&
		    !register_one(&s, entry, find_row(rows, n, entry), &r->done[i]))
			break;
		registered += r->done[i];
	}
	dfs_log(DFS_LOG_INFO, "%u of %u programs and networks are registered with rpcbind",
		registered, map->n);
	free(rows);
	rpcbind_close(&s);
}

void
nfs_rpcbind_unregister(struct nfs_registration *r, const struct nfs_map *map, const char *path,
		       int64_t deadline)
{
	struct rpcbind_session s;
	bool open = false, failed = false;

	for (uint32_t i = 0; i < map->n && !failed; i++) {
		if (!r->done[i])
			continue;
		if (!open)
			open = rpcbind_open(&s, path, deadline) == DFS_OK;
		failed = !open || rpcbind_unset(&s, &map->entries[i]) != DFS_OK;
		r->done[i] = false;
	}
	if (failed)
		dfs_log(DFS_LOG_WARN, "what is registered with rpcbind stays there: %s",
			dfs_fail_text());
	if (open)
		rpcbind_close(&s);
}
