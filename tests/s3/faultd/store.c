/* SPDX-License-Identifier: MIT
 *
 * Buckets and objects in memory.  One map, keyed by "bucket/key": a bucket has no '/', so its keys
 * stand together, in byte order.
 */
#include <inttypes.h>
#include <string.h>

#include "faultd.h"
#include "plugins/block/s3/digest.h"
#include "plugins/crc32c/crc32c.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static GTree *objects;      /* guarded by lock */
static GHashTable *buckets; /* guarded by lock */

static int
by_bytes(const void *a, const void *b, void *unused)
{
	return strcmp(a, b);
}

void
bucket_make(const char *bucket)
{
	pthread_rwlock_wrlock(&lock);
	if (!objects) {
		objects = g_tree_new_full(by_bytes, NULL, g_free, (GDestroyNotify)object_unref);
		buckets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	}
	g_hash_table_add(buckets, g_strdup(bucket));
	pthread_rwlock_unlock(&lock);
}

bool
bucket_exists(const char *bucket)
{
	bool found;

	pthread_rwlock_rdlock(&lock);
	found = buckets && g_hash_table_contains(buckets, bucket);
	pthread_rwlock_unlock(&lock);
	return found;
}

struct object *
object_new(unsigned char *data, uint64_t length, const char *headers)
{
	struct object *o = g_new0(struct object, 1);
	o->refs = 1;
	o->data = data;
	o->length = length;
	/* Opaque to clients; a cheap one, for benchmarks. */
	o->etag = g_strdup_printf("\"%08x-%" PRIx64 "\"", crc32c(0, data, length), length);
	o->headers = g_strdup(headers);
	o->time = clock_now();
	return o;
}

void
object_unref(struct object *o)
{
	if (--o->refs > 0)
		return;
	g_free(o->data);
	g_free(o->etag);
	g_free(o->headers);
	g_free(o);
}

struct object *
object_get(const char *bucket, const char *key)
{
	g_autofree char *full = g_strconcat(bucket, "/", key, NULL);
	struct object *o;

	pthread_rwlock_rdlock(&lock);
	o = objects ? g_tree_lookup(objects, full) : NULL;
	if (o)
		o->refs++;
	pthread_rwlock_unlock(&lock);
	return o;
}

bool
object_put(const char *bucket, const char *key, struct object *o, bool only_new)
{
	char *full = g_strconcat(bucket, "/", key, NULL);
	bool put;

	pthread_rwlock_wrlock(&lock);
	put = !only_new || !g_tree_lookup(objects, full);
	if (put)
		g_tree_replace(objects, full, o);
	pthread_rwlock_unlock(&lock);
	if (!put) {
		g_free(full);
		object_unref(o);
	}
	return put;
}

void
object_erase(const char *bucket, const char *key)
{
	g_autofree char *full = g_strconcat(bucket, "/", key, NULL);

	pthread_rwlock_wrlock(&lock);
	g_tree_remove(objects, full);
	pthread_rwlock_unlock(&lock);
}

void
object_walk(const char *bucket, const char *prefix, const char *after,
	    bool (*fn)(void *arg, const char *key, const struct object *o), void *arg)
{
	g_autofree char *full = g_strconcat(bucket, "/", prefix, NULL);
	g_autofree char *from = g_strconcat(bucket, "/", after, NULL);
	size_t skip = strlen(bucket) + 1;
	GTreeNode *n;

	pthread_rwlock_rdlock(&lock);
	n = strcmp(from, full) < 0 ? g_tree_lower_bound(objects, full)
				   : g_tree_upper_bound(objects, from);
	for (; n && g_str_has_prefix(g_tree_node_key(n), full); n = g_tree_node_next(n))
		if (!fn(arg, (const char *)g_tree_node_key(n) + skip, g_tree_node_value(n)))
			break;
	pthread_rwlock_unlock(&lock);
}
