/* SPDX-License-Identifier: MIT
 *
 * The header lines of an answer, from bytes that a server chose.
 */
#ifndef BLOCK_S3_HEADERS_H
#define BLOCK_S3_HEADERS_H

#include "transfer.h"

/* Nothing known yet; keeps the body's bound and memory. */
void headers_reset(struct answer *a);
/* One line, with or without its end.  A status line resets.  True: this was the empty line behind
 * the headers of a final answer. */
bool headers_line(struct answer *a, const char *line, size_t len);

#endif
