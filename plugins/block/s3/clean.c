/* SPDX-License-Identifier: MIT
 *
 * Uploads in parts that nobody will end cost their owner money and are shown by no list of objects:
 * those under our prefix that are older than a day are aborted, once, beside everything else, when
 * the store is opened.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "date.h"
#include "encode.h"
#include "store.h"
#include "xml.h"

#define STALE_SECONDS 86400
#define LIST_MAX (8u << 20)
#define PAGE 100

struct found_upload {
	char key[DFS_KEY_MAX + 1], id[1024];
};

struct survey {
	struct store *s;
	char key[3 * DFS_KEY_MAX + 1], id[1024], initiated[64]; /* of the upload being read */
	struct found_upload stale[PAGE];
	uint32_t n;
	bool more, whole;
	char next_key[3 * DFS_KEY_MAX + 1], next_id[1024];
};

static void
keep(char *to, size_t size, const char *text)
{
	to[0] = '\0';
	if (strlen(text) < size)
		strcpy(to, text);
}

static void
consider(struct survey *v)
{
	struct store *s = v->s;
	int64_t begun;
	const char *key;

	if (v->n == PAGE || !decode_uri(v->key, true) ||
	    strncmp(v->key, s->key_prefix, s->prefix_len) != 0 || !v->id[0])
		return;
	key = v->key + s->prefix_len;
	if (!dfs_key_length(key) || !date_iso(v->initiated, &begun) ||
	    time(NULL) + atomic_load(&s->skew) - begun < STALE_SECONDS)
		return;
	strcpy(v->stale[v->n].key, key);
	strcpy(v->stale[v->n].id, v->id);
	v->n++;
}

static bool
take_leaf(void *arg, const char *path, const char *text)
{
	static const char root[] = "ListMultipartUploadsResult";
	struct survey *v = arg;

	if (strncmp(path, root, sizeof root - 1) != 0)
		return false;
	path += sizeof root - 1;
	if (strcmp(path, "/IsTruncated") == 0)
		v->more = strcmp(text, "true") == 0;
	else if (strcmp(path, "/NextKeyMarker") == 0)
		keep(v->next_key, sizeof v->next_key, text);
	else if (strcmp(path, "/NextUploadIdMarker") == 0)
		keep(v->next_id, sizeof v->next_id, text);
	else if (strcmp(path, "/Upload/Key") == 0)
		keep(v->key, sizeof v->key, text);
	else if (strcmp(path, "/Upload/UploadId") == 0)
		keep(v->id, sizeof v->id, text);
	else if (strcmp(path, "/Upload/Initiated") == 0)
		keep(v->initiated, sizeof v->initiated, text);
	else if (strcmp(path, "/Upload") == 0)
		consider(v);
	else if (path[0] == '\0')
		v->whole = true;
	return true;
}

/* One page of uploads; false: there is no more to be known. */
static bool
survey_page(struct survey *v)
{
	REQUEST_AUTO r = {
		.what = "listing uploads of", .method = "GET", .body_max = LIST_MAX, .quiet = true};
	char key_marker[sizeof v->next_key], id_marker[sizeof v->next_id];

	strcpy(key_marker, v->next_key);
	strcpy(id_marker, v->next_id);
	v->n = 0;
	v->more = v->whole = false;
	request_query(&r, "uploads", "");
	request_query(&r, "encoding-type", "url");
	request_query(&r, "max-uploads", "100");
	request_query(&r, "prefix", v->s->key_prefix);
	if (key_marker[0]) {
		request_query(&r, "key-marker", key_marker);
		request_query(&r, "upload-id-marker", id_marker);
	}
	return request_run(v->s, &r) == DFS_OK &&
	       xml_read(text_string(&r.transfer.answer.body), r.transfer.answer.body.len, take_leaf,
			v) &&
	       v->whole && decode_uri(v->next_key, true) &&
	       (!v->more || strcmp(v->next_key, key_marker) != 0 ||
		strcmp(v->next_id, id_marker) != 0);
}

void
clean_uploads(struct store *s)
{
	struct survey *v = calloc(1, sizeof *v);

	if (!v)
		return;
	v->s = s;
	do {
		if (!survey_page(v))
			break;
		for (uint32_t i = 0; i < v->n; i++)
			if (multipart_abort(s, v->stale[i].key, v->stale[i].id))
				s->host->log(s->host->ctx, DFS_LOG_INFO,
					     "s3: an upload of %s that nobody ended is given up",
					     v->stale[i].key);
	} while (v->more);
	free(v);
}
