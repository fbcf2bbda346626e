/* SPDX-License-Identifier: MIT
 *
 * Rules for what goes wrong: the first that fits a request is used.
 */
#include <stdio.h>
#include <string.h>

#include "faultd.h"

#define RULES_MAX 64

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[RULES_MAX]; /* guarded by mu */
static unsigned n_rules;             /* guarded by mu */

static const char *const names[] = {
	[FAULT_NONE] = "none",         [FAULT_STATUS] = "status",    [FAULT_LOST] = "lost",
	[FAULT_ZOMBIE] = "zombie",     [FAULT_STALL] = "stall",      [FAULT_RESET] = "reset",
	[FAULT_TRUNCATE] = "truncate", [FAULT_HANG] = "hang",        [FAULT_SLOW] = "slow",
	[FAULT_CORRUPT] = "corrupt",   [FAULT_OMIT] = "omit",        [FAULT_CLOSE] = "close",
	[FAULT_REDIRECT] = "redirect", [FAULT_WRONG] = "wrongrange", [FAULT_INSIDE] = "inside",
};

bool
rule_add(const char *line)
{
	struct rule r = {.fault = G_N_ELEMENTS(names)};
	char fault[32], arg[256] = "", text[256] = "";
	long long count;

	if (sscanf(line, "%7s %255s %lld %31s %255s %255s", r.method, r.match, &count, fault, arg,
		   text) < 4)
		return false;
	r.count = count;
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i], fault) == 0)
			r.fault = i;
	r.arg = g_ascii_strtoll(arg, NULL, 10);
	g_strlcpy(r.text, text[0] ? text : arg, sizeof r.text);
	pthread_mutex_lock(&mu);
	if (r.fault == G_N_ELEMENTS(names) || n_rules == RULES_MAX) {
		pthread_mutex_unlock(&mu);
		return false;
	}
	rules[n_rules++] = r;
	pthread_mutex_unlock(&mu);
	return true;
}

void
rule_clear(void)
{
	pthread_mutex_lock(&mu);
	n_rules = 0;
	pthread_mutex_unlock(&mu);
}

struct rule
rule_for(const char *method, const char *key)
{
	struct rule found = {.fault = FAULT_NONE};

	pthread_mutex_lock(&mu);
	for (unsigned i = 0; i < n_rules; i++) {
		struct rule *r = &rules[i];

		if (r->count == 0 || (strcmp(r->method, "*") && strcmp(r->method, method)) ||
		    (strcmp(r->match, "*") && !strstr(key, r->match)))
			continue;
		if (r->count > 0)
			r->count--;
		found = *r;
		break;
	}
	pthread_mutex_unlock(&mu);
	return found;
}
