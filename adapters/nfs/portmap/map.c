/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "adapters/nfs/portmap/map.h"

static const struct {
	const char *name;
	uint8_t protocol;
	sa_family_t family;
} networks[] = {
	{"tcp", IPPROTO_TCP, AF_INET},
	{"udp", IPPROTO_UDP, AF_INET},
	{"tcp6", IPPROTO_TCP, AF_INET6},
	{"udp6", IPPROTO_UDP, AF_INET6},
};

#define NETWORKS (sizeof networks / sizeof *networks)

void
nfs_map_add(struct nfs_map *map, uint32_t program, uint32_t version, uint8_t protocol,
	    const union nfs_address *address)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const struct nfs_map_entry *e = &map->entries[i];
		if (e->program == program && e->version == version && e->protocol == protocol &&
		    nfs_address_same(&e->address, address) &&
		    nfs_address_port(&e->address) == nfs_address_port(address))
			return;
	}
	if (map->n < NFS_MAP_MAX)
		map->entries[map->n++] =
			(struct nfs_map_entry){program, version, protocol, *address};
}

static bool
can_reach(const struct nfs_map_entry *e, const union nfs_address *local)
{
	return nfs_address_wildcard(&e->address) ||
	       local->sa.sa_family != e->address.sa.sa_family ||
	       nfs_address_same(&e->address, local);
}

const struct nfs_map_entry *
nfs_map_find(const struct nfs_map *map, uint32_t program, uint32_t version, bool exact,
	     uint8_t protocol, sa_family_t family, const union nfs_address *local)
{
	const struct nfs_map_entry *other = NULL;

	for (uint32_t i = 0; i < map->n; i++) {
		const struct nfs_map_entry *e = &map->entries[i];
		if (e->program != program || e->protocol != protocol ||
		    e->address.sa.sa_family != family || !can_reach(e, local))
			continue;
		if (e->version == version)
			return e;
		if (!other)
			other = e;
	}
	return exact ? NULL : other;
}

const char *
nfs_netid(uint8_t protocol, sa_family_t family)
{
	for (unsigned i = 0; i < NETWORKS; i++)
		if (networks[i].protocol == protocol && networks[i].family == family)
			return networks[i].name;
	return "";
}

bool
nfs_netid_parse(const unsigned char *text, uint32_t len, uint8_t *protocol, sa_family_t *family)
{
	for (unsigned i = 0; i < NETWORKS; i++) {
		if (strlen(networks[i].name) != len || memcmp(networks[i].name, text, len) != 0)
			continue;
		*protocol = networks[i].protocol;
		*family = networks[i].family;
		return true;
	}
	return false;
}
