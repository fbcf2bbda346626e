/* SPDX-License-Identifier: MIT
 *
 * ListObjectsV2 and DeleteObjects.
 */
#include <string.h>

#include "faultd.h"
#include "plugins/block/s3/encode.h"
#include "plugins/block/s3/xml.h"

struct listing {
	GString *xml;
	unsigned n, max;
	int64_t omit;
	bool more;
	char *last;
};

static char *
uri(const char *text)
{
	struct text out = {0};
	char *copy;

	encode_uri(&out, text, false);
	copy = g_strdup(text_string(&out));
	text_clear(&out);
	return copy;
}

static bool
add(void *arg, const char *key, const struct object *o)
{
	struct listing *l = arg;
	g_autofree char *encoded = uri(key);

	if (l->omit > 0) {
		l->omit--;
		return true;
	}
	if (l->n == l->max) {
		l->more = true;
		return false;
	}
	l->n++;
	g_free(l->last);
	l->last = g_strdup(key);
	g_string_append_printf(
		l->xml,
		"<Contents><Key>%s</Key>"
		"<LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>%" G_GUINT64_FORMAT
		"</Size><StorageClass>STANDARD</StorageClass></Contents>",
		encoded, o->length);
	return true;
}

void
list_objects(struct exchange *x)
{
	const char *prefix = query_of(x, "prefix"), *after = query_of(x, "start-after");
	const char *token = query_of(x, "continuation-token"), *max = query_of(x, "max-keys");
	g_autoptr(GString) xml = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
					      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/"
					      "doc/2006-03-01/\"><EncodingType>url</EncodingType>");
	struct listing l = {.xml = xml, .max = 1000};

	if (max)
		l.max = MIN(1000u, (unsigned)g_ascii_strtoull(max, NULL, 10));
	if (x->rule.fault == FAULT_OMIT)
		l.omit = x->rule.arg;
	object_walk(x->bucket, prefix ? prefix : "", token ? token : after ? after : "", add, &l);
	g_string_append_printf(xml, "<KeyCount>%u</KeyCount><IsTruncated>%s</IsTruncated>", l.n,
			       l.more ? "true" : "false");
	if (l.more)
		g_string_append_printf(xml, "<NextContinuationToken>%s</NextContinuationToken>",
				       l.last);
	g_string_append(xml, "</ListBucketResult>");
	answer_xml(x, xml);
	g_free(l.last);
}

struct deleting {
	struct exchange *x;
	GString *xml;
	unsigned n;
};

static bool
take(void *arg, const char *path, const char *text)
{
	struct deleting *d = arg;

	if (strcmp(path, "Delete/Object/Key") != 0)
		return true;
	d->n++;
	/* A rule for "ERASE" refuses single objects of a batch. */
	if (rule_for("ERASE", text).fault != FAULT_NONE)
		g_string_append_printf(d->xml,
				       "<Error><Key>%s</Key><Code>AccessDenied</Code>"
				       "<Message>not this one</Message></Error>",
				       text);
	else
		object_erase(d->x->bucket, text);
	return true;
}

void
delete_objects(struct exchange *x)
{
	g_autoptr(GString) xml = g_string_new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
					      "<DeleteResult>");
	struct deleting d = {x, xml, 0};

	if (settings.no_delete) {
		answer_error(x, 501, "NotImplemented", "");
		return;
	}
	if (!request_header(&x->request, "content-md5")) {
		answer_error(x, 400, "InvalidRequest", "");
		return;
	}
	if (!xml_read((char *)x->request.body, x->request.length, take, &d) || d.n > 1000) {
		answer_error(x, 400, "MalformedXML", "");
		return;
	}
	g_string_append(xml, "</DeleteResult>");
	answer_xml(x, xml);
}
