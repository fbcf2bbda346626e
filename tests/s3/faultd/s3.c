/* SPDX-License-Identifier: MIT
 *
 * The operations on buckets and single objects.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "faultd.h"
#include "plugins/block/s3/digest.h"
#include "plugins/block/s3/encode.h"
#include "plugins/crc32c/crc32c.h"

char *
kept_headers(const struct request *r)
{
	GString *out = g_string_new("");

	for (unsigned i = 0; i < r->n_headers; i++)
		if (g_str_has_prefix(r->name[i], "x-amz-meta-") ||
		    g_str_has_prefix(r->name[i], "x-amz-server-side-encryption"))
			g_string_append_printf(out, "%s: %s\r\n", r->name[i], r->value[i]);
	return g_string_free(out, FALSE);
}

struct late {
	char *bucket, *key;
	struct object *object;
	bool only_new;
	int64_t ms;
};

/* What everybody has given up comes after all. */
static gpointer
apply_late(gpointer arg)
{
	struct late *l = arg;

	g_usleep((gulong)l->ms * 1000);
	object_put(l->bucket, l->key, l->object, l->only_new);
	g_free(l->bucket);
	g_free(l->key);
	g_free(l);
	return NULL;
}

static void
be_late(struct exchange *x, struct object *o, bool only_new)
{
	struct late *l = g_new0(struct late, 1);

	*l = (struct late){g_strdup(x->bucket), g_strdup(x->key), o, only_new, x->rule.arg};
	g_thread_unref(g_thread_new("late", apply_late, l));
	answer_error(x, 504, "GatewayTimeout", "");
}

/* Digests that the request brings; false: it has answered. */
static bool
digests_ok(struct exchange *x)
{
	const char *md5 = request_header(&x->request, "content-md5");
	const char *crc = request_header(&x->request, "x-amz-checksum-crc32c");
	struct dfs_span span = {x->request.body, x->request.length, NULL};
	unsigned char bytes[MD5_SIZE];
	char text[32];
	uint32_t value;

	if (md5) {
		digest_md5_spans(&span, 1, bytes);
		encode_base64(text, bytes, MD5_SIZE);
	}
	if (md5 && strcmp(md5, text) != 0) {
		answer_error(x, 400, "BadDigest", "");
		return false;
	}
	if (crc) {
		value = GUINT32_TO_BE(crc32c(0, x->request.body, x->request.length));
		encode_base64(text, &value, 4);
	}
	if (crc && strcmp(crc, text) != 0) {
		answer_error(x, 400, "BadDigest", "");
		return false;
	}
	return true;
}

static bool
features_ok(struct exchange *x)
{
	if ((settings.no_conditional && request_header(&x->request, "if-none-match")) ||
	    (settings.no_checksum && request_header(&x->request, "x-amz-checksum-crc32c"))) {
		answer_error(x, 501, "NotImplemented", "");
		return false;
	}
	return digests_ok(x);
}

static void
put_object(struct exchange *x)
{
	const char *crc = request_header(&x->request, "x-amz-checksum-crc32c");
	bool only_new = request_header(&x->request, "if-none-match") != NULL;
	g_autofree char *kept = kept_headers(&x->request), *headers = NULL;
	struct object *o;

	if (!features_ok(x))
		return;
	settings.puts++;
	o = object_new(g_steal_pointer(&x->request.body), x->request.length,
		       settings.no_metadata ? "" : kept);
	headers =
		g_strdup_printf("ETag: %s\r\n%s%s%s", o->etag, crc ? "x-amz-checksum-crc32c: " : "",
				crc ? crc : "", crc ? "\r\n" : "");
	if (x->rule.fault == FAULT_ZOMBIE)
		be_late(x, o, only_new);
	else if (!object_put(x->bucket, x->key, o, only_new))
		answer_error(x, 412, "PreconditionFailed", "");
	else if (x->rule.fault == FAULT_LOST)
		answer_error(x, 500, "InternalError", "");
	else
		answer(x, 200, headers, NULL, 0);
}

/* source: "/bucket/key". */
static void
copy_object(struct exchange *x, const char *source)
{
	const char *slash = source[0] == '/' ? strchr(source + 1, '/') : NULL;
	g_autofree char *bucket = slash ? g_strndup(source + 1, (gsize)(slash - source - 1)) : NULL;
	struct object *o = slash ? object_get(bucket, slash + 1) : NULL;
	g_autoptr(GString) xml = g_string_new("");

	if (!o) {
		answer_error(x, 404, "NoSuchKey", "");
		return;
	}
	if (x->rule.fault == FAULT_INSIDE) {
		g_string_printf(xml, "<Error><Code>%s</Code><Message>test</Message></Error>",
				x->rule.text);
		object_unref(o);
	} else {
		g_string_printf(xml, "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>",
				o->etag);
		object_put(x->bucket, x->key, o, false);
	}
	answer_xml(x, xml);
}

/* "bytes=2-5", the only form that our client uses. */
static bool
parse_range(const char *range, uint64_t length, uint64_t *first, uint64_t *last)
{
	if (sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, first, last) != 2 || *first > *last)
		return false;
	*last = MIN(*last, length - 1);
	return true;
}

static void
get_object(struct exchange *x)
{
	const char *range = settings.no_range ? NULL : request_header(&x->request, "range");
	struct object *o = object_get(x->bucket, x->key);
	g_autofree char *headers = NULL;
	uint64_t first = 0, last;

	if (!o) {
		answer_error(x, 404, "NoSuchKey", "");
		return;
	}
	settings.gets++;
	last = o->length - 1;
	if (strcmp(x->request.method, "HEAD") == 0) {
		headers = g_strdup_printf("ETag: %s\r\n%s", o->etag, o->headers);
		answer_head(x, 200, headers, o->length);
	} else if (range && (!parse_range(range, o->length, &first, &last) || first > last)) {
		answer_error(x, 416, "InvalidRange", "");
	} else {
		uint64_t told = first + (x->rule.fault == FAULT_WRONG ? 1 : 0);

		headers = range ? g_strdup_printf("ETag: %s\r\n%sContent-Range: bytes %" PRIu64
						  "-%" PRIu64 "/%" PRIu64 "\r\n",
						  o->etag, o->headers, told, last, o->length)
				: g_strdup_printf("ETag: %s\r\n%s", o->etag, o->headers);
		answer(x, range ? 206 : 200, headers, o->data + first, last - first + 1);
	}
	object_unref(o);
}

static void
serve_bucket(struct exchange *x)
{
	const char *method = x->request.method;

	if (strcmp(method, "PUT") == 0) {
		bucket_make(x->bucket);
		answer(x, 200, "", NULL, 0);
	} else if (!bucket_exists(x->bucket)) {
		answer_error(x, 404, "NoSuchBucket", "");
	} else if (strcmp(method, "HEAD") == 0) {
		answer_head(x, 200, "", 0);
	} else if (strcmp(method, "POST") == 0 && query_of(x, "delete")) {
		delete_objects(x);
	} else if (strcmp(method, "GET") == 0 && query_of(x, "list-type")) {
		list_objects(x);
	} else if (!multipart(x)) {
		answer_error(x, 501, "NotImplemented", "");
	}
}

static void
serve_object(struct exchange *x)
{
	const char *method = x->request.method;

	if (!bucket_exists(x->bucket)) {
		answer_error(x, 404, "NoSuchBucket", "");
	} else if (multipart(x)) {
		return;
	} else if (strcmp(method, "PUT") == 0 && request_header(&x->request, "x-amz-copy-source")) {
		copy_object(x, request_header(&x->request, "x-amz-copy-source"));
	} else if (strcmp(method, "PUT") == 0) {
		put_object(x);
	} else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		get_object(x);
	} else if (strcmp(method, "DELETE") == 0) {
		object_erase(x->bucket, x->key);
		answer_head(x, 204, "", 0);
	} else {
		answer_error(x, 405, "MethodNotAllowed", "");
	}
}

void
serve(struct exchange *x)
{
	if (x->key[0])
		serve_object(x);
	else
		serve_bucket(x);
}
