/* SPDX-License-Identifier: MIT
 *
 * put-parts ENDPOINT BUCKET ACCESS_KEY SECRET_KEY: an object of 12 MiB, larger than the store's
 * contract allows, goes to a server in parts and comes back, and stale uploads are looked for.
 */
#include <stdio.h>

#include "tests/s3/fixture.h"

#define LENGTH (12u << 20)

static bool
good(enum dfs_status st)
{
	if (st != DFS_OK)
		fprintf(stderr, "%s\n", fix_text());
	return st == DFS_OK;
}

int
main(int argc, char **argv)
{
	struct fix f = {.ops = block_s3_LTX_dfs_plugin.ops};
	g_autofree unsigned char *data = fix_bytes(1, LENGTH);
	struct dfs_span span = {data, LENGTH, NULL};
	bool ok;

	if (argc != 5)
		return 2;
	f.config = fix_config(argv[1]);
	f.config.bucket = argv[2];
	f.config.access_key = argv[3];
	f.config.secret_key = argv[4];
	f.config.key_prefix = "parts/";
	f.config.part_size = 5 << 20;
	f.config.max_connections = 4;
	f.config.response_timeout = f.config.stall_timeout = 30 * SECOND;
	f.config.stall_rate = 1000;
	if (f.ops->create(&fix_host, &f.config, &f.inst, &f.diag) != DFS_OK) {
		fprintf(stderr, "%s\n", f.diag.text);
		return 1;
	}
	ok = good(put_object(f.inst, "large", &span, 1, LENGTH)) &&
	     good(fix_get(&f, "large", 1, 0, LENGTH));
	clean_uploads(f.inst);
	ok = good(f.ops->erase(f.inst, "large", 0)) && ok;
	fix_close(&f);
	return ok ? 0 : 1;
}
