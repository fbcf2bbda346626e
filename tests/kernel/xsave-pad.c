/* SPDX-License-Identifier: MIT
 *
 * Preloaded into Debian's user-mode Linux 6.1 so that it starts on processors whose XSAVE area
 * is larger than the buffer it was built with (AMX makes it 11 KiB).
 *
 * The host kernel refuses PTRACE_SETREGSET(NT_X86_XSTATE) with less than its whole area, so what
 * the guest's kernel sets is padded to that size; components that its buffer cannot hold are
 * left in their initial state by clearing their bits in the XSAVE header (Intel SDM volume 1,
 * 13.4).  Single-threaded, like the program it is loaded into.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define AREA_MAX 65536
#define XSTATE_BV 512 /* offset of the header's component bitmap */

static _Alignas(64) unsigned char area[AREA_MAX];
static size_t area_len;

static long
sys_ptrace(long request, pid_t pid, void *addr, void *data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* Bitmap of the components whose bytes lie within the first len bytes of the area. */
static uint64_t
components_within(size_t len)
{
	uint64_t bits = 3; /* x87 and SSE sit in the legacy region */

	for (unsigned i = 2; i < 63; i++) {
		unsigned size = 0, offset = 0, flags = 0, unused = 0;
		if (__get_cpuid_count(0xd, i, &size, &offset, &flags, &unused) && size != 0 &&
		    !(flags & 1) && (size_t)offset + size <= len)
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

static long
set_xstate(pid_t pid, struct iovec *iov)
{
	uint64_t bits;
	struct iovec whole;

	if (area_len == 0) {
		struct iovec probe = {area, sizeof area};
		if (sys_ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &probe) == 0)
			area_len = probe.iov_len;
	}
	if (iov->iov_len >= area_len)
		return sys_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, iov);
	memset(area, 0, area_len);
	memcpy(area, iov->iov_base, iov->iov_len);
	memcpy(&bits, area + XSTATE_BV, sizeof bits);
	bits &= components_within(iov->iov_len);
	memcpy(area + XSTATE_BV, &bits, sizeof bits);
	whole = (struct iovec){area, area_len};
	return sys_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &whole);
}

__attribute__((visibility("default"))) long
ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	long word = 0, rc;

	va_start(ap, request);
	pid_t pid = va_arg(ap, pid_t);
	void *addr = va_arg(ap, void *);
	void *data = va_arg(ap, void *);
	va_end(ap);

	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return set_xstate(pid, data);
	if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
		return sys_ptrace(request, pid, addr, data);
	/* The system call stores the word; the C library's function returns it. */
	rc = sys_ptrace(request, pid, addr, &word);
	if (rc < 0)
		return rc;
	errno = 0;
	return word;
}
