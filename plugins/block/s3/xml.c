/* SPDX-License-Identifier: MIT
 *
 * XML as leaves: see xml.h.
 */
#include <limits.h>
#include <string.h>

#include <expat.h>

#include "xml.h"

#define DEPTH_MAX 8
#define PATH_MAX_LEN 256

struct reader {
	XML_Parser parser;
	xml_leaf_fn leaf;
	void *arg;
	int depth;
	size_t parent[DEPTH_MAX]; /* length of the path above each level */
	char path[PATH_MAX_LEN];
	size_t text_len;
	char text[XML_TEXT_MAX + 1];
	bool failed;
};

static void
fail(struct reader *r)
{
	r->failed = true;
	XML_StopParser(r->parser, XML_FALSE);
}

static void
start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	const char *colon = strrchr(name, ':');
	const char *local = colon ? colon + 1 : name;
	size_t at = strlen(r->path), len = strlen(local);

	if (r->failed)
		return;
	if (r->depth == DEPTH_MAX || at + 1 + len >= sizeof r->path) {
		fail(r);
		return;
	}
	r->parent[r->depth++] = at;
	if (at > 0)
		r->path[at++] = '/';
	memcpy(r->path + at, local, len + 1);
	r->text_len = 0;
}

static void
text(void *arg, const XML_Char *data, int len)
{
	struct reader *r = arg;

	if (r->failed)
		return;
	if ((size_t)len > XML_TEXT_MAX - r->text_len) {
		fail(r);
		return;
	}
	memcpy(r->text + r->text_len, data, (size_t)len);
	r->text_len += (size_t)len;
}

static void
end(void *arg, const XML_Char *name)
{
	static const char blanks[] = " \t\r\n";
	struct reader *r = arg;
	char *from = r->text;

	if (r->failed)
		return;
	while (r->text_len > 0 && strchr(blanks, r->text[r->text_len - 1]))
		r->text_len--;
	r->text[r->text_len] = '\0';
	from += strspn(from, blanks);
	if (!r->leaf(r->arg, r->path, from)) {
		fail(r);
		return;
	}
	r->path[r->parent[--r->depth]] = '\0';
	/* What follows inside the parent is its own; it has none in S3's documents. */
	r->text_len = 0;
}

static void
refuse_doctype(void *arg, const XML_Char *name, const XML_Char *system, const XML_Char *public,
	       int internal)
{
	fail(arg);
}

bool
xml_read(const char *data, size_t len, xml_leaf_fn leaf, void *arg)
{
	struct reader r = {.parser = XML_ParserCreate(NULL), .leaf = leaf, .arg = arg};
	bool ok;

	if (!r.parser || len > INT_MAX) {
		if (r.parser)
			XML_ParserFree(r.parser);
		return false;
	}
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, start, end);
	XML_SetCharacterDataHandler(r.parser, text);
	XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
	ok = XML_Parse(r.parser, data, (int)len, 1) == XML_STATUS_OK && !r.failed;
	XML_ParserFree(r.parser);
	return ok;
}
