/* SPDX-License-Identifier: MIT
 *
 * The status monitor.  An input that begins with 'd' is its file; any other a sequence of calls, each a
 * byte for procedure and peer, a byte for the length, and the arguments.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/nfs/nsm/table.h"
#include "adapters/nfs/test-runtime.h"
#include "base/log.h"
#include "io/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct test_conn conn;
static struct nfs_nsm *nsm;
static char folder[] = "/tmp/dittofs-fuzz.XXXXXX";

static void
clean_up(void)
{
	char path[sizeof folder + 8];

	snprintf(path, sizeof path, "%s/nsm", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/nsm.new", folder);
	unlink(path);
	rmdir(folder);
}

static void
start(void)
{
	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	if (!mkdtemp(folder) ||
	    nfs_nsm_new(folder, dfs_lane_new(dfs_workers_new(1), 1, 1), &nsm) != DFS_OK)
		abort();
	atexit(clean_up);
	test_conn_init(&conn, "127.0.0.1", 900);
	conn.service.nsm = nsm;
}

/* Damaged or not, what was read stays within the bounds. */
static void
run_file(const uint8_t *data, size_t size)
{
	struct nfs_nsm *copy = calloc(1, sizeof *copy);
	char *text = malloc(size + 1);

	if (!copy || !text)
		abort();
	pthread_mutex_init(&copy->mu, NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (nsm_file_parse(copy, text)) {
		assert(copy->n_untold == copy->n_peers);
		assert(copy->n_peers <= NSM_PEERS_MAX && copy->n_watches <= NSM_WATCHES_MAX);
		assert(copy->n_lapsed <= NSM_WATCHES_MAX);
	}
	free(text);
	nfs_nsm_free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const peers[] = {"127.0.0.1", "192.0.2.7", "::1", "::ffff:127.0.0.1"};
	struct dfs_ctx ctx = {.n_tickets = 0};

	if (!nsm)
		start();
	if (size > 0 && data[0] == 'd') {
		run_file(data, size);
		return 0;
	}
	while (size >= 2) {
		uint32_t proc = data[0] % NSM_PROCS;
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		test_conn_peer(&conn, peers[data[0] / NSM_PROCS % 4], 900);
		test_conn_args(&conn, data + 2, len);
		if (data[0] & 0x80)
			nfs_nsm_monitor(nsm, &conn.access, (const char *)data + 2, (uint32_t)len,
					data[1], &ctx);
		ctx.n_tickets = 0;
		test_conn_run(&conn, &nsm1_procs[proc]);
		data += 2 + len;
		size -= 2 + len;
	}
	assert(nfs_nsm_peers(nsm) <= NSM_PEERS_MAX && nsm->n_watches <= NSM_WATCHES_MAX);
	return 0;
}
