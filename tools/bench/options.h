/* SPDX-License-Identifier: MIT
 *
 * The command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum pattern { PATTERN_AUTO, PATTERN_SEQUENTIAL, PATTERN_RANDOM };

struct options {
	char *host, *export_path, *folder;
	char *run; /* NULL: one of its own */
	char **workloads;
	int port, mount_port; /* 0: ask */
	int uid, gid;
	int connections, depth, threads;
	double seconds, warmup, timeout;
	int64_t ops; /* 0: the workload's default */
	int files;   /* 0: the workload's default */
	int64_t file_size, block, commit_every;
	int entries, folders, dir_bytes;
	int verify; /* 1 READ in so many; 0: none */
	int64_t seed;
	enum pattern pattern;
	bool prepared; /* the data files are there */
	bool keep, json, histogram, reserved_port;
	GArray *server_pids; /* of pid_t */

	bool serve_echo, list;
	char *bind, *limit, *limit_dir;
	int idle;
};

/* Parse and check; prints what is wrong and exits with 2, or answers --version and exits. */
void options_parse(struct options *o, int argc, char **argv);

void options_free(struct options *o);

/* "64k", "1M", "2G" to bytes; false when it is no size. */
bool options_size(const char *text, int64_t *bytes);

#endif
