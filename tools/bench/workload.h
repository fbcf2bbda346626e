/* SPDX-License-Identifier: MIT
 *
 * The workloads: each is a table row of functions over the engine's phases.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench.h"

enum {
	W_BYTES = 1,   /* reported as MB/s and CPU per GB */
	W_ENTRIES = 2, /* reported as directory entries */
	W_BOUNDED = 4, /* uses names up: --ops bounds it, and it has no warm-up */
	W_DATA = 8,    /* works on the data files, b->data, in blocks */
};

struct workload {
	const char *name, *what;
	unsigned flags;
	uint32_t block; /* 0: --block */
	uint32_t files; /* metadata files or names to prepare, unless --files */
	uint64_t ops;   /* the bound of a W_BOUNDED one, unless --ops */
	bool (*prepare)(struct bench *b, const struct workload *w);
	bool (*next)(struct thread *t, struct conn *c, struct slot *s);
	enum done (*done)(struct thread *t, struct slot *s);
	bool (*finish)(struct bench *b); /* still in the measured time */
	bool (*check)(struct bench *b, const struct workload *w);
	bool (*clean)(struct bench *b, const struct workload *w);
};

extern const struct workload workloads[];
extern const unsigned n_workloads;

const struct workload *workload_find(const char *name);

/* prepare.c */
/* Create n files in b->dir and keep their handles and file numbers. */
bool prepare_objects(struct bench *b, char prefix, unsigned n, struct object **objects);
/* Create n names in a folder, keeping nothing. */
bool prepare_names(struct bench *b, const struct fh *dir, char prefix, uint64_t n);
/* Data files of --file-size with generation 0 in them, committed and read back in samples;
 * --prepared: they are there, and nothing is read or written. */
bool prepare_data(struct bench *b, const struct workload *w);
/* Remove names [first, first + n) by REMOVE or RMDIR; those that are gone already do not matter.
 * n_dirs folders share them in turn. */
bool prepare_remove(struct bench *b, const struct fh *dirs, unsigned n_dirs, char prefix,
		    uint64_t first, uint64_t n, uint8_t proc);
/* COMMIT each data file. */
bool prepare_commit(struct bench *b);
/* Read samples of the data files and compare them with what they must hold. */
bool prepare_compare(struct bench *b, unsigned per_file);
bool prepare_clean_data(struct bench *b);

/* w_*.c */
bool null_next(struct thread *t, struct conn *c, struct slot *s);

bool meta_prepare(struct bench *b, const struct workload *w);
bool meta_clean(struct bench *b, const struct workload *w);
bool getattr_next(struct thread *t, struct conn *c, struct slot *s);
bool access_next(struct thread *t, struct conn *c, struct slot *s);
bool lookup_next(struct thread *t, struct conn *c, struct slot *s);

bool read_next(struct thread *t, struct conn *c, struct slot *s);
bool write_next(struct thread *t, struct conn *c, struct slot *s);
bool syncwrite_next(struct thread *t, struct conn *c, struct slot *s);
enum done write_done(struct thread *t, struct slot *s);
bool data_check(struct bench *b, const struct workload *w);
bool data_clean(struct bench *b, const struct workload *w);

bool dirs_prepare(struct bench *b, const struct workload *w);
bool create_next(struct thread *t, struct conn *c, struct slot *s);
bool create_clean(struct bench *b, const struct workload *w);
enum done smallfile_done(struct thread *t, struct slot *s);
bool smallfile_check(struct bench *b, const struct workload *w);
bool mkdir_next(struct thread *t, struct conn *c, struct slot *s);
bool mkdir_clean(struct bench *b, const struct workload *w);
bool remove_prepare(struct bench *b, const struct workload *w);
bool remove_next(struct thread *t, struct conn *c, struct slot *s);
bool remove_clean(struct bench *b, const struct workload *w);
bool rename_prepare(struct bench *b, const struct workload *w);
bool rename_next(struct thread *t, struct conn *c, struct slot *s);
enum done rename_done(struct thread *t, struct slot *s);
bool rename_clean(struct bench *b, const struct workload *w);

bool list_prepare(struct bench *b, const struct workload *w);
bool list_next(struct thread *t, struct conn *c, struct slot *s);
enum done list_done(struct thread *t, struct slot *s);
bool list_check(struct bench *b, const struct workload *w);
bool list_clean(struct bench *b, const struct workload *w);

bool mixed_prepare(struct bench *b, const struct workload *w);
bool mixed_next(struct thread *t, struct conn *c, struct slot *s);
bool mixed_clean(struct bench *b, const struct workload *w);

#endif
