/* SPDX-License-Identifier: MIT
 *
 * put-parts ENDPOINT BUCKET ACCESS_KEY SECRET_KEY: an object of 12 MiB, larger than the store's
 * contract allows, goes to a server in parts and comes back, and stale uploads are looked for.
 */
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/block/s3/store.h"

#define LENGTH (12u << 20)

extern const struct dfs_plugin block_s3_LTX_dfs_plugin;

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
}

static void *
space(void *ctx, uint64_t *len)
{
	*len = LENGTH;
	return ctx;
}

int
main(int argc, char **argv)
{
	static const struct dfs_host host = {
		.size = sizeof host, .log = host_log, .fail = host_fail, .count = host_count};
	const struct dfs_block_ops *ops = block_s3_LTX_dfs_plugin.ops;
	g_autofree unsigned char *data = g_malloc(LENGTH), *back = g_malloc0(LENGTH);
	struct dfs_span span = {data, LENGTH, NULL};
	struct dfs_sink sink = {back, NULL, space};
	struct s3_config config = {.region = "us-east-1",
				   .key_prefix = "parts/",
				   .part_size = 5 << 20,
				   .max_connections = 4,
				   .connect_timeout = 2 * SECOND,
				   .response_timeout = 30 * SECOND,
				   .stall_timeout = 30 * SECOND,
				   .stall_rate = 1000,
				   .request_timeout = 60 * SECOND};
	struct dfs_diag diag = {.text = ""};
	void *inst;
	bool ok;

	if (argc != 5)
		return 2;
	config.endpoint = argv[1];
	config.bucket = argv[2];
	config.access_key = argv[3];
	config.secret_key = argv[4];
	for (uint32_t i = 0; i < LENGTH; i++)
		data[i] = (unsigned char)(i * 2654435761u >> 13);
	if (ops->create(&host, &config, &inst, &diag) != DFS_OK) {
		fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	ok = put_object(inst, "large", &span, 1, LENGTH) == DFS_OK &&
	     ops->get(inst, "large", 0, LENGTH, &sink, 0) == DFS_OK &&
	     memcmp(data, back, LENGTH) == 0;
	clean_uploads(inst);
	ok = ops->erase(inst, "large", 0) == DFS_OK && ok;
	ops->destroy(inst);
	return ok ? 0 : 1;
}
