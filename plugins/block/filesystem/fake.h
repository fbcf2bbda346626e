/* SPDX-License-Identifier: MIT
 *
 * Compiled before everything else in test-filesystem: the calls below go to the test's versions.
 */
#define fdatasync fake_fdatasync
#define fsync fake_fsync
#define syncfs fake_syncfs
#define syscall fake_syscall
#define writev fake_writev
