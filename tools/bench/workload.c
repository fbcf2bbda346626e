/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "workload.h"

#define KIB 1024u
#define DATA W_DATA | W_BYTES

/* clang-format off */
const struct workload workloads[] = {
	{.name = "null", .what = "NULL", .next = null_next},
	{.name = "getattr", .what = "GETATTR of files in one folder", .files = 1000,
	 .prepare = meta_prepare, .next = getattr_next, .clean = meta_clean},
	{.name = "access", .what = "ACCESS of files in one folder", .files = 1000,
	 .prepare = meta_prepare, .next = access_next, .clean = meta_clean},
	{.name = "lookup", .what = "LOOKUP of names in one folder", .files = 1000,
	 .prepare = meta_prepare, .next = lookup_next, .clean = meta_clean},
	{.name = "read4k", .what = "READ of 4 KiB, random", .flags = DATA, .block = 4 * KIB,
	 .prepare = prepare_data, .next = read_next, .clean = data_clean},
	{.name = "read64k", .what = "READ of 64 KiB, in order", .flags = DATA, .block = 64 * KIB,
	 .prepare = prepare_data, .next = read_next, .clean = data_clean},
	{.name = "read1m", .what = "READ of 1 MiB, in order", .flags = DATA, .block = 1024 * KIB,
	 .prepare = prepare_data, .next = read_next, .clean = data_clean},
	{.name = "read", .what = "READ of --block bytes", .flags = DATA,
	 .prepare = prepare_data, .next = read_next, .clean = data_clean},
	{.name = "write4k", .what = "unstable WRITE of 4 KiB, random, COMMIT each 64 MiB",
	 .flags = DATA, .block = 4 * KIB, .prepare = prepare_data, .next = write_next,
	 .done = write_done, .finish = prepare_commit, .check = data_check, .clean = data_clean},
	{.name = "write64k", .what = "unstable WRITE of 64 KiB, in order, COMMIT each 64 MiB",
	 .flags = DATA, .block = 64 * KIB, .prepare = prepare_data, .next = write_next,
	 .done = write_done, .finish = prepare_commit, .check = data_check, .clean = data_clean},
	{.name = "write1m", .what = "unstable WRITE of 1 MiB, in order, COMMIT each 64 MiB",
	 .flags = DATA, .block = 1024 * KIB, .prepare = prepare_data, .next = write_next,
	 .done = write_done, .finish = prepare_commit, .check = data_check, .clean = data_clean},
	{.name = "write", .what = "unstable WRITE of --block bytes, COMMIT each 64 MiB",
	 .flags = DATA, .prepare = prepare_data, .next = write_next,
	 .done = write_done, .finish = prepare_commit, .check = data_check, .clean = data_clean},
	{.name = "syncwrite", .what = "FILE_SYNC WRITE of 4 KiB, random", .flags = W_DATA,
	 .block = 4 * KIB, .prepare = prepare_data, .next = syncwrite_next, .done = write_done,
	 .check = data_check, .clean = data_clean},
	{.name = "create", .what = "CREATE of new files", .flags = W_BOUNDED, .ops = 1000000,
	 .prepare = dirs_prepare, .next = create_next, .clean = create_clean},
	{.name = "smallfile", .what = "CREATE, WRITE of 4 KiB, COMMIT; counted as one",
	 .flags = W_BOUNDED, .ops = 1000000, .prepare = dirs_prepare, .next = create_next,
	 .done = smallfile_done, .check = smallfile_check, .clean = create_clean},
	{.name = "mkdir", .what = "MKDIR of new folders", .flags = W_BOUNDED, .ops = 1000000,
	 .prepare = dirs_prepare, .next = mkdir_next, .clean = mkdir_clean},
	{.name = "rename", .what = "RENAME within one folder", .prepare = rename_prepare,
	 .next = rename_next, .done = rename_done, .clean = rename_clean},
	{.name = "remove", .what = "REMOVE of empty files", .flags = W_BOUNDED, .ops = 100000,
	 .prepare = remove_prepare, .next = remove_next, .clean = remove_clean},
	{.name = "readdirplus", .what = "READDIRPLUS over a folder of --entries names",
	 .flags = W_ENTRIES, .prepare = list_prepare, .next = list_next, .done = list_done,
	 .check = list_check, .clean = list_clean},
	{.name = "mixed",
	 .what = "40% GETATTR, 20% LOOKUP, 25% READ of 4 KiB, 15% WRITE of 4 KiB",
	 .flags = W_DATA, .block = 4 * KIB, .files = 1000, .prepare = mixed_prepare,
	 .next = mixed_next, .finish = prepare_commit, .clean = mixed_clean},
};
/* clang-format on */

const unsigned n_workloads = G_N_ELEMENTS(workloads);

const struct workload *
workload_find(const char *name)
{
	for (unsigned i = 0; i < n_workloads; i++)
		if (strcmp(workloads[i].name, name) == 0)
			return &workloads[i];
	return NULL;
}
