/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include <glib.h>

#include "config/address.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
refuse(const char *text, char **error)
{
	*error = g_strdup_printf(
		"\"%.64s\" is no address range; want ADDRESS, ADDRESS/BITS (IPv4 or "
		"IPv6) or \"*\"",
		text);
	return false;
}

/* Clear the bits from prefix on; true when one was set. */
static bool
clear_host_bits(uint8_t addr[16], unsigned prefix)
{
	bool any = false;

	for (unsigned bit = prefix; bit < 128; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
		any |= addr[bit / 8] & mask;
		addr[bit / 8] &= (uint8_t)~mask;
	}
	return any;
}

bool
dfs_address_parse(const char *text, struct dfs_client_rule *rule, char **error)
{
	const char *slash = strchr(text, '/');
	g_autofree char *host = slash ? g_strndup(text, (gsize)(slash - text)) : g_strdup(text);
	unsigned width, bits;
	guint64 value;
	bool v4;

	memset(rule->addr, 0, sizeof rule->addr);
	rule->prefix_len = 0;
	if (strcmp(text, "*") == 0)
		return true;
	v4 = inet_pton(AF_INET, host, rule->addr + 12) == 1;
	if (v4)
		memcpy(rule->addr, mapped, sizeof mapped);
	else if (inet_pton(AF_INET6, host, rule->addr) != 1)
		return refuse(text, error);
	width = v4 ? 32 : 128;
	bits = width;
	if (slash) {
		if (!g_ascii_string_to_unsigned(slash + 1, 10, 0, width, &value, NULL)) {
			*error = g_strdup_printf(
				"\"%.64s\" has a wrong prefix length; want 0 to %u", text, width);
			return false;
		}
		bits = (unsigned)value;
	}
	rule->prefix_len = (uint8_t)(bits + (v4 ? 96 : 0));
	if (clear_host_bits(rule->addr, rule->prefix_len)) {
		char clean[INET6_ADDRSTRLEN];
		inet_ntop(v4 ? AF_INET : AF_INET6, rule->addr + (v4 ? 12 : 0), clean, sizeof clean);
		*error = g_strdup_printf("\"%.64s\" has host bits set; did you mean \"%s/%u\"?",
					 text, clean, bits);
		return false;
	}
	return true;
}

bool
dfs_address_in(const struct dfs_client_rule *rule, const uint8_t addr[16])
{
	unsigned bytes = rule->prefix_len / 8, rest = rule->prefix_len % 8;

	if (rule->prefix_len > 128 || memcmp(addr, rule->addr, bytes) != 0)
		return false;
	return rest == 0 || (addr[bytes] ^ rule->addr[bytes]) >> (8 - rest) == 0;
}

bool
dfs_address_covers(const struct dfs_client_rule *a, const struct dfs_client_rule *b)
{
	return a->prefix_len <= b->prefix_len && dfs_address_in(a, b->addr);
}
