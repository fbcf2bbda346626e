/* SPDX-License-Identifier: MIT
 *
 * What the simulated disk's two files share: its calls, and what the power does to it.
 */
#ifndef DFS_PAYLOAD_WAL_TEST_DISK_SIM_H
#define DFS_PAYLOAD_WAL_TEST_DISK_SIM_H

#include <glib.h>
#include <pthread.h>

#include "payload/wal/test-disk.h"

#define SECTOR 512u
#define N_INODES 512
#define N_FDS 256
#define FOLDER 100000
#define N_FAULTS 4

struct write {
	struct write *next;
	uint64_t offset, len; /* whole sectors but at the file's end */
	unsigned char bytes[];
};

struct inode {
	unsigned char *now, *durable;
	uint64_t room, size, durable_size;
	struct write *writes, **tail; /* not synced */
	unsigned fds;
	int lock; /* fd, -1: nobody */
	bool mapped;
	bool used;
};

struct name {
	char *name;
	int inode;
};

struct step { /* a change of the folder that was not synced */
	char *name;
	int inode; /* -1: unlinked */
};

struct fault {
	enum sim_op op;
	char *prefix;
	unsigned skip, times;
	int error;
};

struct sim {
	pthread_mutex_t mu;
	struct dfs_disk_ops ops;
	uint64_t seed, capacity;
	struct inode inodes[N_INODES];
	int fds[N_FDS]; /* inode, -1: free */
	bool direct[N_FDS];
	GArray *names, *durable_names; /* struct name */
	GArray *steps;
	struct fault faults[N_FAULTS];
	unsigned n_faults;
	int64_t calls_left; /* -1: no end */
	bool frozen, buffered;
};

/* mu is held, or nobody else is there. */
uint64_t sim_draw(struct sim *sim, uint64_t n);
int sim_names_find(GArray *names, const char *name);
void sim_names_set(GArray *names, const char *name, int inode);
void sim_names_clear(GArray *names);
void sim_writes_drop(struct inode *in);
void sim_inode_reserve(struct inode *in, uint64_t size);
int sim_inode_new(struct sim *sim);
/* The first n changes of the folder are durable, the others are forgotten. */
void sim_steps_done(struct sim *sim, unsigned n);
/* Inodes that no name and no descriptor has go. */
void sim_collect(struct sim *sim);

#endif
