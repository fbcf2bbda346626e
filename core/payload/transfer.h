/* SPDX-License-Identifier: MIT
 *
 * How content travels between sockets and cached pages without a copy: by reference to buffers.
 */
#ifndef DFS_PAYLOAD_TRANSFER_H
#define DFS_PAYLOAD_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"

/* Bytes of a READ: references to cache pages, in order.  Release with dfs_read_release. */
#define DFS_READ_MAX (1u << 20)
#define DFS_READ_SPANS 20
struct dfs_read {
	uint32_t n;
	uint32_t len; /* bytes in all */
	bool eof;     /* offset + len is at or past the end */
	struct {
		struct dfs_buf *buf;
		const unsigned char *data;
		uint32_t len;
	} spans[DFS_READ_SPANS];
};

void dfs_read_release(struct dfs_read *out);

/* Memory lent for a WRITE before its bytes are there: see dfs_fs_write_reserve. */
#define DFS_WRITE_MAX (1u << 20)
#define DFS_WRITE_SPANS 18
struct dfs_write {
	uint64_t offset;
	uint32_t len;
	uint32_t n;
	struct iovec iov[DFS_WRITE_SPANS];     /* where the bytes go, in order */
	struct dfs_buf *bufs[DFS_WRITE_SPANS]; /* iov[i] lies in bufs[i] */
};

#endif
