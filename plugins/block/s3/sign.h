/* SPDX-License-Identifier: MIT
 *
 * AWS Signature Version 4 in the Authorization header ("Signature Calculations for the
 * Authorization Header", Amazon S3 API reference).  Pure functions.
 */
#ifndef BLOCK_S3_SIGN_H
#define BLOCK_S3_SIGN_H

#include <stdint.h>

#include "text.h"

struct pair {
	const char *name, *value;
};

struct signer {
	const char *access_key, *secret_key;
	const char *region, *service;
	int64_t now; /* seconds since 1970 as the server sees them */
};

/* The hash that stands for a payload that the signature does not cover. */
#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"

/* The query string, encoded and in order: both what is signed and what is sent. */
void sign_query(struct text *out, const struct pair *query, uint32_t n);

/* The value of Authorization.  path and query are encoded already.  headers: all that is signed,
 * lower-case names in any order, host and x-amz-date among them; they are put in order here.
 * payload_hash: 64 hexadecimal digits or SIGN_UNSIGNED.  out->failed: no memory. */
void sign_authorization(struct text *out, const struct signer *signer, const char *method,
			const char *path, const char *query, struct pair *headers, uint32_t n,
			const char *payload_hash);

#endif
