/* SPDX-License-Identifier: MIT
 *
 * Numbers of RPC (RFC 5531), portmap (RFC 1833), MOUNT 3 and NFS 3 (RFC 1813).
 */
#ifndef BENCH_NFS3_H
#define BENCH_NFS3_H

#include <stdint.h>

enum {
	PROG_PORTMAP = 100000,
	PROG_NFS = 100003,
	PROG_MOUNT = 100005,
};

enum {
	PMAP_GETPORT = 3,
	MOUNT_MNT = 1,
	MOUNT_UMNT = 3,
	MOUNT_EXPORT = 5,
};

enum nfs3_proc {
	NFS3_NULL,
	NFS3_GETATTR,
	NFS3_SETATTR,
	NFS3_LOOKUP,
	NFS3_ACCESS,
	NFS3_READLINK,
	NFS3_READ,
	NFS3_WRITE,
	NFS3_CREATE,
	NFS3_MKDIR,
	NFS3_SYMLINK,
	NFS3_MKNOD,
	NFS3_REMOVE,
	NFS3_RMDIR,
	NFS3_RENAME,
	NFS3_LINK,
	NFS3_READDIR,
	NFS3_READDIRPLUS,
	NFS3_FSSTAT,
	NFS3_FSINFO,
	NFS3_PATHCONF,
	NFS3_COMMIT,
	NFS3_PROCS,
};

enum {
	NFS3_OK = 0,
	NFS3ERR_NOENT = 2,
	NFS3ERR_EXIST = 17,
	NFS3ERR_JUKEBOX = 10008,
};

enum { NF3REG = 1, NF3DIR = 2 };
enum { CREATE_UNCHECKED = 0, CREATE_GUARDED = 1 };
enum { WRITE_UNSTABLE = 0, WRITE_FILE_SYNC = 2 };

#define NFS3_FHSIZE 64
#define NFS3_FATTR 84
#define NFS3_WCC_PRE 24
#define FATTR_FILEID 52 /* of fileid within fattr3 */

#define PORT_NFS 2049
#define PORT_PORTMAP 111

struct fh {
	uint32_t len;
	uint8_t data[NFS3_FHSIZE];
};

/* "READDIRPLUS"; "?" for a number that is none. */
const char *nfs3_proc_name(uint32_t proc);
/* "NFS3ERR_STALE" or the number in words; valid until the thread's next call. */
const char *nfs3_status_name(uint32_t status);
/* The text of an RPC accept_stat. */
const char *rpc_accept_name(uint32_t stat);

#endif
