/* SPDX-License-Identifier: MIT
 *
 * Uploads in parts.
 */
#include <stdio.h>
#include <string.h>

#include "faultd.h"
#include "plugins/block/s3/xml.h"

#define PART_MIN (5u << 20)

struct upload {
	char *bucket, *key, *headers;
	int64_t begun;
	GByteArray *part[101];
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *uploads; /* guarded by mu; by id */
static unsigned last_id;    /* guarded by mu */

static void
upload_free(gpointer arg)
{
	struct upload *u = arg;

	for (unsigned i = 0; i < G_N_ELEMENTS(u->part); i++)
		if (u->part[i])
			g_byte_array_unref(u->part[i]);
	g_free(u->bucket);
	g_free(u->key);
	g_free(u->headers);
	g_free(u);
}

static struct upload *
find_locked(struct exchange *x)
{
	const char *id = query_of(x, "uploadId");
	struct upload *u = uploads && id ? g_hash_table_lookup(uploads, id) : NULL;

	return u && strcmp(u->bucket, x->bucket) == 0 && strcmp(u->key, x->key) == 0 ? u : NULL;
}

static void
begin_upload(struct exchange *x)
{
	g_autoptr(GString) xml = g_string_new("");
	struct upload *u = g_new0(struct upload, 1);

	u->bucket = g_strdup(x->bucket);
	u->key = g_strdup(x->key);
	u->headers = kept_headers(&x->request);
	u->begun = clock_now();
	pthread_mutex_lock(&mu);
	if (!uploads)
		uploads = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, upload_free);
	g_string_printf(xml,
			"<InitiateMultipartUploadResult><UploadId>u%u</UploadId>"
			"</InitiateMultipartUploadResult>",
			++last_id);
	g_hash_table_insert(uploads, g_strdup_printf("u%u", last_id), u);
	pthread_mutex_unlock(&mu);
	answer_xml(x, xml);
}

static void
put_part(struct exchange *x)
{
	unsigned number = (unsigned)g_ascii_strtoull(query_of(x, "partNumber"), NULL, 10);
	g_autofree char *headers = NULL, *md5 = NULL;
	struct upload *u;

	md5 = g_compute_checksum_for_data(G_CHECKSUM_MD5, x->request.body, x->request.length);
	headers = g_strdup_printf("ETag: \"%s\"\r\n", md5);
	pthread_mutex_lock(&mu);
	u = find_locked(x);
	if (u && number >= 1 && number < G_N_ELEMENTS(u->part)) {
		if (u->part[number])
			g_byte_array_unref(u->part[number]);
		u->part[number] =
			g_byte_array_new_take(g_steal_pointer(&x->request.body), x->request.length);
	}
	pthread_mutex_unlock(&mu);
	if (u)
		answer(x, 200, headers, NULL, 0);
	else
		answer_error(x, 404, "NoSuchUpload", "");
}

/* All parts as one object; NULL: a part that is not the last is too small. */
static struct object *
join_locked(struct upload *u)
{
	GByteArray *all = g_byte_array_new();
	bool small = false;

	for (unsigned i = 1; i < G_N_ELEMENTS(u->part) && u->part[i]; i++) {
		bool last = i + 1 == G_N_ELEMENTS(u->part) || !u->part[i + 1];

		small |= !last && u->part[i]->len < PART_MIN;
		g_byte_array_append(all, u->part[i]->data, u->part[i]->len);
	}
	if (small || all->len == 0) {
		g_byte_array_unref(all);
		return NULL;
	}
	gsize len = all->len;
	unsigned char *data = g_byte_array_free(all, FALSE);
	return object_new(data, len, u->headers);
}

static void
complete(struct exchange *x)
{
	g_autoptr(GString) xml = g_string_new("<CompleteMultipartUploadResult><ETag>"
					      "\"many\"</ETag></CompleteMultipartUploadResult>");
	struct object *o = NULL;
	struct upload *u;

	pthread_mutex_lock(&mu);
	u = find_locked(x);
	if (u)
		o = join_locked(u);
	if (o)
		g_hash_table_remove(uploads, query_of(x, "uploadId"));
	pthread_mutex_unlock(&mu);
	if (o)
		object_put(x->bucket, x->key, o, false);
	if (!u)
		answer_error(x, 404, "NoSuchUpload", "");
	else if (!o)
		answer_error(x, 400, "EntityTooSmall", "");
	else if (x->rule.fault == FAULT_LOST)
		/* Amazon's way of failing late: 200, and an error as the body. */
		answer_error(x, 200, "InternalError", "");
	else
		answer_xml(x, xml);
}

static void
give_up(struct exchange *x)
{
	bool found;

	pthread_mutex_lock(&mu);
	found = find_locked(x) && g_hash_table_remove(uploads, query_of(x, "uploadId"));
	pthread_mutex_unlock(&mu);
	if (found)
		answer_head(x, 204, "", 0);
	else
		answer_error(x, 404, "NoSuchUpload", "");
}

static void
list_uploads(struct exchange *x)
{
	g_autoptr(GString) xml = g_string_new("<ListMultipartUploadsResult>"
					      "<IsTruncated>false</IsTruncated>");
	const char *prefix = query_of(x, "prefix");
	GHashTableIter iter;
	gpointer id, value;

	pthread_mutex_lock(&mu);
	if (uploads)
		g_hash_table_iter_init(&iter, uploads);
	while (uploads && g_hash_table_iter_next(&iter, &id, &value)) {
		struct upload *u = value;
		g_autoptr(GDateTime) begun = g_date_time_new_from_unix_utc(u->begun);
		g_autofree char *when = g_date_time_format(begun, "%Y-%m-%dT%H:%M:%S.000Z");

		if (strcmp(u->bucket, x->bucket) == 0 &&
		    g_str_has_prefix(u->key, prefix ? prefix : ""))
			g_string_append_printf(xml,
					       "<Upload><Key>%s</Key><UploadId>%s</UploadId>"
					       "<Initiated>%s</Initiated></Upload>",
					       u->key, (char *)id, when);
	}
	pthread_mutex_unlock(&mu);
	g_string_append(xml, "</ListMultipartUploadsResult>");
	answer_xml(x, xml);
}

bool
multipart(struct exchange *x)
{
	const char *method = x->request.method;

	if (strcmp(method, "GET") == 0 && query_of(x, "uploads"))
		list_uploads(x);
	else if (strcmp(method, "POST") == 0 && query_of(x, "uploads"))
		begin_upload(x);
	else if (strcmp(method, "PUT") == 0 && query_of(x, "partNumber"))
		put_part(x);
	else if (strcmp(method, "POST") == 0 && query_of(x, "uploadId"))
		complete(x);
	else if (strcmp(method, "DELETE") == 0 && query_of(x, "uploadId"))
		give_up(x);
	else
		return false;
	return true;
}
