/* SPDX-License-Identifier: MIT
 *
 * Block store "s3": each object is an object of a bucket on Amazon S3 or a server like it.
 *
 * Opening asks the server nothing: a share on this store begins to serve while S3 cannot be
 * reached, since the log holds its data.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

static const char *const auto_yes_no[] = {"auto", "yes", "no", NULL};
static const char *const encryptions[] = {"none", "aes256", "kms", NULL};

#define FIELD(name) offsetof(struct s3_config, name)
#define MS (INT64_C(1000000))

static const struct dfs_config_item config_table[] = {
	{"bucket", DFS_CONFIG_STRING, DFS_CONFIG_REQUIRED, FIELD(bucket), 1, 255, NULL, NULL,
	 "Name of the bucket, which must exist."},
	{"region", DFS_CONFIG_STRING, 0, FIELD(region), 1, 63, "us-east-1", NULL,
	 "Region of the bucket; another one that the server names is taken over."},
	{"endpoint", DFS_CONFIG_STRING, 0, FIELD(endpoint), 0, 255, "", NULL,
	 "Server as http://HOST:PORT or https://HOST; empty: Amazon's for the region."},
	{"path_style", DFS_CONFIG_ENUM, 0, FIELD(path_style), 0, 0, "auto", auto_yes_no,
	 "Whether the bucket's name stands in the path instead of the host name; auto: where an "
	 "endpoint is given, or the name cannot be part of a host name."},
	{"key_prefix", DFS_CONFIG_STRING, 0, FIELD(key_prefix), 0, PREFIX_MAX, "", NULL,
	 "Text before each key, such as \"dittofs/\": one bucket can hold several stores."},
	{"access_key", DFS_CONFIG_STRING, 0, FIELD(access_key), 1, 255, NULL, NULL,
	 "Access key; unset: from the environment, the credentials file, the container or the "
	 "instance."},
	{"secret_key", DFS_CONFIG_SECRET, 0, FIELD(secret_key), 1, 4096, NULL, NULL,
	 "Secret key that belongs to access_key."},
	{"session_token", DFS_CONFIG_SECRET, 0, FIELD(session_token), 1, 16384, NULL, NULL,
	 "Session token that belongs to both, when they are temporary."},
	{"credentials_file", DFS_CONFIG_PATH, 0, FIELD(credentials_file), 0, 0, NULL, NULL,
	 "Shared credentials file; unset: $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials."},
	{"profile", DFS_CONFIG_STRING, 0, FIELD(profile), 1, 255, NULL, NULL,
	 "Section of the credentials file; unset: $AWS_PROFILE or \"default\"."},
	{"conditional_put", DFS_CONFIG_ENUM, 0, FIELD(conditional_put), 0, 0, "auto", auto_yes_no,
	 "Whether to put with If-None-Match, so that a late put replaces nothing; auto: until the "
	 "server says that it cannot."},
	{"checksum", DFS_CONFIG_ENUM, 0, FIELD(checksum), 0, 0, "auto", auto_yes_no,
	 "Whether to put with x-amz-checksum-crc32c, which the server compares; auto: until it "
	 "says "
	 "that it cannot."},
	{"content_md5", DFS_CONFIG_ENUM, 0, FIELD(content_md5), 0, 0, "auto", auto_yes_no,
	 "Whether to put with Content-MD5; auto: over TLS, until the server compares the "
	 "checksum."},
	{"encryption", DFS_CONFIG_ENUM, 0, FIELD(encryption), 0, 0, "none", encryptions,
	 "Encryption that the server is asked for; none: whatever the bucket's default is."},
	{"kms_key", DFS_CONFIG_STRING, 0, FIELD(kms_key), 1, 2048, NULL, NULL,
	 "Key for encryption = \"kms\"; unset: the account's own."},
	{"part_size", DFS_CONFIG_SIZE, 0, FIELD(part_size), 5 << 20, INT64_C(1) << 30, "16M", NULL,
	 "Objects larger than this are put in parts of this size; there are none above 4M today."},
	{"max_connections", DFS_CONFIG_INT, 0, FIELD(max_connections), 1, MAX_CONNECTIONS, "64",
	 NULL, "Connections to the server, and so requests, at once."},
	{"connect_timeout", DFS_CONFIG_DURATION, 0, FIELD(connect_timeout), 100 * MS, 60000 * MS,
	 "2s", NULL, "Time to resolve the name, connect and agree on TLS."},
	{"response_timeout", DFS_CONFIG_DURATION, 0, FIELD(response_timeout), 100 * MS, 300000 * MS,
	 "10s", NULL, "Time from the end of a request to the first byte of its answer."},
	{"stall_timeout", DFS_CONFIG_DURATION, 0, FIELD(stall_timeout), 1000 * MS, 300000 * MS,
	 "10s", NULL, "Time for which bytes may flow more slowly than stall_rate."},
	{"stall_rate", DFS_CONFIG_SIZE, 0, FIELD(stall_rate), 1, INT64_C(1) << 30, "64K", NULL,
	 "Bytes per second below which a request counts as stalled."},
	{"request_timeout", DFS_CONFIG_DURATION, 0, FIELD(request_timeout), 1000 * MS, 600000 * MS,
	 "60s", NULL, "Time for a whole request."},
	{"proxy", DFS_CONFIG_SECRET, 0, FIELD(proxy), 1, 1024, NULL, NULL,
	 "HTTP or SOCKS proxy as a URL, which may hold a password; the environment's is not used."},
	{"ca_file", DFS_CONFIG_PATH, 0, FIELD(ca_file), 0, 0, NULL, NULL,
	 "Certificates that may sign the server's, in PEM; unset: the system's."},
	{"tls_verify", DFS_CONFIG_BOOL, 0, FIELD(tls_verify), 0, 0, "true", NULL,
	 "Whether the server must prove who it is; only for trials to be switched off."},
	{0},
};

static enum dfs_status
refuse(struct dfs_diag *diag, const char *key, const char *what, const char *value, const char *why)
{
	snprintf(diag->key, sizeof diag->key, "%s", key);
	snprintf(diag->text, sizeof diag->text, "%s \"%.200s\": %s", what, value, why);
	return DFS_CONFIG;
}

static bool
proxy_ok(const char *proxy)
{
	CURLU *url = curl_url();
	bool ok = url && curl_url_set(url, CURLUPART_URL, proxy,
				      CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;

	curl_url_cleanup(url);
	return ok;
}

static enum dfs_status
validate(const void *config, struct dfs_diag *diag)
{
	const struct s3_config *c = config;
	struct site site;
	const char *wrong;

	if (!site_bucket_ok(c->bucket))
		return refuse(diag, "bucket", "bucket", c->bucket,
			      "a bucket's name has letters, digits, '.', '-' and '_' only");
	if (!site_region_ok(c->region))
		return refuse(diag, "region", "region", c->region,
			      "a region's name has letters, digits, '-' and '_' only");
	/* S3 itself would take more. */
	if (!dfs_key_prefix(c->key_prefix))
		return refuse(
			diag, "key_prefix", "key_prefix", c->key_prefix,
			"it must be the beginning of an object key: parts of letters, digits, "
			"'.', '-' and '_' with '/' between them, none with a '.' first");
	wrong = site_init(&site, c->endpoint, c->region, c->bucket, c->path_style);
	if (wrong)
		return refuse(diag, "endpoint", "endpoint", c->endpoint, wrong);
	if (c->proxy && !proxy_ok(c->proxy)) {
		strcpy(diag->key, "proxy");
		strcpy(diag->text, "the proxy is no URL");
		return DFS_CONFIG;
	}
	if (!c->access_key != !c->secret_key) {
		strcpy(diag->key, c->access_key ? "secret_key" : "access_key");
		strcpy(diag->text, "access_key and secret_key belong together, and one is missing");
		return DFS_CONFIG;
	}
	if (c->kms_key && c->encryption != ENCRYPTION_KMS)
		return refuse(diag, "kms_key", "kms_key", c->kms_key,
			      "it needs encryption = \"kms\"");
	return DFS_OK;
}

/* What a put may ask for, and what of that the server may decline. */
static void
choose_features(struct store *s, const struct s3_config *c)
{
	if (c->conditional_put != NO)
		s->features |= FEATURE_CONDITIONAL;
	if (c->conditional_put == AUTO)
		s->optional |= FEATURE_CONDITIONAL;
	if (c->checksum != NO)
		s->features |= FEATURE_CHECKSUM;
	if (c->checksum == AUTO)
		s->optional |= FEATURE_CHECKSUM;
	/* Over plain HTTP the signature covers the payload. */
	if (c->content_md5 == YES || (c->content_md5 == AUTO && s->site.tls))
		s->features |= FEATURE_MD5;
	if (c->content_md5 == AUTO)
		s->optional |= FEATURE_MD5;
}

static bool
copy_config(struct store *s, const struct s3_config *c)
{
	s->bucket = strdup(c->bucket);
	s->key_prefix = strdup(c->key_prefix);
	s->kms_key = c->kms_key ? strdup(c->kms_key) : NULL;
	s->prefix_len = strlen(c->key_prefix);
	s->encryption = c->encryption;
	s->part_size = c->part_size;
	s->limits = (struct limits){.connect = c->connect_timeout,
				    .response = c->response_timeout,
				    .stall = c->stall_timeout,
				    .stall_rate = c->stall_rate,
				    .total = c->request_timeout};
	site_init(&s->site, c->endpoint, c->region, c->bucket, c->path_style);
	choose_features(s, c);
	return s->bucket && s->key_prefix && (s->kms_key || !c->kms_key);
}

static void
destroy(void *inst)
{
	struct store *s = inst;

	/* The cleaner's request, if one runs, ends at once. */
	if (s->engine)
		engine_stop(s->engine);
	if (s->has_cleaner)
		pthread_join(s->cleaner, NULL);
	engine_free(s->engine);
	chain_free(s->chain);
	pthread_mutex_destroy(&s->mu);
	free(s->bucket);
	free(s->key_prefix);
	free(s->kms_key);
	free(s);
}

static void *
run_cleaner(void *arg)
{
	clean_uploads(arg);
	return NULL;
}

static enum dfs_status
open_store(struct store *s, const struct s3_config *c, struct dfs_diag *diag)
{
	struct engine_options options = {.max_connections = (uint32_t)c->max_connections,
					 .proxy = c->proxy ? c->proxy : "",
					 .ca_file = c->ca_file,
					 .tls_verify = c->tls_verify};
	struct credentials_config keys = {.access_key = c->access_key,
					  .secret_key = c->secret_key,
					  .session_token = c->session_token,
					  .file = c->credentials_file,
					  .profile = c->profile};
	TEXT_AUTO why = {0};

	if (c->ca_file && access(c->ca_file, R_OK) != 0) {
		strcpy(diag->key, "ca_file");
		snprintf(diag->text, sizeof diag->text, "ca_file %.300s: %s", c->ca_file,
			 strerror(errno));
		return DFS_CONFIG;
	}
	if (copy_config(s, c))
		s->engine = engine_new(&options);
	if (!s->engine) {
		strcpy(diag->text, "out of memory or of threads");
		return DFS_NOMEM;
	}
	s->chain = chain_new(s->host, s->engine, &keys, &why);
	if (!s->chain) {
		strcpy(diag->key, "access_key");
		snprintf(diag->text, sizeof diag->text, "no keys for the server: %s",
			 text_string(&why));
		return DFS_CONFIG;
	}
	s->has_cleaner = pthread_create(&s->cleaner, NULL, run_cleaner, s) == 0;
	return DFS_OK;
}

static enum dfs_status
create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	struct store *s = calloc(1, sizeof *s);
	enum dfs_status st;

	if (!s) {
		strcpy(diag->text, "out of memory");
		return DFS_NOMEM;
	}
	s->host = host;
	pthread_mutex_init(&s->mu, NULL);
	st = open_store(s, config, diag);
	if (st != DFS_OK) {
		destroy(s);
		return st;
	}
	*inst = s;
	return DFS_OK;
}

/* A put is durable before it is answered. */
static enum dfs_status
sync_nothing(void *inst)
{
	return DFS_OK;
}

/* A bucket has no size, and counting its objects would take a request for each thousand. */
static enum dfs_status
stats(void *inst, struct dfs_block_stats *out)
{
	out->bytes_total = out->bytes_used = out->bytes_free = out->objects = 0;
	return DFS_OK;
}

static const struct dfs_block_ops ops = {
	.size = sizeof ops,
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.put = store_put,
	.get = store_get,
	.head = store_head,
	.erase = store_erase,
	.erase_prefix = store_erase_prefix,
	.list = store_list,
	.sync = sync_nothing,
	.stats = stats,
	.health = store_health,
	.copy = store_copy,
};

DFS_PLUGIN_DEFINE(block_s3, .kind = DFS_KIND_BLOCK, .abi_major = DFS_BLOCK_ABI_MAJOR,
		  .abi_minor = DFS_BLOCK_ABI_MINOR, .name = "s3", .version = "1.0",
		  .summary = "objects in a bucket of Amazon S3 or a server like it",
		  .license = "MIT", .thread_model = DFS_THREADS_BLOCKING,
		  .max_threads = MAX_CONNECTIONS, .caps = DFS_BLOCK_CAP_DURABLE_PUT,
		  .config = config_table, .config_size = sizeof(struct s3_config), .ops = &ops);
