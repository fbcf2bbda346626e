/* SPDX-License-Identifier: MIT
 *
 * The control URL: GET /_faultd tells figures, POST /_faultd takes a command per line of its body.
 *
 *   clear                                   no rules any more
 *   rule METHOD MATCH COUNT FAULT [ARG] [TEXT]
 *       For the next COUNT requests (-1: for ever) of METHOD (* any; ERASE: an object of a batch)
 *       whose key contains MATCH (* any).  FAULT: none (they pass), status HTTP CODE, lost, zombie MS, stall,
 *       reset BYTES, truncate BYTES, hang BYTES, slow BYTES/S, corrupt BYTE, omit KEYS, close,
 *       redirect URL, wrongrange, inside CODE.
 *   latency MS [JITTER_MS [TAIL_PERCENT TAIL_MS]]
 *   clock SECONDS                           our clock is ahead by
 *   region NAME
 *   keys ACCESS SECRET [TOKEN]              what requests must be signed with
 *   without conditional|checksum|delete|range|metadata
 *   with ...
 *   bucket NAME                             make it
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "faultd.h"

static bool
set_feature(const char *name, bool without)
{
	static const struct {
		const char *name;
		_Atomic bool *at;
	} table[] = {
		{"conditional", &settings.no_conditional}, {"checksum", &settings.no_checksum},
		{"delete", &settings.no_delete},           {"range", &settings.no_range},
		{"metadata", &settings.no_metadata},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
		if (strcmp(table[i].name, name) == 0) {
			*table[i].at = without;
			return true;
		}
	return false;
}

static bool
set_latency(char **arg, unsigned n)
{
	double value[4] = {0};

	for (unsigned i = 1; i < n && i < 5; i++)
		value[i - 1] = g_ascii_strtod(arg[i], NULL);
	settings.latency_us = (int64_t)(value[0] * 1000);
	settings.jitter_us = (int64_t)(value[1] * 1000);
	settings.tail_percent = (int64_t)value[2];
	settings.tail_us = (int64_t)(value[3] * 1000);
	return n >= 2 && n <= 5;
}

static bool
command(const char *line)
{
	g_auto(GStrv) arg = g_strsplit(line, " ", 0);
	unsigned n = g_strv_length(arg);

	if (n == 0 || strcmp(arg[0], "clear") == 0)
		rule_clear();
	else if (strcmp(arg[0], "rule") == 0)
		return rule_add(line + strlen("rule "));
	else if (strcmp(arg[0], "latency") == 0)
		return set_latency(arg, n);
	else if (n == 2 && strcmp(arg[0], "clock") == 0)
		settings.clock = g_ascii_strtoll(arg[1], NULL, 10);
	else if (n == 2 && strcmp(arg[0], "region") == 0)
		identity_region(arg[1]);
	else if ((n == 3 || n == 4) && strcmp(arg[0], "keys") == 0)
		identity_set(arg[1], arg[2], n == 4 ? arg[3] : "");
	else if (n == 2 && (strcmp(arg[0], "without") == 0 || strcmp(arg[0], "with") == 0))
		return set_feature(arg[1], arg[0][4] == 'o');
	else if (n == 2 && strcmp(arg[0], "bucket") == 0)
		bucket_make(arg[1]);
	else
		return false;
	return true;
}

static void
tell(struct exchange *x)
{
	g_autofree char *text =
		g_strdup_printf("requests %" PRIu64 "\nanswered %" PRIu64 "\nconnections %" PRIu64
				"\nputs %" PRIu64 "\ngets %" PRIu64 "\nbytes_sent %" PRIu64 "\n",
				settings.requests, settings.answered, settings.connections,
				settings.puts, settings.gets, settings.bytes_sent);

	answer(x, 200, "Content-Type: text/plain\r\n", text, strlen(text));
}

void
control(struct exchange *x)
{
	g_auto(GStrv) line = NULL;

	if (strcmp(x->request.method, "POST") != 0) {
		tell(x);
		return;
	}
	line = g_strsplit((char *)x->request.body, "\n", 0);
	for (char **p = line; *p; p++)
		if (**p && !command(*p)) {
			answer(x, 400, "", *p, strlen(*p));
			return;
		}
	answer(x, 200, "", NULL, 0);
}
