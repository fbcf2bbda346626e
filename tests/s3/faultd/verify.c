/* SPDX-License-Identifier: MIT
 *
 * Whether a request is signed as it must be.  The signature is computed by the plugin's own code,
 * which the tests hold against Amazon's examples and against Swift; what is checked here is that
 * the headers, the payload and the clock are those that were signed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "faultd.h"
#include "plugins/block/s3/digest.h"
#include "plugins/block/s3/encode.h"
#include "plugins/block/s3/sign.h"

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct identity identity; /* guarded by mu */

void
identity_set(const char *access_key, const char *secret_key, const char *token)
{
	pthread_mutex_lock(&mu);
	g_free(identity.access_key);
	g_free(identity.secret_key);
	g_free(identity.token);
	identity.access_key = g_strdup(access_key);
	identity.secret_key = g_strdup(secret_key);
	identity.token = g_strdup(token);
	pthread_mutex_unlock(&mu);
}

void
identity_region(const char *region)
{
	pthread_mutex_lock(&mu);
	g_free(identity.region);
	identity.region = g_strdup(region);
	pthread_mutex_unlock(&mu);
}

struct identity
identity_get(void)
{
	struct identity copy;

	pthread_mutex_lock(&mu);
	copy = (struct identity){g_strdup(identity.access_key), g_strdup(identity.secret_key),
				 g_strdup(identity.token), g_strdup(identity.region)};
	pthread_mutex_unlock(&mu);
	return copy;
}

void
identity_clear(struct identity *i)
{
	g_free(i->access_key);
	g_free(i->secret_key);
	g_free(i->token);
	g_free(i->region);
}

/* "20130524T000000Z" */
static int64_t
parse_amz(const char *text)
{
	struct tm tm = {.tm_mday = 1};
	char *end = text ? strptime(text, "%Y%m%dT%H%M%SZ", &tm) : NULL;

	return end && !*end ? (int64_t)timegm(&tm) : -1;
}

static int
by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
canonical_query(const char *query)
{
	g_auto(GStrv) part = g_strsplit(query, "&", 0);
	g_autoptr(GPtrArray) sorted = g_ptr_array_new_with_free_func(g_free);

	for (char **p = part; *p; p++)
		if (**p)
			g_ptr_array_add(sorted, strchr(*p, '=') ? g_strdup(*p)
								: g_strconcat(*p, "=", NULL));
	g_ptr_array_sort(sorted, by_string);
	g_ptr_array_add(sorted, NULL);
	return g_strjoinv("&", (char **)sorted->pdata);
}

static bool
payload_ok(struct exchange *x, const char *hash)
{
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	if (strcmp(hash, SIGN_UNSIGNED) == 0)
		return x->conn->ssl != NULL;
	digest_sha256(x->request.body, x->request.length, digest);
	encode_hex(hex, digest, sizeof digest);
	return strcmp(hex, hash) == 0;
}

/* The value of Authorization that the request should have; "" when it signs too little. */
static char *
expected(struct exchange *x, const struct identity *i, int64_t when, const char *hash)
{
	const char *given = request_header(&x->request, "authorization");
	const char *names = given ? strstr(given, "SignedHeaders=") : NULL;
	g_autofree char *list = NULL, *query = canonical_query(x->request.query);
	g_auto(GStrv) name = NULL;
	struct pair header[64];
	struct text out = {0};
	struct signer signer = {i->access_key, i->secret_key, i->region, "s3", when};
	uint32_t n = 0;
	char *result;

	if (!names)
		return g_strdup("");
	list = g_strndup(names + 14, strcspn(names + 14, ", "));
	name = g_strsplit(list, ";", 60);
	for (char **p = name; *p; p++) {
		const char *value = request_header(&x->request, *p);

		if (!value)
			return g_strdup("");
		header[n++] = (struct pair){*p, value};
	}
	for (unsigned k = 0; k < x->request.n_headers; k++)
		if ((g_str_has_prefix(x->request.name[k], "x-amz-") ||
		     strcmp(x->request.name[k], "host") == 0) &&
		    !g_strv_contains((const char *const *)name, x->request.name[k]))
			return g_strdup("");
	sign_authorization(&out, &signer, x->request.method, x->request.path, query, header, n,
			   hash);
	result = g_strdup(text_string(&out));
	text_clear(&out);
	return result;
}

static bool
refuse(struct exchange *x, int status, const char *code, const char *more)
{
	answer_error(x, status, code, more);
	return false;
}

static bool
check(struct exchange *x, const struct identity *i)
{
	const char *given = request_header(&x->request, "authorization");
	const char *hash = request_header(&x->request, "x-amz-content-sha256");
	const char *token = request_header(&x->request, "x-amz-security-token");
	int64_t when = parse_amz(request_header(&x->request, "x-amz-date"));
	g_autofree char *scope = g_strdup_printf("/%s/s3/aws4_request", i->region);
	g_autofree char *credential = g_strdup_printf("Credential=%s/", i->access_key);
	g_autofree char *region = g_strdup_printf("<Region>%s</Region>", i->region);
	g_autofree char *region_header = g_strdup_printf("x-amz-bucket-region: %s\r\n", i->region);
	g_autofree char *want = NULL;

	if (!given || !hash || when < 0)
		return refuse(x, 403, "AccessDenied", "");
	if (when - clock_now() > 900 || clock_now() - when > 900)
		return refuse(x, 403, "RequestTimeTooSkewed", "");
	if (!strstr(given, credential))
		return refuse(x, 403, "InvalidAccessKeyId", "");
	if (i->token && i->token[0] && g_strcmp0(token, i->token) != 0)
		return refuse(x, 400, "ExpiredToken", "");
	if (!strstr(given, scope) && strcmp(x->request.method, "HEAD") == 0) {
		answer_head(x, 400, region_header, 0);
		return false;
	}
	if (!strstr(given, scope))
		return refuse(x, 400, "AuthorizationHeaderMalformed", region);
	want = expected(x, i, when, hash);
	if (strcmp(want, given) != 0)
		return refuse(x, 403, "SignatureDoesNotMatch", "");
	return payload_ok(x, hash) || refuse(x, 400, "XAmzContentSHA256Mismatch", "");
}

bool
verify(struct exchange *x)
{
	struct identity i = identity_get();
	bool ok = !i.secret_key || check(x, &i);

	identity_clear(&i);
	return ok;
}
