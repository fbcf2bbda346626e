/* SPDX-License-Identifier: MIT
 *
 * Test Anything Protocol output for the conformance programs.  Results come from the main thread;
 * remarks from any.
 */
#ifndef CONFORM_TAP_H
#define CONFORM_TAP_H

#include <stdbool.h>

/* One result line.  skip: the reason why the test did not run, or NULL. */
void tap_result(bool ok, const char *group, const char *name, const char *skip);
/* One remark line ("# ..."); newlines in the text become further remark lines. */
void tap_remark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Give up: prints "Bail out!" with the reason and exits with status 2. */
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Prints the plan.  Returns the exit status: 0 when nothing failed, else 1. */
int tap_end(void);

#endif
