/* SPDX-License-Identifier: MIT
 *
 * Where the bucket is: scheme, host, region, and whether the bucket's name stands in the host or in
 * the path.  A site is a value; the store keeps the current one under a lock and copies it for
 * each request.
 */
#ifndef BLOCK_S3_SITE_H
#define BLOCK_S3_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum path_style { PATH_STYLE_AUTO, PATH_STYLE_YES, PATH_STYLE_NO };

struct site {
	bool tls;
	bool amazon;     /* the host follows from the region */
	bool path_style; /* /bucket/key at host, else /key at bucket.host */
	char host[256];  /* with ":port" unless it is the scheme's own */
	char region[64];
};

/* "http://host[:port]", "https://...", or a host alone, which is https; a '/' may follow.  NULL, or
 * what is wrong with it. */
const char *site_parse(struct site *site, const char *endpoint);
/* The site of a bucket.  endpoint "" is Amazon's for the region.  NULL, or what is wrong. */
const char *site_init(struct site *site, const char *endpoint, const char *region,
		      const char *bucket, enum path_style style);
/* Another region of the same service. */
void site_move(struct site *site, const char *region);
bool site_region_ok(const char *region);
bool site_bucket_ok(const char *bucket);

/* What Host says. */
void site_host(struct text *out, const struct site *site, const char *bucket);
/* The encoded path of a key, of the bucket when key is "". */
void site_path(struct text *out, const struct site *site, const char *bucket, const char *key);

#endif
