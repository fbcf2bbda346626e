/* SPDX-License-Identifier: MIT
 *
 * Which bytes of a file are likely to be read next: up to four sequential readers of it at once.
 *
 * A reader is believed from its second read on, or when it begins at the file's beginning.  It gets
 * 4 MiB ahead; with each MiB that it reaches of what was brought for it the window doubles, to 64 MiB
 * at most, and it halves when what was brought went unread or memory is short.  Reads that nobody
 * expects get nothing.  No locks and no I/O: the owner has both.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_READAHEAD_H
#define DFS_PAYLOAD_OFFLOAD_READAHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define DFS_READAHEAD_SESSIONS 4
#define DFS_READAHEAD_FIRST (1u << 20)  /* what the first read of a session waits for at most */
#define DFS_READAHEAD_WINDOW (4u << 20) /* one block */
#define DFS_READAHEAD_WINDOW_MAX (64u << 20)

struct dfs_readahead_session {
	uint64_t next;    /* where the reader goes on */
	uint64_t begun;   /* blocks below have been asked for: [begun, ahead) is left to do */
	uint64_t ahead;   /* and shall be, up to here */
	uint64_t reached; /* the MiB that the reader is in */
	uint32_t window;  /* 0: not believed yet */
	uint32_t used;    /* larger: later */
	uint32_t wasted;  /* the counter's value when it was looked at last */
};

struct dfs_readahead {
	struct dfs_readahead_session sessions[DFS_READAHEAD_SESSIONS];
	uint32_t n, clock;
};

/* What the owner knows at a read. */
struct dfs_readahead_hints {
	uint64_t length;     /* the file's */
	uint32_t window_max; /* bytes; under DFS_READAHEAD_WINDOW: nothing is brought */
	uint32_t wasted;     /* grows when something that was brought expires unread */
	bool pressed;        /* memory is short */
};

/* [offset, offset + len) is read, len > 0.  True: by a reader that is believed in; a session may
 * have something to do then. */
bool dfs_readahead_note(struct dfs_readahead *ra, uint64_t offset, uint32_t len,
			const struct dfs_readahead_hints *hints);
/* A session with something to do; NULL: none. */
struct dfs_readahead_session *dfs_readahead_todo(struct dfs_readahead *ra);

#endif
