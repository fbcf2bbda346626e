/* SPDX-License-Identifier: MIT
 *
 * How bytes are written in URIs, headers and XML: percent, hexadecimal, base64.  Pure functions.
 */
#ifndef BLOCK_S3_ENCODE_H
#define BLOCK_S3_ENCODE_H

#include <stdint.h>

#include "text.h"

/* Percent-encode as Signature V4 wants it (UriEncode of "Create a canonical request"): all but
 * unreserved characters, in upper case; '/' stays unless slash is set. */
void encode_uri(struct text *out, const char *string, bool slash);
/* Undo percent-encoding in place; false when a '%' has no two digits behind it, or hides a NUL.
 * plus: a '+' is a space, as in what S3 calls "url" encoding. */
bool decode_uri(char *string, bool plus);

/* out: 2 * len + 1 bytes. */
void encode_hex(char *out, const void *data, size_t len);
/* Exactly 8 digits; false otherwise. */
bool decode_hex32(const char *string, uint32_t *value);

/* out: 4 * ((len + 2) / 3) + 1 bytes. */
void encode_base64(char *out, const void *data, size_t len);
/* The number of bytes; -1: not base64, or more than max. */
int decode_base64(void *out, size_t max, const char *string);

#endif
