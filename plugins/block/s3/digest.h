/* SPDX-License-Identifier: MIT
 *
 * Digests of what is sent and received: SHA-256 and HMAC for signatures, MD5 because S3 asks for
 * it.  Any thread.
 */
#ifndef BLOCK_S3_DIGEST_H
#define BLOCK_S3_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dittofs/block_store.h>

#define SHA256_SIZE 32
#define MD5_SIZE 16

bool digest_sha256(const void *data, size_t len, unsigned char out[SHA256_SIZE]);
bool digest_sha256_spans(const struct dfs_span *spans, uint32_t n, unsigned char out[SHA256_SIZE]);
bool digest_md5_spans(const struct dfs_span *spans, uint32_t n, unsigned char out[MD5_SIZE]);
bool digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
			unsigned char out[SHA256_SIZE]);

#endif
