/* SPDX-License-Identifier: MIT
 *
 * Answers in XML, from bytes that a server chose.
 *
 * A document is read as its leaves: for each element that ends, its path from the root and its own
 * text.  Document types, and with them all entities but the five of XML, are refused; depth and
 * lengths are bounded.
 */
#ifndef BLOCK_S3_XML_H
#define BLOCK_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

#define XML_TEXT_MAX 4096u

/* path: names without prefixes, "ListBucketResult/Contents/Key"; text without the blanks around
 * it, of at most XML_TEXT_MAX bytes.  False: stop. */
typedef bool (*xml_leaf_fn)(void *arg, const char *path, const char *text);

/* False: not well-formed, beyond a bound, or stopped. */
bool xml_read(const char *data, size_t len, xml_leaf_fn leaf, void *arg);

#endif
