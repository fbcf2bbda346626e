/* SPDX-License-Identifier: MIT
 *
 * An HTTP server on loopback that stands for a container's or an instance's endpoint: it answers
 * what it was told to, and remembers what it was asked.  One per process.
 */
#ifndef BLOCK_S3_TEST_STUB_H
#define BLOCK_S3_TEST_STUB_H

#include <stdbool.h>

void stub_start(void);
void stub_stop(void);
int stub_port(void);
/* request: "GET /path".  All others are answered 404. */
void stub_answer(const char *request, const char *body);
/* Whether some request's head had this text. */
bool stub_saw(const char *text);
/* Requests since the start. */
int stub_count(void);

#endif
