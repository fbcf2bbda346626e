/* SPDX-License-Identifier: MIT
 *
 * Keys that end, from the places that hand them to a container or to a virtual machine: the
 * container credentials endpoint of ECS and EKS, and version 2 of EC2's instance metadata service.
 * Both are plain HTTP on this machine or its link, and answer at once or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "credentials.h"
#include "date.h"

#define ECS "http://169.254.170.2"
#define EC2 "http://169.254.169.254"

static const struct limits limits = {
	.connect = UINT64_C(1000000000),
	.response = UINT64_C(2000000000),
	.stall = UINT64_C(2000000000),
	.stall_rate = 1,
	.total = UINT64_C(4000000000),
};

/* The body of a 200; header may be "". */
static bool
fetch(struct engine *e, const char *method, const char *url, const char *header, struct text *body,
      struct text *why)
{
	struct transfer t = {.method = method, .url = url, .direct = true, .limits = limits};
	bool ok;

	if (header[0])
		t.headers = curl_slist_append(NULL, header);
	engine_run(e, &t);
	curl_slist_free_all(t.headers);
	ok = t.ending == END_ANSWERED && t.answer.status == 200 && !t.answer.body.failed;
	if (ok)
		text_add(body, text_string(&t.answer.body), t.answer.body.len);
	else if (t.ending == END_ANSWERED)
		text_format(why, "%s answers HTTP %d", url, t.answer.status);
	else
		text_format(why, "%s: %s", url, t.why);
	transfer_clear(&t);
	return ok && !body->failed;
}

static const char *
member(json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

enum found
credentials_parse(const char *json, size_t len, struct credentials **out, struct text *why)
{
	json_t *object = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const char *access_key = member(object, "AccessKeyId");
	const char *secret_key = member(object, "SecretAccessKey");
	const char *expiration = member(object, "Expiration");
	int64_t expires = 0;
	enum found found = LATER;

	if (!access_key[0] || !secret_key[0]) {
		text_put(why, "the answer holds no keys");
	} else if (expiration[0] && !date_iso(expiration, &expires)) {
		text_put(why, "the keys' Expiration is no date");
	} else {
		found = credentials_make(access_key, secret_key, member(object, "Token"), expires,
					 "the answer", out, why);
	}
	json_decref(object);
	return found;
}

/* The token that the endpoint wants in Authorization, as a whole header line. */
static bool
container_header(struct text *out, struct text *why)
{
	const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	char line[16384];
	FILE *f;

	if (path && path[0]) {
		f = fopen(path, "re");
		token = f ? fgets(line, sizeof line, f) : NULL;
		if (f)
			fclose(f);
		if (!token) {
			text_format(why, "%s cannot be read", path);
			return false;
		}
	}
	if (token && token[0])
		text_format(out, "Authorization: %.*s", (int)strcspn(token, "\r\n"), token);
	if (path && path[0])
		explicit_bzero(line, sizeof line);
	return !out->failed;
}

/* The token goes over TLS, or does not leave this machine. */
static bool
container_host_ok(const char *url)
{
	static const char *const hosts[] = {"localhost",     "127.0.0.1",      "[::1]",
					    "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};

	if (strncasecmp(url, "https://", 8) == 0)
		return true;
	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		size_t len = strlen(hosts[i]);

		if (strncasecmp(url + 7, hosts[i], len) == 0 && strchr(":/", url[7 + len]))
			return true;
	}
	return false;
}

enum found
credentials_from_container(struct engine *e, struct credentials **out, struct text *why)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	TEXT_AUTO url = {0};
	TEXT_AUTO header = {0};
	TEXT_AUTO body = {0};

	if (relative && relative[0]) {
		text_format(&url, "%s%s%s", ECS, relative[0] == '/' ? "" : "/", relative);
	} else if (full && full[0]) {
		if (!container_host_ok(full)) {
			text_format(why, "%s is neither https nor on this machine", full);
			return BROKEN;
		}
		text_put(&url, full);
	} else {
		return ABSENT;
	}
	if (url.failed || !container_header(&header, why) ||
	    !fetch(e, "GET", url.data, text_string(&header), &body, why))
		return LATER;
	return credentials_parse(text_string(&body), body.len, out, why);
}

/* The first line of the list of roles, as it may stand in a URL. */
static bool
add_role(struct text *url, const struct text *list)
{
	const char *role = text_string(list);
	size_t len = strcspn(role, "\r\n");

	if (len == 0 || strcspn(role, " /?#%\"\\") < len)
		return false;
	text_add(url, role, len);
	return !url->failed;
}

enum found
credentials_from_instance(struct engine *e, struct credentials **out, struct text *why)
{
	const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
	const char *base = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	TEXT_AUTO url = {0};
	TEXT_AUTO header = {0};
	TEXT_AUTO token = {0};
	TEXT_AUTO list = {0};
	TEXT_AUTO body = {0};

	if (disabled && strcasecmp(disabled, "true") == 0)
		return ABSENT;
	text_put(&url, base && base[0] ? base : EC2);
	while (url.len > 0 && url.data[url.len - 1] == '/')
		url.data[--url.len] = '\0';
	const size_t base_len = url.len;
	text_put(&url, "/latest/api/token");
	/* Nobody there: not a virtual machine of Amazon's. */
	if (url.failed ||
	    !fetch(e, "PUT", url.data, "X-aws-ec2-metadata-token-ttl-seconds: 21600", &token, why))
		return ABSENT;
	/* One header line, whatever the answer holds. */
	text_format(&header, "X-aws-ec2-metadata-token: %.*s",
		    (int)strcspn(text_string(&token), "\r\n"), text_string(&token));
	url.len = base_len;
	text_put(&url, "/latest/meta-data/iam/security-credentials/");
	if (header.failed || url.failed || !fetch(e, "GET", url.data, header.data, &list, why))
		return LATER;
	if (!add_role(&url, &list)) {
		text_put(why, "the machine has no role with keys");
		return LATER;
	}
	if (!fetch(e, "GET", url.data, header.data, &body, why))
		return LATER;
	return credentials_parse(text_string(&body), body.len, out, why);
}
