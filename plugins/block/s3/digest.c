/* SPDX-License-Identifier: MIT
 *
 * Digests: see digest.h.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "digest.h"

static bool
digest_spans(const EVP_MD *md, const struct dfs_span *spans, uint32_t n, unsigned char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (uint32_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, spans[i].data, spans[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
digest_sha256(const void *data, size_t len, unsigned char out[SHA256_SIZE])
{
	struct dfs_span span = {data, len, NULL};

	return digest_spans(EVP_sha256(), &span, 1, out);
}

bool
digest_sha256_spans(const struct dfs_span *spans, uint32_t n, unsigned char out[SHA256_SIZE])
{
	return digest_spans(EVP_sha256(), spans, n, out);
}

bool
digest_md5_spans(const struct dfs_span *spans, uint32_t n, unsigned char out[MD5_SIZE])
{
	return digest_spans(EVP_md5(), spans, n, out);
}

bool
digest_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
		   unsigned char out[SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int)key_len, data, len, out, NULL) != NULL;
}
