/* SPDX-License-Identifier: MIT
 *
 * Lists of byte ranges that a call has done some of.
 */
#ifndef DFS_BASE_IOV_H
#define DFS_BASE_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* The first `done` bytes of the n ranges are: *iov and *n become what is left of them, none of it
 * empty at the front.  done: at most what they hold; the range that it ends in is changed. */
static inline void
dfs_iov_advance(struct iovec **iov, int *n, size_t done)
{
	while (*n > 0 && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		++*iov;
		--*n;
	}
	if (done > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

#endif
